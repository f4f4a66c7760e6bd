"""One file with every certificate that a service trusts: those that it trusted before, and the ones of these names."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""Variables that name a file of certificates. All but the last replace what a client trusts, so none may lack anything."""


def write_bundle(path: Path, authority: Path, own: Mapping[str, str]) -> Path:
    """Write to `path` what the variables in `own` name, else what this interpreter trusts, and the certificate in `authority`."""
    named = list(dict.fromkeys(own[name] for name in BUNDLES if own.get(name)))
    files = [Path(name) for name in named] or _trusted()
    parts = [file.read_bytes().rstrip() for file in files if file.is_file()]
    path.write_bytes(b"\n".join([*parts, authority.read_bytes().rstrip()]) + b"\n")
    return path


def _trusted() -> list[Path]:
    # here: a service may run without names, and then nobody needs its 300 kB
    import certifi

    found = ssl.get_default_verify_paths().cafile
    return [Path(certifi.where()), *([Path(found)] if found else [])]
