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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_FOLDER = "servicebus-tls"
_CA, _CA_KEY, _SERVER = "ca.pem", "ca.key", "localhost.pem"
_CA_DAYS, _SERVER_DAYS = 3650, 730
_RENEW_AFTER = 365 * 86_400.0
_NAMES = ("localhost",)
_ADDRESSES = ("127.0.0.1", "::1")

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
    where.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{_FOLDER}-", dir=where.parent))
    try:
        key = _new_key()
        certificate = _sign_ca(key)
        _write(made / _CA_KEY, _private(key))
        _write(made / _CA, _pem(certificate), mode=0o644)
        _write(made / _SERVER, _server_chain(certificate, key))
        try:
            made.rename(where)
        except OSError:
            if not (where / _CA).exists():
                raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _renew(where: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key((where / _CA_KEY).read_bytes(), None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise OSError(f"{where / _CA_KEY} is not the key that was made there: remove the folder")
    chain = _server_chain(x509.load_pem_x509_certificate((where / _CA).read_bytes()), key)
    handle, made = tempfile.mkstemp(dir=where)
    os.close(handle)
    Path(made).write_bytes(chain)
    Path(made).replace(where / _SERVER)


def _write(path: Path, content: bytes, mode: int = 0o600) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _private(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization as form

    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _builder(subject: str, issuer: x509.Name, key: EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509

    start = datetime.now(UTC) - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _sign_ca(key: EllipticCurvePrivateKey) -> x509.Certificate:
    from ipaddress import ip_network

    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    common = "Peeklock local CA (loopback only)"
    allowed: list[x509.GeneralName] = [x509.DNSName(name) for name in _NAMES]
    allowed += [x509.IPAddress(ip_network(address)) for address in _ADDRESSES]
    return (
        _builder(common, _name(common), key, _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=allowed, excluded_subtrees=None), critical=True)
        .sign(key, SHA256())
    )


def _server_chain(ca: x509.Certificate, ca_key: EllipticCurvePrivateKey) -> bytes:
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = _new_key()
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in _NAMES]
    names += [x509.IPAddress(ip_address(address)) for address in _ADDRESSES]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    certificate = (
        _builder("localhost", ca.subject, key, _SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(issuer, critical=False)
        .sign(ca_key, SHA256())
    )
    return _private(key) + _pem(certificate)
