"""`use: fragments/prepared_query.yaml` — the steps of another file, with inputs and outputs."""

from __future__ import annotations

from peeklock.engine.verb import Verb
from peeklock.scenario.fields import Model


class UseArguments(Model):
    """A fragment; `with` and `outputs` stand beside `use` in the step. The engine runs its steps itself."""

    fragment: str


VERB = Verb("use", UseArguments, "the steps of a fragment file", shape="nothing")
