"""What source code tells: web applications, workers, the variables and queues that they name."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SKIPPED = {
    "node_modules", "venv", "env", "__pycache__", "dist", "build", "site-packages", "bin", "obj", "target", "tests", "test",
    "scenarios", "alembic", "migrations", "coverage", "docs",
}  # fmt: skip
"""Folders in which no application is looked for, besides those whose name begins with a dot."""
MOST_FILES, LONGEST = 2_000, 512 << 10
_ENV = re.compile(
    r"""(?:os\.environ(?:\.get)?|environ(?:\.get)?|os\.getenv|getenv)\s*[\[(]\s*["'](?P<py>[A-Z][A-Z0-9_]*)["'](?P<then>\s*\]|\s*,\s*(?:["'](?P<default>[^"']*)["'])?|\s*\))?"""
    r"""|process\.env(?:\.(?P<js>[A-Z][A-Z0-9_]*)|\[["'](?P<key>[A-Z][A-Z0-9_]*)["']\])(?P<or>\s*(?:\?\?|\|\|)\s*(?:["'](?P<other>[^"']*)["'])?)?"""
)
_DESTRUCTURED = re.compile(r"\{([^{}]*)\}\s*=\s*process\.env\b")
_SETTINGS = re.compile(r"class \w+\((?:\w+\.)*BaseSettings\):\n((?:[ \t]+.*\n|\s*\n)+)")
_FIELD = re.compile(
    r"^[ \t]+([a-z_][a-z0-9_]*)\s*:\s*[\w\[\] |.]+?(?:=\s*(?:[\"']([^\"']*)[\"']|(\S.*)))?$", re.MULTILINE
)
_PREFIX = re.compile(r"""env_prefix\s*=\s*["']([^"']*)["']""")
_PYTHON_APP = re.compile(r"^(\w+)(?:\s*:\s*\w+)?\s*=\s*(FastAPI|Flask|Starlette)\(", re.MULTILINE)
_ROUTE = re.compile(r"""\.(?:get|GET|route)\(\s*["'](/[^"'{}:<>*]*)["']""")
_RECEIVES = re.compile(
    r"get_queue_receiver\(|get_subscription_receiver\(|createReceiver\(|acceptSession\(|acceptNextSession\("
)
_QUEUE = re.compile(r"""(?:get_queue_receiver|createReceiver)\(\s*(?:queue_name\s*=\s*)?["']([\w./-]+)["']\s*[,)]""")
_SUBSCRIPTION = re.compile(
    r"""(?:get_subscription_receiver|createReceiver)\(\s*(?:topic_name\s*=\s*)?["']([\w./-]+)["']\s*,\s*(?:subscription_name\s*=\s*)?["']([\w.-]+)["']"""
)
_HEALTH = re.compile(r"/(?:api/)?(healthz?|health/ready|ready|readyz|live|livez|ping|status|up)/?$")


@dataclass
class App:
    """One application in the code."""

    name: str
    run: list[str]
    cwd: Path
    web: bool
    text: str
    """Its own source, with that of the files beside and below it."""
    files: list[Path] = field(default_factory=list)
    framework: str = ""

    @property
    def health(self) -> str:
        """The path at which it tells that it is well: the one whose name says so, else any that needs nothing."""
        routes: list[str] = list(dict.fromkeys(_ROUTE.findall(self.text)))
        if named := next((route for route in routes if _HEALTH.search(route)), None):
            return named
        return "/openapi.json" if self.framework == "FastAPI" else next(iter(routes), "/")

    @property
    def consumes(self) -> list[str]:
        """Queues, and subscriptions by their path, that it names where it receives."""
        paths = [f"{topic}/Subscriptions/{name}" for topic, name in _SUBSCRIPTION.findall(self.text)]
        return list(dict.fromkeys([*_QUEUE.findall(self.text), *paths]))


@dataclass(frozen=True)
class Read:
    """An environment variable that code reads."""

    name: str
    default: str | None
    needed: bool
    place: str


def apps(root: Path) -> list[App]:
    """Return the applications below a folder: web applications of Python and Node, and programs that receive messages."""
    files = list(_files(root))
    return [*_python(root, [path for path in files if path.suffix == ".py"]), *_node(root, files)]


def variables(app: App, root: Path) -> list[Read]:
    """Return the variables that an application reads, each once."""
    found: dict[str, Read] = {}
    for path in app.files:
        text = _text(path)
        for name, default, needed, at in _reads(text):
            line = text.count("\n", 0, at) + 1
            known = found.get(name)
            if known is None or (needed and not known.needed and known.default is None):
                found[name] = Read(name, default, needed, f"{path.relative_to(root)}:{line}")
    return list(found.values())


def _reads(text: str) -> Iterator[tuple[str, str | None, bool, int]]:
    for match in _ENV.finditer(text):
        if match["py"]:
            subscript = match.group(0).rstrip().endswith("]")
            yield match["py"], match["default"], subscript, match.start()
        else:
            yield match["js"] or match["key"], match["other"], match["or"] is None, match.start()
    for match in _DESTRUCTURED.finditer(text):
        for part in match[1].split(","):
            name, equals, default = part.partition("=")
            if re.fullmatch(r"[A-Z][A-Z0-9_]*", bare := name.split(":")[0].strip()):
                yield bare, default.strip(" \"'") if equals else None, not equals, match.start()
    for match in _SETTINGS.finditer(text):
        prefix = _PREFIX.search(match[1])
        for each in _FIELD.finditer(match[1]):
            name = ((prefix[1] if prefix else "") + each[1]).upper()
            if each[1] != "model_config":
                yield name, each[2], each[2] is None and each[3] is None, match.start(1) + each.start()


def _files(root: Path) -> Iterator[Path]:
    count = 0
    for folder, names, leaves in os.walk(root):
        names[:] = sorted(name for name in names if not name.startswith(".") and name not in SKIPPED)
        for leaf in sorted(leaves):
            path = Path(folder, leaf)
            if path.suffix in (".py", ".js", ".mjs", ".cjs", ".ts") or leaf == "package.json":
                count += 1
                if count > MOST_FILES:
                    return
                if path.is_file() and path.stat().st_size <= LONGEST:
                    yield path


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _python(root: Path, files: list[Path]) -> Iterator[App]:
    texts = {path: _text(path) for path in files}
    taken: set[Path] = set()
    for path, text in texts.items():
        if found := _PYTHON_APP.search(text):
            base = _base(root, path)
            module = ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")
            own = _around(path, base, texts)
            whole = "\n".join(texts[each] for each in own)
            variable, framework = found.groups()
            run = [
                "python",
                "-m",
                "uvicorn",
                f"{module}:{variable}",
                "--host",
                "127.0.0.1",
                "--port",
                "${service.port}",
            ]
            if framework == "Flask":
                run = ["python", "-m", "flask", "--app", module, "run", "--port", "${service.port}"]
            taken.add(path)
            yield App(_name(path, base, root, "api"), run, base, True, whole, own, framework)
    for path, text in texts.items():
        if path in taken or not _RECEIVES.search(text) or not _is_program(path, text):
            continue
        base = _base(root, path)
        module = ".".join(path.relative_to(base).with_suffix("").parts)
        packaged = (path.parent / "__init__.py").exists() or path.parent == base
        run = ["python", *(["-m", module] if packaged else [str(path.relative_to(base))])]
        own = _around(path, base, texts)
        yield App(_name(path, base, root, "worker"), run, base, False, text, own)


def _is_program(path: Path, text: str) -> bool:
    return "__main__" in text or path.stem in ("main", "__main__", "worker", "app", "consumer", "run")


def _around(path: Path, base: Path, texts: dict[Path, str]) -> list[Path]:
    """Return the files of an application: its own, and what it imports of the repository."""
    own, todo = [path], [path]
    while todo:
        text = texts[todo.pop()]
        for found in re.findall(r"^\s*(?:from|import)\s+(\.*[\w.]*)(?:\s+import\s+([\w, ]+))?", text, re.MULTILINE):
            for near in _imported(found, path, base):
                if near in texts and near not in own:
                    own.append(near)
                    todo.append(near)
    return own


def _imported(found: tuple[str, str], path: Path, base: Path) -> Iterator[Path]:
    module, names = found
    dots = len(module) - len(module.lstrip("."))
    start = path.parent if dots else base
    for _ in range(dots - 1):
        start = start.parent
    stem = start.joinpath(*filter(None, module.lstrip(".").split(".")))
    yield stem.with_suffix(".py")
    yield stem / "__init__.py"
    for name in names.split(","):
        yield stem / f"{name.strip().split(' ')[0]}.py"
    if not dots:
        yield path.parent.joinpath(*module.split(".")).with_suffix(".py")


_BASES = ("pyproject.toml", "requirements.txt", "setup.py", "Dockerfile", "Pipfile")


def _base(root: Path, path: Path) -> Path:
    """Return the folder from which an application is run: the nearest that looks like a project, and is no package."""
    for folder in path.parents:
        if folder == root or (
            any((folder / mark).exists() for mark in _BASES) and not (folder / "__init__.py").exists()
        ):
            return folder
    return root


def interpreter(root: Path, base: Path, command: str) -> str:
    """Return a command by its place in the application's virtual environment, where that has it."""
    for folder in (base, root):
        for name in (".venv", "venv"):
            if os.sep not in command and (folder / name / "bin" / command).exists():
                return os.path.relpath(folder / name / "bin" / command, base)
    return command


def _name(path: Path, base: Path, root: Path, kind: str) -> str:
    """Return what an application is called: by its file where that says more than `main`, else by its folder."""
    if path.stem not in ("main", "app", "__main__", "__init__", "index", "server", "run"):
        return path.stem.replace("_", "-")
    for folder in (path.parent, base):
        if folder != root and folder.name not in ("src", "app"):
            return folder.name.replace("_", "-")
    return kind


def _node(root: Path, files: list[Path]) -> Iterator[App]:
    for manifest in (path for path in files if path.name == "package.json"):
        try:
            facts = json.loads(_text(manifest))
        except ValueError:
            continue
        scripts = facts.get("scripts") if isinstance(facts, dict) else None
        folder = manifest.parent
        entries: dict[Path, str] = {}
        for script, command in (scripts or {}).items():
            found = re.match(r"node\s+(?:--[\w=-]+\s+)*(\S+\.[cm]?js)\b", str(command))
            if found and not script.startswith(("test", "dev", "lint")):
                entries.setdefault(folder / found[1], script)
        if not entries and isinstance(facts, dict) and facts.get("main"):
            entries[folder / str(facts["main"])] = "start"
        below = [
            path for path in files if path.is_relative_to(folder) and path.suffix != ".json" and path.suffix != ".py"
        ]
        for entry, script in entries.items():
            if not entry.is_file():
                continue
            text = _text(entry)
            own = [entry, *_required(entry, below)]
            whole = "\n".join(map(_text, own))
            web = re.search(r"express\(|fastify\(|new Koa\(|createServer\(|new Hono\(", whole) is not None
            if not web and not _RECEIVES.search(text + whole):
                continue
            named = script.partition(":")[2]
            name = named or (folder.name if folder != root else _name(entry, folder, root, "api" if web else "worker"))
            yield App(name.replace("_", "-"), ["node", str(entry.relative_to(folder))], folder, web, whole, own)


def _required(entry: Path, below: list[Path]) -> list[Path]:
    own: list[Path] = []
    todo = [entry]
    while todo:
        path = todo.pop()
        for name in re.findall(r"""(?:require\(|from\s+|import\s+)["'](\.[^"']+)["']""", _text(path)):
            stem = (path.parent / name).resolve()
            for near in (stem, stem.with_suffix(".js"), Path(f"{stem}.js"), Path(f"{stem}.mjs"), stem / "index.js"):
                if near in below and near not in own and near != entry:
                    own.append(near)
                    todo.append(near)
    return own
