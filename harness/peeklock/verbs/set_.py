"""`set: {iq: "iq_${uuid()}"}` — names for later steps, of which something may be expected."""

from __future__ import annotations

from pydantic import ConfigDict

from peeklock.engine.verb import Verb
from peeklock.scenario.fields import Model


class SetArguments(Model):
    """Any names with any values. The engine looks them up one by one, so that a name may build on those before it."""

    model_config = ConfigDict(extra="allow", frozen=True)


VERB = Verb(
    "set",
    SetArguments,
    "names for later steps",
    defines=lambda raw: raw if isinstance(raw, dict) else (),
)
