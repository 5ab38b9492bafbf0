"""The bytes of pictures and packages: for whoever may read, and of one picture by a signed address."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from service import campaigns
from service.api.deps import App, Found, Reader
from service.api.document import problems
from service.problems import Problem, not_found
from service.wiring import Fanfare
from tools.assets import SUFFIXES, AssetNotFound

router = APIRouter(prefix="/v1/assets", tags=["assets"])
packages = APIRouter(tags=["campaigns"])
_YEAR = 31_536_000
_PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {media_type: {} for media_type in SUFFIXES}}}


@router.get("/{sha256}", response_class=Response, responses={**problems(404, 503), **_PICTURE})
async def get_asset(sha256: str, fanfare: App, caller: Reader) -> Response:
    """The bytes of a picture."""
    return await served(fanfare, sha256, tenant=caller.tenant, seconds=_YEAR)


@router.get("/{sha256}/signed", response_class=Response, responses={**problems(403, 404, 503), **_PICTURE})
async def get_signed_asset(
    sha256: str,
    fanfare: App,
    tenant: Annotated[str, Query(max_length=64)],
    expires: Annotated[int, Query(ge=0, le=1 << 40)],
    signature: Annotated[str, Query(min_length=64, max_length=64)],
) -> Response:
    """The bytes of a picture, without a login: `url` of a creative in a campaign's content leads here."""
    left = fanfare.picture_links.left(sha256, tenant=tenant, expires=expires, signature=signature)
    if not left:
        detail = "This address of a picture does not hold, or not any more; read the campaign's content again."
        raise Problem(403, "link-expired", "Link expired", detail)
    return await served(fanfare, sha256, tenant=tenant, seconds=left)


@packages.get(
    "/v1/campaigns/{campaign_id}/package.zip",
    response_class=Response,
    responses={**problems(404, 409, 503), 200: {"content": {"application/zip": {}}}},
)
async def get_package(campaign: Found, fanfare: App) -> Response:
    """The finished package."""
    name = f"campaign-{campaign.id}.zip"
    return await served(fanfare, campaigns.package(campaign), tenant=campaign.tenant, seconds=0, name=name)


async def served(fanfare: Fanfare, sha256: str, *, tenant: str, seconds: int, name: str | None = None) -> Response:
    """An asset, piece by piece, which the reader's own cache may keep for so long; raises a 404 problem."""
    try:
        found = await fanfare.assets.open(sha256, tenant=tenant)
    except AssetNotFound:
        raise not_found("asset") from None
    kind = found.ref.media_type
    return StreamingResponse(
        found.chunks,
        media_type=kind,
        headers={
            "Content-Length": str(found.ref.bytes),
            "Content-Disposition": f'attachment; filename="{name or sha256[:16] + SUFFIXES[kind]}"',
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": f"private, max-age={seconds}, immutable" if seconds else "no-store",
        },
    )
