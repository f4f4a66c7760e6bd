"""Who may see the page: whoever has the link that the command printed, and no other web page.

Every program of this machine and every page in its browser can reach a port on loopback. `Host` keeps out a name that
somebody has pointed at this machine, `Origin` and `Sec-Fetch-Site` keep out pages of other origins, other ports of
this machine among them, and the cookie keeps out whoever does not know the token.
"""

from __future__ import annotations

import hmac
import secrets
from http.cookies import CookieError, SimpleCookie

from peeklock.servicebus.http import HttpRequest

_OURS = ("127.0.0.1", "localhost")


class Access:
    """The token of one page, and the cookie for which a browser exchanges it."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(24)
        self._session = secrets.token_urlsafe(24)

    def why_foreign(self, request: HttpRequest, port: int) -> str | None:
        """Return why a request is not from this page or its user; None when it may be."""
        hosts = {f"{name}:{port}" for name in _OURS}
        host = request.headers.get("host", "").lower()
        if host not in hosts:
            return f"The page is at 127.0.0.1:{port}, and has no other name."
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() != f"http://{host}":
            return "Requests of other pages are not answered."
        if request.method != "GET" and origin is None:
            return "Only the page itself may change anything."
        came_from = request.headers.get("sec-fetch-site", "none")
        entering = (
            request.method == "GET" and request.path == "/" and request.headers.get("sec-fetch-mode") == "navigate"
        )
        if came_from not in ("none", "same-origin") and not entering:
            return "Requests of other pages are not answered."
        return None

    def is_token(self, given: str) -> bool:
        """Whether it is the token of the link."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    def cookie(self, port: int) -> str:
        """Return what a browser gets for the token; cookies know no ports, so its name has it."""
        return f"{_name(port)}={self._session}; HttpOnly; SameSite=Strict; Path=/"

    def lets_in(self, request: HttpRequest, port: int) -> bool:
        """Whether a request has the cookie."""
        try:
            held = SimpleCookie(request.headers.get("cookie", "")).get(_name(port))
        except CookieError:
            return False
        return held is not None and hmac.compare_digest(held.value.encode(), self._session.encode())


def _name(port: int) -> str:
    return f"peeklock_ui_{port}"
