"""The `blob` verb with nothing but a SAS URL: what that lets do, what is refused and how, and where it is never written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.conftest import Run
from tests.conformance.stack.engine import engine_or_skip

SIGN = '''
from datetime import UTC, datetime, timedelta
from azure.storage.blob import generate_blob_sas

def sign(account, key):
    """The URL that may create one blob, as a service makes it: for the account's name in production."""
    expiry = datetime.now(UTC) + timedelta(hours=1)
    sas = generate_blob_sas(account, "uploads", "a b/ü+%.txt", account_key=key, permission="c", expiry=expiry)
    return {"url": f"https://{account}.blob.core.windows.net/uploads/a%20b/%C3%BC%2B%25.txt?{sas}"}
'''
BY_KEY = """
      - blob: {sign: "uploads/a b/ü+%.txt", sas: {permissions: c}}
        capture: {url: {path: sas_url, secret: true}}
"""
BY_NAME = """
      - run: {python: "sign:sign", with: {account: contosouploads, key: "${blobs.key}"}}
        capture: {url: {path: url, secret: true}}
"""
ELSEWHERE = {"": "AuthorizationFailure", "name: contosouploads, ": "AuthenticationFailed"}
"""What a SAS for something else is: Azurite has a word of its own for it."""
CREATE_ONE = """
scenario: A URL that may create one blob
stack: {blobs: {NAMEcontainers: [uploads, other]}}
cases:
  create_one:
    steps: URL
      - blob: {head: "${url}"}
        expect: {status: 403, error: AuthorizationPermissionMismatch}
      - blob: {put: "${url}", text: one, content_type: text/x-mine, metadata: {by: me}}
        expect: {status: 201, size: 3}
      - blob: {put: "${url}", text: two}
        expect: {status: 403, error: AuthorizationPermissionMismatch}
      - blob: {get: "${url}"}
        expect: {status: 403, error: AuthorizationPermissionMismatch, text: $absent}
      - blob: {delete: "${url}"}
        expect: {status: 403, error: AuthorizationPermissionMismatch}
      - blob: {list: "${url}"}
        expect: {status: 403, error: ELSEWHERE, blobs: $absent}
      - blob: {put: uploads/b.txt, as: "${url}", text: two}
        expect: {status: 403, error: ELSEWHERE}
      - blob: {put: "other/a b/ü+%.txt", as: "${url}", text: two}
        expect: {status: 403, error: ELSEWHERE}
      - blob: {get: "uploads/a b/ü+%.txt"}
        expect: {text: one, content_type: text/x-mine, metadata: {by: me}}
      - blob: {list: uploads}
        expect: {count: 1}
      - blob: {list: other}
        expect: {count: 0}
"""


@pytest.mark.parametrize(
    ("name", "backend"), [("", "embedded"), ("name: contosouploads, ", "embedded"), ("", "containers")]
)
def test_a_url_that_may_create_one_blob_does_nothing_else(
    peeklock: Run, project: Path, name: str, backend: str
) -> None:
    """Straight to Azurite, through the door by its production name, and in containers."""
    if backend == "containers":
        engine_or_skip()
    (project / "scenarios" / "sign.py").write_text(SIGN)
    text = CREATE_ONE.replace("NAME", name).replace("ELSEWHERE", ELSEWHERE[name])
    (project / "scenarios" / "sas.yaml").write_text(text.replace(" URL\n", BY_NAME if name else BY_KEY))
    done = peeklock("run", "scenarios/sas.yaml", "--backend", backend)
    assert done.returncode == 0, done.stdout + done.stderr


HOLDER = """
scenario: Holders
stack: {blobs: {containers: [images]}}
cases:
  reads_and_lists:
    steps:
      - blob: {put: images/a.json, json: {n: 1}, sas: {permissions: r}}
        capture: {url: {path: sas_url, secret: true}}
      - blob: {get: "${url}"}
        expect: {status: 200, exists: true, json: {n: 1}, size: 8}
      - blob: {sign: images/all, sas: {permissions: rld, scope: container}}
        capture: {all: {path: sas_url, secret: true}}
      - blob: {list: images/a, as: "${all}"}
        expect: {count: 1, blobs: [{name: a.json, size: 8}]}
      - blob: {delete: images/a.json, as: "${all}"}
        expect: {status: 202}
      - blob: {get: "${url}"}
        eventually: 5s
        expect: {status: 404, error: BlobNotFound, exists: false}
  refused_and_nothing_expected:
    steps:
      - blob: {put: images/a.txt, text: one, sas: {permissions: r}}
        capture: {url: sas_url}
      - blob: {delete: "${url}"}
  expected_and_refused:
    steps:
      - blob: {put: images/a.txt, text: one, sas: {permissions: r, expires_in: -1m}}
        capture: {url: sas_url}
      - blob: {get: "${url}"}
        expect: {status: 200}
  no_sas:
    steps:
      - blob: {put: images/a.txt, text: one}
        capture: {plain: url}
      - blob: {get: "${plain}"}
"""


def test_a_refusal_that_nobody_expects_fails_and_no_signature_is_written(peeklock: Run, project: Path) -> None:
    """Not in the output, nor anywhere below the project, though the URL was captured as no secret."""
    (project / "scenarios" / "sas.yaml").write_text(HOLDER)
    done = peeklock("run", "scenarios/sas.yaml", "--junit", "junit.xml")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "3 failed, 1 passed" in done.stdout
    assert "delete images/a.txt with a SAS: 403 AuthorizationPermissionMismatch" in done.stdout
    assert "refused   get images/a.txt with a SAS: 403 AuthorizationFailure" in done.stdout
    assert "this is no SAS URL" in done.stdout
    written = [file.read_text(errors="replace") for file in project.rglob("*") if file.is_file()]
    for text in (done.stdout, done.stderr, *written):
        assert "sig=" not in text.replace("sig=***", "")
        assert "sig%3D" not in text.replace("sig%3D***", "")
