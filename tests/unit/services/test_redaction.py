from __future__ import annotations

import pytest

from services.shared.redaction import redact_text, redactor, without_query


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("http://h/c/b.jpg?sv=1&sig=S3cr%2Ft&sp=r", "http://h/c/b.jpg?sv=1&sig=[redacted]&sp=r"),
        ("Endpoint=sb://x/;SharedAccessKey=S3cr/t=;UseDevelopmentEmulator=true", "UseDevelopmentEmulator=true"),
        ("AccountName=a;AccountKey=S3cr/t==;BlobEndpoint=http://x", "BlobEndpoint=http://x"),
        ("Authorization: Bearer S3cr.t-x", "Authorization: Bearer [redacted]"),
        ("postgresql://user:S3crt@host/db", "postgresql://user:[redacted]@host/db"),
    ],
)
def test_credentials_are_removed_and_the_rest_stays(text: str, kept: str) -> None:
    cleaned = redact_text(text)
    assert "S3cr" not in cleaned
    assert kept in cleaned


def test_a_log_event_is_cleaned_however_deeply_it_is_nested() -> None:
    event = {"event": "x", "list": [{"url": "http://h?sig=abc"}], "api_token": "t", "text": "token is hush", "n": 3}
    cleaned = redactor("hush")(None, "info", event)
    assert cleaned == {
        "event": "x",
        "list": [{"url": "http://h?sig=[redacted]"}],
        "api_token": "[redacted]",
        "text": "token is [redacted]",
        "n": 3,
    }


def test_the_query_of_a_url_is_not_for_logs() -> None:
    assert without_query("http://h/a/b.jpg?sig=abc&se=1") == "http://h/a/b.jpg"
