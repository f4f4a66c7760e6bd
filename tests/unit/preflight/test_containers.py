"""Containers and accounts."""

from __future__ import annotations

from peeklock.preflight import containers
from peeklock.preflight.expected import Expected
from peeklock.preflight.facts import FoundAccount, Unreached
from peeklock.preflight.findings import Report
from peeklock.preflight.places import read
from peeklock.preflight.settings import Setting

PICS = "AccountName=pics;AccountKey=abcd"


def judged(found: FoundAccount | Unreached, expected: Expected | None = None, **variables: str) -> Report:
    told = {"BLOBS": PICS, **variables}
    settings = [Setting("api", name, value, f"api.env ({name})") for name, value in told.items()]
    return containers.judge(read(settings), expected or Expected(), {PICS: found})


def test_a_container_that_is_not_there() -> None:
    report = judged(FoundAccount({"raw": True, "rawe": False}), RAW_CONTAINER="rawe", OTHER_CONTAINER="raw")
    (found,) = report.findings
    assert (found.name, found.where) == ("container-missing", "api.env (RAW_CONTAINER)")
    assert found.fix == 'did you mean "raw"?'


def test_a_container_that_the_file_declares() -> None:
    (found,) = judged(FoundAccount({"images": False}), Expected(containers={"images": "a.yaml:4"})).findings
    assert found.where == "a.yaml:4, api.env (BLOBS)"


def test_a_sas_that_lets_nobody_look_is_said_so() -> None:
    report = judged(FoundAccount({"raw": None}), RAW_CONTAINER="raw")
    assert report.findings == ()
    assert report.unchecked[0].because == "the SAS does not let one look"


def test_an_account_that_refuses_and_one_that_is_away() -> None:
    assert judged(Unreached("no", refused=True)).findings[0].name == "key-refused"
    assert judged(Unreached("nothing listens there")).findings[0].name == "account-unreachable"


def test_two_accounts() -> None:
    other = PICS.replace("pics", "photos")
    settings = [Setting("api", "BLOBS", PICS, "a:1"), Setting("worker", "BLOBS", other, "w:1")]
    found = containers.judge(read(settings), Expected(), {PICS: FoundAccount(), other: FoundAccount()}).findings
    assert [each.name for each in found] == ["different-accounts"]
