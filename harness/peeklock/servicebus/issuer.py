"""A token issuer on loopback, in the place of Entra: for tests, and for who develops with managed identities.

It gives a token to an application that names its client id, and to a service at the endpoint of that service's managed
identities. A token says who somebody is; a namespace's role assignments say what that is worth.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from .auth import AUDIENCE
from .http import HttpLimits, HttpListener, HttpReply, HttpRequest, HttpService
from .managed_identity import Asked, Form, Grant, IdentityEndpoint, host_id, object_id, read_request

LIFETIME = 3600.0
FEDERATED_AUDIENCE = "api://AzureADTokenExchange"
"""Of the tokens that workloads show to get others."""
LOGIN_HOST = "login.microsoftonline.com"
_BY_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SUBJECT = "system:serviceaccount:peeklock:"
TENANT = "00000000-0000-0000-0000-00000000e2e0"


class Token(NamedTuple):
    """As azure-core's AccessToken: the token, and when it expires (epoch seconds)."""

    token: str
    expires_on: int


class Credential:
    """A credential for Azure's SDKs, `get_token` being all that they ask for."""

    def __init__(self, issuer: Issuer, client_id: str) -> None:
        self._issuer = issuer
        self._client_id = client_id

    def get_token(self, *scopes: str, **_: Any) -> Token:
        """Return a token for the first of the scopes."""
        return self._issuer.token(self._client_id, scopes[0] if scopes else AUDIENCE)

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""


class AsyncCredential:
    """The same for the SDKs' asynchronous clients."""

    def __init__(self, issuer: Issuer, client_id: str) -> None:
        self._issuer = issuer
        self._client_id = client_id

    async def get_token(self, *scopes: str, **_: Any) -> Token:
        """Return a token for the first of the scopes."""
        return self._issuer.token(self._client_id, scopes[0] if scopes else AUDIENCE)

    async def close(self) -> None:
        """Nothing is held."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is held."""


class Issuer:
    """Makes keys and tokens, and serves what OpenID clients ask for. `algorithm` is RS256 or ES256; `now` tells epoch seconds;
    `secrets` by client id: whoever is not in it needs none, or is let in by the tokens of `serve` alone (`closed`). `key` is a
    private key, as `private_key` returns it, with which tokens outlive their issuer. Loopback only."""

    def __init__(
        self,
        *,
        algorithm: str = "RS256",
        key: str = "",
        closed: bool = False,
        tenant: str = TENANT,
        now: Callable[[], float] = time.time,
        secrets: Mapping[str, str] | None = None,
        log: Callable[..., None] | None = None,
    ) -> None:
        self.tenant = tenant
        self.address = ""
        """`http://127.0.0.1:<port>`, once it listens."""
        self.now = now
        self._secrets = dict(secrets or {})
        self._endpoints: dict[str, IdentityEndpoint] = {}
        self.algorithm = algorithm
        self._key: Any = load_pem_private_key(key.encode(), None) if key else _make_key(algorithm)
        self._key_id = _thumbprint(self._key)
        self._closed = closed
        self.log = log or (lambda *_, **__: None)
        self.service = _Endpoints(self)
        """What answers its requests, wherever it is served."""
        self._listener = HttpListener(self.service)

    async def start(self, port: int = 0, address: str = "127.0.0.1") -> int:
        """Listen; return the port. Raises `OSError` when it is taken."""
        port = await self._listener.start(address, port)
        self.address = f"http://127.0.0.1:{port}"
        return port

    async def stop(self) -> None:
        """Close the port; tokens stay good."""
        await self._listener.stop()

    @property
    def name(self) -> str:
        """What its tokens have as `iss`."""
        return f"{self.address or 'http://127.0.0.1'}/{self.tenant}/v2.0"

    def jwks(self) -> dict[str, Any]:
        """Return its public keys as a JWK set."""
        kind: Any = {"RS256": jwt.algorithms.RSAAlgorithm, "ES256": jwt.algorithms.ECAlgorithm}[self.algorithm]
        public = kind.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self._key_id, "use": "sig", "alg": self.algorithm}]}

    def credential(self, client_id: str) -> Credential:
        """Return a credential for Azure's SDKs."""
        return Credential(self, client_id)

    def async_credential(self, client_id: str) -> AsyncCredential:
        """Return a credential for the SDKs' asynchronous clients."""
        return AsyncCredential(self, client_id)

    def token(self, client_id: str, audience: str = AUDIENCE, *, lifetime: float = LIFETIME, **claims: Any) -> Token:
        """Sign a token for a client; `audience` may be a scope that ends in `/.default`; `claims` come on top."""
        now = self.now()
        expires = int(now + lifetime)
        payload = {
            "aud": audience.removesuffix(".default") if audience.endswith("/.default") else audience,
            "iss": self.name,
            "iat": int(now),
            "nbf": int(now),
            "exp": expires,
            "appid": client_id,
            "azp": client_id,
            "oid": object_id(client_id),
            "sub": object_id(client_id),
            "tid": self.tenant,
            "idtyp": "app",
            "ver": "2.0",
            **claims,
        }
        return Token(jwt.encode(payload, self._key, self.algorithm, {"kid": self._key_id}), expires)

    def admits(self, client_id: str, secret: str) -> bool:
        """Tell whether a client's secret is right, if it has one."""
        known = self._secrets.get(client_id)
        return not self._closed if known is None else hmac.compare_digest(known.encode(), secret.encode())

    def private_key(self) -> str:
        """Return the key that it signs with, in PEM."""
        return str(self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())

    def federated_token(self, endpoint: str) -> str:
        """Return what a service shows of itself to get tokens as a workload does: the content of AZURE_FEDERATED_TOKEN_FILE.
        Its identities are those of its endpoint."""
        claims = {"sub": f"{_SUBJECT}{endpoint.lower()}", "iss": self.name, "aud": FEDERATED_AUDIENCE}
        return jwt.encode(claims, self._key, self.algorithm, {"kid": self._key_id})

    def federated(self, assertion: str, client_id: str) -> Grant | None:
        """Return the identity of this client id that a federated token stands for; None for none. Raises `PyJWTError`."""
        claims = jwt.decode(
            assertion, self._key.public_key(), [self.algorithm], audience=FEDERATED_AUDIENCE, issuer=self.name
        )
        endpoint = self._endpoints.get(str(claims.get("sub", "")).removeprefix(_SUBJECT))
        return endpoint.find({"client_id": client_id}) if endpoint is not None else None

    def serve(self, endpoint: IdentityEndpoint) -> IdentityEndpoint:
        """Answer at a service's endpoint, in the place of an earlier one of its name; return it."""
        self._endpoints[endpoint.name.lower()] = endpoint
        return endpoint

    def withdraw(self, name: str) -> None:
        """Answer at a service's endpoint no more; the tokens that it has given stay good."""
        self._endpoints.pop(name.lower(), None)

    def endpoint(self, name: str) -> IdentityEndpoint | None:
        """Return the endpoint of a service; None where there is none."""
        return self._endpoints.get(name.lower())

    def environment(self, name: str, form: Form = Form.CONTAINER_APPS) -> dict[str, str]:
        """Return what makes Azure's SDKs ask at the endpoint of this name. Raises `KeyError`."""
        return self._endpoints[name.lower()].variables(self.address, form)


class _Endpoints(HttpService):
    """What OpenID clients and managed identities ask an issuer for."""

    def __init__(self, issuer: Issuer) -> None:
        super().__init__(HttpLimits(), issuer.log)
        self._issuer = issuer

    def refusal(self, status: int, reason: str) -> HttpReply:
        """Say no as OAuth does."""
        return _json(
            status, {"error": "invalid_request" if status < 500 else "server_error", "error_description": reason}
        )

    async def answer(self, request: HttpRequest) -> HttpReply:
        """Answer one request."""
        asked = read_request(request)
        if asked is not None:
            return self._managed(asked)
        path = request.path.lower().removeprefix(f"/{self._issuer.tenant}")
        match request.method, path:
            case "GET", "/v2.0/.well-known/openid-configuration" | "/.well-known/openid-configuration":
                return _json(200, self._configuration(request.headers.get("host", "")))
            case "GET", "/discovery/v2.0/keys" | "/discovery/keys" | "/keys":
                return _json(200, self._issuer.jwks())
            case "POST", "/oauth2/v2.0/token" | "/oauth2/token" | "/token":
                form = {name: values[0] for name, values in parse_qs(request.body.decode("latin-1")).items()}
                return self._client_credentials(form)
        return _json(404, {"error": "not_found", "error_description": f"There is no {request.method} {path}."})

    def _configuration(self, host: str) -> dict[str, Any]:
        """Endpoints are where the client has come: at the production name of Entra, or here."""
        named = host.partition(":")[0] == LOGIN_HOST
        base = (
            f"https://{LOGIN_HOST}/{self._issuer.tenant}" if named else f"{self._issuer.address}/{self._issuer.tenant}"
        )
        return {
            "issuer": self._issuer.name,
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_types_supported": ["token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": [self._issuer.algorithm],
        }

    def _client_credentials(self, form: Mapping[str, str]) -> HttpReply:
        client_id, given = form.get("client_id", ""), form.get("client_secret", "")
        if form.get("grant_type") != "client_credentials" or not client_id:
            return _json(400, {"error": "unsupported_grant_type", "error_description": "Use client_credentials."})
        resource = form.get("scope") or form.get("resource") or AUDIENCE
        if form.get("client_assertion_type") == _BY_ASSERTION:
            return self._by_assertion(client_id, form.get("client_assertion", ""), resource)
        if not self._issuer.admits(client_id, given):
            return _json(401, {"error": "invalid_client", "error_description": "The client's secret is wrong."})
        return self._given(self._issuer.token(client_id, resource))

    def _by_assertion(self, client_id: str, assertion: str, resource: str) -> HttpReply:
        """Answer a workload, as Entra does (AADSTS codes)."""
        try:
            found = self._issuer.federated(assertion, client_id)
            subject = str(jwt.decode(assertion, options={"verify_signature": False}).get("sub", ""))
        except jwt.PyJWTError:
            text = "AADSTS700027: The client assertion failed signature validation."
            return _json(401, {"error": "invalid_client", "error_description": text})
        if found is None:
            text = f"AADSTS700213: No matching federated identity record found for presented assertion subject '{subject}'."
            self._issuer.log("identity.refused", endpoint=subject.removeprefix(_SUBJECT), status=401, reason=text)
            return _json(401, {"error": "invalid_client", "error_description": text})
        host = host_id(subject.removeprefix(_SUBJECT))
        made = self._issuer.token(found.identity.application, resource, xms_mirid=found.resource_id, xms_az_rid=host)
        return self._given(made)

    def _given(self, made: Token) -> HttpReply:
        lifetime = made.expires_on - int(self._issuer.now())
        return _json(200, {"token_type": "Bearer", "expires_in": lifetime, "access_token": made.token})

    def _managed(self, asked: Asked) -> HttpReply:
        found = asked.find(self._issuer.endpoint(asked.endpoint))
        if not isinstance(found, Grant):
            status, body = found
            text = body.get("message") or body.get("error_description")
            self._issuer.log("identity.refused", endpoint=asked.endpoint, status=status, reason=text)
            return _json(status, body)
        client_id, resource, now = found.identity.application, asked.query["resource"], int(self._issuer.now())
        made = self._issuer.token(client_id, resource, xms_mirid=found.resource_id, xms_az_rid=host_id(asked.endpoint))
        body = {"access_token": made.token, "expires_on": str(made.expires_on), "resource": resource}
        if asked.form is Form.IMDS:
            body |= {"expires_in": str(made.expires_on - now), "not_before": str(now)}
        return _json(200, {**body, "client_id": client_id, "token_type": "Bearer"})


def _make_key(algorithm: str) -> Any:
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm != "RS256":
        raise ValueError(f"{algorithm!r} is no algorithm of the issuer: use RS256 or ES256")
    return rsa.generate_private_key(65_537, 2048)


def _thumbprint(key: Any) -> str:
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).hexdigest()[:32]


def _json(status: int, document: Mapping[str, Any]) -> HttpReply:
    return HttpReply(status, json.dumps(document).encode())
