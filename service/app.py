"""The FastAPI service: lifespan, problems, correlation ids, and a door that only opens from here."""

import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph.checkpoints import FAILURES, CheckpointStoreError
from service.api import assets, models, routes
from service.console import pages
from service.problems import Problem, invalid, sentence
from service.tables import new_id
from service.wiring import Fanfare
from tools.assets import AssetStoreUnavailable

log = structlog.get_logger()

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_CORRELATION_LIMIT = 128
_TITLES = {404: "Not found", 405: "Method not allowed", 413: "Too large"}

Opener = Callable[[], contextlib.AbstractAsyncContextManager[Fanfare]]


def create_app(opener: Opener) -> FastAPI:
    """The service; `opener` opens what it runs on when it starts, and closes it when it stops."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with opener() as fanfare:
            app.state.fanfare = fanfare
            yield

    app = FastAPI(title="Fanfare", version="1", lifespan=lifespan, docs_url="/docs", redoc_url=None)
    app.include_router(routes.router)
    app.include_router(assets.router)
    app.include_router(assets.packages)
    app.include_router(routes.health)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(packages=[("service", "console/static")]), name="static")
    app.add_exception_handler(Problem, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_invalid)
    app.add_exception_handler(HTTPException, _refuse_http)
    for error in (CheckpointStoreError, AssetStoreUnavailable, SQLAlchemyError, *FAILURES):
        app.add_exception_handler(error, _unavailable)
    app.add_exception_handler(Exception, _broken)
    app.add_middleware(_Door)
    app.openapi = lambda: _openapi(app, FastAPI.openapi)  # type: ignore[method-assign]
    return app


class _Door:
    """Correlation ids, and refusal of callers that loopback alone would let in: other sites' pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        number = _correlation_id(request)

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", []).append((b"x-correlation-id", number.encode()))
            await send(message)

        with structlog.contextvars.bound_contextvars(correlation_id=number):
            if problem := _foreign(request):
                await _answer(problem)(scope, receive, tell)
                return
            await self._app(scope, receive, tell)


def _correlation_id(request: Request) -> str:
    sent = request.headers.get("x-correlation-id", "")
    fits = 0 < len(sent) <= _CORRELATION_LIMIT and sent.isascii() and sent.isprintable()
    return sent if fits else new_id()


def _foreign(request: Request) -> Problem | None:
    """Without a login the service is for this machine alone: no other host name, no other site's page."""
    host = request.url.hostname or ""
    if host not in _LOOPBACK:
        return Problem(
            421, "wrong-host", "Wrong host", f"This service answers on this machine only, not as {host}."
        )
    origin = request.headers.get("origin")
    same = origin is None or origin.partition("://")[2] == request.headers.get("host")
    cross = request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
    if request.method not in _SAFE_METHODS and (not same or cross):
        return Problem(403, "cross-site", "Refused", "Another site's page may not change anything here.")
    return None


def _answer(problem: Problem) -> Response:
    return JSONResponse(problem.as_json(), problem.status, media_type="application/problem+json")


async def _refuse(_request: Request, error: Exception) -> Response:
    return _answer(cast("Problem", error))


async def _refuse_invalid(_request: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error).errors()
    errors: list[dict[str, Any]] = [
        {"loc": [part for at, part in enumerate(one["loc"]) if at or part != "body"], "msg": one["msg"]}
        for one in found
    ]
    return _answer(invalid(sentence(cast("Any", errors)), errors))


async def _refuse_http(_request: Request, error: Exception) -> Response:
    refused = cast("HTTPException", error)
    title = _TITLES.get(refused.status_code, "Refused")
    code = title.lower().replace(" ", "-")
    answer = _answer(Problem(refused.status_code, code, title, f"{refused.detail}; see /docs for the calls."))
    answer.headers.update(refused.headers or {})
    return answer


async def _unavailable(_request: Request, error: Exception) -> Response:
    log.warning("store_unavailable", exc_info=error)
    detail = "A store that the service needs cannot be reached; GET /readyz names it. Try again in a moment."
    return _answer(Problem(503, "unavailable", "Unavailable", detail))


async def _broken(_request: Request, error: Exception) -> Response:
    log.error("request_failed", exc_info=error)
    return _answer(
        Problem(500, "internal-error", "Internal error", "Something failed here; the log has the details.")
    )


def _openapi(app: FastAPI, make: Callable[[FastAPI], dict[str, Any]]) -> dict[str, Any]:
    schema = make(app)
    schemas = schema["components"]["schemas"]
    if "CampaignRequest" not in schemas:
        made = models.CampaignRequest.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= made.pop("$defs", {}) | {"CampaignRequest": made}
    return schema
