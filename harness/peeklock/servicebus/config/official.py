"""The official emulator's Config.json, with its // comments (part C of the design page)."""

from __future__ import annotations

from typing import Any

from peeklock.servicebus.auth import AccessRule
from peeklock.servicebus.settings import TopologyError
from peeklock.servicebus.topology import Queue, Topic, Topology

from .reader import QUEUE_DEFAULTS, ConfigReader
from .text import parse_json, read_text
from .topics import read_topics

DEFAULT_NAMESPACE = "sbemulatorns"


def read_config(path: str, *, port: int = 5672) -> Topology:
    """Read a Config.json. Raises `TopologyError` that names the file and the path inside it, what was expected, what
    was found and how to fix it."""
    return parse_config(read_text(path), path, port=port)


def parse_config(text: str, origin: str = "Config.json", *, port: int = 5672) -> Topology:
    """Parse the text of a Config.json; see `read_config`."""
    return read_official(parse_json(text, origin), origin, port=port)[1]


def read_official(document: Any, origin: str, *, port: int = 5672) -> tuple[str, Topology]:
    """Return the name and the topology of the namespace in a Config.json; see `read_config`."""
    reader = ConfigReader(origin)
    user = reader.object(reader.object(document, "$").get("UserConfig"), "UserConfig")
    reader.known(user, {"Namespaces": None, "Logging": None}, "UserConfig")
    namespaces = reader.list(user.get("Namespaces"), "UserConfig.Namespaces")
    if len(namespaces) != 1:
        raise reader.error(
            "UserConfig.Namespaces",
            "exactly one namespace",
            f"{len(namespaces)}",
            "keep one, or use Peeklock's own format",
        )
    where = "UserConfig.Namespaces[0]"
    namespace = reader.object(namespaces[0], where)
    reader.known(namespace, {"Name": None, "Queues": None, "Topics": None}, where)
    name = reader.text({"Name": DEFAULT_NAMESPACE, **namespace}, "Name", where)
    queues = {
        queue: _queue(reader, reader.properties(entry, at), f"{at}.Properties")
        for queue, entry, at in reader.named(namespace, "Queues", where, "queue")
    }
    topics: dict[str, Topic] = {}
    if namespace.get("Topics"):
        topics = read_topics(reader, namespace, where)
    try:
        return name, Topology(queues=queues, topics=topics, access_rules=(AccessRule(),), port=port)
    except TopologyError as error:
        raise TopologyError(f"{origin}: {error.problem}", error.fix) from None


def _queue(reader: ConfigReader, properties: dict[str, Any], where: str) -> Queue:
    values = reader.known(properties, QUEUE_DEFAULTS, where)
    window = reader.duration(values, "DuplicateDetectionHistoryTimeWindow", where)
    return Queue(
        max_delivery_count=reader.count(values, "MaxDeliveryCount", where),
        lock_duration=reader.duration(values, "LockDuration", where),
        duplicate_detection_window=window if reader.flag(values, "RequiresDuplicateDetection", where) else None,
        default_time_to_live=reader.duration(values, "DefaultMessageTimeToLive", where),
        dead_lettering_on_expiration=reader.flag(values, "DeadLetteringOnMessageExpiration", where),
        forward_to=reader.target(values, "ForwardTo", where),
        forward_dead_lettered_messages_to=reader.target(values, "ForwardDeadLetteredMessagesTo", where),
        requires_session=reader.flag(values, "RequiresSession", where),
    )
