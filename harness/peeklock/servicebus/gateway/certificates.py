"""The emulator's certificate authorities: made once, kept in the cache folder.

One signs this machine's loopback and nothing else, so that nobody can do harm elsewhere with its key: people may trust it.
The other signs Azure's names, for services that Peeklock starts with it in their environment. Clients say in TLS which
name they expect, and get the certificate for it.
"""

from __future__ import annotations

import os
import shutil
import ssl
import tempfile
import threading
import time
from pathlib import Path

from .certificate_names import LOOPBACK, CertificateNames, chosen_by

_CA, _CA_KEY, _SERVER = "ca.pem", "ca.key", "localhost.pem"
_RENEW_AFTER = 365 * 86_400.0

_lock = threading.Lock()
_contexts: dict[Path, ssl.SSLContext] = {}


def folder(names: CertificateNames = LOOPBACK) -> Path:
    """Return where an authority's certificates are: in `$PEEKLOCK_CACHE`, `$XDG_CACHE_HOME/peeklock` or `~/.cache/peeklock`."""
    named, base = os.environ.get("PEEKLOCK_CACHE"), os.environ.get("XDG_CACHE_HOME")
    cache = Path(named) if named else (Path(base) if base else Path.home() / ".cache") / "peeklock"
    return cache / names.folder


def authority(names: CertificateNames = LOOPBACK) -> Path:
    """Return an authority's certificate, made now if it was not there. Raises `OSError` when the folder cannot be written."""
    where = folder(names)
    with _lock:
        if not (where / _CA).exists():
            _create(where, names)
    return where / _CA


def known_context() -> ssl.SSLContext | None:
    """Return the context that this process has made already."""
    return _contexts.get(folder())


def server_context(names: CertificateNames = LOOPBACK) -> ssl.SSLContext:
    """Return what a TLS server needs; reads or makes the certificates, so it may take a tenth of a second. Raises
    `OSError` (`ssl.SSLError` too) when they can be neither read nor made."""
    authority(names)
    where = folder(names)
    with _lock:
        if (context := _contexts.get(where)) is not None:
            return context
        chain = where / _SERVER
        # the file's age stands for the certificate's: reading the date itself would load `cryptography` every time
        if not chain.exists() or time.time() - chain.stat().st_mtime > _RENEW_AFTER:
            _renew(where, names)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(chain)
        context.sni_callback = _choose
        _contexts[where] = context
        return context


def _choose(connection: ssl.SSLObject, server_name: str | None, _: ssl.SSLContext) -> None:
    """Show the certificate for the name that the client expects."""
    connection.context = server_context(chosen_by(server_name))


def _create(where: Path, names: CertificateNames) -> None:
    """Make CA and certificate beside the folder and move them in whole: another process may be doing the same."""
    from .certificate_signing import make_authority  # here: with its library, 0.1 s, once a machine

    where.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{names.folder}-", dir=where.parent))
    try:
        key, certificate, server = make_authority(names)
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


def _renew(where: Path, names: CertificateNames) -> None:
    from .certificate_signing import make_server  # here: with its library, 0.1 s, once a year

    try:
        chain = make_server((where / _CA_KEY).read_bytes(), (where / _CA).read_bytes(), names)
    except ValueError:
        raise OSError(f"{where / _CA_KEY} is not the key that was made there: remove the folder") from None
    handle, made = tempfile.mkstemp(dir=where)
    os.close(handle)
    Path(made).write_bytes(chain)
    Path(made).replace(where / _SERVER)


def _write(path: Path, content: bytes, mode: int = 0o600) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
