"""The example of RFC 7677, and servers that do not know the password."""

from __future__ import annotations

import pytest

from peeklock.stack.servers.scram import Scram, ScramError

CHALLENGE = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> Scram:
    monkeypatch.setattr("secrets.token_urlsafe", lambda _count: "rOprNGfwEbeRWgbNEkqO")
    scram = Scram("pencil")
    monkeypatch.setattr(scram, "_bare", "n=user,r=rOprNGfwEbeRWgbNEkqO")
    return scram


def test_the_example_of_the_rfc(login: Scram) -> None:
    assert login.final(CHALLENGE).endswith(b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    login.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


def test_a_server_that_does_not_know_the_password_is_not_believed(login: Scram) -> None:
    login.final(CHALLENGE)
    with pytest.raises(ScramError, match="could not prove"):
        login.verify(b"v=AAAA")


def test_the_answer_to_another_login_is_refused(login: Scram) -> None:
    with pytest.raises(ScramError, match="another client"):
        login.final(CHALLENGE.replace(b"r=rO", b"r=xx"))
