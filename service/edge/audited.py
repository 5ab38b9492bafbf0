"""A line in the audit log for every change that a caller made."""

from typing import Final, cast

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph.checkpoints import CheckpointStoreError
from service.identity import Caller
from service.outages import DatabaseUnavailable
from service.wiring import Fanfare

log = structlog.get_logger()

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_TOLD_THEMSELVES: Final = frozenset({"erase_campaign", "erase_person", "erase_tenant"})
_REFUSED: Final = 400


class Audited:
    """Middleware: notes who called which route that changes something, and the ids in its path, once it is done.

    Erasures note themselves, with what is gone. A change whose line cannot be written stands: the log says so.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, and note it."""
        if scope["type"] != "http" or scope["method"] in _READING:
            await self._app(scope, receive, send)
            return
        status = _REFUSED

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self._app(scope, receive, tell)
        caller = cast("Caller | None", scope["state"].get("caller"))
        action = str(getattr(scope.get("route"), "name", ""))
        if caller is None or status >= _REFUSED or not action or action in _TOLD_THEMSELVES:
            return
        ids = {name: value for name, value in scope.get("path_params", {}).items() if name.endswith("_id")}
        fanfare = cast("Fanfare", scope["app"].state.fanfare)
        try:
            await fanfare.audit.note(caller, action, ids.pop("campaign_id", None), ids)
        except (DatabaseUnavailable, CheckpointStoreError) as error:
            log.warning("audit_lost", action=action, error=str(error))
