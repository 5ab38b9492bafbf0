"""The limit by address, before anything is read or looked up, and the fields that tell callers of every limit."""

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.edge.access import answer
from service.edge.peers import peer_of
from service.limits import Limits, Standing, fields, too_often

_UNLIMITED: Final = ("/healthz", "/readyz", "/metrics", "/static/")
"""What probes and pages ask for without end, and what costs nothing."""


class RateLimits:
    """Middleware: counts a call against its address, and tells in its answer where the caller stands."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the call, and let it through or refuse it."""
        if scope["type"] != "http" or scope["path"].startswith(_UNLIMITED):
            await self._app(scope, receive, send)
            return
        limits: Limits = scope["app"].state.fanfare.limits
        peer = peer_of(scope)
        standings = await limits.hit(str(peer), {"address": str(peer)}, here=peer.local)
        scope["state"]["standings"] = standings

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(fields(standings_of(scope)))
            await send(message)

        if problem := too_often(standings):
            await answer(problem)(scope, receive, tell)
        else:
            await self._app(scope, receive, tell)


def standings_of(scope: Scope) -> Sequence[Standing]:
    """What was counted for the request so far."""
    standings: Sequence[Standing] = scope["state"].get("standings", ())
    return standings
