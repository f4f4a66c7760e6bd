"""One file with every certificate that a service trusts: those that it trusted before, and the ones of these names."""

from __future__ import annotations

import hashlib
import secrets
import ssl
from collections.abc import Mapping
from pathlib import Path

import certifi

BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""Variables that name a file of certificates. All but the last replace what a client trusts, so none may lack anything."""


def write_bundle(folder: Path, authority: str, own: Mapping[str, str]) -> Path:
    """Write what the variables in `own` name, else what this interpreter trusts, and a certificate in PEM, to a file in `folder`.

    The same certificates are the same file, so that services which trust alike have the same variables.
    """
    named = list(dict.fromkeys(own[name] for name in BUNDLES if own.get(name)))
    files = [Path(name) for name in named] or _trusted()
    parts = [file.read_bytes().rstrip() for file in files if file.is_file()]
    content = b"\n".join([*parts, authority.encode().rstrip()]) + b"\n"
    path = folder / f"trusted-{hashlib.sha256(content).hexdigest()[:16]}.pem"
    if not path.exists():
        whole = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        whole.write_bytes(content)
        whole.replace(path)  # in one step: another service may be reading it
    return path


def _trusted() -> list[Path]:
    found = ssl.get_default_verify_paths().cafile
    return [Path(certifi.where()), *([Path(found)] if found else [])]
