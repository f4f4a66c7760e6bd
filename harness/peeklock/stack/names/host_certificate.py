"""A certificate for hosts that are not Azure's: made for one environment, whose services alone trust it."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

from peeklock.servicebus.gateway.certificate_names import CertificateNames
from peeklock.servicebus.gateway.certificate_signing import make_authority


class HostCertificate(NamedTuple):
    """In PEM. The key of the authority is kept nowhere, so it signs nothing else."""

    authority: str
    chain: str
    """Key and certificate of the server."""


def host_certificate(hosts: Sequence[str]) -> HostCertificate:
    """Make a certificate for these hosts, by an authority that may sign nothing but them and their subdomains."""
    names = CertificateNames(
        "", "Peeklock local CA (hosts of one scenario)", tuple(hosts), ("127.0.0.0/8",), tuple(hosts), ()
    )
    _, authority, chain = make_authority(names)
    return HostCertificate(authority.decode(), chain.decode())


def host_context(chain: str) -> ssl.SSLContext:
    """Return what a server needs that shows the certificate. Raises `OSError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.NamedTemporaryFile("w", prefix="peeklock-", suffix=".pem") as file:  # ssl reads files only
        file.write(chain)
        file.flush()
        context.load_cert_chain(file.name)
    return context
