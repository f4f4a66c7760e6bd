"""How a container is followed from one life to the next."""

from __future__ import annotations

import pytest

from peeklock.stack.containers.follower import _seconds


@pytest.mark.parametrize(
    ("ended", "since"),
    [
        ("", "0"),
        ("2026-11-23T03:53:43.802345977Z", "1795406023.812345977"),
        ("2026-11-23T03:53:43.999Z", "1795406024.009000000"),
        ("2026-11-23T04:53:43+01:00", "1795406023.010000000"),
    ],
)
def test_the_last_words_of_a_life_are_not_said_again_in_the_next(ended: str, since: str) -> None:
    """Podman tells the end of a life by the kernel's tick, so a line may be up to 10 ms younger."""
    assert _seconds(ended) == since
