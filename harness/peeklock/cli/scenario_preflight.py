"""The pre-flight check of a scenario file, on a stack that stands for as long as it takes."""

from __future__ import annotations

from pathlib import Path

from peeklock.engine.environments import needed_kinds
from peeklock.engine.preflight import of_deployment, of_file
from peeklock.preflight.findings import Report
from peeklock.preflight.settings import Setting
from peeklock.scenario.loader import load
from peeklock.stack.choice import choose_backend
from peeklock.stack.open import open_stack
from peeklock.stack.project.cache import cache_dir
from peeklock.stack.project.root import stack_root
from peeklock.verbs import VOCABULARY


def preflight_of(file: Path, settings: list[Setting], seconds: float, backend: str) -> tuple[Report, float]:
    """Check a deployment's `settings` against the file, or with none the file's own services; return the report, and when the
    check began (monotonic seconds), after the stack was up."""
    scenario = load(file, VOCABULARY)
    root = stack_root(scenario.path)
    chosen, _ = choose_backend(backend, root)
    stack = open_stack(root, chosen, kinds=needed_kinds([scenario]))
    try:
        if settings:
            return of_deployment(scenario, settings, stack, cache_dir(), seconds)
        return of_file(scenario, stack, cache_dir())
    finally:
        stack.close()
