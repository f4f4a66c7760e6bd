"""Run the SDK suites once for each azure-servicebus version: `python tests/conformance/servicebus/sdk_matrix.py 7.14.0 …`.

Each version is installed without its dependencies into a cache directory, and put before the installed one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

VERSIONS = ("7.14.0", "7.14.3")
ROOT = Path(__file__).parents[3]
SUITES = [f"tests/conformance/servicebus/test_sdk_{part}.py" for part in ("sync", "aio", "sessions")]


def cache() -> Path:
    """Return the directory that keeps the installed versions."""
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(base) / "peeklock" / "sdk" if base else Path.home() / ".cache" / "peeklock" / "sdk"


def install(version: str) -> Path:
    """Install a version once; return the directory to put on the path."""
    target = cache() / f"azure-servicebus-{version}"
    if not (target / "azure" / "servicebus").is_dir():
        package = f"azure-servicebus=={version}"
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target), package]
        subprocess.run(command, check=True)
    return target


def run(version: str) -> int:
    """Run the suites against a version; return pytest's exit code."""
    environment = {
        **os.environ,
        "PEEKLOCK_SERVICEBUS_SDK": version,
        "PEEKLOCK_SERVICEBUS_SDK_PATH": str(install(version)),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SUITES]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main(versions: list[str]) -> int:
    """Run all versions; return 0 when every one passed."""
    results = {version: run(version) for version in versions or VERSIONS}
    for version, code in results.items():
        print(f"azure-servicebus {version}: {'passed' if code == 0 else f'failed ({code})'}")
    return max(results.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
