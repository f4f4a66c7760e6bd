"""ATOM documents: what is read from a request's body and written into an answer.

Written without prefixes, each namespace as the default one of its element: some clients look at names only (S-84).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, ParseError, SubElement, fromstring, tostring

from peeklock.servicebus.broker.errors import ArgumentError

from .spans import write_moment

ATOM = "http://www.w3.org/2005/Atom"
CONNECT = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
COUNTS = "http://schemas.microsoft.com/netservices/2011/06/servicebus"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
SCHEMA = "http://www.w3.org/2001/XMLSchema"
TYPE = f"{{{INSTANCE}}}type"


def local(element: Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def read_description(body: bytes, kind: str) -> Element:
    """Return the description, such as `QueueDescription`, in an entry. Raises `ArgumentError`."""
    try:
        text = body.decode("utf-8-sig")
        if "<!" in text.replace("<!--", "").replace("<![CDATA[", ""):
            raise ArgumentError("The request body has a document type declaration: none is allowed.")
        root = fromstring(text)  # noqa: S314 -- without a declaration there are no entities to expand
    except (UnicodeDecodeError, ParseError) as error:
        raise ArgumentError(f"The request body is no XML: {error}.") from None
    found = root.find(f"{{{ATOM}}}content/{{{CONNECT}}}{kind}")
    if found is None:
        raise ArgumentError(f"The request body is no entry with a {kind}.")
    return found


def read_fields(description: Element, sequence: Sequence[str]) -> dict[str, Element]:
    """Return the children by name; one that stands out of its order is not seen, as a data contract reads it (S-84)."""
    found: dict[str, Element] = {}
    at = 0
    for child in description:
        name = local(child)
        if name in sequence[at:]:
            at = sequence.index(name) + 1
            found[name] = child
    return found


def described(kind: str) -> Element:
    """Begin a description."""
    return Element(kind, {"xmlns": CONNECT, "xmlns:i": INSTANCE})


def add(parent: Element, name: str, text: str, **attributes: str) -> Element:
    """Add a child with a text."""
    child = SubElement(parent, name, attributes)
    child.text = text
    return child


def entry(uri: str, title: str, created: float, updated: float, content: Element, author: str | None = None) -> Element:
    """Wrap a description into an entry."""
    result = Element("entry", {"xmlns": ATOM})
    add(result, "id", uri)
    add(result, "title", title, type="text")
    add(result, "published", write_moment(created))
    add(result, "updated", write_moment(updated))
    if author is not None:
        add(SubElement(result, "author"), "name", author)
    SubElement(result, "link", {"rel": "self", "href": uri})
    SubElement(result, "content", {"type": "application/xml"}).append(content)
    return result


def feed(uri: str, title: str, now: float, entries: Iterable[Element], following: str | None = None) -> Element:
    """Make a list; `following` is the address of its next page (S-86)."""
    result = Element("feed", {"xmlns": ATOM})
    add(result, "title", title, type="text")
    add(result, "id", uri)
    add(result, "updated", write_moment(now))
    SubElement(result, "link", {"rel": "self", "href": uri})
    if following is not None:
        SubElement(result, "link", {"rel": "next", "href": following})
    result.extend(entries)
    return result


def render(element: Element) -> bytes:
    """Return the bytes of a document."""
    raw: bytes = tostring(element, encoding="utf-8", xml_declaration=True)
    return raw
