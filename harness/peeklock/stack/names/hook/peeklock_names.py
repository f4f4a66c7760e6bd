"""Leads a service's production names to the environment that it runs in. Loaded by its interpreter, not by Peeklock.

`PEEKLOCK_NAMES` is JSON: {"name": {"address": virtual address, "to": [host, port]}}. A name resolves to its virtual
address, of 127.99.0.0/16, at which nobody listens. A connection to that address, whatever its port, goes to `to`.
`PEEKLOCK_NAMES_CA` is a file of certificates that `certifi.where` names instead of its own: AMQP clients read no other.

The interpreter imports this module for a category in `PYTHONWARNINGS`, before any `sitecustomize`, so that programs that
put a `sitecustomize` of their own first are served as well. It imports nothing that a service may not have.
"""

# No pathlib, no typing: they cost every start of a service more than all of this
# ruff: noqa: PTH100
# mypy: allow-untyped-defs, allow-untyped-calls

import _socket
import importlib.util
import json
import os
import sys
from importlib.machinery import PathFinder

_OPTION = "ignore::peeklock_names.LoadsNames"


class LoadsNames(Warning):
    """Named in `PYTHONWARNINGS`; never issued."""


_read = ""
_addresses: dict = {}  # type: ignore[type-arg]
_targets: dict = {}  # type: ignore[type-arg]


def _names():
    """Read the names again where the variable has changed: in a program that was forked it is the program's own."""
    global _read
    text = os.environ.get("PEEKLOCK_NAMES") or _read or "{}"
    if text != _read:
        names = json.loads(text)
        _addresses.clear()
        _addresses.update((name, each["address"]) for name, each in names.items())
        _targets.clear()
        _targets.update((each["address"], tuple(each["to"])) for each in names.values())
        _read = text
    return _addresses


def _text(host):
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host).decode("ascii", "replace")
    return host.lower().rstrip(".") if isinstance(host, str) else None


def _address_of(host):
    """The virtual address of a name, or what was given."""
    return _names().get(_text(host), host)


def _target_of(address):
    """Where a connection to a virtual address goes, or what was given."""
    if not isinstance(address, tuple) or not address:
        return address
    own = _address_of(address[0])  # which looks whether the names have changed
    return _targets.get(own, address)


def _first_argument(function, change):
    def changed(host, *args, **kwargs):
        return function(change(host), *args, **kwargs)

    return changed


def _method(function, change, position=0):
    def changed(self, *args, **kwargs):
        if len(args) > position:
            args = (*args[:position], change(args[position]), *args[position + 1 :])
        return function(self, *args, **kwargs)

    return changed


def _patch_sockets(sockets, of):
    """Let connections of a socket class go where names lead."""
    kind = getattr(sockets, of)
    kind.connect = _method(kind.connect, _target_of)
    kind.connect_ex = _method(kind.connect_ex, _target_of)


def _patch_socket(module):
    _patch_sockets(module, "socket")


def _patch_certifi(module):
    bundle = os.environ.get("PEEKLOCK_NAMES_CA")
    if bundle:
        module.where = lambda: bundle


def _patch_uvloop(module):
    """It resolves and connects in libuv, below all that Python sees."""
    loop = module.Loop
    resolve, connect = loop.getaddrinfo, loop.create_connection

    async def getaddrinfo(self, host, port, **kwargs):
        return await resolve(self, _address_of(host), port, **kwargs)

    async def create_connection(self, protocol_factory, host=None, port=None, **kwargs):
        target = _target_of((host, port))
        if target != (host, port) and kwargs.get("ssl") and kwargs.get("server_hostname") is None:
            kwargs["server_hostname"] = host
        return await connect(self, protocol_factory, *target, **kwargs)

    loop.getaddrinfo, loop.create_connection = getaddrinfo, create_connection


def _patch_aiodns(module):
    """aiohttp asks it instead of the system, as soon as it is installed."""
    kind = module.DNSResolver
    kind.getaddrinfo = _method(kind.getaddrinfo, _address_of)


_PATCHES = {
    "socket": _patch_socket,
    "gevent._socket3": _patch_socket,
    "certifi": _patch_certifi,
    "certifi.core": _patch_certifi,
    "uvloop": _patch_uvloop,
    "aiodns": _patch_aiodns,
}


class _Patching:
    """A loader that patches a module when its own loader has loaded it."""

    def __init__(self, loader, patch):
        self._loader, self._patch = loader, patch

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._patch(module)

    def __getattr__(self, name):
        return getattr(self._loader, name)


class _Finder:
    """Finds the modules that are patched, as the finders after it do."""

    def find_spec(self, name, path=None, target=None):
        patch = _PATCHES.get(name)
        if patch is None:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None and hasattr(spec.loader, "exec_module"):
                    spec.loader = _Patching(spec.loader, patch)  # type: ignore[assignment]
                return spec
        return None


def next_sitecustomize(folder):
    """Run the `sitecustomize` that this one stands before, if there is one."""
    rest = [each for each in sys.path if os.path.abspath(each or ".") != folder]
    spec = PathFinder.find_spec("sitecustomize", rest)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


def _install():
    # Assigned anew, not changed: the interpreter may be walking the old list. Test runners look whether it is empty.
    sys.warnoptions = [each for each in sys.warnoptions if each != _OPTION]
    if not _names():
        return
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        setattr(_socket, name, _first_argument(getattr(_socket, name), _address_of))
    sys.meta_path.insert(0, _Finder())
    for name, patch in _PATCHES.items():
        if name in sys.modules:
            patch(sys.modules[name])


_install()
