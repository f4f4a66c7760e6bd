"""What goes into an image, and what it is called."""

from __future__ import annotations

import importlib.util
import io
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from peeklock.stack.containers.images import KINDS, libraries, packages, recipes, reference
from peeklock.stack.containers.images.layer import USER, Layer
from peeklock.stack.errors import StackError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    return tmp_path / "layer.tar"


def held(path: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(path) as layer:
        return {entry.name: entry for entry in layer.getmembers()}


def test_a_layer_has_every_folder_before_what_lies_in_it_and_once(tar: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    with Layer(tar) as layer:
        layer.file(tmp_path / "a.txt", "usr/share/x/a.txt")
        layer.file(tmp_path / "a.txt", "usr/share/x/a.txt")
        layer.text("usr/share/b.txt", "b")
    with tarfile.open(tar) as layer:
        names = layer.getnames()
    assert names == ["usr", "usr/share", "usr/share/x", "usr/share/x/a.txt", "usr/share/b.txt"]


def test_a_layer_gives_everything_to_root_and_lets_all_read_it(tar: Path, tmp_path: Path) -> None:
    secretive = tmp_path / "mine"
    secretive.write_text("x")
    secretive.chmod(0o600)
    program = tmp_path / "program"
    program.write_text("x")
    program.chmod(0o700)
    with Layer(tar) as layer:
        layer.file(secretive, "opt/mine")
        layer.file(program, "opt/program")
        layer.folder("var/data", mode=0o700, owner=USER)
    found = held(tar)
    assert {name: (e.mode, e.uid, e.uname) for name, e in found.items() if not e.isdir()} == {
        "opt/mine": (0o644, 0, ""),
        "opt/program": (0o755, 0, ""),
    }
    assert (found["var/data"].mode, found["var/data"].uid) == (0o700, USER)


def test_a_layer_has_what_a_link_leads_to(tar: Path, tmp_path: Path) -> None:
    (tmp_path / "real.so.1").write_text("real")
    (tmp_path / "lib.so").symlink_to("real.so.1")
    with Layer(tar) as layer:
        layer.file(tmp_path / "lib.so", "usr/lib/lib.so")
    assert held(tar)["usr/lib/lib.so"].isreg()


def test_python_comes_compiled_so_that_no_start_compiles_it_again(tar: Path, tmp_path: Path) -> None:
    source = tmp_path / "program"
    source.mkdir()
    (source / "answer.py").write_text("print(40 + 2)")
    (source / "template.py").write_text("{{ no python }} at all")
    with Layer(tar) as layer:
        layer.tree(source, "opt/program")
    image = tmp_path / "image"
    with tarfile.open(tar) as made:
        made.extractall(image, filter="data")
    cached = Path(importlib.util.cache_from_source(str(image / "opt/program/answer.py")))
    assert cached.exists()
    assert not Path(importlib.util.cache_from_source(str(image / "opt/program/template.py"))).exists()
    # Compiled code that Python takes is taken, whatever the source says now.
    (image / "opt/program/answer.py").write_text("print('compiled again')")
    said = subprocess.run(
        [sys.executable, "-c", "import answer"], cwd=image / "opt/program", capture_output=True, text=True, check=True
    )
    assert said.stdout == "42\n"


def test_a_compiled_file_of_another_source_stays_behind(tar: Path, tmp_path: Path) -> None:
    source = tmp_path / "answer.py"
    source.write_text("print(1)")
    stale = Path(importlib.util.cache_from_source(str(source)))
    stale.parent.mkdir()
    stale.write_bytes(b"what another Python wrote")
    with Layer(tar) as layer:
        layer.module(source, "opt/answer.py")
    with tarfile.open(tar) as made:
        name = next(name for name in made.getnames() if name.endswith(".pyc"))
        content = made.extractfile(name)
        assert content is not None
        assert content.read().startswith(importlib.util.MAGIC_NUMBER)


def test_packages_come_with_what_they_need() -> None:
    found = packages.closure(["psycopg[binary]"])
    assert {"psycopg", "psycopg-binary", "typing-extensions"} <= set(found)
    assert "psycopg-pool" not in found


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(StackError, match="peeklock-has-no-such-package") as error:
        packages.closure(["peeklock-has-no-such-package"])
    assert "pip install" in (error.value.fix or "")


@pytest.mark.skipif(sys.platform != "linux", reason="the loader of Linux is asked")
def test_the_loader_tells_the_libraries_and_itself() -> None:
    found = libraries.needed([Path("/bin/sh").resolve()])
    assert any(name.startswith("libc.so") for name in found)
    assert any(name.startswith("ld-") for name in found)
    assert all(path.exists() for path in found.values())


@pytest.mark.skipif(sys.platform != "linux", reason="the loader of Linux is asked")
def test_libraries_of_a_layer_below_are_not_repeated(tar: Path, tmp_path: Path) -> None:
    shell = Path("/bin/sh").resolve()
    with Layer(tar) as below:
        libraries.add_libraries(below, of=[shell])
    with Layer(tmp_path / "above.tar") as above:
        libraries.add_libraries(above, of=[shell], having=list(below.sources))
    assert any("libc.so" in name for name in held(tar))
    assert held(tmp_path / "above.tar") == {}


@pytest.mark.parametrize("kind", ["postgres", "azurite", "servicebus"])
def test_an_image_is_named_by_what_it_is_made_of(kind: recipes.Kind) -> None:
    made = recipes.recipe(kind)
    assert re.fullmatch(rf"peeklock/{kind}:[0-9a-f]{{16}}", reference(kind))
    changed = recipes.Recipe(kind, {**made.ingredients, "more": "x"}, made.layers, made.texts)
    assert changed.reference != made.reference
    assert recipes.Recipe(kind, dict(made.ingredients), made.layers, made.texts).reference == made.reference


def test_a_dockerfile_decides_the_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = reference("azurite")
    (tmp_path / "azurite").mkdir()
    (tmp_path / "azurite" / "Dockerfile").write_text("FROM scratch")
    monkeypatch.setattr(recipes, "dockerfiles", lambda: tmp_path)
    assert recipes.recipe("azurite").reference != before


@pytest.mark.parametrize("kind", KINDS)
def test_every_dockerfile_keeps_the_promises_of_the_images(kind: recipes.Kind) -> None:
    text = (recipes.dockerfiles() / kind / "Dockerfile").read_text()
    assert "ARG BASE=scratch\nFROM ${BASE}" in text  # no registry, and yet a base of one's own
    assert f"USER {USER}:{USER}" in text
    assert "HEALTHCHECK" in text
    assert "--mount" not in text, "the legacy builder has no --mount"
    assert "<<" not in text, "the legacy builder has no heredoc"
    added = set(re.findall(r"^ADD (\S+) /$", text, re.MULTILINE))
    if kind != "services" or recipes.in_a_clone():
        assert added == set(recipes.recipe(kind).layers)
    assert text.index("USER") < text.index("ENTRYPOINT" if "ENTRYPOINT" in text else "CMD")


def test_the_wheel_has_the_dockerfiles(tmp_path: Path) -> None:
    """And pip compiles what is Python beside them, which must change no name."""
    folder = recipes.dockerfiles()
    assert folder.resolve() == ROOT / "compose" / "images"
    packed = tmp_path / "dockerfiles"
    shutil.copytree(folder, packed)
    before = reference("servicebus")
    (packed / "servicebus" / "__pycache__").mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipes, "dockerfiles", lambda: packed)
        assert reference("servicebus") == before


def test_postgres_runs_with_the_settings_of_the_embedded_one_and_asks_for_passwords() -> None:
    from peeklock.stack.servers.postgres_settings import SETTINGS

    made = recipes.recipe("postgres")
    lines = [line.split(" = ") for line in made.texts["postgresql.conf"].splitlines()]
    final = {name: value.strip("'") for name, value in lines}
    wanted = dict(setting.split("=", 1) for setting in SETTINGS)
    other = {name for name in wanted if final[name] != wanted[name]}
    assert other == {"listen_addresses", "synchronous_commit"}
    rules = [
        line.split() for line in (made.folder / "pg_hba.conf").read_text().splitlines() if not line.startswith("#")
    ]
    assert {rule[0]: rule[-1] if rule[0] == "host" else rule[3] for rule in rules} == {
        "local": "peer",
        "host": "scram-sha-256",
    }


def test_an_image_of_services_outside_of_a_clone_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipes, "_CLONE", tmp_path)
    with pytest.raises(StackError, match="in a clone"):
        recipes.recipe.__wrapped__("services")


def test_a_context_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Dockerfile and all that it names, nothing of whoever made it."""
    from peeklock.stack.containers.images import build

    monkeypatch.setenv("PEEKLOCK_CACHE", str(tmp_path / "cache"))
    small = recipes.Recipe("azurite", {}, {"system.tar": lambda layer, _below: layer.skeleton()}, {"more.conf": "x"})
    monkeypatch.setattr(build, "recipe", lambda kind: small)
    build.write_context("azurite", tmp_path / "context.tar")
    found = held(tmp_path / "context.tar")
    assert {"Dockerfile", "health.cjs", "system.tar", "more.conf"} <= set(found)
    assert {(entry.uid, entry.uname, entry.mtime) for entry in found.values()} == {(0, "", 0)}
    with tarfile.open(tmp_path / "context.tar") as context:
        inner = context.extractfile("system.tar")
        assert inner is not None
        with tarfile.open(fileobj=io.BytesIO(inner.read())) as layer:
            assert layer.getmember("tmp").mode == 0o1777
            assert layer.getmember("lib").linkname == "usr/lib"


def test_pruning_leaves_what_is_wanted_used_or_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    from peeklock.stack.containers.engine import EngineError
    from peeklock.stack.containers.images import build

    class Fake:
        address = "unix:///fake"
        there = (
            [reference("azurite"), "peeklock/azurite:latest", "peeklock/azurite:older", "mine/azurite:older"],
            ["peeklock/postgres:used"],
            [f"docker.io/{reference('postgres')}", "docker.io/peeklock/postgres:as-podman-tells-it"],
            None,
        )

        def request(self, method: str, path: str, query: object = None) -> object:
            if method == "DELETE" and path.endswith("used"):
                raise EngineError(409, "a container uses it")
            return [{"RepoTags": tags} for tags in self.there] if method == "GET" else None

    monkeypatch.setattr(build, "find_engine", Fake)
    assert build.prune() == ["peeklock/azurite:older", "peeklock/postgres:as-podman-tells-it"]
