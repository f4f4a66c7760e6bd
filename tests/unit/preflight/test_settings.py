"""Environment files as deployments have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.preflight.settings import EnvironmentFileInvalid, Setting, read_files


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_a_service_and_each_variable_has_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Comments, blank lines, `export` and quotes are read as dotenv does; the last of two wins."""
    monkeypatch.chdir(tmp_path)
    text = "# the API\n\nexport A=1\nB='two words'\n\nC=\nA=3\n"
    found = read_files([written(tmp_path, "api.env", text)])
    assert found == [
        Setting("api", "A", "3", "api.env:7 (A)"),
        Setting("api", "B", "two words", "api.env:4 (B)"),
    ]


@pytest.mark.parametrize(
    ("name", "service"), [("worker.env", "worker"), (".env.worker", "worker"), ("worker/.env", "worker")]
)
def test_a_service_is_named_after_its_file(tmp_path: Path, name: str, service: str) -> None:
    assert read_files([written(tmp_path, name, "A=1\n")])[0].service == service


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "sets no variable"),
        ("# nothing\nA=\n", "sets no variable"),
        ("A=1\nB='never closed\n", "cannot be read\n  where: .*api.env:2"),
        (None, "cannot read the environment file: No such file"),
    ],
)
def test_what_is_no_environment_file_is_told(tmp_path: Path, text: str | None, told: str) -> None:
    path = tmp_path / "api.env"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(EnvironmentFileInvalid, match=told):
        read_files([path])


def test_a_line_that_cannot_be_read_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFileInvalid) as caught:
        read_files([written(tmp_path, "api.env", "KEY='hunter2-and-more\n")])
    assert "hunter2" not in str(caught.value)


def test_two_files_of_one_name_are_two_services(tmp_path: Path) -> None:
    paths = [written(tmp_path, f"{folder}/app.env", "A=1\n") for folder in ("one", "two")]
    assert len({each.service for each in read_files(paths)}) == 2
