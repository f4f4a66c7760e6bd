"""The command `peeklock`."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the command line; exit codes: 0 pass, 1 a case failed, 2 invalid, 3 the stack did not start, 4 flaky."""
    if sys.argv[1:2] == ["servicebus"]:
        # a process of its own that should start as fast as it can, so nothing else is imported
        from peeklock.servicebus.process import main as servicebus

        sys.exit(servicebus(sys.argv[2:]))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what services say may be no text for this terminal
    from peeklock.cli.app import app

    app(prog_name="peeklock")
