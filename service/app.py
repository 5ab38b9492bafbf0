"""The FastAPI service: lifespan, problems, what every request passes, and a door that only opens from here."""

import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from graph.checkpoints import FAILURES, CheckpointStoreError
from service.api import models, routes
from service.console import pages, reference
from service.edge.access import Access, answer
from service.edge.answers import SafeAnswers
from service.edge.bodies import Bodies
from service.edge.peers import Peers
from service.edge.rates import RateLimits
from service.problems import Problem, invalid, sentence
from service.wiring import Fanfare

log = structlog.get_logger()

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
_MALFORMED = 400  # what frameworks say of a body that they cannot read; the contract says 422
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_TITLES = {404: "Not found", 405: "Method not allowed", 413: "Too large", 422: "Invalid request"}

Opener = Callable[[], contextlib.AbstractAsyncContextManager[Fanfare]]


def create_app(opener: Opener) -> FastAPI:
    """The service; `opener` opens what it runs on when it starts, and closes it when it stops."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with opener() as fanfare:
            app.state.fanfare = fanfare
            yield

    app = FastAPI(title="Fanfare", version="1", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.include_router(routes.router, responses=routes.problems(408, 413, 429))
    app.include_router(routes.health)
    app.include_router(pages.router)
    app.include_router(reference.router)
    app.mount("/static", StaticFiles(packages=[("service", "console/static")]), name="static")
    app.add_exception_handler(Problem, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_invalid)
    app.add_exception_handler(HTTPException, _refuse_http)
    for error in (CheckpointStoreError, SQLAlchemyError, *FAILURES):
        app.add_exception_handler(error, _unavailable)
    for layer in (Bodies, RateLimits, _Door, Access, SafeAnswers, Peers):  # the last one is the outermost
        app.add_middleware(layer)
    app.openapi = lambda: _openapi(app, FastAPI.openapi)  # type: ignore[method-assign]
    return app


class _Door:
    """Refusal of callers that loopback alone would let in: other sites' pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (problem := _foreign(Request(scope))):
            await answer(problem)(scope, receive, send)
            return
        await self._app(scope, receive, send)


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


async def _refuse(_request: Request, error: Exception) -> Response:
    return answer(cast("Problem", error))


async def _refuse_invalid(_request: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error).errors()
    errors: list[dict[str, Any]] = [
        {"loc": [part for at, part in enumerate(one["loc"]) if at or part != "body"], "msg": one["msg"]}
        for one in found
    ]
    return answer(invalid(sentence(cast("Any", errors)), errors))


async def _refuse_http(_request: Request, error: Exception) -> Response:
    refused = cast("HTTPException", error)
    status = 422 if refused.status_code == _MALFORMED else refused.status_code
    title = _TITLES.get(status, "Refused")
    code = title.lower().replace(" ", "-")
    told = answer(Problem(status, code, title, f"{refused.detail.rstrip('.')}; see /docs for the calls."))
    told.headers.update(refused.headers or {})
    return told


async def _unavailable(_request: Request, error: Exception) -> Response:
    log.warning("store_unavailable", exc_info=error)
    detail = "A store that the service needs cannot be reached; GET /readyz names it. Try again in a moment."
    return answer(Problem(503, "unavailable", "Unavailable", detail))


def _openapi(app: FastAPI, make: Callable[[FastAPI], dict[str, Any]]) -> dict[str, Any]:
    schema = make(app)
    schemas = schema["components"]["schemas"]
    if "CampaignRequest" not in schemas:
        made = models.CampaignRequest.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= made.pop("$defs", {}) | {"CampaignRequest": made}
    return schema
