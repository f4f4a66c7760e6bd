"""The emulator's certificate authority: made once, kept in the cache folder, good for this machine's loopback only.

A CA of one's own is what clients can be told to trust; it may sign nothing but `localhost`, 127.0.0.1 and ::1, so that
nobody can do harm elsewhere with its key.
"""

from __future__ import annotations

import os
import shutil
import ssl
import tempfile
import threading
import time
from pathlib import Path

_FOLDER = "servicebus-tls"
_CA, _CA_KEY, _SERVER = "ca.pem", "ca.key", "localhost.pem"
_RENEW_AFTER = 365 * 86_400.0

_lock = threading.Lock()
_contexts: dict[Path, ssl.SSLContext] = {}


def folder() -> Path:
    """Return where the certificates are: in `$PEEKLOCK_CACHE`, `$XDG_CACHE_HOME/peeklock` or `~/.cache/peeklock`."""
    named, base = os.environ.get("PEEKLOCK_CACHE"), os.environ.get("XDG_CACHE_HOME")
    cache = Path(named) if named else (Path(base) if base else Path.home() / ".cache") / "peeklock"
    return cache / _FOLDER


def authority() -> Path:
    """Return the CA's certificate, made now if it was not there. Raises `OSError` when the folder cannot be written."""
    where = folder()
    with _lock:
        if not (where / _CA).exists():
            _create(where)
    return where / _CA


def known_context() -> ssl.SSLContext | None:
    """Return the context that this process has made already."""
    return _contexts.get(folder())


def server_context() -> ssl.SSLContext:
    """Return what a TLS server needs; reads or makes the certificates, so it may take a tenth of a second. Raises
    `OSError` (`ssl.SSLError` too) when they can be neither read nor made."""
    authority()
    where = folder()
    with _lock:
        if (context := _contexts.get(where)) is not None:
            return context
        chain = where / _SERVER
        # the file's age stands for the certificate's: reading the date itself would load `cryptography` every time
        if not chain.exists() or time.time() - chain.stat().st_mtime > _RENEW_AFTER:
            _renew(where)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(chain)
        _contexts[where] = context
        return context


def _create(where: Path) -> None:
    """Make CA and certificate beside the folder and move them in whole: another process may be doing the same."""
    from .certificate_signing import make_authority  # here: with its library, 0.1 s, once a machine

    where.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{_FOLDER}-", dir=where.parent))
    try:
        key, certificate, server = make_authority()
        _write(made / _CA_KEY, key)
        _write(made / _CA, certificate, mode=0o644)
        _write(made / _SERVER, server)
        try:
            made.rename(where)
        except OSError:
            if not (where / _CA).exists():
                raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _renew(where: Path) -> None:
    from .certificate_signing import make_server  # here: with its library, 0.1 s, once a year

    try:
        chain = make_server((where / _CA_KEY).read_bytes(), (where / _CA).read_bytes())
    except ValueError:
        raise OSError(f"{where / _CA_KEY} is not the key that was made there: remove the folder") from None
    handle, made = tempfile.mkstemp(dir=where)
    os.close(handle)
    Path(made).write_bytes(chain)
    Path(made).replace(where / _SERVER)


def _write(path: Path, content: bytes, mode: int = 0o600) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
