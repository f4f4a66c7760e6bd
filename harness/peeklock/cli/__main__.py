"""`python -m peeklock.cli`."""

from __future__ import annotations

from peeklock.cli import main

main()
