"""What an operation needs: an action of Azure's role definitions, and a letter of a SAS."""

from __future__ import annotations

from typing import NamedTuple

from peeklock.stack.blob_door.request import BlobRequest

CONTAINERS = "containers"
BLOBS = "containers/blobs"
DELEGATE = "generateUserDelegationKey/action"
UNKNOWN = f"{BLOBS}/unknown"
"""The action of operations that are not in this table: owners may do them."""


class Need(NamedTuple):
    """One of `actions`, below `Microsoft.Storage/storageAccounts/blobServices`; or one of the `letters` of a SAS."""

    actions: tuple[str, ...]
    letters: str = ""


_READ = Need((f"{BLOBS}/read",), "r")
_WRITE = Need((f"{BLOBS}/write",), "w")
_DELETE = Need((f"{BLOBS}/delete",), "d")
_CREATE = Need((f"{BLOBS}/write", f"{BLOBS}/add/action"), "wc")
_APPEND = Need((f"{BLOBS}/write", f"{BLOBS}/add/action"), "wa")
_LIST = Need((f"{BLOBS}/read",), "l")
_FIND = Need((f"{BLOBS}/filter/action",), "f")
_IMMUTABLE = Need((f"{BLOBS}/immutableStorage/runAsSuperUser/action",), "i")
_WRITE_TAGS = Need((f"{BLOBS}/tags/write",), "t")
_READ_CONTAINER, _WRITE_CONTAINER = Need((f"{CONTAINERS}/read",)), Need((f"{CONTAINERS}/write",))

_OF_ACCOUNT = {
    ("GET", "list"): _READ_CONTAINER,
    ("GET", "properties"): Need(("read",)),
    ("PUT", "properties"): Need(("write",)),
    ("GET", "stats"): Need(("read",)),
    ("GET", "blobs"): _FIND,
    ("POST", "userdelegationkey"): Need((DELEGATE,)),
}
_OF_CONTAINER = {
    ("PUT", ""): _WRITE_CONTAINER,
    ("PUT", "metadata"): _WRITE_CONTAINER,
    ("PUT", "lease"): _WRITE_CONTAINER,
    ("PUT", "undelete"): _WRITE_CONTAINER,
    ("PUT", "acl"): Need((f"{CONTAINERS}/setAcl/action",)),
    ("GET", ""): _READ_CONTAINER,
    ("GET", "metadata"): _READ_CONTAINER,
    ("GET", "acl"): Need((f"{CONTAINERS}/getAcl/action",)),
    ("GET", "list"): _LIST,
    ("GET", "blobs"): _FIND,
    ("DELETE", ""): Need((f"{CONTAINERS}/delete",)),
}
_OF_BLOB = {
    ("GET", ""): _READ,
    ("GET", "metadata"): _READ,
    ("GET", "blocklist"): _READ,
    ("GET", "pagelist"): _READ,
    ("GET", "tags"): Need((f"{BLOBS}/tags/read",), "t"),
    ("POST", "query"): _READ,
    ("PUT", ""): _CREATE,
    ("PUT", "block"): _CREATE,
    ("PUT", "blocklist"): _CREATE,
    ("PUT", "snapshot"): _CREATE,
    ("PUT", "appendblock"): _APPEND,
    ("PUT", "page"): _WRITE,
    ("PUT", "properties"): _WRITE,
    ("PUT", "metadata"): _WRITE,
    ("PUT", "lease"): _WRITE,
    ("PUT", "copy"): _WRITE,
    ("PUT", "tier"): _WRITE,
    ("PUT", "incrementalcopy"): _WRITE,
    ("PUT", "seal"): _APPEND,
    ("PUT", "undelete"): _WRITE,
    ("PUT", "tags"): _WRITE_TAGS,
    ("PUT", "immutabilitypolicies"): _IMMUTABLE,
    ("PUT", "legalhold"): _IMMUTABLE,
    ("DELETE", "immutabilitypolicies"): _IMMUTABLE,
    ("DELETE", ""): _DELETE,
}


_FROM_URL = ("", "block", "page", "appendblock", "incrementalcopy")


def needs(request: BlobRequest) -> list[Need]:
    """Return everything that a request needs; its copy source and the parts of a batch are looked at by themselves.

    Where Azurite could take a request for another operation (it chooses by headers, too), that one's need is added.
    """
    method = "GET" if request.method == "HEAD" else request.method
    comp, kind = request.query.get("comp", ""), request.query.get("restype", "")
    if (method, kind, comp) == ("GET", "account", "properties"):
        return [_READ_CONTAINER]
    if not request.container:
        return [_OF_ACCOUNT.get((method, comp), Need((UNKNOWN,)))]
    if not request.blob:
        return [_OF_CONTAINER.get((method, comp), Need((UNKNOWN,)))]
    needed = [_OF_BLOB.get((method, comp), Need((UNKNOWN,)))]
    if method == "DELETE" and "versionid" in request.query:
        needed.append(Need((f"{BLOBS}/deleteBlobVersion/action",), "x"))
    if method == "DELETE" and request.query.get("deletetype") == "permanent":
        needed.append(Need((f"{BLOBS}/permanentDelete/action",), "y"))
    if method == "PUT" and request.header("x-ms-tags"):
        needed.append(_WRITE_TAGS)
    copied = bool(request.header("x-ms-copy-source")) and comp not in _FROM_URL
    if method == "PUT" and (copied or (comp and request.header("x-ms-blob-type"))):
        needed.append(_CREATE)
    return needed


def of_source() -> Need:
    """Return what a copy needs of its source."""
    return _READ
