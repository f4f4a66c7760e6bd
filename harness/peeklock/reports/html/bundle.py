"""Where the viewer is: in the wheel, else in the cache, where `peeklock setup` makes it of `viewer/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from peeklock.stack.embedded.npm import NpmBundle
from peeklock.stack.embedded.tools import node
from peeklock.stack.progress import Progress, silent

_VIEWER = Path(__file__).parent / "viewer"
_IN_WHEEL = _VIEWER / "built"


@dataclass(frozen=True, slots=True)
class Bundle:
    """The viewer as two files."""

    script: Path
    style: Path

    @property
    def live(self) -> tuple[Path, Path]:
        """Script and style of the live page, made with them."""
        return self.script.with_name("live.js"), self.style.with_name("live.css")

    @classmethod
    def of(cls, folder: Path) -> Bundle:
        """Return what is in a folder that `bundle.mjs` has written."""
        return cls(folder / "viewer.js", folder / "viewer.css")


def found() -> Bundle | None:
    """Return the viewer, or None when it is not made yet; never asks the network."""
    for folder in (_IN_WHEEL, _npm().folder):
        if (bundle := Bundle.of(folder)).script.exists():
            return bundle
    return None


def made(progress: Progress = silent) -> Bundle:
    """Return the viewer; make it on first need (about 15 s, needs the npm registry). Raises `StackError`."""
    return found() or Bundle.of(_npm().made(node().node, node().npm, progress))


def _npm() -> NpmBundle:
    return NpmBundle(
        "Viewer", _VIEWER, sorted(path for path in (_VIEWER / "src").rglob("*") if path.is_file()), without=("dev",)
    )
