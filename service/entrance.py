"""The entrance: nobody unknown gets anything of a request's body read."""

from collections.abc import Callable

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.deps import identified

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN = ("/login", "/logout", "/review/")
"""Where people come before anybody knows them; their forms are small, and asked for what they say."""


class Entrance:
    """Asks who calls before a route reads the form or file in a request; the routes ask what they may do.

    `taken` is whether a route takes a request; those that none takes are refused unread, whoever calls.
    """

    def __init__(self, app: ASGIApp, taken: Callable[[Scope], bool]) -> None:
        self._app = app
        self._taken = taken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or raise a 401 or 429 problem."""
        if scope["type"] == "http":
            request = Request(scope)
            closed = request.method not in SAFE_METHODS and not request.url.path.startswith(_OPEN)
            if closed and self._taken(scope):
                await identified(request)
        await self._app(scope, receive, send)
