"""The `$cbs` node: clients put their tokens here (S-19 to S-24)."""

from __future__ import annotations

from contextlib import suppress

from peeklock.servicebus.amqp import DecodeError, Envelope
from peeklock.servicebus.amqp import events as ev
from peeklock.servicebus.amqp.types import Int
from peeklock.servicebus.auth import Claim, TokenRefused, path_of
from peeklock.servicebus.broker import BrokerError
from peeklock.servicebus.ledger import EventKind

from .request_link import RequestLink, Response
from .tracking import tracked


class CbsRequests(RequestLink):
    """Checks tokens, and keeps their claims with the connection."""

    def on_delivery(self, event: ev.Delivery) -> None:
        """Answer at once, or when the issuer of an Entra token has told its keys."""
        preparation = None
        with suppress(DecodeError):
            token = _token(Envelope(event.payload)) if event.payload else None
            preparation = None if token is None else self.connection.context.tokens.preparation(token)
        if preparation is None:
            super().on_delivery(event)
            return

        async def later() -> None:
            await preparation
            super(CbsRequests, self).on_delivery(event)
            self.connection.context.turns.input_handled(self.connection)

        self.connection.context.spawn(later(), "a token")

    def execute(self, request: Envelope) -> Response:
        """Answer a put-token."""
        fields = request.application_properties()
        try:
            self._put_token(fields, request)
        except TokenRefused as refused:
            self.connection.context.failures.count(f"cbs:{refused.status}")
            audience = str(fields.get("name"))[:200]
            self.connection.context.log(
                "token.refused", reason=refused.reason, audience=audience, peer=self.connection.name
            )
            return self.failed(refused.status, refused.description, "")
        return Response({"status-code": Int(200), "status-description": "OK"})

    def failed(self, status: int, description: str, condition: str) -> Response:  # noqa: ARG002 -- see S-21
        """Write a refusal, never with `error-condition`, which makes azure-servicebus lose the reason (S-21)."""
        return Response({"status-code": Int(status), "status-description": description})

    def _put_token(self, fields: dict[str, object], request: Envelope) -> None:
        if fields.get("operation") != "put-token":
            raise TokenRefused(400, f"The operation '{fields.get('operation')}' is not known to $cbs.")
        audience = str(fields.get("name") or "")
        token = _token(request)  # whose type is no help: azure-servicebus calls its SAS tokens "jwt"
        if token is None:
            raise TokenRefused(400, "The body of a put-token is the token, as a string.")
        context = self.connection.context
        claim = context.tokens.verify(token, audience)
        path = path_of(audience)
        if path.lower().endswith("/$management"):
            path = path[: -len("/$management")]
        if path and path.lower() not in ("$management", "$cbs"):
            try:
                path = context.namespace.entity(path).name
            except BrokerError as error:
                if not claim.rights:  # authorisation comes before existence (S-22)
                    text = f"Put token failed. The principal '{claim.principal}' has no role on '{path}'."
                    raise TokenRefused(401, text) from None
                raise TokenRefused(error.status, tracked(error.description, context.namespace.name, path)) from None
        handshakes = context.connections.handshakes
        if self.connection.add_claim(claim):
            self._tell_renewal(path, claim)
            handshakes.renewed(self.connection)
            context.detacher.lapsed(self.connection, "Unauthorized access. The new token does not give this right.")
        else:
            handshakes.token_shown(self.connection, path)

    def _tell_renewal(self, path: str, claim: Claim) -> None:
        """Have the ledger tell that a connection goes on with a new token."""
        namespace = self.connection.context.namespace
        facts = {"principal": claim.principal, "connection": self.connection.number, "expires": claim.expires}
        namespace.ledger.record_entity(namespace.clock.now(), path, EventKind.TOKEN_RENEWED, facts)


def _token(request: Envelope) -> str | None:
    _, body = request.body()
    token = body[0] if body else None
    if isinstance(token, bytes):
        token = token.decode("utf-8", "replace")
    return token if isinstance(token, str) else None
