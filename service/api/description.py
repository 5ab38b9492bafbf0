"""The description of the API, for programs and for people; behind the login where the operator says so."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from service.api.deps import App, identified
from service.console import reference


async def _allowed(request: Request, fanfare: App) -> None:
    if not fanfare.settings.public_docs:
        (await identified(request)).require("read")


router = APIRouter(include_in_schema=False)
Allowed = Annotated[None, Depends(_allowed)]


@router.get("/openapi.json")
async def openapi(request: Request, _: Allowed) -> Response:
    """The schema."""
    schema: dict[str, Any] = request.app.openapi()
    return JSONResponse(schema)


@router.get("/docs")
async def docs(request: Request, _: Allowed) -> Response:
    """The schema as a page."""
    return reference.shown(request)
