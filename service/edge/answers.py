"""What every answer says to browsers and caches, whichever route or refusal it comes from."""

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY: Final = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Pages load what this service itself serves, and nothing inline."""
_NOTHING: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"
"""For JSON, pictures and archives, should a browser ever take one for a page."""
_ALWAYS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_SECURE: Final = "max-age=31536000; includeSubDomains"


class SafeAnswers:
    """Middleware: the headers that every answer has, unless a route said otherwise.

    Nobody stores an answer unless its route allows it; one with an ETag a browser may keep and ask about.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, and complete its answer."""

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                _secure(MutableHeaders(scope=message), scope)
            await send(message)

        await self._app(scope, receive, tell if scope["type"] == "http" else send)


def _secure(headers: MutableHeaders, scope: Scope) -> None:
    page = headers.get("content-type", "").startswith("text/html")
    headers.setdefault("Content-Security-Policy", POLICY if page else _NOTHING)
    headers.setdefault("Cache-Control", "private, no-cache" if "etag" in headers else "no-store")
    if page:  # without a referrer browsers send forms as from nowhere, and the door lets in none such
        headers.setdefault("Referrer-Policy", "same-origin")
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    if scope["scheme"] == "https":
        headers.setdefault("Strict-Transport-Security", _SECURE)
