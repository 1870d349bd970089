"""Who may use the console: the names under which it is asked for, where a page comes from, and the token.

A page of another site cannot use it: `Host` must be this machine, so that a name that is pointed here (DNS rebinding)
is refused, and `Origin` must be the console's own. Beyond this machine a token is needed.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from streaming.settings.network_place import is_loopback

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
"""With every answer: nothing is fetched from elsewhere, and nobody shows the page within another."""
PAGES = ("/", "/screen")
"""That a person opens with the token in the address."""
WRONG_HOST, WRONG_ORIGIN = "asked for by a name that is not this machine's", "asked for by the page of another site"
NO_TOKEN = "needs the token: open the address that the show printed"


@dataclass(frozen=True)
class AccessRules:
    """What a request must have.

    Attributes:
        host: where the console listens.
        port: of it.
        token: that a request must have; "" for none.
    """

    host: str
    port: int
    token: str = field(default="", repr=False)

    @property
    def cookie(self) -> str:
        """The name of the cookie that holds the token."""
        return f"antiphon_{self.port}"

    def refusal(self, fields: Mapping[str, str], hosts: int = 1, query: str = "") -> tuple[int, str] | None:
        """The status and the words with which a request is refused, None for none.

        Args:
            fields: header fields, names in lower case.
            hosts: how many fields are named `host`.
            query: what follows the question mark.
        """
        host = fields.get("host", "")
        if hosts != 1 or not self._is_own(host):
            return 403, WRONG_HOST
        origin = fields.get("origin")
        if origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
            return 403, WRONG_ORIGIN
        if fields.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return 403, WRONG_ORIGIN
        if self.token and not self.has_token(fields, query):
            return 401, NO_TOKEN
        return None

    def has_token(self, fields: Mapping[str, str], query: str) -> bool:
        """Whether a request has the token: in its query, its cookie or as a bearer token."""
        given = [fields.get("authorization", "").removeprefix("Bearer "), *parse_qs(query).get("token", [])]
        try:
            morsel = SimpleCookie(fields.get("cookie", "")).get(self.cookie)
        except CookieError:
            morsel = None
        if morsel is not None:
            given.append(morsel.value)
        return any(hmac.compare_digest(one.encode(), self.token.encode()) for one in given)

    def _is_own(self, host: str) -> bool:
        """Whether `HOST[:PORT]` means this machine; a name of the network's DNS never does."""
        try:
            name, port = urlsplit(f"//{host}").hostname or "", urlsplit(f"//{host}").port
        except ValueError:
            return False
        if port is not None and port != self.port and is_loopback(self.host):
            return False
        if is_loopback(name):
            return True
        if is_loopback(self.host):
            return False
        if name in (self.host.lower(), socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


class AccessGuard:
    """Lets only those requests through that the rules allow.

    Args:
        app: what they go to.
        rules: the rules.
    """

    def __init__(self, app: ASGIApp, rules: AccessRules) -> None:
        self._app, self._rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        query = scope.get("query_string", b"").decode("latin-1")
        refusal = self._rules.refusal(headers, len(headers.getlist("host")), query)
        if scope["type"] == "websocket":
            if refusal is not None:
                await WebSocket(scope, receive, send).close(1008, refusal[1])
                return
            await self._app(scope, receive, send)
            return
        if refusal is not None:
            await PlainTextResponse(refusal[1] + "\n", refusal[0], HEADERS)(scope, receive, send)
        elif self._rules.token and scope["path"] in PAGES and "token" in parse_qs(query):
            # The token leaves the address bar, and with it the browser's history.
            answer: Response = RedirectResponse(scope["path"], 303, HEADERS)
            secure = scope["scheme"] == "https"
            answer.set_cookie(self._rules.cookie, self._rules.token, httponly=True, samesite="strict", secure=secure)
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)
