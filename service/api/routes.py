"""The calls of the contract."""

import base64
import binascii
import contextlib
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, File, Header, Query, Request, Response, UploadFile
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.security import HTTPBearer
from fastapi.sse import format_sse_event
from starlette.datastructures import UploadFile as StarletteUpload

from service import campaigns, uploads
from service.api.deps import App, Creator, Decider, Found, Limit, Reader, Writer, cut
from service.api.document import links, problems
from service.api.models import (
    CAMPAIGN,
    ApprovalBody,
    AssetBody,
    CampaignBody,
    CampaignPage,
    CampaignRequest,
    ContentBody,
    DecisionRequest,
    HistoryEntry,
    HistoryPage,
    LintBody,
    LintRequest,
    Readiness,
    RetryRequest,
)  # fmt: skip
from service.edge.soundness import unsound
from service.events import Event
from service.health import readiness
from service.history import history
from service.lint import checked
from service.metrics import Metrics
from service.problems import Problem, invalid, unauthenticated
from service.tables import Campaign, Status
from service.uploads import Upload
from service.wiring import Fanfare
from tools.languages import LANGUAGES
from tools.placements import PLACEMENTS

router = APIRouter(prefix="/v1")
_SCRAPER = HTTPBearer(
    scheme_name="scraper", auto_error=False, description="With a login, `FANFARE_METRICS_TOKEN`; no key opens it."
)
_EVENT_ID = re.compile(r"[0-9]{1,15}")
_CURSOR = re.compile(r"[0-9A-Za-z:.-]{1,40}")
health = APIRouter()


def _request(image: dict[str, Any], *, required: bool) -> dict[str, Any]:
    """A campaign's request, whose `image` is told by how it comes."""
    more = {"type": "object", "properties": {"image": image}, "required": ["image"] if required else []}
    return {"allOf": [{"$ref": "#/components/schemas/CampaignRequest"}, more]}


_CREATE_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": _request({"type": "string"}, required=True),
            "example": {**CAMPAIGN, "image": hashlib.sha256(b"the bytes of a photo").hexdigest()},
        },
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["campaign", "image"],
                "properties": {
                    "campaign": _request({"type": "null"}, required=False),
                    "image": {
                        "type": "string",
                        "format": "binary",
                        "description": "JPEG, PNG, WebP, HEIC or AVIF.",
                    },
                },
            },
            "encoding": {"campaign": {"contentType": "application/json"}},
        },
    },
}


_FILE = File(description="A photo, a logo or a font.", json_schema_extra={"format": "binary"})
_EVENT = {
    "type": "object",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "event": {"type": "string", "examples": ["status"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}

_ABOUT_A_CAMPAIGN = (
    "get_campaign", "get_content", "get_history", "follow_events", "get_approval", "decide", "cancel_campaign",
    "retry_campaign", "get_package", "create_link", "list_links",
)  # fmt: skip


@router.post(
    "/campaigns",
    status_code=202,
    responses={
        **problems(409, 413, 415, 422),
        202: {
            "headers": {"Location": {"description": "Where it is.", "schema": {"type": "string"}}},
            "links": links(_ABOUT_A_CAMPAIGN, campaign_id="$response.body#/id"),
        },
    },
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
    limit: Limit = 20,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> CampaignPage:
    """Campaigns, newest first."""
    after = _decode_cursor(cursor) if cursor else None
    found = await fanfare.records.page(caller.tenant, status=status, query=q, after=after, limit=limit + 1)
    rows, last = cut(found, limit)
    return CampaignPage(
        items=[CampaignBody.of(row) for row in rows], next_cursor=_encode_cursor(last) if last else None
    )


@router.get(
    "/campaigns/{campaign_id}",
    response_model=CampaignBody,
    responses={
        **problems(404),
        200: {"headers": {"ETag": {"description": "For `If-None-Match`.", "schema": {"type": "string"}}}},
        304: {"description": "Nothing has changed since that `ETag`."},
    },
    tags=["campaigns"],
)
async def get_campaign(
    campaign: Found, response: Response, if_none_match: Annotated[str | None, Header()] = None
) -> Any:
    """One campaign; `If-None-Match` with its `ETag` answers 304 while nothing has changed."""
    body = CampaignBody.of(campaign)
    tag = f'"{hashlib.sha256(body.model_dump_json().encode()).hexdigest()[:32]}"'
    if if_none_match and _names(if_none_match, tag):
        return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    return body


@router.get(
    "/campaigns/{campaign_id}/content",
    response_model=ContentBody,
    responses=problems(404),
    tags=["campaigns"],
)
async def get_content(campaign: Found, fanfare: App) -> dict[str, Any]:
    """Brief, copy, verdict, translations and creatives, as far as the campaign has come."""
    return await campaigns.content_of(fanfare, campaign)


@router.get("/campaigns/{campaign_id}/history", responses=problems(404), tags=["campaigns"])
async def get_history(campaign: Found, fanfare: App) -> HistoryPage:
    """Checkpoints with their steps and cost, and who decided what on which revision, oldest first."""
    snapshots = await fanfare.runs.snapshots(campaign.id)
    items = [HistoryEntry.model_validate(entry) for entry in await history(fanfare, campaign, snapshots)]
    return HistoryPage(items=items, next_cursor=None)


@router.get(
    "/campaigns/{campaign_id}/events",
    response_class=StreamingResponse,
    responses={**problems(404), 200: {"content": {"text/event-stream": {"itemSchema": _EVENT}}}},
    tags=["campaigns"],
)
async def follow_events(
    request: Request,
    campaign: Found,
    fanfare: App,
    caller: Reader,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """What happens, as it happens; `Last-Event-ID` replays what was missed."""
    after = int(last_event_id) if last_event_id and _EVENT_ID.fullmatch(last_event_id) else 0

    async def final() -> Event | None:
        await fanfare.authentication.identify(request)  # their key may have been revoked meanwhile
        now_is = await campaigns.get(fanfare, campaign.id, tenant=caller.tenant)
        return Event(0, "status", {"status": now_is.status, "final": True}) if now_is.ended else None

    # FastAPI streams what a route yields; when the reader goes away meanwhile, it logs an error (its #15725).
    told = _told(fanfare.events.follow(campaign.id, after=after, final=final))
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(told, media_type="text/event-stream", headers=headers)


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


@router.post(
    "/assets",
    status_code=201,
    response_model=AssetBody,
    responses={**problems(413, 422), 201: {"links": links(("get_asset",), sha256="$response.body#/sha256")}},
    tags=["assets"],
)
async def upload_asset(file: Annotated[UploadFile, _FILE], fanfare: App, caller: Writer) -> dict[str, Any]:
    """Keep a photo, a logo or a font (TTF or OTF) for later campaigns."""
    return await uploads.keep_any(fanfare, caller, await _upload(file, fanfare))


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


@health.get(
    "/metrics",
    response_class=Response,
    responses={**problems(401), 200: {"content": {"text/plain": {}}}},
    tags=["health"],
)
async def metrics(request: Request, fanfare: App, _: Annotated[object, Depends(_SCRAPER)]) -> Response:
    """Counters in Prometheus's text format; with a login, for the bearer of `FANFARE_METRICS_TOKEN`."""
    _require_scraper(request, fanfare)
    counted = cast("Metrics", request.app.state.metrics)
    text = counted.text(await fanfare.records.count_by_status(), running=fanfare.runs.in_process)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _require_scraper(request: Request, fanfare: Fanfare) -> None:
    """The counters are of all tenants, so no tenant's key opens them."""
    if not fanfare.authentication.required:
        return
    kept = fanfare.settings.metrics_token
    said = request.headers.get("authorization", "").removeprefix("Bearer ")
    if kept is None or not hmac.compare_digest(said.encode(), kept.get_secret_value().encode()):
        raise unauthenticated("login-failed", "Counters need FANFARE_METRICS_TOKEN, sent as a bearer token.")


async def _told(events: AsyncIterator[Event | None]) -> AsyncIterator[bytes]:
    """The events as they are sent, and a comment where there is none."""
    with contextlib.suppress(Problem):  # too late to answer with it: the stream ends, and the next one is refused
        async for event in events:
            if event is None:
                yield format_sse_event(comment="nothing new")
            else:
                data = json.dumps(event.data, ensure_ascii=False)
                yield format_sse_event(id=str(event.id), event=event.type, data_str=data)


async def _parts(request: Request, fanfare: Fanfare) -> tuple[CampaignRequest, Upload | None]:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json":
        return campaigns.parse_request(await request.body()), None
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
        if problem := unsound(text):  # the JSON of a body is known to be sound
            raise problem
        parsed = campaigns.parse_request(text)
        if image is not None and not isinstance(image, StarletteUpload):
            detail = "The part `image` must be a file."
            raise invalid(detail, [{"loc": ["image"], "msg": detail}])
        return parsed, await _upload(image, fanfare) if image is not None else None


async def _upload(file: StarletteUpload, fanfare: Fanfare) -> Upload:
    return Upload(await _read(file, fanfare), file.content_type, file.filename)


async def _read(file: StarletteUpload, fanfare: Fanfare) -> bytes:
    data = await file.read(fanfare.settings.upload_max_bytes + 1)
    if len(data) > fanfare.settings.upload_max_bytes:
        raise uploads.too_large(fanfare)
    return data


def _names(header: str, tag: str) -> bool:
    """Whether an `If-None-Match` header names the tag; weak and strong ones are equal here (RFC 9110 13.1.2)."""
    return header.strip() == "*" or tag in [named.strip().removeprefix("W/") for named in header.split(",")]


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
