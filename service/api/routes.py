"""The calls of the contract."""

import base64
import binascii
import json
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response, UploadFile
from fastapi.responses import JSONResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.datastructures import UploadFile as StarletteUpload

from service import campaigns
from service.api.deps import App, Creator, Decider, Found, Reader, Writer
from service.api.models import (
    ApprovalBody,
    AssetBody,
    CampaignBody,
    CampaignPage,
    CampaignRequest,
    ContentBody,
    DecisionRequest,
    LintBody,
    LintRequest,
    ProblemBody,
    Readiness,
    RetryRequest,
)  # fmt: skip
from service.events import Event
from service.health import readiness
from service.lint import checked
from service.problems import Problem, invalid, not_found
from service.tables import Campaign, Status
from service.wiring import Fanfare
from tools.assets import AssetNotFound
from tools.languages import LANGUAGES
from tools.placements import PLACEMENTS

router = APIRouter(prefix="/v1")
_EVENT_ID = re.compile(r"[0-9]{1,15}")
_CURSOR = re.compile(r"[0-9A-Za-z:.-]{1,40}")
health = APIRouter()


_REQUEST_REF = {"$ref": "#/components/schemas/CampaignRequest"}
_CREATE_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": _REQUEST_REF},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["campaign", "image"],
                "properties": {"campaign": _REQUEST_REF, "image": {"type": "string", "format": "binary"}},
            }
        },
    },
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a call, for its OpenAPI."""
    return {status: {"model": ProblemBody, "content": {"application/problem+json": {}}} for status in statuses}


@router.post(
    "/campaigns",
    status_code=202,
    responses=problems(409, 413, 415, 422),
    openapi_extra={"requestBody": _CREATE_BODY},
    tags=["campaigns"],
)
async def create_campaign(
    request: Request,
    response: Response,
    fanfare: App,
    caller: Creator,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> CampaignBody:
    """Create a campaign, as JSON with an uploaded asset or as a form with the photo, and start it."""
    asked, image = await _parts(request, fanfare)
    campaign = await campaigns.create(fanfare, caller, asked, image, idempotency_key=idempotency_key)
    response.headers["Location"] = f"/v1/campaigns/{campaign.id}"
    return CampaignBody.of(campaign)


@router.get("/campaigns", responses=problems(422), tags=["campaigns"])
async def list_campaigns(
    fanfare: App,
    caller: Reader,
    status: Status | None = None,
    q: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> CampaignPage:
    """Campaigns, newest first."""
    after = _decode_cursor(cursor) if cursor else None
    rows = await fanfare.records.page(caller.tenant, status=status, query=q, after=after, limit=limit + 1)
    more = _encode_cursor(rows[limit - 1]) if len(rows) > limit else None
    return CampaignPage(items=[CampaignBody.of(row) for row in rows[:limit]], next_cursor=more)


@router.get("/campaigns/{campaign_id}", responses=problems(404), tags=["campaigns"])
async def get_campaign(campaign: Found) -> CampaignBody:
    """One campaign."""
    return CampaignBody.of(campaign)


@router.get(
    "/campaigns/{campaign_id}/content",
    response_model=ContentBody,
    responses=problems(404),
    tags=["campaigns"],
)
async def get_content(campaign: Found, fanfare: App) -> dict[str, Any]:
    """Brief, copy, verdict, translations and creatives, as far as the campaign has come."""
    return await campaigns.content_of(fanfare, campaign)


@router.get(
    "/campaigns/{campaign_id}/events",
    response_class=EventSourceResponse,
    responses=problems(404),
    tags=["campaigns"],
)
async def follow_events(
    campaign: Found, fanfare: App, caller: Reader, last_event_id: Annotated[str | None, Header()] = None
) -> AsyncIterator[ServerSentEvent]:
    """What happens, as it happens; `Last-Event-ID` replays what was missed."""
    after = int(last_event_id) if last_event_id and _EVENT_ID.fullmatch(last_event_id) else 0

    async def final() -> Event | None:
        now_is = await campaigns.get(fanfare, caller, campaign.id)
        return Event(0, "status", {"status": now_is.status, "final": True}) if now_is.ended else None

    async for event in fanfare.events.follow(campaign.id, after=after, final=final):
        yield ServerSentEvent(id=str(event.id), event=event.type, data=event.data)


@router.get(
    "/campaigns/{campaign_id}/approval",
    response_model=ApprovalBody,
    responses=problems(404),
    tags=["approval"],
)
async def get_approval(campaign: Found, fanfare: App) -> dict[str, Any]:
    """The open gate, and what there is to decide on."""
    return await campaigns.approval(fanfare, campaign)


@router.post(
    "/campaigns/{campaign_id}/decisions",
    status_code=202,
    responses=problems(404, 409, 422),
    tags=["approval"],
)
async def decide(campaign: Found, fanfare: App, caller: Decider, decision: DecisionRequest) -> CampaignBody:
    """Approve, edit, reject, or respond with what should change."""
    return CampaignBody.of(await campaigns.decide(fanfare, caller, campaign, decision))


@router.post(
    "/campaigns/{campaign_id}/cancel",
    status_code=202,
    responses=problems(404, 409),
    tags=["campaigns"],
)
async def cancel_campaign(campaign: Found, fanfare: App, _: Writer) -> CampaignBody:
    """Stop the campaign for good."""
    return CampaignBody.of(await campaigns.cancel(fanfare, campaign))


@router.post(
    "/campaigns/{campaign_id}/retry",
    status_code=202,
    responses=problems(404, 409, 422),
    tags=["campaigns"],
)
async def retry_campaign(
    campaign: Found, fanfare: App, _: Writer, asked: RetryRequest | None = None
) -> CampaignBody:
    """Go on with a failed campaign from its last checkpoint, with a new budget if one is given."""
    return CampaignBody.of(await campaigns.retry(fanfare, campaign, asked or RetryRequest()))


@router.get(
    "/campaigns/{campaign_id}/package.zip",
    response_class=Response,
    responses={**problems(404, 409), 200: {"content": {"application/zip": {}}}},
    tags=["campaigns"],
)
async def get_package(campaign: Found, fanfare: App) -> Response:
    """The finished package."""
    data = await campaigns.package(fanfare, campaign)
    headers = {"Content-Disposition": f'attachment; filename="campaign-{campaign.id}.zip"'}
    return Response(data, media_type="application/zip", headers=headers)


@router.post(
    "/assets",
    status_code=201,
    response_model=AssetBody,
    responses=problems(413, 422),
    tags=["assets"],
)
async def upload_asset(file: UploadFile, fanfare: App, caller: Writer) -> dict[str, Any]:
    """Keep a photo for later campaigns."""
    picture = await campaigns.picture_of(fanfare, caller, await _read(file, fanfare))
    return picture.model_dump()


@router.get(
    "/assets/{sha256}",
    response_class=Response,
    responses={**problems(404), 200: {"content": {"image/*": {}}}},
    tags=["assets"],
)
async def get_asset(sha256: str, fanfare: App, caller: Reader) -> Response:
    """The bytes of a picture."""
    try:
        ref = await fanfare.assets.find(sha256, tenant=caller.tenant)
        data = await fanfare.assets.get(sha256, tenant=caller.tenant)
    except AssetNotFound:
        raise not_found("asset") from None
    shown = "inline" if ref.media_type.startswith("image/") else "attachment"
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": f'{shown}; filename="{sha256[:16]}"',
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    return Response(data, media_type=ref.media_type, headers=headers)


@router.post("/lint", responses=problems(422), tags=["lint"])
def lint(asked: LintRequest, _: Reader) -> LintBody:  # not async: it takes a worker thread
    """Check texts by the rules alone: without a campaign, and without a model."""
    return checked(asked)


@router.get("/placements", tags=["tables"])
async def list_placements(_: Reader) -> dict[str, Any]:
    """The placement table: slots, limits, sizes, sources."""
    return {"items": [one.as_json() for one in PLACEMENTS.values()], "next_cursor": None}


@router.get("/languages", tags=["tables"])
async def list_languages(_: Reader) -> dict[str, Any]:
    """The languages that can be asked for."""
    items = [
        {"code": one.code, "english": one.english, "endonym": one.endonym, "direction": one.direction}
        for one in LANGUAGES.values()
    ]
    return {"items": items, "next_cursor": None}


@health.get("/healthz", tags=["health"])
async def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "alive"}


@health.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}}, tags=["health"])
async def readyz(fanfare: App) -> Response:
    """Whether every dependency can be reached; 503 names the one that cannot."""
    ready = await readiness(fanfare)
    return JSONResponse(ready.model_dump(), status_code=200 if ready.status == "ready" else 503)


async def _parts(request: Request, fanfare: Fanfare) -> tuple[CampaignRequest, bytes | None]:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json":
        return campaigns.parse_request(await _body(request, fanfare)), None
    if kind != "multipart/form-data":
        raise Problem(
            415, "unsupported-media-type", "Unsupported media type",
            "Send multipart/form-data with the parts campaign and image, or application/json.",
        )  # fmt: skip
    async with request.form(max_files=2, max_fields=4, max_part_size=1 << 20) as form:
        asked, image = form.get("campaign"), form.get("image")
        if asked is None:
            detail = "The form needs a part `campaign` with the request as JSON."
            raise invalid(detail, [{"loc": ["campaign"], "msg": detail}])
        text = await _read(asked, fanfare) if isinstance(asked, StarletteUpload) else asked.encode()
        parsed = campaigns.parse_request(text)
        if image is not None and not isinstance(image, StarletteUpload):
            detail = "The part `image` must be a file."
            raise invalid(detail, [{"loc": ["image"], "msg": detail}])
        return parsed, await _read(image, fanfare) if image is not None else None


async def _body(request: Request, fanfare: Fanfare) -> bytes:
    body = await request.body()
    if len(body) > fanfare.settings.upload_max_bytes:
        raise campaigns.too_large(fanfare)
    return body


async def _read(file: StarletteUpload, fanfare: Fanfare) -> bytes:
    data = await file.read(fanfare.settings.upload_max_bytes + 1)
    if len(data) > fanfare.settings.upload_max_bytes:
        raise campaigns.too_large(fanfare)
    return data


def _encode_cursor(last: Campaign) -> str:
    return base64.urlsafe_b64encode(json.dumps([last.created_at, last.id]).encode()).decode()


def _decode_cursor(cursor: str) -> tuple[str, str]:
    try:
        created_at, campaign_id = json.loads(base64.urlsafe_b64decode(cursor))
        whole = all(_CURSOR.fullmatch(part) for part in (created_at, campaign_id))
    except (ValueError, TypeError, binascii.Error):
        whole, created_at, campaign_id = False, "", ""
    if not whole:
        detail = "The cursor is not one of ours; start again without it."
        raise invalid(detail, [{"loc": ["query", "cursor"], "msg": detail}])
    return created_at, campaign_id
