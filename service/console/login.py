"""The pages that begin and end a browser's session."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from service.api.deps import App
from service.authentication import COOKIE
from service.console.pages import page
from service.problems import Problem
from service.wiring import Fanfare

router = APIRouter(include_in_schema=False)
_LONGEST_NEXT = 500
_LONGEST_KEY = 8192
Next = Annotated[str, Query(max_length=2000)]


@router.get("/login")
async def ask(request: Request, fanfare: App, next: Next = "/") -> Response:  # noqa: A002 - as the address says it
    """The form that takes an API key or a token."""
    if not fanfare.authentication.required:
        return RedirectResponse("/", 303)
    return page(request, "login.html", next=local(next))


@router.post("/login", max_body_size=4 * _LONGEST_KEY)
async def log_in(request: Request, fanfare: App) -> Response:
    """Begin a session, and go where the person was going."""
    async with request.form(max_files=0, max_fields=4, max_part_size=_LONGEST_KEY) as form:
        credential, onwards = str(form.get("credential", "")).strip(), local(str(form.get("next", "/")))
    try:
        cookie, seconds = await fanfare.authentication.log_in(request, credential)
    except Problem as problem:
        return page(request, "login.html", status=problem.status, problem=problem, next=onwards)
    answer = RedirectResponse(onwards, 303)
    answer.set_cookie(
        COOKIE, cookie, max_age=int(seconds), httponly=True, samesite="lax", secure=encrypted(request, fanfare)
    )
    return answer


@router.post("/logout")
async def log_out(request: Request, fanfare: App) -> Response:
    """End the session here and on the server."""
    await fanfare.authentication.log_out(request)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=encrypted(request, fanfare))
    return answer


def local(address: str) -> str:
    """`address` if it is a path of ours, or the start page: no login sends people elsewhere."""
    plain = address.isascii() and address.isprintable() and len(address) <= _LONGEST_NEXT
    ours = address.startswith("/") and not address.startswith("//") and "\\" not in address
    return address if plain and ours else "/"


def encrypted(request: Request, fanfare: Fanfare) -> bool:
    """Whether the browser comes by HTTPS, as far as the request or FANFARE_PUBLIC_URL tells."""
    return request.url.scheme == "https" or (fanfare.settings.public_url or "").startswith("https:")
