"""A correlation id and one line in the log for every request, and an answer for what nobody foresaw."""

import time
from typing import Final, cast

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.metrics import Metrics
from service.problems import Problem
from service.tables import new_id

log = structlog.get_logger()

_CORRELATION_LIMIT: Final = 128
_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_GONE: Final = 499  # nginx's number for a caller who hung up; nobody reads it but the log


class Access:
    """Middleware: names the request for logs and callers, and tells of it once it is answered.

    The line has the route's template, never the address that was asked for: ids, queries and tokens stay out.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Name the request, let it through, and tell."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, seconds = time.perf_counter(), 0, 0.0
        number = _correlation_id(Request(scope))

        async def tell(message: Message) -> None:
            nonlocal status, seconds
            if message["type"] == "http.response.start":
                status, seconds = message["status"], time.perf_counter() - started
                message.setdefault("headers", []).append((b"x-correlation-id", number.encode()))
            await send(message)

        with structlog.contextvars.bound_contextvars(correlation_id=number):
            try:
                await self._app(scope, receive, tell)
            except ClientDisconnect:
                status = status or _GONE
            except Exception as error:
                log.error("request_failed", exc_info=error)  # noqa: TRY400 - structlog's, with what is bound
                if status:  # half of an answer is out: only a cut tells the caller that it is not whole
                    raise
                await answer(_BROKEN)(scope, receive, tell)
            finally:
                _tell(scope, status, seconds or time.perf_counter() - started)


_BROKEN = Problem(500, "internal-error", "Internal error", "Something failed here; the log has the details.")


def answer(problem: Problem) -> Response:
    """The problem as an answer."""
    media_type = "application/problem+json"
    return JSONResponse(problem.as_json(), problem.status, headers=problem.headers, media_type=media_type)


def _correlation_id(request: Request) -> str:
    sent = request.headers.get("x-correlation-id", "")
    fits = 0 < len(sent) <= _CORRELATION_LIMIT and sent.isascii() and sent.isprintable()
    return sent if fits else new_id()


def _method(scope: Scope) -> str:
    """The method, or `other` for names that callers make up."""
    method: str = scope["method"]
    return method if method in _METHODS else "other"


def _tell(scope: Scope, status: int, seconds: float) -> None:
    """Count and log the answer; `seconds` to its first byte, for a stream lasts as long as its reader likes."""
    route = str(getattr(scope.get("route"), "path", "-"))
    cast("Metrics", scope["app"].state.metrics).answered(_method(scope), route, status, seconds)
    tenant = scope["state"].get("tenant", "-")
    log.info(
        "request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1), tenant=tenant
    )
