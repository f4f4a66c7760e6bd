"""Python packages as they are installed here: the versions of requirements.lock, fetched and checked when this was set up."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from peeklock.stack.containers.images.layer import Layer
from peeklock.stack.errors import missing_tool


def closure(requirements: Iterable[str]) -> dict[str, Distribution]:
    """The installed packages that these requirements need, by canonical name. Raises `StackError` for one that is not there."""
    found: dict[tuple[str, frozenset[str]], Distribution] = {}
    wanted = [Requirement(text) for text in requirements]
    while wanted:
        requirement = wanted.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in found:
            continue
        try:
            found[key] = distribution(requirement.name)
        except PackageNotFoundError:
            raise missing_tool(
                f"the Python package {requirement.name}", "an image", ["the packages of this Python"],
                f"pip install '{requirement}'",
            ) from None  # fmt: skip
        for text in found[key].requires or ():
            below = Requirement(text)
            if below.marker is None or any(below.marker.evaluate({"extra": e}) for e in ("", *requirement.extras)):
                wanted.append(below)
    return dict(sorted((name, package) for (name, _), package in found.items()))


def required(*names: str) -> list[str]:
    """Peeklock's own requirements of these names, with their ranges."""
    found = {canonicalize_name(Requirement(text).name): text for text in distribution("peeklock").requires or ()}
    return [found[canonicalize_name(name)] for name in names]


def add_packages(layer: Layer, packages: Iterable[Distribution], target: str) -> list[Path]:
    """Copy the files of packages below `target`; return them. Commands (`bin/…`) stay behind."""
    for package in packages:
        root = Path(str(package.locate_file("")))
        names = [
            file.as_posix()
            for file in package.files or ()
            if ".." not in file.parts and "__pycache__" not in file.parts
        ]
        layer.files(root, (name for name in names if (root / name).is_file()), target)
    return list(layer.sources)
