"""`python -m tests.conformance.servicebus.live [group ...]`: the SDK's own live tests against the emulator.

They are in the source distribution on PyPI, which is downloaded into the cache folder; nothing of it is kept here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path

from harness.servicebus.gateway.certificates import folder

from .plugin import REPORT

VERSION = "7.15.0"
SLOW_SECONDS = 400
ROOT = Path(__file__).resolve().parents[4]
GROUPS: dict[str, tuple[str, ...]] = {
    "admin": ("mgmt_tests", "--ignore=mgmt_tests/async"),
    "admin aio": ("mgmt_tests/async",),
    "client": ("test_sb_client.py",),
    "queues": ("test_queues.py",),
    "sessions": ("test_sessions.py", "test_list_sessions.py"),
    "topics": ("test_topic.py", "test_subscriptions.py"),
    "client aio": ("async_tests/test_sb_client_async.py",),
    "queues aio": ("async_tests/test_queues_async.py",),
    "sessions aio": ("async_tests/test_sessions_async.py", "async_tests/test_list_sessions_async.py"),
    "topics aio": ("async_tests/test_topic_async.py", "async_tests/test_subscriptions_async.py"),
}


def fetch() -> Path:
    """Return the SDK's folder of tests, downloaded when it is not there yet."""
    cache = folder().parent / "servicebus-sdk-tests"
    source = cache / f"azure_servicebus-{VERSION}"
    if not source.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as made:
            wanted = ("--no-binary", ":all:", "--no-deps", "--quiet", "--dest", made, f"azure-servicebus=={VERSION}")
            subprocess.run([sys.executable, "-m", "pip", "download", *wanted], check=True)
            with tarfile.open(next(Path(made).glob("*.tar.gz"))) as archive:
                archive.extractall(made, filter="data")
            (Path(made) / source.name).rename(source)
    return source / "tests"


def run(name: str, tests: Path, only: str | None, minutes: float) -> list[dict[str, str]]:
    """Run one group, for some minutes at most; return what its tests reported."""
    with tempfile.TemporaryDirectory() as made:
        report = Path(made) / "report.jsonl"
        report.touch()
        (Path(made) / "pytest.ini").write_text("[pytest]\n")
        command = [
            sys.executable, "-m", "pytest", "-c", str(Path(made) / "pytest.ini"), f"--rootdir={tests}", "-q", "--tb=no",
            "-p", f"{__package__}.plugin", "-p", "no:randomly", "-p", "no:peeklock", "-p", "no:cacheprovider",
            "-o", f"timeout={SLOW_SECONDS}", "--capture=fd", "--show-capture=no", *(("-k", only) if only else ()),
            *GROUPS[name],
        ]  # fmt: skip
        paths = os.pathsep.join(map(str, (ROOT, tests, tests / "mgmt_tests", tests / "async_tests")))
        environment = os.environ | {REPORT: str(report), "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
        problem = ""
        try:
            done = subprocess.run(
                command, cwd=tests, env=environment, capture_output=True, text=True, check=False, timeout=minutes * 60
            )
            if done.returncode not in (0, 1):
                problem = done.stdout[-3000:] + done.stderr[-3000:]
        except subprocess.TimeoutExpired:
            problem = f"{name}: not at its end after {minutes:g} minutes"
        if problem:
            print(problem, file=sys.stderr)
        return [json.loads(line) for line in report.read_text().splitlines()]


def main() -> int:
    """Print passed, failed and why for each group; return 1 when something failed."""
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="group", help=f"of: {', '.join(GROUPS)} (default: all)")
    parser.add_argument("-k", dest="only", help="as pytest's")
    parser.add_argument("--minutes", type=float, default=60.0, help="that a group may take (default: %(default)s)")
    arguments = parser.parse_args()
    for unknown in set(arguments.groups) - set(GROUPS):
        parser.error(f"there is no group {unknown!r}")
    tests = fetch()
    total: Counter[str] = Counter()
    for name in arguments.groups or GROUPS:
        found = run(name, tests, arguments.only, arguments.minutes)
        counts = Counter(line["outcome"] for line in found)
        total += counts
        print(f"{name}: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped", flush=True)
        for line in found:
            if line["outcome"] != "passed":
                print(f"  {line['outcome']:7} {line['test']}: {line['why']}", flush=True)
    print(f"all: {total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
