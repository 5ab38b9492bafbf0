"""The calls that make, list and revoke review links."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from graph.state import Gate
from service import campaigns
from service.api.deps import App, Cursor, Found, Limit, Manager, cut
from service.api.document import links, problems
from service.api.keys import Name
from service.problems import conflict, not_found
from service.tables import ReviewLink

router = APIRouter(prefix="/v1/campaigns/{campaign_id}/links", tags=["links"])
_WEEK = 7 * 86_400
_LONGEST_SECONDS = 90 * 86_400


class LinkRequest(BaseModel):
    """What a link shows, and for how long."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"gate": "copy", "expires_in": 259200, "name": "Legal"}]}
    )

    gate: Gate
    expires_in: int = Field(default=_WEEK, ge=60, le=_LONGEST_SECONDS, description="Seconds.")
    name: Name | None = Field(default=None, description="Whom it is for, kept for the team.")


class LinkBody(BaseModel):
    """A link, without its secret."""

    id: str
    gate: Gate
    name: str | None
    created_by: str
    created_at: str
    expires_at: str
    revoked_at: str | None
    opened_at: str | None

    @classmethod
    def of(cls, link: ReviewLink) -> "LinkBody":
        """The record as admins see it."""
        return cls.model_validate(link, from_attributes=True)


class NewLinkBody(LinkBody):
    """A link with its address, shown this once."""

    url: str


class LinkPage(BaseModel):
    """A page of links, newest first; `next_cursor` is null on the last."""

    items: list[LinkBody]
    next_cursor: str | None


_REVOKING = links(("revoke_link",), campaign_id="$request.path.campaign_id", link_id="$response.body#/id")


@router.post("", status_code=201, responses={**problems(404, 409, 422), 201: {"links": _REVOKING}})
async def create_link(
    asked: LinkRequest, campaign: Found, request: Request, response: Response, fanfare: App, caller: Manager
) -> NewLinkBody:
    """Make a link for somebody without an account; its address is in this answer and nowhere else."""
    response.headers["Cache-Control"] = "no-store"
    if await campaigns.standing(fanfare, campaign, asked.gate) == "decided":
        raise conflict("gate-decided", "Nothing is left to decide at that gate.")
    row, secret = await fanfare.links.create(
        campaign, asked.gate, name=asked.name, by=caller.subject, seconds=asked.expires_in
    )
    start = (fanfare.settings.public_url or str(request.base_url)).rstrip("/")
    return NewLinkBody(**LinkBody.of(row).model_dump(), url=f"{start}/review/{row.id}#{secret}")


@router.get("", responses=problems(404, 422))
async def list_links(
    campaign: Found,
    fanfare: App,
    _: Manager,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> LinkPage:
    """The campaign's links, alive or not, newest first."""
    rows, last = cut(await fanfare.links.page(campaign, before=cursor, limit=limit + 1), limit)
    return LinkPage(items=[LinkBody.of(row) for row in rows], next_cursor=last and last.id)


@router.delete("/{link_id}", status_code=204, responses=problems(404))
async def revoke_link(
    link_id: Annotated[str, Path(max_length=36)], campaign: Found, fanfare: App, _: Manager
) -> None:
    """End a link at once; a second time changes nothing."""
    if not await fanfare.links.revoke(campaign, link_id):
        raise not_found("link")
