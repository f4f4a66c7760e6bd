"""A run as one file, and what is refused as one."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from peeklock.errors import PeeklockError
from peeklock.reports.html import archive
from peeklock.reports.html.archive import opened_archive, write_archive
from peeklock.reports.html.record import RunRecord, read_heads, read_stories
from tests.unit.reports.html.test_page import STARTED, case


def test_a_run_goes_into_a_file_and_comes_out_again(tmp_path: Path) -> None:
    record = RunRecord(tmp_path)
    record(STARTED)
    record(case())
    write_archive(tmp_path, tmp_path / "deep" / "run.zip")
    with opened_archive(tmp_path / "deep" / "run.zip") as folder:
        assert read_heads(folder) == read_heads(tmp_path)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["../cases.ndjson", "/etc/passwd", "cases.ndjson/../../x", "a/cases.ndjson"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    """Before anything is unpacked."""
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("cases.ndjson", "")
        made.writestr(name, "x")
    with pytest.raises(PeeklockError, match="no archive of a run"), opened_archive(path):
        pass
    assert [each.name for each in tmp_path.iterdir()] == ["evil.zip"]


def test_a_bomb_is_refused_where_it_bursts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what comes out, not by what its head says."""
    monkeypatch.setattr(archive, "MOST_BYTES", 1 << 16)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("cases.ndjson", b"\0" * (1 << 22))
    with pytest.raises(PeeklockError, match="too large"), opened_archive(path):
        pass


@pytest.mark.parametrize("content", [b"", b"no zip at all", "cut"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "x.zip"
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("cases.ndjson", "".join(map(str, range(9000))))
    text = whole.getvalue()
    path.write_bytes(text[:2000] + b"\0" * 500 + text[2500:] if isinstance(content, str) else content)
    with pytest.raises(PeeklockError, match="no archive of a run that can be read"), opened_archive(path):
        pass


def test_a_record_of_other_shapes_still_makes_a_page(tmp_path: Path) -> None:
    """What is no case is left out; a story that is no text is an empty one."""
    lines = [
        '{"run": 3, "end": []}',
        '{"case": 7}',
        "[" * 100_000,
        "\xff",
        '{"case": {"file": "a"}, "story": {"x": 1}}',
    ]
    (tmp_path / "cases.ndjson").write_text("\n".join(lines), encoding="latin-1")
    assert read_heads(tmp_path).heads == [{"file": "a"}]
    assert list(read_stories(tmp_path)) == [""]
