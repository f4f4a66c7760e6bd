from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.intellioptics.identifiers import accepts_legacy_ids, is_legacy_detector_id, new_image_query_id

CUTOVER = datetime(2025, 11, 1, tzinfo=UTC)


def test_an_idempotency_key_always_makes_the_same_id_and_none_never_does() -> None:
    assert new_image_query_id("a") == new_image_query_id("a") != new_image_query_id("b")
    assert new_image_query_id() != new_image_query_id()


@pytest.mark.parametrize(
    ("detector_id", "legacy"),
    [
        ("7f3c2b1a-9d4e-4c6f-8a2b-0e1d2c3b4a59", True),
        ("7F3C2B1A-9D4E-4C6F-8A2B-0E1D2C3B4A59", True),
        ("det_7f3c2b1a9d4e4c6f8a2b0e1d2c3b4a59", False),
        ("7f3c2b1a9d4e4c6f8a2b0e1d2c3b4a59", False),
    ],
)
def test_a_bare_uuid_is_a_legacy_id(detector_id: str, legacy: bool) -> None:
    assert is_legacy_detector_id(detector_id) is legacy


@pytest.mark.parametrize(
    ("after", "accepted"),
    [(timedelta(0), True), (timedelta(days=14, seconds=-1), True), (timedelta(days=14), False)],
)
def test_legacy_ids_are_accepted_for_14_days_after_the_cut_over(after: timedelta, accepted: bool) -> None:
    assert accepts_legacy_ids(CUTOVER + after, CUTOVER) is accepted
