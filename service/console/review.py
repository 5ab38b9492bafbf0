"""The page behind a review link: one gate of one campaign, for a person without an account."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError
from starlette.datastructures import FormData

from service import campaigns
from service.api.assets import served
from service.api.deps import App
from service.api.models import CampaignBody, DecisionRequest
from service.authentication import address_of
from service.console.login import encrypted
from service.console.pages import page
from service.links import guest, require_alive
from service.problems import Problem, invalid, not_found
from service.tables import Campaign, ReviewLink
from service.wiring import Fanfare

router = APIRouter(prefix="/review/{link_id}", include_in_schema=False, max_body_size=64_000)
COOKIE = "fanfare_review"
_SESSION_SECONDS = 12 * 3600.0
_LONGEST_NAME = 80
LinkId = Annotated[str, Path(max_length=36)]


@router.get("")
async def show(request: Request, link_id: LinkId, fanfare: App) -> Response:
    """What there is to decide; to whoever has not shown the link's secret yet, only the form that takes it."""
    try:
        link = await _opened(request, fanfare, link_id)
    except Problem as problem:
        return _said(request, problem)
    if link is None:
        return page(request, "review_open.html", link_id=link_id)
    return await _shown(request, fanfare, link)


@router.post("")
async def open_link(request: Request, link_id: LinkId, fanfare: App) -> Response:
    """Take the secret, which no address holds, for a cookie that this link's pages alone are sent."""
    async with request.form(max_files=0, max_fields=2, max_part_size=2000) as form:
        secret = str(form.get("secret", "")).strip().rpartition("#")[2]
    try:
        link = await _proven(request, fanfare, link_id, secret)
    except Problem as problem:
        return page(request, "review_open.html", status=problem.status, problem=problem, link_id=link_id)
    await fanfare.links.opened(link)
    cookie = await fanfare.sessions.begin("review", {"link": link.id}, seconds=_SESSION_SECONDS)
    answer = RedirectResponse(_address(link), 303)
    answer.set_cookie(
        COOKIE, cookie, max_age=int(_SESSION_SECONDS), path=_address(link), httponly=True, samesite="lax",
        secure=encrypted(request, fanfare),
    )  # fmt: skip
    return answer


@router.post("/decision")
async def decide(request: Request, link_id: LinkId, fanfare: App) -> Response:
    """Take the guest's decision at the link's gate."""
    try:
        link = await _opened(request, fanfare, link_id)
    except Problem as problem:
        return _said(request, problem)
    if link is None:
        return page(request, "review_open.html", status=401, link_id=link_id)
    async with request.form(max_files=0, max_fields=10, max_part_size=20_000) as form:
        try:
            name, decision = _asked(link, form)
            campaign = await campaigns.get(fanfare, link.campaign_id, tenant=link.tenant)
            await campaigns.decide(fanfare, guest(link, name), campaign, decision)
        except Problem as problem:
            return await _shown(request, fanfare, link, problem, _typed(form))
    return RedirectResponse(_address(link), 303)


@router.get("/assets/{sha256}")
async def picture(request: Request, link_id: LinkId, sha256: str, fanfare: App) -> Response:
    """A picture that is to be decided on."""
    link = await _opened(request, fanfare, link_id)
    if link is None:
        raise not_found("picture")
    campaign = await campaigns.get(fanfare, link.campaign_id, tenant=link.tenant)
    if await campaigns.standing(fanfare, campaign, link.gate) != "open" or sha256 not in await _pictures(
        fanfare, campaign
    ):
        raise not_found("picture")
    return await served(fanfare, sha256, tenant=link.tenant, seconds=0)


async def _opened(request: Request, fanfare: Fanfare, link_id: str) -> ReviewLink | None:
    """The link, if this browser has shown its secret; raises a 410 problem once it has ended."""
    cookie = request.cookies.get(COOKIE)
    held = await fanfare.sessions.find("review", cookie) if cookie else None
    if held is None or held["link"] != link_id:
        return None
    link = await fanfare.links.get(link_id)
    if link is None:
        return None
    require_alive(link)
    return link


async def _proven(request: Request, fanfare: Fanfare, link_id: str, secret: str) -> ReviewLink:
    """The link that `secret` opens; raises a 401, 410 or 429 problem."""
    await fanfare.attempts.check(address_of(request), link_id)
    link = await fanfare.links.known(link_id, secret)
    if link is None:
        await fanfare.attempts.failed(address_of(request), link_id)
        detail = "This is not the whole link. Open it again, or copy all of it from the message that it came in."
        raise Problem(401, "link-unknown", "Link not known", detail)
    require_alive(link)
    return link


async def _pictures(fanfare: Fanfare, campaign: Campaign) -> set[str]:
    made = (await campaigns.content_of(fanfare, campaign))["creatives"]
    return {one["asset"]["sha256"] for one in made} | {campaign.order["picture"]["sha256"]}


def _asked(link: ReviewLink, form: FormData) -> tuple[str, DecisionRequest]:
    """Who decides what; raises a 422 problem that says what is missing."""
    name, comment = (" ".join(str(form.get("name", "")).split()), str(form.get("comment", "")).strip())
    action = form.get("action")
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise _missing(
            "name", f"Say who you are, in {_LONGEST_NAME} characters at most; your decision is kept with it."
        )
    if action not in ("approve", "respond", "reject"):
        raise _missing("action", "Approve, ask for changes or reject.")
    if action != "approve" and not comment:
        why = "why you reject it" if action == "reject" else "what should change"
        raise _missing("comment", f"Say {why}, in a sentence or two.")
    said = {"gate": link.gate, "revision": form.get("revision"), "type": action, "comment": comment or None}
    try:
        return name, DecisionRequest.model_validate(said)
    except ValidationError as error:
        raise campaigns.refusal(error) from None


def _missing(field: str, detail: str) -> Problem:
    return invalid(detail, [{"loc": [field], "msg": detail}])


def _typed(form: FormData) -> dict[str, str]:
    return {name: str(form.get(name, "")) for name in ("name", "comment")}


async def _shown(
    request: Request,
    fanfare: Fanfare,
    link: ReviewLink,
    problem: Problem | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    try:
        campaign = await campaigns.get(fanfare, link.campaign_id, tenant=link.tenant)
    except Problem as gone:
        return _said(request, gone)
    standing = await campaigns.standing(fanfare, campaign, link.gate)
    content: dict[str, Any] | None = None
    if standing == "open":
        content = await campaigns.content_of(fanfare, campaign)
        for creative in content["creatives"]:
            creative["url"] = f"{_address(link)}/assets/{creative['asset']['sha256']}"
    return page(
        request, "review.html", status=problem.status if problem else 200, problem=problem, typed=typed or {},
        campaign=CampaignBody.of(campaign), order=campaign.order, content=content, gate=link.gate,
        standing=standing, link=link, photo=f"{_address(link)}/assets/{campaign.order['picture']['sha256']}",
    )  # fmt: skip


def _said(request: Request, problem: Problem) -> Response:
    return page(request, "review_ended.html", status=problem.status, problem=problem)


def _address(link: ReviewLink) -> str:
    return f"/review/{link.id}"
