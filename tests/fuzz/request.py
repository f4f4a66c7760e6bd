"""HTTP requests to the data plane, the administration API and the WebSocket, each as the bytes of one."""

from __future__ import annotations

import time
from collections.abc import Callable

from peeklock.servicebus.auth import AccessRule, make_token

_ENTRY = (
    '<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml"><{kind} '
    'xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect" '
    'xmlns:i="http://www.w3.org/2001/XMLSchema-instance">{body}</{kind}></content></entry>'
)
_RULE = (
    '<Filter i:type="CorrelationFilter"><Label>x</Label><Properties><KeyValueOfstringanyType><Key>a</Key>'
    '<Value xmlns:d6p1="http://www.w3.org/2001/XMLSchema" i:type="d6p1:int">5</Value></KeyValueOfstringanyType>'
    "</Properties></Filter><Name>r</Name>"
)


def _request(method: str, path: str, body: str = "", **headers: str) -> Callable[[AccessRule], bytes]:
    def build(rule: AccessRule) -> bytes:
        token = make_token("http://localhost/", rule.name, rule.key, int(time.time()) + 100_000_000)
        fields = {"host": "localhost", "authorization": token, "content-length": str(len(body)), **headers}
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", body]).encode()

    return build


def _entity(path: str, kind: str, body: str) -> Callable[[AccessRule], bytes]:
    document = _ENTRY.format(kind=kind, body=body)
    return _request("PUT", f"{path}?api-version=2021-05", document, content_type="application/atom+xml", if_match="*")


REQUESTS: tuple[Callable[[AccessRule], bytes], ...] = (
    _request("POST", "/q/messages", "body", BrokerProperties='{"MessageId":"m","TimeToLive":5,"SessionId":"s"}', k='"v"'),
    _request(
        "POST",
        "/q/messages",
        '[{"Body":"x","BrokerProperties":{"Label":"l"},"UserProperties":{"n":1}}]',
        content_type="application/vnd.microsoft.servicebus.json",
    ),
    _request("POST", "/q/messages/head?timeout=0"),
    _request("DELETE", "/q/messages/head?timeout=0"),
    _request("PUT", "/q/messages/1/0f8fad5b-d9cb-469f-a165-70867728950e"),
    _request("GET", "/$Resources/queues?$skip=0&$top=2&api-version=2021-05"),
    _request("GET", "/t/subscriptions/all/rules?api-version=2021-05"),
    _request("GET", "/$namespaceinfo"),
    _request("GET", "/health"),
    _request("GET", "/metrics"),
    _entity("/made", "QueueDescription", "<LockDuration>PT10S</LockDuration><MaxDeliveryCount>3</MaxDeliveryCount>"),
    _entity("/q", "QueueDescription", "<LockDuration>PT10S</LockDuration><Status>Active</Status>"),
    _entity("/t/subscriptions/more", "SubscriptionDescription", "<MaxDeliveryCount>3</MaxDeliveryCount>"),
    _entity("/t/subscriptions/all/rules/r", "RuleDescription", _RULE),
    _request("DELETE", "/made"),
    _request(
        "GET",
        "/$servicebus/websocket",
        "\x01",
        upgrade="websocket",
        connection="Upgrade",
        sec_websocket_key="dGhlIHNhbXBsZSBub25jZQ==",
        sec_websocket_version="13",
        sec_websocket_protocol="AMQPWSB10",
    ),
)  # fmt: skip
