"""Azure OpenAI, as the `openai` package speaks to it."""

from __future__ import annotations

from peeklock.standins.openai.faults import KINDS, OpenAIFault

__all__ = ["KINDS", "OpenAIFault"]
