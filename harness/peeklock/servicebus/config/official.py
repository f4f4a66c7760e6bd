"""The official emulator's Config.json, with its // comments (part C of the design page)."""

from __future__ import annotations

import warnings
from typing import Any

from peeklock.servicebus.auth import AccessRule
from peeklock.servicebus.entity_settings import Queue, Topic
from peeklock.servicebus.settings import TopologyError
from peeklock.servicebus.topology import Topology

from .reader import ConfigReader, Warn
from .text import parse_json, read_text
from .topics import read_topics

DEFAULT_NAMESPACE = "sbemulatorns"


def read_config(path: str, *, port: int = 5672, warn: Warn = warnings.warn) -> Topology:
    """Read a Config.json. Raises `TopologyError` that names the file and the path inside it, what was expected, what
    was found and how to fix it; `warn` gets a sentence for each thing that is passed over."""
    return parse_config(read_text(path), path, port=port, warn=warn)


def parse_config(text: str, origin: str = "Config.json", *, port: int = 5672, warn: Warn = warnings.warn) -> Topology:
    """Parse the text of a Config.json; see `read_config`."""
    return read_official(parse_json(text, origin, warn), origin, port=port, warn=warn)[1]


def read_official(document: Any, origin: str, *, port: int = 5672, warn: Warn = warnings.warn) -> tuple[str, Topology]:
    """Return the name and the topology of the namespace in a Config.json; see `read_config`."""
    reader = ConfigReader(origin, warn)
    user = reader.object(reader.object(document, "$").get("UserConfig"), "UserConfig")
    reader.known(user, ("Namespaces", "Logging"), "UserConfig")
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
    reader.known(namespace, ("Name", "Queues", "Topics"), where)
    name = reader.text({"Name": DEFAULT_NAMESPACE, **namespace}, "Name", where)
    queues = {
        queue: Queue(**reader.settings(Queue, reader.properties(entry, at), f"{at}.Properties"))
        for queue, entry, at in reader.named(namespace, "Queues", where, "queue")
    }
    topics: dict[str, Topic] = {}
    if namespace.get("Topics"):
        topics = read_topics(reader, namespace, where)
    try:
        return name, Topology(queues=queues, topics=topics, access_rules=(AccessRule(),), port=port)
    except TopologyError as error:
        raise TopologyError(f"{origin}: {error.problem}", error.fix) from None
