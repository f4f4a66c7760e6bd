"""Starts one Python program again and again: an interpreter that has imported what the program imports forks for each start.

It runs in the program's own interpreter, which may have neither Peeklock nor its packages: standard library only, Python 3.9 on.
It is one file, run by its path, because nothing of Peeklock may be on that interpreter's path. The supervisor speaks to it
(`fork_servers`); see docs/decisions/0024-fork-server.md.

Only packages that are installed are imported ahead. The program's own modules are read for what they import, and run in each
start anew. What a package does to the process while it is imported must not differ from start to start, so one that starts a
thread, opens a file, prints, or changes the environment or a signal handler is left for the program to import.
"""

from __future__ import annotations

# No pathlib: what is imported here is there in every program that is started
# ruff: noqa: PTH100, PTH109, PTH112, PTH113, PTH116, PTH118, PTH120, PTH123, PTH208
import ast
import ctypes
import fcntl
import gc
import importlib.machinery
import json
import os
import runpy
import signal
import socket
import struct
import sys
import termios
import types
import wsgiref.handlers
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

CONTROL = 3
"""The descriptor of the socket to the supervisor."""
_PR_SET_PDEATHSIG = 1
_UNFIT = frozenset({"coverage", "eventlet", "gevent"})
"""Packages that change how the rest is imported."""
_APART = frozenset({"grpc", "numpy"})
"""Packages whose state must not be shared: gRPC's core, numpy's random numbers."""
_LOADERS = frozenset({"load_dotenv"})
"""Calls that set variables nobody sees here, perhaps before a package reads them."""


class Unfit(Exception):
    """The program cannot be started by forking; the text says why."""


class Reading(NamedTuple):
    """A package has read a variable."""

    value: bytes | None
    package: str


class _Environment(dict[bytes, bytes]):
    """The environment while packages are imported; notes which variables they look at."""

    def __init__(self, values: dict[bytes, bytes]) -> None:
        super().__init__(values)
        self.names: set[bytes] = set()
        self.all = False

    def __getitem__(self, name: bytes) -> bytes:
        self.names.add(name)
        return super().__getitem__(name)

    def __iter__(self) -> Iterator[bytes]:
        self.all = True
        return super().__iter__()


class Program:
    """What is to be started: a module (`-m`) or a script, and what it names besides, as `uvicorn` is told `shop.app:app`."""

    def __init__(self, module: str | None, script: str | None, named: Sequence[str], cwd: str) -> None:
        self.module, self.script, self.named, self.cwd = module, script, named, cwd

    @property
    def first_on_path(self) -> str:
        """What the interpreter puts first on `sys.path` for such a program."""
        return self.cwd if self.script is None else os.path.dirname(os.path.realpath(self.script))


def modules_named(arguments: Sequence[str]) -> list[str]:
    """Return the modules of arguments that name an object, as in `shop.app:app`."""
    named = (text.partition(":") for text in arguments)
    return [module for module, colon, name in named if colon and f"{module}.{name}".replace(".", "_").isidentifier()]


class Imports:
    """What the modules of a program import from installed packages, at the top of a module, in the order of their reading."""

    def __init__(self, program: Program) -> None:
        self.wanted: list[tuple[str, tuple[str, ...]]] = []
        self.assigned: set[str] = set()
        """Texts of the program's own modules that may name a variable they set."""
        self._seen: set[str] = set()
        self._folders = [
            folder for folder in dict.fromkeys([program.first_on_path, *sys.path]) if not _is_installed(folder)
        ]
        if program.script is not None:
            self._read("__main__", program.script, is_package=False)
        for name in filter(None, (program.module, *program.named)):
            self._follow(name)
            self._follow(name + ".__main__")

    def _follow(self, name: str) -> bool:
        """Read a module of the program's own, and the packages that it is in; False where there is none of this name."""
        found = self._find(name)
        if found is None:
            return False
        parent = name.rpartition(".")[0]
        if parent:
            self._follow(parent)
        self._read(name, *found)
        return True

    def _find(self, name: str) -> tuple[str, bool] | None:
        """Return the file of a module of the program's own, and whether it is a package's."""
        for folder in self._folders:
            path = os.path.join(folder, *name.split("."))
            for file, is_package in ((os.path.join(path, "__init__.py"), True), (path + ".py", False)):
                if os.path.isfile(file):
                    return file, is_package
        return None

    def _read(self, name: str, file: str, is_package: bool) -> None:
        if name in self._seen:
            return
        self._seen.add(name)
        try:
            with open(file, "rb") as source:
                tree = ast.parse(source.read(), file)
        except (OSError, SyntaxError, ValueError) as error:
            raise Unfit(f"{file} cannot be read: {error}") from None
        package = name if is_package else name.rpartition(".")[0]
        self._look_for_variables(tree)
        for statement in _at_the_top(tree.body):
            self._take(statement, package)

    def _look_for_variables(self, tree: ast.Module) -> None:
        sets = False
        for node in ast.walk(tree):
            called = getattr(node, "func", None)
            if getattr(called, "id", getattr(called, "attr", "")) in _LOADERS:
                raise Unfit("it reads variables from a file")
            sets = sets or getattr(node, "attr", getattr(node, "id", "")) in ("environ", "putenv")
        if sets:
            constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
            self.assigned.update(value for value in constants if isinstance(value, str))

    def _take(self, statement: ast.stmt, package: str) -> None:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                self._want(alias.name, ())
        elif isinstance(statement, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - statement.level + 1] if statement.level else []
            name = ".".join([*base, *filter(None, [statement.module])])
            self._want(name, tuple(alias.name for alias in statement.names))

    def _want(self, name: str, members: tuple[str, ...]) -> None:
        if not name:
            return
        if not self._follow(name):
            self.wanted.append((name, members))
            return
        for member in members:
            self._follow(name + "." + member)


def _at_the_top(statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the imports that run whenever the module does: not those under an `if`, nor in functions."""
    for statement in statements:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            yield statement
        elif isinstance(statement, (ast.With, ast.Try)):
            yield from _at_the_top(statement.body)


def _is_installed(path: str) -> bool:
    """Tell whether a file or a folder is the interpreter's, or was put there by an installer."""
    library = os.path.dirname(os.__file__)
    return (
        path.endswith(".zip") or (path + os.sep).startswith(library + os.sep) or "-packages" + os.sep in path + os.sep
    )


class Process:
    """What an import must leave as it was."""

    def __init__(self, output: int, environment: _Environment) -> None:
        """`output`: the reading end of what the process prints."""
        self._output, self._environment = output, environment
        self._before = self._state()

    def change(self) -> str | None:
        """Return what has changed since the start, or None."""
        now = self._state()
        return next((name for name, value in self._before.items() if now[name] != value), None)

    def _state(self) -> dict[str, Any]:
        sys.stdout.flush()
        sys.stderr.flush()
        printed = fcntl.ioctl(self._output, termios.FIONREAD, b"\0" * 4)
        return {
            "threads": len(os.listdir("/proc/self/task")),
            "open files": len(os.listdir("/proc/self/fd")),
            "output": struct.unpack("i", printed)[0],
            "variables": dict(self._environment.items()),
            "all variables": self._environment.all,
            "signal handlers": [signal.getsignal(number) for number in range(1, 32)],
            "working directory": os.getcwd(),
            "tracing": (sys.gettrace(), sys.getprofile()),
        }


def load(imports: Imports, left_out: Sequence[str], output: int) -> tuple[dict[bytes, Reading], str | None]:
    """Import what a program imports, but the packages `left_out`.

    Returns the variables that were read, and the package at which this must stop: it changed the process, which is of no use
    any more.
    """
    known = os.environ._data  # type: ignore[attr-defined]  # noqa: SLF001
    environment = _Environment(known)
    os.environ._data = environment  # type: ignore[attr-defined]  # noqa: SLF001
    process = Process(output, environment)
    if len(os.listdir("/proc/self/task")) > 1 or sys.gettrace() is not None or not _UNFIT.isdisjoint(sys.modules):
        raise Unfit("its interpreter starts threads or a tracer by itself")
    assigned = {text.encode("utf-8", "surrogateescape") for text in imports.assigned}
    read: dict[bytes, Reading] = {}
    for name, members in imports.wanted:
        package = name.partition(".")[0]
        if package in left_out or package in _APART:
            continue
        if package in _UNFIT:
            raise Unfit("it uses " + package)
        try:
            __import__(name, {}, {}, members)
        except Exception:  # noqa: BLE001  the program will meet it itself, where it may be ready for it
            return {}, package
        # Found in a way of its own, as editable installations are
        is_own = not _is_installed(getattr(sys.modules[name], "__file__", None) or os.__file__)
        if is_own or process.change() or environment.names & assigned or not _APART.isdisjoint(sys.modules):
            return {}, package
        for variable in environment.names.difference(read):
            read[variable] = Reading(known.get(variable), package)
    os.environ._data = known  # type: ignore[attr-defined]  # noqa: SLF001
    return read, None


class ForkServer:
    """Waits for requests to start the program, and forks."""

    def __init__(self, control: socket.socket, read: dict[bytes, Reading]) -> None:
        """`read`: the variables that packages have read."""
        self._control, self._read = control, read
        self._packages = _times_of_packages()
        self._libc = ctypes.CDLL(None, use_errno=True)

    def serve(self) -> dict[str, Any]:
        """Return in each process that is a start of the program, with what it was asked for. Ends itself with the supervisor."""
        self._control.sendall(b"ready\n")
        while True:
            request, descriptors = self._receive()
            answer = descriptors[1]
            refusal = self._refusal(request)
            if refusal:
                os.write(answer, refusal)
            elif self._fork(request, descriptors):
                return request
            for descriptor in descriptors:
                os.close(descriptor)

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        """Return the next request, and the descriptors of the output and of the answer."""
        data, ancillary, _, _ = self._control.recvmsg(1 << 16, socket.CMSG_SPACE(8))
        if not data:
            os._exit(0)
        length = struct.unpack("!I", data[:4])[0]
        while len(data) < 4 + length:
            more = self._control.recv(1 << 16)
            if not more:
                os._exit(0)
            data += more
        descriptors = [number for _, _, packed in ancillary for number in struct.unpack("2i", packed)]
        return json.loads(data[4:].decode()), descriptors

    def _refusal(self, request: dict[str, Any]) -> bytes:
        """Return `stale`, or a package that must be left out, or nothing."""
        if self._packages != _times_of_packages():
            return b"stale"
        environment = {os.fsencode(name): os.fsencode(value) for name, value in request["env"].items()}
        differing = (read.package for name, read in self._read.items() if environment.get(name) != read.value)
        return next(differing, "").encode()

    def _fork(self, request: dict[str, Any], descriptors: list[int]) -> bool:
        """Fork twice, so that the start becomes the supervisor's child; True in the start itself."""
        go, gone = os.pipe()
        between = os.fork()
        if between == 0:
            if os.fork():
                os._exit(0)
            os.close(gone)
            try:
                self._become(request, descriptors, go)
            except BaseException:  # noqa: BLE001  nothing may return to the server's own loop
                os._exit(127)
            return True
        os.waitpid(between, 0)
        os.close(gone)  # from now on the start has the supervisor as its parent
        os.close(go)
        return False

    def _become(self, request: dict[str, Any], descriptors: list[int], go: int) -> None:
        """Make of this process what the supervisor makes of one that it starts itself, and answer with its pid."""
        output, answer = descriptors
        os.read(go, 1)
        supervisor = request["supervisor"]
        self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor:
            os._exit(1)
        os.setsid()
        os.chdir(request["cwd"])
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        by_the_interpreter = {name: os.environ[name] for name in ("LC_CTYPE",) if name in os.environ}  # PEP 538
        os.environ.clear()
        os.environ.update({**by_the_interpreter, **request["env"]})
        # The one module of the standard library that copies the environment as it is imported
        wsgiref.handlers.BaseHandler.os_environ = wsgiref.handlers.read_environ()
        os.write(answer, b"%d" % os.getpid())
        for descriptor in {null, go, output, answer, self._control.detach()}:
            os.close(descriptor)


def _times_of_packages() -> list[int]:
    """Return when something was last installed in each folder of packages."""
    folders = [folder for folder in sys.path if folder.endswith("-packages") and os.path.isdir(folder)]
    return [os.stat(folder).st_mtime_ns for folder in folders]


def run(program: Program, arguments: Sequence[str]) -> None:
    """Run the program as the interpreter runs one that it is started with."""
    main = types.ModuleType("__main__")
    names = vars(main)
    names["__builtins__"] = __builtins__
    if "__annotations__" in globals():
        names["__annotations__"] = {}
    sys.modules["__main__"] = main
    try:
        if program.script is None:
            sys.argv = ["-m", *arguments]
            runpy._run_module_as_main(program.module)  # type: ignore[attr-defined]  # noqa: SLF001  what `-m` is
        else:
            sys.argv = [program.script, *arguments]
            file = os.path.abspath(program.script)
            loader = importlib.machinery.SourceFileLoader("__main__", file)
            names.update(__file__=file, __cached__=None, __loader__=loader)
            with open(file, "rb") as source:
                code = compile(source.read(), file, "exec", dont_inherit=True)
            exec(code, names)  # noqa: S102  it is what was asked for
    except SystemExit:
        raise
    except BaseException as error:
        _tell_without_this_module(error)
        raise


def _tell_without_this_module(error: BaseException) -> None:
    """Have the traceback, which the interpreter is about to print, begin where the program does."""
    trace, hook = error.__traceback__, sys.excepthook
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    sys.excepthook = lambda kind, value, _: hook(kind, value.with_traceback(trace), trace)


def main() -> None:
    """Its arguments: JSON of what a `Program` is made of; then packages that are not imported ahead."""
    task, left_out = json.loads(sys.argv[1]), sys.argv[2:]
    program = Program(**task)
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = program.first_on_path
    output, printed = os.pipe()
    for descriptor in (1, 2):
        os.dup2(printed, descriptor)
    control = socket.socket(fileno=CONTROL)
    control.set_inheritable(False)
    try:
        read, culprit = load(Imports(program), left_out, output)
    except Unfit:
        os._exit(0)
    if culprit is not None:
        control.set_inheritable(True)
        os.execv(sys.executable, [sys.executable, __file__, *sys.argv[1:], culprit])  # noqa: S606  no shell is what we want
    os.close(output)
    os.close(printed)
    gc.collect()
    gc.freeze()  # so that no collection of a start touches, and copies, what all have in common
    request = ForkServer(control, read).serve()
    sys.orig_argv = request["argv"]
    gc.unfreeze()
    run(program, request["arguments"])


if __name__ == "__main__":
    main()
