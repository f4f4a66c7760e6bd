from __future__ import annotations

import pytest

from services.intellioptics.api.settings import ApiSettings
from services.intellioptics.worker.settings import WorkerSettings
from services.shared.settings import EXIT_MISCONFIGURED, MisconfiguredError, read_settings, settings_or_exit

BUS = "Endpoint=sb://localhost;SharedAccessKeyName=n;SharedAccessKey=S3cret"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*ApiSettings.model_fields, *WorkerSettings.model_fields):
        monkeypatch.delenv(name.upper(), raising=False)


def test_every_missing_variable_is_named_at_once() -> None:
    with pytest.raises(MisconfiguredError) as caught:
        read_settings(ApiSettings, "api")
    assert caught.value.missing == [
        "AZURE_SERVICEBUS_CONNECTION_STRING",
        "DATABASE_URL",
        "AZURE_STORAGE_CONNECTION_STRING",
        "API_TOKEN",
    ]


def test_a_service_that_is_not_configured_says_so_in_one_line_and_exits_with_78(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_SERVICEBUS_CONNECTION_STRING", BUS)
    with pytest.raises(SystemExit) as caught:
        settings_or_exit(WorkerSettings, "worker")
    assert caught.value.code == EXIT_MISCONFIGURED == 78
    assert capsys.readouterr().err == (
        "worker cannot start: missing environment variables: API_URL, API_TOKEN, MODEL_PATH\n"
    )


def test_an_invalid_variable_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AZURE_SERVICEBUS_CONNECTION_STRING": BUS,
        "API_URL": "S3cret",
        "API_TOKEN": "t",
        "MODEL_PATH": "no/such/file",
        "WORKER_CONCURRENCY": "0",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(MisconfiguredError) as caught:
        read_settings(WorkerSettings, "worker")
    assert [text.partition(" ")[0] for text in caught.value.invalid] == ["API_URL", "MODEL_PATH", "WORKER_CONCURRENCY"]
    assert "S3cret" not in str(caught.value)


def test_an_empty_variable_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_SERVICEBUS_CONNECTION_STRING", "")
    with pytest.raises(MisconfiguredError, match="AZURE_SERVICEBUS_CONNECTION_STRING"):
        read_settings(ApiSettings, "api")
