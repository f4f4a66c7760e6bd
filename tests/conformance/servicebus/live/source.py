"""The SDK's source distribution: fetched into the cache folder, and what its files of tests are about."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
from importlib import metadata
from pathlib import Path

from peeklock.servicebus.gateway.certificates import folder

VERSION = "7.15.0"
GROUPS: dict[str, tuple[str, ...]] = {
    "offline": (
        "unittests",
        "test_batch_sizing.py",
        "test_connection_string_parser.py",
        "test_dictmixin_amqp.py",
        "test_message.py",
        "test_mgmt_client_kwargs.py",
        "test_tracing.py",
    ),
    "admin": ("mgmt_tests/test_*.py",),
    "admin aio": ("mgmt_tests/async",),
    "client": ("test_sb_client.py",),
    "client aio": ("async_tests/test_sb_client_async.py",),
    "queues": ("test_queues.py",),
    "queues aio": ("async_tests/test_queues_async.py",),
    "sessions": ("test_sessions.py", "test_list_sessions.py"),
    "sessions aio": ("async_tests/test_sessions_async.py", "async_tests/test_list_sessions_async.py"),
    "topics": ("test_topic.py", "test_subscriptions.py"),
    "topics aio": ("async_tests/test_topic_async.py", "async_tests/test_subscriptions_async.py"),
    "samples": (),
}
"""Groups of tests by name: files and folders, relative to the SDK's folder of tests. `samples` are programs (`tests/conformance/samples`)."""

_TRACING = {"opentelemetry-sdk": "opentelemetry-api", "azure-core": "azure-core"}
_BRIDGE = "azure-core-tracing-opentelemetry==1.0.0b12"
# the packages that tracing needs and the environment has not, each of the version of one that it has: the bridge is a
# part of azure.core, so that has to stand beside it
_KNOWN = {
    "large_messages_w_sleep": 520, "keep_conn_alive": 330, "connection_failure_is_idempotent": 315, "after_link_timeout": 310,
    "session_cancel_scheduled": 265, "github_issue_6178": 190, "session_schedule": 135, "session_pool": 75,
    "renew_client_locks": 60, "renew_message_locks": 55, "handler_with_no_session": 55,
}  # fmt: skip
# seconds, as measured, of those that wait in ways which a look for sleeps does not find
_TEST = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)
_WAIT = re.compile(r"(?:sleep\(|max_wait_time=)(\d+)(?: \* (\d+))?")


def fetch() -> Path:
    """Return the SDK's folder of tests, downloaded when it is not there yet."""
    return distribution("azure-servicebus", VERSION) / "tests"


def distribution(package: str, version: str) -> Path:
    """Return the folder of a source distribution, downloaded when it is not there yet."""
    cache = folder().parent / "servicebus-sdk-tests"
    source = cache / f"{package.replace('-', '_')}-{version}"
    if not source.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as made:
            wanted = ("--no-binary", ":all:", "--no-deps", "--quiet", "--dest", made, f"{package}=={version}")
            subprocess.run([sys.executable, "-m", "pip", "download", *wanted], check=True)
            with tarfile.open(next(Path(made).glob("*.tar.gz"))) as archive:
                archive.extractall(made, filter="data")
            (Path(made) / source.name).rename(source)
    return source


def packages() -> Path:
    """Return a folder with what only the SDK's tests of tracing need, filled when it is not there yet."""
    pins = [f"{name}=={metadata.version(other)}" for name, other in _TRACING.items()]
    target = (
        folder().parent / "servicebus-sdk-tests" / "tracing-{}".format("-".join(pin.partition("==")[2] for pin in pins))
    )
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as made:
            wanted = ("--quiet", "--disable-pip-version-check", "--target", str(Path(made) / "all"), *pins, _BRIDGE)
            subprocess.run([sys.executable, "-m", "pip", "install", *wanted], check=True)
            (Path(made) / "all").rename(target)
    return target


def files(tests: Path, group: str) -> list[str]:
    """Return the group's files of tests, relative to `tests`."""
    found: list[Path] = []
    for pattern in GROUPS[group]:
        path = tests / pattern
        found += sorted(path.glob("test_*.py")) if path.is_dir() else sorted(tests.glob(pattern))
    return [path.relative_to(tests).as_posix() for path in found]


def waits(file: Path) -> dict[str, int]:
    """Return for each test of a file about how many seconds it waits, as its source says."""
    source = file.read_text(encoding="utf-8")
    starts = [*_TEST.finditer(source)]
    ends = [*(match.start() for match in starts[1:]), len(source)]
    found = {
        match[1]: sum(int(wait[1]) * int(wait[2] or 1) for wait in _WAIT.finditer(source, match.start(), end))
        for match, end in zip(starts, ends, strict=True)
    }
    known = {name: next((wait for part, wait in _KNOWN.items() if part in name), 0) for name in found}
    return {name: known[name] or wait for name, wait in found.items()}
