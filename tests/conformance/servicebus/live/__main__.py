"""`python -m tests.conformance.servicebus.live [group ...]`: the SDK's own tests and samples, unpatched, against the emulator.

They are in the source distribution on PyPI, which is downloaded into the cache folder; nothing of it is kept here. Most
of them only wait, so many run at a time, each worker with an emulator of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.conformance.samples import servicebus, storage
from tests.conformance.samples.sample import GROUP

from .expected import EXPECTED
from .plugin import REPORT
from .source import GROUPS, VERSION, fetch, files, packages
from .table import Result, table

SLOW_SECONDS = 900
ROOT = Path(__file__).resolve().parents[4]


def run(chosen: list[str], tests: Path, options: argparse.Namespace) -> tuple[list[Result], str]:
    """Run groups; return what their tests reported, and what went wrong beside them ("" if nothing)."""
    group_of = {file: group for group in chosen for file in files(tests, group)}
    with tempfile.TemporaryDirectory() as made:
        report = Path(made) / "report.jsonl"
        report.touch()
        (Path(made) / "pytest.ini").write_text("[pytest]\n")
        command = [
            sys.executable, "-m", "pytest", "-c", str(Path(made) / "pytest.ini"), f"--rootdir={tests}", "-q", "--tb=short",
            "-p", f"{__package__}.plugin", "-p", "no:randomly", "-p", "no:peeklock", "-p", "no:cacheprovider",
            "-n", str(options.workers), "--maxschedchunk=1",
            "-o", f"timeout={SLOW_SECONDS}", "--capture=fd", "--show-capture=no",
            *(("-k", options.only) if options.only else ()), *group_of,
        ]  # fmt: skip
        paths = os.pathsep.join(map(str, (ROOT, tests, tests / "mgmt_tests", tests / "async_tests", packages())))
        environment = os.environ | {REPORT: str(report), "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
        problem = ""
        try:
            done = subprocess.run(
                command,
                cwd=tests,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=options.minutes * 60,
            )
            if done.returncode not in (0, 1):
                problem = f"pytest ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        except subprocess.TimeoutExpired:
            problem = f"not at its end after {options.minutes:g} minutes (see --minutes)"
        results = []
        for line in map(json.loads, report.read_text(encoding="utf-8").splitlines()):
            group = group_of[line["test"].partition("::")[0]]
            results.append(Result(group, line["test"], line["outcome"], line["seconds"], line["why"], line["details"]))
        return results, problem


def main() -> int:
    """Print passed, failed and why for each group; return 1 when something failed."""
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="group", help=f"of: {', '.join(GROUPS)} (default: all)")
    parser.add_argument("-k", dest="only", help="as pytest's")
    parser.add_argument("--minutes", type=float, default=30.0, help="that all may take (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=32, help="tests at a time (default: %(default)s)")
    parser.add_argument("--details", type=Path, help="a file to write the tracebacks to")
    options = parser.parse_args()
    for unknown in set(options.groups) - set(GROUPS):
        parser.error(f"there is no group {unknown!r}")
    started = time.monotonic()
    chosen, tests, problem = options.groups or list(GROUPS), fetch(), ""
    results: list[Result] = []
    if GROUP in chosen:
        results += servicebus.run(tests.parent / "samples", options.workers, options.only or "")
        results += storage.run(options.only or "")
    if tested := [group for group in chosen if GROUPS[group]]:
        found, problem = run(tested, tests, options)
        results += found
    if options.details is not None:
        parts = (f"==== {result.test}\n{result.details}\n" for result in results if result.outcome == "failed")
        options.details.write_text("\n".join(parts), encoding="utf-8")
    text, good = table(results, EXPECTED)
    print(text)
    print(f"\nazure-servicebus {VERSION}: {(time.monotonic() - started) / 60:.1f} minutes, {options.workers} at a time")
    if problem:
        print(problem, file=sys.stderr)
    return 0 if good and not problem else 1


if __name__ == "__main__":
    sys.exit(main())
