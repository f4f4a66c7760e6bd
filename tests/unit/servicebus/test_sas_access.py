"""SAS tokens, rules and claims."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peeklock.servicebus import AccessRule, ManualClock
from peeklock.servicebus.auth import TokenRefused, TokenVerifier, covers, make_token, path_of

CLOCK = ManualClock(1_000_000.0)
KEEPER = TokenVerifier(
    [AccessRule("root", "secret=="), AccessRule("q", "k", ("Send",), "Orders"), AccessRule("m", "k", ("Manage",))],
    CLOCK.now,
)


def refusal(token, audience="sb://h/orders"):
    with pytest.raises(TokenRefused) as caught:
        KEEPER.verify(token, audience)
    return caught.value.status, caught.value.description


def test_a_good_token_becomes_a_claim():
    """S-25: signature over the encoded uri and the expiry, the key as text; the claim is for the audience."""
    claim = KEEPER.verify(make_token("sb://h/orders", "root", "secret==", 1_000_100), "sb://other-host/orders")
    assert (claim.scope, claim.expires) == ("orders", 1_000_100)
    assert claim.rights == {"Manage", "Send", "Listen"}


def test_manage_includes_the_other_rights():
    """S-23: Manage implies Send and Listen."""
    assert KEEPER.verify(make_token("sb://h", "m", "k", 1_000_100), "sb://h").rights == {"Manage", "Send", "Listen"}


def test_lower_case_escapes_and_any_order_of_fields():
    """S-25: the signature is over the string as received, and the fields come in any order."""
    import base64
    import hashlib
    import hmac

    sr = quote("sb://h/orders", safe="").replace("%3A", "%3a").replace("%2F", "%2f")
    signature = base64.b64encode(hmac.new(b"secret==", f"{sr}\n1000100".encode(), hashlib.sha256).digest())
    token = f"SharedAccessSignature skn=root&se=1000100&sig={quote(signature.decode(), safe='')}&sr={sr}"
    assert KEEPER.verify(token, "sb://h/orders/$management").scope == "orders/$management"


@pytest.mark.parametrize(
    ("token", "start"),
    [
        (make_token("sb://h/orders", "root", "wrong", 1_000_100), "InvalidSignature"),
        (make_token("sb://h/orders", "nobody", "secret==", 1_000_100), "InvalidSignature"),
        (make_token("sb://h/orders", "root", "secret==", 999_999), "ExpiredToken"),
        (make_token("sb://h/other", "root", "secret==", 1_000_100), "InvalidAudience"),
        (make_token("sb://h/order", "root", "secret==", 1_000_100), "InvalidAudience"),
        (make_token("sb://h/orders", "root", "secret==", 1_000_100).replace("1000100", "2000000"), "InvalidSignature"),
        ("", "InvalidSignature"),
        ("SharedAccessSignature sr=x", "InvalidSignature"),
        ("Bearer x", "InvalidSignature"),
    ],
)
def test_bad_tokens_are_refused_in_the_service_s_words(token, start):
    """S-22: 401 with InvalidSignature, ExpiredToken or InvalidAudience."""
    status, description = refusal(token)
    assert status == 401
    assert description.startswith(start)


def test_no_refusal_tells_a_secret():
    """No key and no signature in any text."""
    token = make_token("sb://h/orders", "root", "wrong", 1_000_100)
    assert "sig=" not in refusal(token)[1]
    assert "secret" not in repr(AccessRule("root", "secret=="))


def test_entity_rules_cover_their_entity_only():
    """S-23: a rule of one entity is refused for another and for the namespace; below its own it holds."""
    assert KEEPER.verify(make_token("sb://h/orders", "q", "k", 1_000_100), "sb://h/orders/$DeadLetterQueue").rights == {
        "Send"
    }
    for audience in ("sb://h/ordersx", "sb://h/"):
        assert refusal(make_token("sb://h/", "q", "k", 1_000_100), audience)[0] == 401


def test_namespace_tokens_cover_everything():
    """S-25: sr may be a prefix: a token of the namespace serves every entity."""
    assert KEEPER.verify(make_token("sb://h/", "root", "secret==", 1_000_100), "sb://h/any/where").scope == "any/where"


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("amqps://localhost:5672/a/b", "a/b"),
        ("sb://h", ""),
        ("sb://h/", ""),
        ("q/$management", "q/$management"),
        ("$cbs", "$cbs"),
        ("sb://h/q?x=1", "q"),
        ("http%3a%2f%2fh", "http://h"),
    ],
)
def test_paths_of_addresses(address, path):
    """S-8: addresses are paths or URIs with the client's idea of the host, which does not matter."""
    assert path_of(address) == path


def test_scopes_end_at_slashes():
    """A scope covers itself and what is below, not names that merely begin alike."""
    assert covers("a", "a/b")
    assert covers("", "a")
    assert not covers("a", "ab")


def test_plain_gives_the_rule_s_rights():
    """SASL PLAIN: rule name and key; anything else gives nothing."""
    assert KEEPER.password("q", "k")[0].rights == {"Send"}
    assert KEEPER.password("q", "x") == KEEPER.password("zz", "k") == []


@given(st.text(max_size=80), st.text(max_size=30))
@settings(max_examples=200)
def test_any_text_is_refused(token, audience):
    """Hostile tokens and audiences are refused, never an exception of another kind."""
    with pytest.raises(TokenRefused):
        KEEPER.verify("SharedAccessSignature sr=&sig=&se=9&skn=root&" + token, audience)
