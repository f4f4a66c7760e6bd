"""What names a template database and what tells that a service has changed: contents there, times and sizes here."""

from __future__ import annotations

import os
from pathlib import Path

from peeklock.stack.environment.fingerprint import fingerprint
from peeklock.stack.servers.postgres import digest


def test_a_template_is_named_by_the_contents_of_migrations_and_seeds(tmp_path: Path) -> None:
    (tmp_path / "1.sql").write_text("create table t()")
    seed = tmp_path.parent / "seed.sql"
    seed.write_text("insert")
    first = digest(tmp_path, [seed])
    os.utime(tmp_path / "1.sql", (1, 1))
    assert digest(tmp_path, [seed]) == first
    assert digest(tmp_path, []) != first
    (tmp_path / "1.sql").write_text("create table u()")
    assert digest(tmp_path, [seed]) != first


def test_what_python_and_tools_leave_behind_does_not_name_a_template(tmp_path: Path) -> None:
    (tmp_path / "env.py").write_text("")
    before = digest(tmp_path, [])
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "env.pyc").write_text("x")
    (tmp_path / ".DS_Store").write_text("x")
    assert digest(tmp_path, []) == before


def test_the_same_text_in_another_place_is_another_template(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "1.sql").write_text("x")
    (tmp_path / "b" / "2.sql").write_text("x")
    assert digest(tmp_path / "a", []) != digest(tmp_path / "b", [])


def test_a_changed_source_file_changes_the_fingerprint(tmp_path: Path) -> None:
    source = tmp_path / "app.py"
    source.write_text("1")
    before = fingerprint([], tmp_path)
    assert fingerprint([], tmp_path) == before
    os.utime(source, (1, 1))
    assert fingerprint([], tmp_path) != before


def test_scenarios_tests_caches_and_hidden_folders_are_not_source(tmp_path: Path) -> None:
    before = fingerprint([], tmp_path)
    for name in (
        ".venv/a.py",
        "__pycache__/a.py",
        "node_modules/a.js",
        "tests/a.py",
        "scenario.yaml",
        ".peeklock/x.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    assert fingerprint([], tmp_path) == before


def test_a_watched_folder_counts_every_file(tmp_path: Path) -> None:
    before = fingerprint([tmp_path], Path("/nowhere"))
    (tmp_path / "model.onnx").write_text("x")
    assert fingerprint([tmp_path], Path("/nowhere")) != before
