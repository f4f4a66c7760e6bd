"""A storage account of Azure: containers with a prefix of this run's own, through the Blob service alone."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient

from peeklock.connection_strings import parts_of
from peeklock.stack.errors import StackError
from peeklock.stack.progress import Progress
from peeklock.stack.servers.blobs import BlobServer
from peeklock.stack.servers.made import PREFIX, Made, remove_left
from peeklock.stack.servers.server import Server
from peeklock.supervision.client import SupervisorClient

_OURS = re.compile(rf"{PREFIX}[0-9a-f]{{8}}-[a-z0-9-]+")


def container_name(prefix: str, slot: int, name: str) -> str:
    """Return what a container of an environment is called in the account."""
    return f"{prefix}-{slot}-{name}"


class AzureBlobs(BlobServer):
    """Offers what environments ask of Azurite."""

    TITLE = "the storage account"

    def __init__(self, supervisor: SupervisorClient, state: Mapping[str, Any]) -> None:
        Server.__init__(self, supervisor, state)
        self.port = 0
        self._string: str = state["connection_string"]
        self._prefix: str = state["prefix"]
        self._service = BlobServiceClient.from_connection_string(self._string)
        self._made: Made | None = None

    def begin(self, progress: Progress) -> AzureBlobs:
        """Remove what runs that were killed have left; return self when the account answers. Raises `StackError`."""
        where = f"storage {parts_of(self._string).get('AccountName', '')}"
        try:
            left = remove_left(where, self._remove)
            self._service.get_account_information()
        except AzureError as error:
            raise self._lost(error) from error
        if left:
            progress(f"removed {left} containers that a run which was killed had left in the account")
        progress(f"{where} stands for blobs: containers {self._prefix}-…")
        self._made = Made.begin(where)
        return self

    def connection_string(self, slot: int) -> str:  # noqa: ARG002  one account for all
        return self._string

    def reset(self, slot: int, containers: Sequence[str]) -> None:
        """Leave exactly `containers`, empty. They stay: Azure takes half a minute until a name is free again."""
        wanted = [container_name(self._prefix, slot, name) for name in containers]
        try:
            for name in self._names(slot):
                if name in wanted:
                    client = self._service.get_container_client(name)
                    for blob in client.list_blobs():
                        client.delete_blob(blob.name, delete_snapshots="include")
                else:
                    self._remove(name)
            for name in wanted:
                assert self._made is not None
                self._made.note(name)
                with contextlib.suppress(ResourceExistsError):
                    self._service.create_container(name)
        except AzureError as error:
            raise self._lost(error) from error

    def containers(self, slot: int) -> list[str]:
        return [name.removeprefix(container_name(self._prefix, slot, "")) for name in self._names(slot)]

    def _names(self, slot: int) -> list[str]:
        begin = container_name(self._prefix, slot, "")
        try:
            return [str(each.name) for each in self._service.list_containers(name_starts_with=begin)]
        except AzureError as error:
            raise self._lost(error) from error

    def _remove(self, name: str) -> None:
        if _OURS.fullmatch(name):  # never anything else, whatever a file says
            with contextlib.suppress(ResourceNotFoundError):
                self._service.delete_container(name)

    def tidy(self) -> None:
        try:
            for each in list(self._service.list_containers(name_starts_with=f"{self._prefix}-")):
                self._remove(str(each.name))
        except AzureError as error:
            raise self._lost(error) from error
        if self._made is not None:
            self._made.done()

    def _lost(self, error: Exception) -> StackError:
        return StackError(f"{self.TITLE} does not do what it was asked", actual=f"{type(error).__name__}: {error}")

    def close(self) -> None:
        self._service.close()
