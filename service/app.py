"""The FastAPI service: lifespan, problems, correlation ids, and a door that only opens from here."""

import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph.checkpoints import FAILURES, CheckpointStoreError
from service.api import assets, description, keys, links, models, routes, webhooks
from service.console import login, pages, review
from service.entrance import SAFE_METHODS, Entrance
from service.metrics import Metrics
from service.outages import DatabaseUnavailable, is_away
from service.problems import Problem, invalid, sentence
from service.tables import new_id
from service.wiring import Fanfare
from tools.assets import AssetStoreUnavailable

log = structlog.get_logger()

_ROUTERS = (
    routes.router, assets.router, assets.packages, webhooks.router, keys.router, links.router,
    routes.health, description.router, pages.router, login.router, review.router,
)  # fmt: skip
_FOR_PROGRAMS = ("/v1/", "/healthz", "/readyz", "/metrics", "/openapi.json")
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_CORRELATION_LIMIT = 128
_MALFORMED, _NOT_ALLOWED = 400, 405
_RETRY_AFTER_SECONDS = 5
_TITLES = {404: "Not found", 405: "Method not allowed", 413: "Too large"}

Opener = Callable[[], contextlib.AbstractAsyncContextManager[Fanfare]]


def create_app(opener: Opener) -> FastAPI:
    """The service; `opener` opens what it runs on when it starts, and closes it when it stops."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with opener() as fanfare:
            app.state.fanfare = fanfare
            yield

    app = FastAPI(
        title="Fanfare", version="1", lifespan=lifespan, docs_url=None, openapi_url=None, redoc_url=None,
        webhooks=webhooks.events, generate_unique_id_function=lambda route: route.name,
    )  # fmt: skip
    app.state.metrics = Metrics()
    for router in _ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(packages=[("service", "console/static")]), name="static")
    app.add_exception_handler(Problem, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_invalid)
    app.add_exception_handler(HTTPException, _refuse_http)
    for error in (CheckpointStoreError, DatabaseUnavailable, AssetStoreUnavailable, *FAILURES):
        app.add_exception_handler(error, _unavailable)
    app.add_exception_handler(Exception, _broken)
    # Inside of what turns problems into answers, and outside of every route.
    app.router.middleware_stack = Entrance(app.router.middleware_stack)
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
        begun = time.monotonic()

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", []).append((b"x-correlation-id", number.encode()))
                metrics = cast("Metrics", request.app.state.metrics)
                metrics.answered(_method(scope), _route(scope), message["status"], time.monotonic() - begun)
            await send(message)

        with structlog.contextvars.bound_contextvars(correlation_id=number):
            if problem := _foreign(request):
                await _answer(problem)(scope, receive, tell)
                return
            await self._app(scope, receive, tell)


def _method(scope: Scope) -> str:
    """The method, or `other` for names that callers make up."""
    method: str = scope["method"]
    return method if method in _METHODS else "other"


def _route(scope: Scope) -> str:
    """The template of the path that was asked for, or `none` where there is no such route."""
    return str(getattr(scope.get("route"), "path", "none"))


def _correlation_id(request: Request) -> str:
    sent = request.headers.get("x-correlation-id", "")
    fits = 0 < len(sent) <= _CORRELATION_LIMIT and sent.isascii() and sent.isprintable()
    return sent if fits else new_id()


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


def _answer(problem: Problem) -> Response:
    body, headers = problem.as_json(), problem.headers
    return JSONResponse(body, problem.status, headers, media_type="application/problem+json")


async def _refuse(request: Request, error: Exception) -> Response:
    problem = cast("Problem", error)
    if request.url.path.startswith(_FOR_PROGRAMS):
        return _answer(problem)
    return pages.refused(request, problem)


async def _refuse_invalid(_request: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error).errors()
    errors: list[dict[str, Any]] = [
        {"loc": [part for at, part in enumerate(one["loc"]) if at or part != "body"], "msg": one["msg"]}
        for one in found
    ]
    return _answer(invalid(sentence(cast("Any", errors)), errors))


async def _refuse_http(request: Request, error: Exception) -> Response:
    refused = cast("HTTPException", error)
    if refused.status_code == _MALFORMED:
        return _answer(invalid(f"The body cannot be read: {refused.detail}", []))
    title = _TITLES.get(refused.status_code, "Refused")
    code = title.lower().replace(" ", "-")
    answer = _answer(Problem(refused.status_code, code, title, f"{refused.detail}; see /docs for the calls."))
    answer.headers.update(refused.headers or {})
    if refused.status_code == _NOT_ALLOWED:
        answer.headers["Allow"] = ", ".join(_allowed(request))
    return answer


def _allowed(request: Request) -> list[str]:
    """Every method that the path takes: each route of it knows only its own."""
    ours = (route for router in _ROUTERS for route in router.routes if isinstance(route, Route))
    here = [route for route in ours if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in here for method in route.methods or ()})


async def _unavailable(_request: Request, error: Exception) -> Response:
    log.warning("store_unavailable", error=str(error), exc_info=None if is_away(error) else error)
    detail = "A store that the service needs cannot be reached; GET /readyz names it. Try again in a moment."
    answer = _answer(Problem(503, "unavailable", "Unavailable", detail))
    answer.headers["Retry-After"] = str(_RETRY_AFTER_SECONDS)
    return answer


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
        fanfare = cast("Fanfare | None", getattr(app.state, "fanfare", None))
        _tell_who_may(schema, required=fanfare is None or fanfare.authentication.required)
    return schema


def _tell_who_may(schema: dict[str, Any], *, required: bool) -> None:
    """Add to every call that needs a caller what it answers to others; without a login, nobody is one."""
    for calls in schema["paths"].values():
        for call in calls.values():
            if security := call.get("security"):
                for status, says in _REFUSALS.items():
                    told = {"description": says, "content": {"application/problem+json": _PROBLEM}}
                    call["responses"].setdefault(str(status), told)
                if not required:
                    security.append({})


_PROBLEM = {"schema": {"$ref": "#/components/schemas/ProblemBody"}}
_REFUSALS = {
    401: "Nobody knows who calls",
    403: "The caller's roles do not allow it",
    429: "Too many failed logins",
}
