"""The FastAPI service: lifespan, problems, what every request passes, and a door that only opens from here."""

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, cast

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from graph.checkpoints import FAILURES, CheckpointStoreError
from service.api import assets, description, document, keys, links, privacy, routes, webhooks
from service.console import login, pages, review
from service.edge.access import Access, answer
from service.edge.answers import SafeAnswers
from service.edge.audited import Audited
from service.edge.bodies import Bodies
from service.edge.peers import Peers
from service.edge.rates import RateLimits
from service.entrance import SAFE_METHODS, Entrance
from service.metrics import Metrics
from service.outages import DatabaseUnavailable, is_away
from service.problems import Problem, invalid, sentence
from service.wiring import Fanfare
from tools.assets import AssetStoreUnavailable

log = structlog.get_logger()

_CALLS = (
    routes.router, assets.router, assets.packages, webhooks.router, keys.router, links.router,
    privacy.router,
)  # fmt: skip
_ROUTERS = (*_CALLS, routes.health, description.router, pages.router, login.router, review.router)
_FOR_PROGRAMS = ("/v1/", "/healthz", "/readyz", "/metrics", "/openapi.json")
_MALFORMED = 400  # what frameworks say of a body that they cannot read; the contract says 422
_NOT_ALLOWED = 405
_RETRY_AFTER_SECONDS = 5
_TITLES = {404: "Not found", 405: "Method not allowed", 413: "Too large", 422: "Invalid request"}

Opener = Callable[[], contextlib.AbstractAsyncContextManager[Fanfare]]


def create_app(opener: Opener) -> FastAPI:
    """The service; `opener` opens what it runs on when it starts, and closes it when it stops."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with opener() as fanfare:
            app.state.fanfare = fanfare
            yield

    app = FastAPI(
        title="Fanfare", version="1", description=document.SAYS, openapi_tags=document.TAGS, lifespan=lifespan,
        docs_url=None, openapi_url=None, redoc_url=None, webhooks=webhooks.events,
        generate_unique_id_function=lambda route: route.name,
    )  # fmt: skip
    app.state.metrics = Metrics()
    for router in _ROUTERS:
        app.include_router(router, responses=document.problems(408, 413, 429, 503) if router in _CALLS else None)
    app.mount("/static", StaticFiles(packages=[("service", "console/static")]), name="static")
    app.add_exception_handler(Problem, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_invalid)
    app.add_exception_handler(HTTPException, _refuse_http)
    for error in (CheckpointStoreError, DatabaseUnavailable, AssetStoreUnavailable, *FAILURES):
        app.add_exception_handler(error, _unavailable)
    # Inside of what turns problems into answers, and outside of every route.
    app.router.middleware_stack = Entrance(app.router.middleware_stack, _is_taken)
    for layer in (Audited, Bodies, RateLimits, _Door, Access, SafeAnswers, Peers):  # the last one is the outermost
        app.add_middleware(layer)
    app.openapi = lambda: document.document(app, FastAPI.openapi)  # type: ignore[method-assign]
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
    """Refuse other host names, and other sites' pages: for both a browser sends cookies, and reaches this machine.

    A page's site is told by Sec-Fetch-Site, or where a browser does not send it (over plain HTTP) by Origin.
    """
    settings = cast("Fanfare", request.app.state.fanfare).settings
    host = _named(request)
    if settings.hosts is not None and host not in settings.hosts:
        only = "by the names in FANFARE_ALLOWED_HOSTS" if settings.allowed_hosts else "on this machine"
        detail = f"This service answers {only} only, not as {host}."
        return Problem(421, "wrong-host", "Wrong host", detail)
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    ours = origin is None or origin.partition("://")[2] == request.headers.get("host")
    if request.method not in SAFE_METHODS and not (site in ("none", "same-origin") if site else ours):
        return Problem(403, "cross-site", "Refused", "Another site's page may not change anything here.")
    return None


def _named(request: Request) -> str:
    """The host that the request asks for, without its port."""
    try:
        return (request.url.hostname or "").lower()
    except ValueError:
        return "an unreadable name"


async def _refuse(request: Request, error: Exception) -> Response:
    problem = cast("Problem", error)
    if request.url.path.startswith(_FOR_PROGRAMS):
        return answer(problem)
    return pages.refused(request, problem)


async def _refuse_invalid(_request: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error).errors()
    errors: list[dict[str, Any]] = [
        {"loc": [part for at, part in enumerate(one["loc"]) if at or part != "body"], "msg": one["msg"]}
        for one in found
    ]
    return answer(invalid(sentence(cast("Any", errors)), errors))


async def _refuse_http(request: Request, error: Exception) -> Response:
    refused = cast("HTTPException", error)
    status = 422 if refused.status_code == _MALFORMED else refused.status_code
    title = _TITLES.get(status, "Refused")
    code = title.lower().replace(" ", "-")
    told = answer(Problem(status, code, title, f"{refused.detail.rstrip('.')}; see /docs for the calls."))
    told.headers.update(refused.headers or {})
    if status == _NOT_ALLOWED:
        told.headers["Allow"] = ", ".join(_allowed(request))
    return told


def _allowed(request: Request) -> list[str]:
    """Every method that the path takes: each route of it knows only its own."""
    ours = list(_routes())
    here = next((route.path for route in ours if route.matches(request.scope)[0] is not Match.NONE), None)
    return sorted({method for route in ours if route.path == here for method in route.methods or ()})


def _is_taken(scope: Scope) -> bool:
    return any(route.matches(scope)[0] is Match.FULL for route in _routes())


def _routes() -> Iterator[Route]:
    return (route for router in _ROUTERS for route in router.routes if isinstance(route, Route))


async def _unavailable(_request: Request, error: Exception) -> Response:
    log.warning("store_unavailable", error=str(error), exc_info=None if is_away(error) else error)
    detail = "A store that the service needs cannot be reached; GET /readyz names it. Try again in a moment."
    retry = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
    return answer(Problem(503, "unavailable", "Unavailable", detail, headers=retry))
