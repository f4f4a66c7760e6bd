"""Clients of Azure as the settings say: as the service's identity where a name is given, by key where none is."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from azure.servicebus.aio import ServiceBusClient

from services.defectiq.settings import AzureSettings
from services.shared.blobs import Blobs, blob_service
from services.shared.publisher import namespace_of, servicebus_client

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential


class Azure:
    """Opens clients that ``stack`` closes. The identity is looked for when the first of them needs it."""

    def __init__(self, settings: AzureSettings, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self._credential: AsyncTokenCredential | None = None

    async def credential(self) -> AsyncTokenCredential:
        """Return the service's identity: a managed one in Azure, a developer's own on a desk."""
        if self._credential is None:
            from azure.identity.aio import DefaultAzureCredential  # here: who uses keys need not load it

            credential = DefaultAzureCredential()
            self._stack.push_async_callback(credential.close)
            self._credential = credential
        return self._credential

    async def servicebus(self) -> ServiceBusClient:
        """Return a client of the namespace; its senders and receivers are closed by their owners."""
        if (namespace := self._settings.azure_servicebus_namespace) is not None:
            return servicebus_client(namespace=namespace, credential=await self.credential())
        secret = self._settings.azure_servicebus_connection_string
        assert secret is not None
        return servicebus_client(secret.get_secret_value())

    async def blobs(self, container: str) -> Blobs:
        """Return one container of the account."""
        if (account := self._settings.azure_storage_account) is not None:
            service = blob_service(account=account, credential=await self.credential())
        else:
            secret = self._settings.azure_storage_connection_string
            assert secret is not None
            service = blob_service(secret.get_secret_value())
        return await self._stack.enter_async_context(Blobs(service, container))

    @property
    def namespace(self) -> str:
        """The namespace's address, without any credential: for logs and errors."""
        if self._settings.azure_servicebus_namespace is not None:
            return f"sb://{self._settings.azure_servicebus_namespace}.servicebus.windows.net"
        secret = self._settings.azure_servicebus_connection_string
        return namespace_of(secret.get_secret_value()) if secret is not None else ""
