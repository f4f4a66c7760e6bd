"""`never: {messages: {…}, for: 2s}` — what must not come true within a window."""

from __future__ import annotations

from pydantic import Field

from peeklock.engine.verb import Verb
from peeklock.scenario.durations import Duration
from peeklock.scenario.fields import Model


class NeverArguments(Model):
    """The window; beside it stands the verb that observes. The engine watches by itself."""

    duration: Duration = Field(2.0, alias="for", gt=0)


VERB = Verb("never", NeverArguments, "what must not come true within a window", shape="nothing")
