"""A tar file that becomes a layer of an image."""

from __future__ import annotations

import importlib.util
import io
import marshal
import os
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

USER = 10001
"""Who programs in the images run as."""

_PASSWD = f"root:x:0:0:root:/root:/sbin/nologin\npeeklock:x:{USER}:{USER}:peeklock:/home/peeklock:/bin/sh\n"
_GROUP = f"root:x:0:\npeeklock:x:{USER}:\n"


class Layer:
    """Write what a layer holds. Everything belongs to root and can be read by all, unless told otherwise.

    Targets are paths in the image without the first slash, below `usr/`, `etc/`, `var/`, `opt/` or `home/`: a base image has
    `lib` and `bin` as links to those in `usr`, and a folder would take the place of such a link.
    """

    def __init__(self, path: Path) -> None:
        self._tar = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)  # noqa: SIM115  closed by __exit__
        self._there: set[str] = set()
        self.sources: dict[Path, str] = {}
        """Every file that was copied, and its target."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tar.close()

    def skeleton(self) -> None:
        """What every system has: the links of a merged /usr, /tmp, users, a home."""
        for name in ("bin", "sbin", "lib", "lib64"):
            self.folder(f"usr/{name}")
            self.link(name, f"usr/{name}")
        self.folder("tmp", mode=0o1777)
        self.folder("var/tmp", mode=0o1777)
        self.folder("home/peeklock", mode=0o755, owner=USER)
        self.text("etc/passwd", _PASSWD)
        self.text("etc/group", _GROUP)
        self.text("etc/nsswitch.conf", "hosts: files dns\n")

    def folder(self, target: str, mode: int = 0o755, owner: int = 0) -> None:
        if self._claim(target):
            entry = self._entry(target, tarfile.DIRTYPE, mode, owner)
            self._tar.addfile(entry)

    def link(self, target: str, to: str) -> None:
        """A symbolic link `target` that leads to `to`."""
        if self._claim(target):
            entry = self._entry(target, tarfile.SYMTYPE, 0o777)
            entry.linkname = to
            self._tar.addfile(entry)

    def text(self, target: str, content: str) -> None:
        self._bytes(target, content.encode(), 0o644)

    def file(self, source: Path, target: str) -> None:
        """Copy a file, and what a link leads to rather than the link."""
        if not self._claim(target):
            return
        self.sources[source] = target
        facts = source.stat()
        entry = self._entry(target, tarfile.REGTYPE, 0o755 if facts.st_mode & 0o111 else 0o644)
        entry.size, entry.mtime = facts.st_size, int(facts.st_mtime)
        with source.open("rb") as content:
            self._tar.addfile(entry, content)

    def module(self, source: Path, target: str) -> None:
        """Copy a Python file with its compiled form: nobody in the container may write one, and each start would compile again."""
        compiled = PurePosixPath(target).parent / "__pycache__" / Path(importlib.util.cache_from_source(target)).name
        self.file(source, target)
        made = Path(importlib.util.cache_from_source(str(source)))
        if _is_of(made, source):
            self.file(made, str(compiled))
        elif (content := _compiled(source.read_bytes(), f"/{target}")) is not None:
            self._bytes(str(compiled), content, 0o644)

    def tree(self, source: Path, target: str, leave_out: Callable[[Path], bool] = lambda _: False) -> None:
        """Copy a folder and all below it but compiled Python, which comes with its source. `leave_out` gets paths below `source`."""
        for folder, names, files in os.walk(source):
            below = Path(folder).relative_to(source)
            names[:] = sorted(name for name in names if name != "__pycache__" and not leave_out(below / name))
            self.files(
                Path(folder), (name for name in sorted(files) if not leave_out(below / name)), _under(target, below)
            )

    def files(self, source: Path, names: Iterable[str], target: str) -> None:
        """Copy files that are below `source` to the same places below `target`."""
        for name in names:
            self.module(source / name, f"{target}/{name}") if name.endswith(".py") else self.file(
                source / name, f"{target}/{name}"
            )

    def _bytes(self, target: str, content: bytes, mode: int) -> None:
        if self._claim(target):
            entry = self._entry(target, tarfile.REGTYPE, mode)
            entry.size = len(content)
            self._tar.addfile(entry, io.BytesIO(content))

    def _claim(self, target: str) -> bool:
        """Whether `target` is still to be written; its folders are made."""
        if target in self._there:
            return False
        for parent in reversed(PurePosixPath(target).parents[:-1]):
            self.folder(str(parent))
        self._there.add(target)
        return True

    @staticmethod
    def _entry(target: str, kind: bytes, mode: int, owner: int = 0) -> tarfile.TarInfo:
        entry = tarfile.TarInfo(target)
        entry.type, entry.mode, entry.uid, entry.gid = kind, mode, owner, owner
        return entry


def _under(target: str, below: Path) -> str:
    return target if below == Path() else f"{target}/{below.as_posix()}"


def _is_of(compiled: Path, source: Path) -> bool:
    """Whether Python would take the compiled file for this source: by magic number, time and size (PEP 552)."""
    if not compiled.is_file():
        return False
    with compiled.open("rb") as file:
        header = file.read(16)
    facts = source.stat()
    times = (int(facts.st_mtime) & 0xFFFFFFFF).to_bytes(4, "little") + (facts.st_size & 0xFFFFFFFF).to_bytes(
        4, "little"
    )
    return header == importlib.util.MAGIC_NUMBER + bytes(4) + times


def _compiled(source: bytes, name: str) -> bytes | None:
    """A compiled file that is taken without a look at the source; None for what does not compile (templates, other versions)."""
    try:
        code = compile(source, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    unchecked = (1).to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + unchecked + importlib.util.source_hash(source) + marshal.dumps(code)
