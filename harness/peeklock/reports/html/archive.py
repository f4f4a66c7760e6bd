"""The record of a run as one file, which opens elsewhere: a zip with `cases.ndjson` and nothing else."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import error as ZlibError  # noqa: N812

from peeklock.errors import PeeklockError
from peeklock.reports.html.record import NAME

MOST_BYTES = 1 << 30
"""Of an unpacked record: far more than a run leaves."""
_CHUNK = 1 << 20
_FIX = "use a file that `peeklock report --archive FILE` has written"


def write_archive(folder: Path, target: Path) -> None:
    """Write the record of the run in `folder` to `target`. Raises `OSError`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.part")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / NAME, NAME)
    unfinished.replace(target)


@contextmanager
def opened_archive(path: Path) -> Iterator[Path]:
    """Yield a folder with the record of an archive, for as long as it is needed. Raises `PeeklockError`.

    Nothing in the archive chooses where something is written, or how much.
    """
    with TemporaryDirectory(prefix="peeklock-report-") as name:
        folder = Path(name)
        try:
            with zipfile.ZipFile(path) as archive:
                _check(path, archive)
                _unpack(path, archive, folder / NAME)
        except (zipfile.BadZipFile, ZlibError, EOFError, NotImplementedError, RuntimeError) as error:
            raise PeeklockError(
                "this is no archive of a run that can be read", where=str(path), actual=str(error), fix=_FIX
            ) from None
        yield folder


def _check(path: Path, archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    if names != [NAME]:
        shown = ", ".join(f"{each!r:.80}" for each in names[:5]) + (
            f" and {len(names) - 5} more" if len(names) > 5 else ""
        )
        raise PeeklockError(
            "this is no archive of a run",
            where=str(path),
            expected=f"{NAME} alone",
            actual=shown or "nothing",
            fix=_FIX,
        )


def _unpack(path: Path, archive: zipfile.ZipFile, target: Path) -> None:
    left = MOST_BYTES
    with archive.open(NAME) as packed, target.open("wb") as file:
        while part := packed.read(min(_CHUNK, left + 1)):
            left -= len(part)
            if left < 0:
                raise PeeklockError(
                    "this archive is too large",
                    where=str(path),
                    expected=f"at most {MOST_BYTES:,} bytes unpacked",
                    fix=_FIX,
                )
            file.write(part)
