"""Makes the keys and certificates of the emulator's own authority; loaded, with its library, when one has to be made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

from cryptography import x509
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .certificate_names import CertificateNames

_CA_DAYS, _SERVER_DAYS = 3650, 730


def make_authority(names: CertificateNames) -> tuple[bytes, bytes, bytes]:
    """Return, in PEM, the authority's key, its certificate, and key and certificate of a server."""
    key = _new_key()
    certificate = _sign_authority(key, names)
    return _private_pem(key), _pem(certificate), _server_chain(certificate, key, names)


def make_server(authority_key: bytes, authority: bytes, names: CertificateNames) -> bytes:
    """Return key and certificate of a server, signed by an authority. Raises `ValueError` for a key that it cannot have."""
    key = load_pem_private_key(authority_key, None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise ValueError("the authority's key is no elliptic curve's")
    return _server_chain(x509.load_pem_x509_certificate(authority), key, names)


def _new_key() -> EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _private_pem(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _builder(subject: str, issuer: x509.Name, key: EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
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
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
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


def _sign_authority(key: EllipticCurvePrivateKey, names: CertificateNames) -> x509.Certificate:
    allowed: list[x509.GeneralName] = [x509.DNSName(name) for name in names.permitted]
    allowed += [x509.IPAddress(ip_network(network)) for network in names.networks]
    return (
        _builder(names.common, _name(names.common), key, _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=allowed, excluded_subtrees=None), critical=True)
        .sign(key, SHA256())
    )


def _server_chain(ca: x509.Certificate, ca_key: EllipticCurvePrivateKey, names: CertificateNames) -> bytes:
    key = _new_key()
    subjects: list[x509.GeneralName] = [x509.DNSName(name) for name in names.names]
    subjects += [x509.IPAddress(ip_address(address)) for address in names.addresses]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    certificate = (
        _builder(names.names[0], ca.subject, key, _SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(subjects), critical=False)
        .add_extension(issuer, critical=False)
        .sign(ca_key, SHA256())
    )
    return _private_pem(key) + _pem(certificate)
