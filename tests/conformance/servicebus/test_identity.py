"""Entra tokens of a local issuer: on CBS, REST and the administration API, with the SDK's own credentials (S-19 to S-24)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import jwt
import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import ManagedIdentityCredential
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient as AsyncClient
from azure.servicebus.exceptions import ServiceBusAuthorizationError
from azure.servicebus.management import ServiceBusAdministrationClient

from peeklock.servicebus import (
    AccessRule,
    Client,
    Emulator,
    Identity,
    IdentityEndpoint,
    Issuer,
    ManagedIdentity,
    ManualClock,
    OutgoingMessage,
    Queue,
    RoleAssignment,
    ServiceBusError,
    Subscription,
    Topic,
    Topology,
    TopologyError,
)
from peeklock.servicebus.amqp.encode import encode
from peeklock.servicebus.client.channel import Channel
from peeklock.servicebus.gateway import certificates
from peeklock.servicebus.gateway.control.changes import apply
from peeklock.servicebus.issuer import object_id
from peeklock.servicebus.ledger import Principal

ROLES = (
    RoleAssignment("owner", "Azure Service Bus Data Owner"),
    RoleAssignment(object_id("sender"), "Azure Service Bus Data Sender", "q"),
    RoleAssignment("receiver", "Receiver", "/subscriptions/0/resourceGroups/g/providers/Microsoft.ServiceBus/namespaces/n/queues/q"),
    RoleAssignment("managed", "Sender", "q"),
    RoleAssignment("reader", "Receiver", "t/Subscriptions/s"),
)  # fmt: skip
TOPOLOGY = Topology(
    queues={"q": Queue(), "other": Queue()},
    topics={"t": Topic(subscriptions={"s": Subscription()})},
    identity=Identity(ROLES),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEEKLOCK_CACHE", str(tmp_path_factory.mktemp("cache")))
        with Emulator(TOPOLOGY) as emulator:
            yield emulator


@pytest.fixture
def bus(shared: Emulator) -> Emulator:
    """The emulator, empty."""
    shared.reset()
    return shared


@pytest.fixture(scope="module")
def ca(shared: Emulator) -> str:
    return str(certificates.authority())


def over_tls(bus: Emulator, ca: str) -> dict[str, Any]:
    return {"custom_endpoint_address": f"sb://localhost:{bus.port}", "connection_verify": ca, "retry_total": 0}


def put(bus: Emulator, token: str, path: str = "q") -> tuple[str, str]:
    """Put a token over plain AMQP; return the status' condition and the description, ("", "OK") when it was taken."""
    channel = Channel("127.0.0.1", bus.port, tls=False, timeout=5)
    fields = {"operation": "put-token", "type": "jwt", "name": f"sb://localhost/{path}"}
    try:
        channel.request("$cbs", fields, encode(token), codes=("status-code", "status-description"))
    except ServiceBusError as error:
        return error.condition, error.description
    finally:
        channel.close()
    return "", "OK"


def opened(bus: Emulator, token: str, path: str, *, receive: bool = False) -> str:
    """Open a link with a token; return the condition with which it is refused, "" when it is not."""
    channel = Channel("127.0.0.1", bus.port, tls=False, timeout=5)
    fields = {"operation": "put-token", "type": "jwt", "name": f"sb://localhost/{path}"}
    try:
        channel.request("$cbs", fields, encode(token), codes=("status-code", "status-description"))
        _ = channel.attach_receiver(path, settled=False) if receive else channel.attach_sender(path)
    except ServiceBusError as error:
        return error.condition
    finally:
        channel.close()
    return ""


def test_the_sdk_works_with_a_credential(bus: Emulator, ca: str) -> None:
    """ServiceBusClient with a TokenCredential over TLS: send, receive, settle; the ledger names who it was."""
    start = bus.ledger.cursor
    with (
        ServiceBusClient("localhost", bus.issuer.credential("owner"), **over_tls(bus, ca)) as client,
        client.get_queue_sender("q") as sender,
        client.get_queue_receiver("q", max_wait_time=5) as receiver,
    ):
        sender.send_messages(ServiceBusMessage("x"))
        (message,) = receiver.receive_messages()
        receiver.complete_message(message)
    sent, *_, completed = bus.ledger.entries(start)
    assert sent.message.content.sender == "owner (Azure Service Bus Data Owner)"
    assert Principal.read(completed.consumer) == ("owner", "owner", "Azure Service Bus Data Owner")


def test_the_async_sdk_works_with_a_managed_identity(bus: Emulator, ca: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """azure-identity's own ManagedIdentityCredential asks at its service's endpoint; its role is Sender: it cannot receive (S-23)."""
    bus.issuer.serve(IdentityEndpoint("service", ManagedIdentity("managed")))
    for name, value in bus.issuer.environment("service").items():
        monkeypatch.setenv(name, value)
    credential = ManagedIdentityCredential()

    class Wrapped:
        async def get_token(self, *scopes: str, **options: Any) -> Any:
            return await asyncio.to_thread(credential.get_token, *scopes)

        async def close(self) -> None: ...

    async def main() -> None:
        async with (
            AsyncClient("localhost", Wrapped(), **over_tls(bus, ca)) as client,
            client.get_queue_sender("q") as sender,
        ):
            await sender.send_messages(ServiceBusMessage("managed"))

    asyncio.run(main())
    token = credential.get_token("https://servicebus.azure.net/.default").token
    credential.close()
    channel = Channel("127.0.0.1", bus.port, tls=False, timeout=5)
    fields = {"operation": "put-token", "type": "jwt", "name": "sb://localhost/q"}
    channel.request("$cbs", fields, encode(token), codes=("status-code", "status-description"))
    with pytest.raises(ServiceBusError, match="'Listen' claim"):
        channel.attach_receiver("q", settled=False)
    channel.close()
    with ServiceBusClient("localhost", bus.issuer.credential("receiver"), **over_tls(bus, ca)) as client:
        with client.get_queue_receiver("q", max_wait_time=5) as receiver:
            assert [str(message) for message in receiver.receive_messages()] == ["managed"]
        with pytest.raises(ServiceBusAuthorizationError, match="'Send' claim"), client.get_queue_sender("other"):
            pass
    told = [(entry.entity, entry.details) for entry in bus.ledger.entries() if entry.event == "access_refused"]
    assert ("other", {"principal": "receiver", "right": "Send"}) in told


def test_administrators_come_with_a_credential_too(bus: Emulator, ca: str) -> None:
    """ServiceBusAdministrationClient with a TokenCredential; forwarding brings a second token along (S-68, S-83)."""
    options: dict[str, Any] = {"connection_verify": ca, "retry_total": 0}
    with ServiceBusAdministrationClient(f"localhost:{bus.port}", bus.issuer.credential("owner"), **options) as admin:
        admin.create_queue("made", forward_to="q")
        assert admin.get_queue("made").forward_to.endswith("/q")
        admin.delete_queue("made")
    with ServiceBusAdministrationClient(f"localhost:{bus.port}", bus.issuer.credential("sender"), **options) as other:
        with pytest.raises(HttpResponseError) as caught:
            other.create_queue("made")
        assert caught.value.status_code == 401


def test_rest_takes_bearer_tokens(bus: Emulator) -> None:
    """S-80: Authorization: Bearer; without the right it is 401."""
    with httpx.Client(base_url=f"http://127.0.0.1:{bus.port}") as http:
        sending = {"Authorization": f"Bearer {bus.issuer.token('sender').token}"}
        receiving = {"Authorization": f"Bearer {bus.issuer.token('receiver').token}"}
        assert http.post("/q/messages", headers=sending, content=b"x").status_code == 201
        assert http.post("/q/messages", headers=receiving, content=b"x").status_code == 401
        assert http.post("/other/messages", headers=sending, content=b"x").status_code == 401
        assert http.delete("/q/messages/head?timeout=1", headers=receiving).content == b"x"
        assert http.get("/metrics", headers=sending).status_code == 401


def test_roles_hold_below_their_scope_only(bus: Emulator) -> None:
    """S-22: a role on an entity is none elsewhere; a subscription's path is a scope as a queue is."""
    token = bus.issuer.token("sender").token
    assert put(bus, token) == ("", "OK")
    assert put(bus, token, "q/$management") == ("", "OK")
    assert opened(bus, token, "other") == "amqp:unauthorized-access"
    condition, words = put(bus, token, "missing")
    assert (condition, "has no role on 'missing'" in words) == ("status:401", True)
    reader = bus.issuer.token("reader").token
    assert opened(bus, reader, "t/Subscriptions/s/$DeadLetterQueue", receive=True) == ""
    assert opened(bus, reader, "t", receive=True) == "amqp:unauthorized-access"


def test_a_role_that_is_taken_away_is_gone_with_the_next_token() -> None:
    """The link goes on with the token that was shown; the renewal, which does not give the right any more, ends it."""
    with Emulator(TOPOLOGY) as bus:
        channel = Channel("127.0.0.1", bus.port, tls=False, timeout=5)
        fields = {"operation": "put-token", "type": "jwt", "name": "sb://localhost/q"}

        def show() -> None:
            token = encode(bus.issuer.token("owner").token)
            channel.request("$cbs", fields, token, codes=("status-code", "status-description"))

        show()
        sender = channel.attach_sender("q")
        identity = replace(bus.topology.identity, roles=ROLES[1:])
        bus.call(
            lambda server: apply(server.administration, replace(server.administration.topology, identity=identity))
        )
        channel.check(sender)
        show()
        with pytest.raises(ServiceBusError, match="does not give this right"):
            channel.wait(lambda: channel.check(sender), "the detach")
        channel.close()


def test_the_token_says_which_service_asked(bus: Emulator) -> None:
    """Two services may share an identity: the ledger tells them apart."""
    bus.issuer.serve(IdentityEndpoint("first", assigned=(ManagedIdentity("shared", "owner"),)))
    variables = bus.issuer.environment("first")
    query = {"api-version": "2019-08-01", "resource": "https://servicebus.azure.net", "client_id": "owner"}
    headers = {"X-IDENTITY-HEADER": variables["IDENTITY_HEADER"]}
    token = httpx.get(variables["IDENTITY_ENDPOINT"], params=query, headers=headers).json()["access_token"]
    sending = {"Authorization": f"Bearer {token}"}
    assert httpx.post(f"http://127.0.0.1:{bus.port}/q/messages", headers=sending, content=b"x").status_code == 201
    sender = bus.ledger.entries()[-1].message.content.sender
    assert Principal.read(sender) == ("first", "shared", "Azure Service Bus Data Owner")


def test_tokens_outlive_their_issuer() -> None:
    """Another one with its key is the same to whoever checks them."""
    first = Issuer()
    again = Issuer(key=first.private_key())
    assert again.jwks() == first.jwks()


def test_a_closed_issuer_knows_who_it_has_been_told_of() -> None:
    """Whoever names somebody else's client id gets nothing."""
    issuer = Issuer(closed=True, secrets={"app": "secret"})
    assert issuer.admits("app", "secret")
    assert not issuer.admits("app", "wrong")
    assert not issuer.admits("another", "")


def forged(bus: Emulator, **claims: Any) -> str:
    """The same claims, signed by somebody else who borrows the key's name."""
    genuine = bus.issuer.token("owner", **claims).token
    payload = jwt.decode(genuine, options={"verify_signature": False})
    key_id = jwt.get_unverified_header(genuine)["kid"]
    return jwt.encode(payload, Issuer()._key, "RS256", {"kid": key_id})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda bus: "nonsense", "MalformedToken"),
        (lambda bus: "a.b.c", "MalformedToken"),
        (lambda bus: Issuer().token("owner").token, "its key is not known"),
        (forged, "InvalidSignature: The token has an invalid signature."),
        (lambda bus: bus.issuer.token("owner", iss="https://sts.example/").token, "InvalidIssuer"),
        (lambda bus: bus.issuer.token("owner", "https://storage.azure.com/").token, "InvalidAudience"),
        (lambda bus: bus.issuer.token("owner", lifetime=-1).token, "ExpiredToken: The token is expired."),
        (lambda bus: bus.issuer.token("owner", nbf=int(time.time()) + 900).token, "TokenNotYetValid"),
        (lambda bus: bus.issuer.token("owner", exp="never").token, "MalformedToken"),
        (
            lambda bus: jwt.encode({"iss": bus.issuer.name, "oid": "owner"}, "", "none", {"kid": bus.issuer._key_id}),
            "InvalidSignature",
        ),
        (
            lambda bus: jwt.encode(
                {"iss": bus.issuer.name, "appid": "owner"}, "k" * 64, "HS256", {"kid": bus.issuer._key_id}
            ),
            "InvalidSignature",
        ),
    ],
)  # fmt: skip
def test_bad_tokens_are_refused_in_service_bus_s_words(bus: Emulator, make: Any, words: str) -> None:
    """S-22: signature, issuer, audience, times and role; unsigned ones and those of another algorithm, too."""
    condition, text = put(bus, make(bus))
    assert condition == "status:401"
    assert words in text


def test_links_end_with_their_token() -> None:
    """S-24: as with SAS tokens."""
    clock = ManualClock()
    with Emulator(TOPOLOGY, clock=clock) as bus:
        channel = Channel("127.0.0.1", bus.port, tls=False, timeout=5)
        fields = {"operation": "put-token", "type": "jwt", "name": "sb://localhost/q"}
        token = bus.issuer.token("owner", lifetime=60).token
        channel.request("$cbs", fields, encode(token), codes=("status-code", "status-description"))
        sender = channel.attach_sender("q")
        bus.advance(61)
        with pytest.raises(ServiceBusError, match="ExpiredToken"):
            channel.wait(lambda: channel.check(sender), "the detach")
        channel.close()


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_keys_are_fetched_from_an_issuer_of_somebody_else_s(algorithm: str) -> None:
    """A JWKS URL on loopback, over AMQP and REST, also for a key that is new; what an issuer is down for is refused."""
    with Emulator(issuer=Issuer(algorithm=algorithm)) as home:
        issuer = home.issuer
        identity = Identity((RoleAssignment("app", "Owner"),), issuer.name, f"{issuer.address}/keys")
        with Emulator(Topology(queues={"q": Queue()}, identity=identity)) as bus:
            assert put(bus, issuer.token("app").token) == ("", "OK")
        with Emulator(Topology(queues={"q": Queue()}, identity=identity)) as bus:
            headers = {"Authorization": f"Bearer {issuer.token('app').token}"}
            answer = httpx.post(f"http://127.0.0.1:{bus.port}/q/messages", headers=headers, content=b"x")
            assert answer.status_code == 201
            assert "its key is not known" in put(bus, Issuer().token("app").token)[1]
    with Emulator(Topology(queues={"q": Queue()}, identity=identity)) as bus:
        assert "its key is not known" in put(bus, issuer.token("app").token)[1]
    with Emulator(Topology(queues={"q": Queue()}, access_rules=(AccessRule(),))) as other:  # what has no JWK set
        for address in (f"http://127.0.0.1:{other.port}/health", f"http://127.0.0.1:{other.port}/$cbs"):
            identity = Identity((RoleAssignment("app", "Owner"),), issuer.name, address)
            with Emulator(Topology(queues={"q": Queue()}, identity=identity)) as bus:
                assert "its key is not known" in put(bus, issuer.token("app").token)[1]


def test_the_issuer_speaks_openid_and_client_credentials() -> None:
    """openid-configuration leads to the keys and to the token endpoint; a secret that is known is asked for."""
    with Emulator(issuer=Issuer(secrets={"guarded": "s3cret"})) as bus, httpx.Client() as http:
        address = f"{bus.issuer.address}/{bus.issuer.tenant}"
        facts = http.get(f"{address}/v2.0/.well-known/openid-configuration").json()
        assert facts["issuer"] == bus.issuer.name
        keys = jwt.PyJWKSet.from_dict(http.get(facts["jwks_uri"]).json())
        form = {
            "grant_type": "client_credentials",
            "client_id": "guarded",
            "scope": "https://servicebus.azure.net/.default",
        }
        assert http.post(facts["token_endpoint"], data=form).json()["error"] == "invalid_client"
        given = http.post(facts["token_endpoint"], data={**form, "client_secret": "s3cret"}).json()
        payload = jwt.decode(given["access_token"], keys.keys[0], ["RS256"], audience="https://servicebus.azure.net/")
        assert (payload["appid"], payload["oid"]) == ("guarded", object_id("guarded"))


def test_a_namespace_without_identity_takes_sas_alone() -> None:
    """An issuer of the emulator's own changes nothing: who has no role is nobody. The text says what is taken."""
    with Emulator(Topology(queues={"q": Queue()}), issuer=Issuer()) as bus:
        condition, text = put(bus, bus.issuer.token("app").token)
        assert (condition, "Only SAS tokens" in text) == ("status:401", True)
        with Client(bus.connection_string()) as client:
            client.send("q", [OutgoingMessage(b"x")])


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        ({"roles": [{"principal": "p", "role": "Janitor"}]}, "has the role 'Janitor'"),
        ({"roles": [{"role": "Owner"}]}, "principal ''"),
        ({"roles": {}}, "identity.roles: expected a list"),
        ({"issuer": "i", "jwks": "https://login.example/keys"}, "expected a URL on loopback"),
        ({"issuer": "i", "jwks": {}}, "expected {'keys'"),
        ({"issuer": 5}, "identity.issuer: expected str"),
        ({"isuer": "i"}, "'isuer' is not a known setting"),
        ("x", "not a known setting"),
    ],
)
def test_an_identity_that_cannot_be_is_refused(identity: Any, words: str) -> None:
    """Where, what was expected and found, and a fix."""
    with pytest.raises(TopologyError, match=words) as caught:
        Topology.from_json({"identity": identity})
    assert caught.value.fix


def test_an_identity_is_written_as_it_is_read() -> None:
    """What a store keeps of a topology has it."""
    identity = Identity(ROLES, "https://issuer", {"keys": []}, "aud")
    assert Topology.from_json(Topology(identity=identity).to_json()).identity == identity
