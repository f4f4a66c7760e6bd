"""The endpoints of managed identities, asked as azure-identity asks and as nobody should."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError, DefaultAzureCredential, ManagedIdentityCredential

from peeklock.servicebus import Emulator, Identity, IdentityEndpoint, ManagedIdentity, ManualClock, Topology
from peeklock.servicebus.issuer import Issuer
from peeklock.servicebus.managed_identity import Form, object_id

SCOPE = "https://servicebus.azure.net/.default"
SHARED = ManagedIdentity("shared", "5c1d6a0e-0000-4000-8000-000000000001")
OTHER = ManagedIdentity("other", "5c1d6a0e-0000-4000-8000-000000000002")
BOTH = IdentityEndpoint("both", ManagedIdentity("own"), (SHARED,))
ONLY = IdentityEndpoint("only", None, (SHARED,))
TWO = IdentityEndpoint("two", None, (SHARED, OTHER))
QUERY = {"api-version": "2019-08-01", "resource": "https://servicebus.azure.net"}
IMDS = {**QUERY, "api-version": "2018-02-01"}
ML = {**QUERY, "api-version": "2017-09-01"}
METADATA = {"Metadata": "true"}
FORMS = list(Form)


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="module")
def issuer(clock: ManualClock) -> Iterator[Issuer]:
    with Emulator(Topology(identity=Identity()), clock=clock) as bus:
        for endpoint in (BOTH, ONLY, TWO):
            bus.issuer.serve(endpoint)
        yield bus.issuer


@pytest.fixture
def service(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make this process look like a service that has an endpoint."""

    def become(name: str, form: Form = Form.CONTAINER_APPS, **more: str) -> None:
        for variable in ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST", "AZURE_CLIENT_ID"):
            monkeypatch.delenv(variable, raising=False)
        for variable, value in {**issuer.environment(name, form), **more}.items():
            monkeypatch.setenv(variable, value)

    return become


def bearer(credential: Any) -> Mapping[str, Any]:
    """Get a token; return its claims."""
    with credential:
        return jwt.decode(credential.get_token(SCOPE).token, options={"verify_signature": False})


@pytest.mark.parametrize("form", FORMS)
def test_a_service_gets_its_system_assigned_identity(service: Any, form: Form) -> None:
    """ManagedIdentityCredential and DefaultAzureCredential, in each form, by environment alone."""
    service("both", form)
    for credential in (ManagedIdentityCredential(), DefaultAzureCredential()):
        claims = bearer(credential)
        assert (claims["appid"], claims["oid"]) == ("own", object_id("own"))
        assert claims["xms_mirid"].endswith("/Microsoft.App/containerApps/own")


@pytest.mark.parametrize("form", FORMS)
def test_a_service_names_its_user_assigned_identity(service: Any, form: Form) -> None:
    """By client id in each form; AZURE_CLIENT_ID is there where a service has that one identity only."""
    service("both", form)
    assert bearer(ManagedIdentityCredential(client_id=SHARED.client_id))["oid"] == object_id(SHARED.client_id)
    service("only", form)
    assert bearer(DefaultAzureCredential())["appid"] == SHARED.client_id


@pytest.mark.parametrize("form", [Form.CONTAINER_APPS, Form.IMDS])
def test_object_and_resource_ids_name_one_too(service: Any, form: Form) -> None:
    """`object_id`, and `mi_res_id` or `msi_res_id`."""
    service("both", form)
    for config in ({"object_id": object_id(SHARED.client_id)}, {"resource_id": SHARED.resource_id(system=False)}):
        assert bearer(ManagedIdentityCredential(identity_config=config))["appid"] == SHARED.client_id


@pytest.mark.parametrize("form", FORMS)
def test_another_service_s_identity_is_refused_to_the_sdk(service: Any, form: Form) -> None:
    """Unknown here is unknown: never the default identity."""
    service("both", form)
    with pytest.raises((CredentialUnavailableError, ClientAuthenticationError)):
        bearer(ManagedIdentityCredential(client_id=OTHER.client_id))


@pytest.mark.parametrize(
    ("path", "query", "headers", "status", "words"),
    [
        ("both/msi/token", QUERY, {}, 401, "x-identity-header"),
        ("both/msi/token", QUERY, {"X-IDENTITY-HEADER": "guess"}, 401, "x-identity-header"),
        ("both/msi/token", QUERY, {"X-IDENTITY-HEADER": ONLY.secret}, 401, "x-identity-header"),
        ("nobody/msi/token", QUERY, {"X-IDENTITY-HEADER": BOTH.secret}, 401, "x-identity-header"),
        ("msi/token", QUERY, {"X-IDENTITY-HEADER": BOTH.secret}, 401, "x-identity-header"),
        ("both/msi/token", ML, {"X-IDENTITY-HEADER": BOTH.secret}, 401, "secret"),
        ("both/msi/token", {**ML, "clientid": "x"}, {"secret": BOTH.secret}, 400, "No User Assigned"),
        ("both/msi/token", {**QUERY, "client_id": "x"}, {"X-IDENTITY-HEADER": BOTH.secret}, 400, "No User Assigned"),
        ("both/msi/token", {**QUERY, "object_id": "x"}, {"X-IDENTITY-HEADER": BOTH.secret}, 400, "No User Assigned"),
        ("both/msi/token", {**QUERY, "mi_res_id": "x"}, {"X-IDENTITY-HEADER": BOTH.secret}, 400, "No User Assigned"),
        ("only/msi/token", QUERY, {"X-IDENTITY-HEADER": ONLY.secret}, 400, "No System Assigned"),
        ("both/msi/token", {"resource": "r"}, {"X-IDENTITY-HEADER": BOTH.secret}, 400, "'api-version'"),
        ("both/msi/token", {"api-version": "v"}, {"X-IDENTITY-HEADER": BOTH.secret}, 400, "'resource'"),
    ],
)
def test_refusals_in_the_form_of_container_apps(
    issuer: Issuer, path: str, query: Any, headers: Any, status: int, words: str
) -> None:
    """`statusCode` and `message`, and no secret in them."""
    answer = httpx.get(f"{issuer.address}/{path}", params=query, headers=headers)
    assert answer.status_code == answer.json()["statusCode"] == status
    assert words.lower() in answer.json()["message"].lower()
    assert BOTH.secret not in answer.text


@pytest.mark.parametrize(
    ("name", "query", "headers", "text"),
    [
        ("both", IMDS, {}, "Required metadata header not specified"),
        ("both", IMDS, {"Metadata": "false"}, "Required metadata header not specified"),
        ("both", {**IMDS, "client_id": "x"}, METADATA, "Identity not found"),
        ("both", {**IMDS, "msi_res_id": "x"}, METADATA, "Identity not found"),
        ("both", {**IMDS, "client_id": "own", "object_id": "x"}, METADATA, "Identity not found"),
        ("two", IMDS, METADATA, "Identity not found"),
        ("nobody", IMDS, METADATA, "Identity not found"),
        ("", IMDS, METADATA, "Identity not found"),
        ("both", {"api-version": "2018-02-01"}, METADATA, "Required query variable 'resource' is missing"),
    ],
)
def test_refusals_in_the_form_of_imds(issuer: Issuer, name: str, query: Any, headers: Any, text: str) -> None:
    """400 with `error` and `error_description`: what the SDKs do not try again."""
    path = f"{issuer.address}/{name}/metadata/identity/oauth2/token".replace(
        f"{issuer.address}//", f"{issuer.address}/"
    )
    answer = httpx.get(path, params=query, headers=headers)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request", "error_description": text})


def test_imds_path_may_end_with_a_slash(issuer: Issuer) -> None:
    """The JavaScript SDK asks so."""
    answer = httpx.get(f"{issuer.address}/both/metadata/identity/oauth2/token/", params=IMDS, headers=METADATA)
    assert answer.json()["client_id"] == "own"


def test_tokens_are_of_the_moved_clock(issuer: Issuer, clock: ManualClock, service: Any) -> None:
    """Days later, a new credential gets a token that begins and ends then."""
    clock.advance(40 * 86_400)
    service("both")
    claims = bearer(ManagedIdentityCredential())
    assert claims["nbf"] <= clock.now() < claims["exp"]


def test_a_withdrawn_endpoint_knows_nobody(issuer: Issuer) -> None:
    """Its secret opens nothing any more."""
    endpoint = issuer.serve(IdentityEndpoint("brief", ManagedIdentity("brief")))
    ask = {"params": QUERY, "headers": {"X-IDENTITY-HEADER": endpoint.secret}}
    assert httpx.get(f"{issuer.address}/brief/msi/token", **ask).status_code == 200
    issuer.withdraw("brief")
    assert httpx.get(f"{issuer.address}/brief/msi/token", **ask).status_code == 401


# -- workloads, which show a federated token


def exchange(issuer: Issuer, assertion: str, client_id: str) -> httpx.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_assertion": assertion,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "scope": SCOPE,
    }
    return httpx.post(f"{issuer.address}/{issuer.tenant}/oauth2/v2.0/token", data=form)


def test_a_workload_gets_tokens_of_its_own_identities(issuer: Issuer) -> None:
    told = exchange(issuer, issuer.federated_token("both"), SHARED.application).json()
    claims = jwt.decode(told["access_token"], options={"verify_signature": False})
    assert (claims["appid"], claims["xms_az_rid"].rpartition("/")[2]) == (SHARED.application, "both")


@pytest.mark.parametrize(
    ("assertion", "client_id", "code"),
    [
        (lambda issuer: issuer.federated_token("only"), "own", "AADSTS700213"),
        (lambda issuer: issuer.federated_token("nobody"), SHARED.application, "AADSTS700213"),
        (lambda issuer: Issuer().federated_token("only"), SHARED.application, "AADSTS700027"),
        (lambda issuer: issuer.token("own").token, "own", "AADSTS700027"),
        (lambda issuer: "no token", SHARED.application, "AADSTS700027"),
    ],
)
def test_who_shows_another_token_gets_none(issuer: Issuer, assertion: Any, client_id: str, code: str) -> None:
    """Another service's identity, an unknown workload, a foreign signature, a token for something else."""
    told = exchange(issuer, assertion(issuer), client_id)
    assert (told.status_code, told.json()["error"]) == (401, "invalid_client")
    assert told.json()["error_description"].startswith(code)
