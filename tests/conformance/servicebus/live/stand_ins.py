"""Stand-ins for what the SDK's live tests import and PyPI does not have: `devtools_testutils` and `azure.mgmt`.

A test asks preparers for a resource group, a namespace and entities; here the namespace is the emulator, and entities
are made through its administration API.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import types
import uuid
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Self

from azure.servicebus import _base_handler
from azure.servicebus.aio import _base_handler_async
from azure.servicebus.management import ServiceBusAdministrationClient

from peeklock.servicebus import Emulator

RULE, KEY = "RootManageSharedAccessKey", "SAS_KEY_VALUE"
NAMESPACE = "localhost"


class AsyncCredential(_base_handler_async.ServiceBusSharedKeyCredential):
    """A credential that can be closed, as those of azure-identity can."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to close."""

    async def close(self) -> None:
        """Nothing to close."""


def get_credential(*, is_async: bool = False, **_: Any) -> Any:
    """Return the root rule as a credential: the emulator knows no Entra."""
    return AsyncCredential(RULE, KEY) if is_async else _base_handler.ServiceBusSharedKeyCredential(RULE, KEY)


class Preparer:
    """The decorator that gives a test its resource, and takes it away again unless it is shared."""

    is_live = True
    _shared: dict[Any, tuple[str, dict[str, Any]]] = {}

    def __init__(self, name_prefix: str = "", random_name_length: int = 75, **_: Any) -> None:
        self.name_prefix = name_prefix
        self.random_name_enabled = True
        self.moniker = self.resource_moniker = name_prefix
        self.resource: Any = None
        self._key: Any = None

    def set_cache(self, enabled: bool, *arguments: Any) -> None:
        """Share the resource between all tests that ask for it with these arguments."""
        self._key = (type(self).__name__, self.name_prefix, *arguments) if enabled else None

    @classmethod
    def forget(cls) -> None:
        """Make shared resources anew for whoever asks for them next."""
        cls._shared.clear()

    def create_mgmt_client(self, kind: Callable[[], Any], **_: Any) -> Any:
        """Make the management client."""
        return kind()

    def create_resource(self, name: str, **_: Any) -> dict[str, Any]:
        """The subclass's."""
        raise NotImplementedError(name)

    def remove_resource(self, name: str, **_: Any) -> None:
        """The subclass's."""

    def _enter(self, kwargs: dict[str, Any]) -> str | None:
        if self._key is not None and self._key in self._shared:
            kwargs.update(self._shared[self._key][1])
            return None
        name = f"{self.name_prefix}{uuid.uuid4().hex[:12]}"
        made = self.create_resource(name, **kwargs)
        kwargs.update(made)
        if self._key is not None:
            self._shared[self._key] = name, made
            return None
        return name

    def __call__(self, test: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(test):

            @functools.wraps(test)
            async def prepared_async(case: Any, **kwargs: Any) -> None:
                name = self._enter(kwargs)
                try:
                    await test(case, **accepted(test, kwargs))
                finally:
                    if name is not None:
                        self.remove_resource(name, **kwargs)

            return prepared_async

        @functools.wraps(test)
        def prepared(case: Any, **kwargs: Any) -> None:
            name = self._enter(kwargs)
            try:
                test(case, **accepted(test, kwargs))
            finally:
                if name is not None:
                    self.remove_resource(name, **kwargs)

        return prepared


def accepted(test: Callable[..., Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return what the test takes: preparers give to those below them, and the test itself need not ask for all."""
    parameters = inspect.signature(test, follow_wrapped=False).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return kwargs
    return {parameter.name: kwargs[parameter.name] for parameter in parameters if parameter.name in kwargs}


def power_shell_preparer(_directory: str, **named: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a test the values that a deployment script would have left in the environment."""
    values = dict(named)
    values["servicebus_connection_str"] = f"Endpoint=sb://{NAMESPACE}/;SharedAccessKeyName={RULE};SharedAccessKey={KEY}"
    values["servicebus_fully_qualified_namespace"] = NAMESPACE
    values["servicebus_sas_policy"], values["servicebus_sas_key"] = RULE, KEY

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        def arguments(kwargs: dict[str, Any]) -> dict[str, Any]:
            Bench.set_sku("Standard")
            return accepted(test, values | kwargs)

        wrapper: Any
        if inspect.iscoroutinefunction(test):

            async def wrapper(case: Any, **kwargs: Any) -> None:
                await test(case, **arguments(kwargs))

        else:

            def wrapper(case: Any, **kwargs: Any) -> None:
                test(case, **arguments(kwargs))

        wrapper.__name__, wrapper.__doc__ = test.__name__, test.__doc__
        wrapper.pytestmark = getattr(test, "pytestmark", [])
        return wrapper

    return decorate


class Bench:
    """The emulator under test, one for each worker of pytest."""

    emulator: Emulator | None = None
    ca = ""

    @classmethod
    def set_sku(cls, sku: str) -> None:
        """Let the namespace be of this tier from now on."""

        def change(server: Any) -> None:
            server.administration.topology = replace(server.administration.topology, sku=sku)

        assert cls.emulator is not None
        cls.emulator.call(change)


class Management:
    """`azure.mgmt.servicebus.ServiceBusManagementClient`, as far as the preparers use it."""

    def __init__(self) -> None:
        string = f"Endpoint=sb://{NAMESPACE}/;SharedAccessKeyName={RULE};SharedAccessKey={KEY}"
        self._string = string
        self.admin = ServiceBusAdministrationClient.from_connection_string(string, connection_verify=Bench.ca)
        self.namespaces = SimpleNamespace(
            begin_create_or_update=self._namespace,
            list_keys=self._keys,
            delete=nothing,
            create_or_update_authorization_rule=self._namespace_rule,
            delete_authorization_rule=nothing,
        )
        self.queues = SimpleNamespace(
            create_or_update=self._queue,
            delete=lambda _group, _namespace, name: self.admin.delete_queue(name),
            create_or_update_authorization_rule=self._queue_rule,
            list_keys=self._queue_keys,
            delete_authorization_rule=nothing,
        )
        self.topics = SimpleNamespace(
            create_or_update=self._topic, delete=lambda _group, _namespace, name: self.admin.delete_topic(name)
        )
        self.subscriptions = SimpleNamespace(
            create_or_update=self._subscription,
            delete=lambda _group, _namespace, topic, name: self.admin.delete_subscription(topic, name),
        )

    def _namespace(self, _group: str, _name: str, settings: dict[str, Any]) -> Any:
        Bench.set_sku(settings["sku"]["name"])
        made = SimpleNamespace(name=NAMESPACE, id=NAMESPACE, sku=settings["sku"]["name"])
        return SimpleNamespace(result=lambda: made)

    def _keys(self, _group: str, _namespace: str, rule: str) -> Any:
        key = KEY if rule == RULE else f"key-of-{rule}"
        return self._key(self._string.replace(RULE, rule).replace(KEY, key), rule, key)

    @staticmethod
    def _key(string: str, rule: str, key: str) -> Any:
        return SimpleNamespace(
            primary_connection_string=string, secondary_connection_string=string, key_name=rule, primary_key=key
        )

    def _namespace_rule(self, _group: str, _namespace: str, name: str, *rights: Any, **named: Any) -> Any:
        from peeklock.servicebus import AccessRule

        given = named.get("rights") or (rights[0].rights if rights and hasattr(rights[0], "rights") else rights[0])
        rule = AccessRule(name, f"key-of-{name}", tuple(str(right) for right in given))

        def add(server: Any) -> None:
            server.context.tokens._rules[name] = [rule]

        assert Bench.emulator is not None
        Bench.emulator.call(add)
        return SimpleNamespace(name=name)

    def _queue(self, _group: str, _namespace: str, name: str, settings: Model) -> Any:
        return self.admin.create_queue(name, **settings.given)

    def _queue_rule(self, _group: str, _namespace: str, queue: str, name: str, rights: Any) -> Any:
        from azure.servicebus.management import AuthorizationRule

        found = self.admin.get_queue(queue)
        key = f"key-of-{name}"
        found.authorization_rules = [
            AuthorizationRule(
                type="SharedAccessAuthorizationRule",
                claim_type="SharedAccessKey",
                claim_value="None",
                key_name=name,
                rights=[str(right) for right in getattr(rights, "rights", rights)],
                primary_key=key,
                secondary_key=key,
            )
        ]
        self.admin.update_queue(found)
        return SimpleNamespace(name=name)

    def _queue_keys(self, _group: str, _namespace: str, queue: str, rule: str) -> Any:
        key = f"key-of-{rule}"
        string = self._string.replace(RULE, rule).replace(KEY, key) + f";EntityPath={queue}"
        return self._key(string, rule, key)

    def _topic(self, _group: str, _namespace: str, name: str, settings: Any) -> Any:
        return self.admin.create_topic(name, **getattr(settings, "given", settings))

    def _subscription(self, _group: str, _namespace: str, topic: str, name: str, settings: Model) -> Any:
        return self.admin.create_subscription(topic, name, **settings.given)


class Model:
    """A model of `azure.mgmt.servicebus.models`: what it was given."""

    def __init__(self, **given: Any) -> None:
        self.given = {name: value for name, value in given.items() if value is not None}
        self.__dict__.update(given)


def nothing(*_: Any, **__: Any) -> None:
    """Do nothing."""


def as_it_is(test: Any) -> Any:
    """Return the test: nothing is recorded."""
    return test


def await_prepared_test(test: Callable[..., Any]) -> Callable[..., None]:
    """Make a coroutine function one that preparers of the ordinary kind can call."""

    @functools.wraps(test)
    def run(case: Any, **kwargs: Any) -> None:
        asyncio.run(test(case, **accepted(test, kwargs)))

    return run


class RecordedTestCase:
    """The base class of the tests."""

    is_live = True
    await_prepared_test = staticmethod(await_prepared_test)


class Resource(SimpleNamespace):
    """Something with a name and an id."""


class Resources:
    """`azure.mgmt.resource.ResourceManagementClient`: every group is there."""

    def __init__(self) -> None:
        self.resource_groups = SimpleNamespace(
            create_or_update=lambda name, _settings: Resource(name=name, id=name),
            begin_delete=lambda *_, **__: SimpleNamespace(result=nothing, wait=nothing, done=lambda: True),
        )


def _module(name: str, **members: Any) -> None:
    module = types.ModuleType(name)
    module.__dict__.update(members)
    module.__path__ = []
    sys.modules[name] = module


def install() -> None:
    """Put the stand-ins where the tests import them from."""
    names: dict[str, Any] = {
        "AzureMgmtRecordedTestCase": RecordedTestCase,
        "AzureRecordedTestCase": RecordedTestCase,
        "AzureMgmtPreparer": Preparer,
        "AzureTestError": type("AzureTestError", (Exception,), {}),
        "ReservedResourceNameError": type("ReservedResourceNameError", (Exception,), {}),
        "CachedResourceGroupPreparer": Preparer,
        "RandomNameResourceGroupPreparer": Preparer,
        "FakeResource": Resource,
        "PowerShellPreparer": power_shell_preparer,
        "get_credential": get_credential,
        "get_region_override": lambda region: region,
        "recorded_by_proxy": as_it_is,
        "add_general_regex_sanitizer": nothing,
        "set_custom_default_matcher": nothing,
    }
    sanitizers = ("add_remove_header_sanitizer", "add_general_regex_sanitizer", "add_oauth_response_sanitizer")
    _module("devtools_testutils", **names)
    _module("devtools_testutils.sanitizers", **dict.fromkeys(sanitizers, nothing))
    _module("devtools_testutils.aio", recorded_by_proxy_async=as_it_is)
    _module("devtools_testutils.resource_testcase", RESOURCE_GROUP_PARAM="resource_group")
    rights = type("AccessRights", (), {"manage": "Manage", "send": "Send", "listen": "Listen"})
    for name in ("MANAGE", "SEND", "LISTEN"):
        setattr(rights, name, name.capitalize())
    models = dict.fromkeys(("SBQueue", "SBSubscription", "SBAuthorizationRule", "SBTopic"), Model)
    errors = {name: type(name, (Exception,), {}) for name in ("AzureHttpError", "AzureConflictHttpError")}
    _module("azure.common", **errors)
    _module("azure.mgmt")
    _module("azure.mgmt.resource", ResourceManagementClient=Resources)
    _module("azure.mgmt.servicebus", ServiceBusManagementClient=Management)
    _module("azure.mgmt.servicebus.models", AccessRights=rights, **models)
