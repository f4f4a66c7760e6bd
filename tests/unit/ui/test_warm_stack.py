"""The logs of a warm stack, as the live page shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.errors import PeeklockError
from peeklock.stack.warm import lifecycle
from peeklock.ui.by_hand import ByHand
from peeklock.ui.views.stack import MOST_BYTES, WarmStack


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the logs of a stack that is up."""
    folder = tmp_path / "logs"
    (folder / "orders").mkdir(parents=True)
    status = lifecycle.Status(up=True, root=tmp_path, log_dir=folder)
    monkeypatch.setattr(lifecycle, "status", lambda root: status)
    return folder


def test_the_end_of_a_log_is_told_in_whole_lines_without_secrets(tmp_path: Path, logs: Path) -> None:
    lines = [f"{number} SharedAccessKey=QUJDREVGR0g=" for number in range(10_000)]
    (logs / "orders" / "api.log").write_text("\n".join(lines))
    found = WarmStack(tmp_path, ByHand()).log("orders/api")
    assert found["lines"][-1] == "9999 SharedAccessKey=***"
    assert found["lines"][0].partition(" ")[0].isdecimal()
    assert len(found["lines"]) < MOST_BYTES / 20


@pytest.mark.parametrize("name", ["", "orders", "orders/worker", "../secret", "/etc/passwd"])
def test_only_logs_of_the_stack_can_be_named(tmp_path: Path, logs: Path, name: str) -> None:
    (tmp_path / "secret.log").write_text("x")
    with pytest.raises(PeeklockError, match="there is no log"):
        WarmStack(tmp_path, ByHand()).log(name)
