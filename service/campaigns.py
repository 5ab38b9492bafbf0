"""What callers can do with campaigns, whether they come by REST, by page or by command."""

import contextlib
import hashlib
import json
from typing import Any, Literal

from pydantic import ValidationError

from graph import rules
from graph.approval import Decision, EditRefused, edited, findings
from graph.content import content, copy_of
from graph.look import Brand
from graph.state import Gate, Order, Picture
from service import uploads, webhooks
from service.api.models import CampaignRequest, DecisionRequest, RetryRequest
from service.identity import Caller
from service.problems import Problem, conflict, invalid, not_found, sentence
from service.records import IdempotencyConflict
from service.tables import AWAITING, ENDED, GATES, Campaign, Decided, new_id, now
from service.uploads import Upload
from service.wiring import Fanfare, model_languages
from tools.assets import AssetNotFound


def parse_request(body: bytes) -> CampaignRequest:
    """The request in `body`, sound JSON; raises a 422 problem that names what is wrong."""
    try:
        return CampaignRequest.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise refusal(error) from None


def refusal(error: ValidationError) -> Problem:
    """Pydantic's errors as a problem."""
    errors = [{"loc": list(one["loc"]), "msg": one["msg"]} for one in error.errors(include_url=False)]
    return invalid(sentence(errors), errors)


async def create(
    fanfare: Fanfare,
    caller: Caller,
    request: CampaignRequest,
    image: Upload | None,
    *,
    idempotency_key: str | None = None,
) -> Campaign:
    """Write the campaign down and start it; an idempotency key seen before answers the first one.

    Raises 422 problems, and 413 and 429 problems when the tenant's quotas are used up: then nothing is kept.
    """
    if earlier := await fanfare.records.by_key(caller.tenant, idempotency_key):
        if earlier.body_hash != _body_hash(request, image):
            raise _used()
        return earlier
    _writable(fanfare, request)
    campaign_id = new_id()
    async with fanfare.quotas.campaign(caller.tenant) as taken:
        campaign = await _create(fanfare, caller, request, image, idempotency_key, campaign_id)
        taken.used = campaign.id == campaign_id
        return campaign


async def _create(
    fanfare: Fanfare,
    caller: Caller,
    request: CampaignRequest,
    image: Upload | None,
    idempotency_key: str | None,
    campaign_id: str,
) -> Campaign:
    if request.webhook_url is not None:
        await webhooks.accept(fanfare.outbound, request.webhook_url, field="webhook_url")
        await fanfare.webhooks.ensure_secret(caller.tenant)
    picture = await _picture(fanfare, caller, request, image)
    await _check_brand(fanfare, caller, request.brand)
    asked = request.model_dump(mode="json", exclude={"image", "budget_usd", "webhook_url"})
    seen = await fanfare.pictures.lookalikes(picture.sha256, tenant=caller.tenant)
    shown = picture.model_copy(update={"lookalikes": seen})
    order = Order.model_validate({**asked, "id": campaign_id, "tenant": caller.tenant, "picture": shown})
    created = now()
    campaign = Campaign(
        id=campaign_id, tenant=caller.tenant, name=request.product.name, status="queued", step=None, progress=0.0,
        order=order.model_dump(mode="json"), cost={}, error=None, decision=None,
        budget_usd=str(request.budget_usd) if request.budget_usd is not None else None,
        webhook_url=request.webhook_url, idempotency_key=idempotency_key, body_hash=_body_hash(request, image),
        created_by=caller.subject, created_at=created, updated_at=created,
    )  # fmt: skip
    try:
        written = await fanfare.records.create(campaign)
    except IdempotencyConflict:  # by somebody at the same time
        raise _used() from None
    if written is campaign:
        await fanfare.pictures.used(picture.sha256, campaign_id, tenant=caller.tenant)
        await fanfare.events.publish(campaign_id, "status", {"status": "queued"})
        fanfare.runs.go(campaign_id)
    return written


async def get(fanfare: Fanfare, campaign_id: str, *, tenant: str) -> Campaign:
    """The tenant's campaign as it is now; raises a 404 problem where there is none, or none any more."""
    campaign = await fanfare.records.get(campaign_id, tenant=tenant)
    if campaign is None:
        raise not_found("campaign")
    return campaign


async def approval(fanfare: Fanfare, campaign: Campaign) -> dict[str, Any]:
    """The open gate: gate, revision, request, content; raises a 404 problem when none is open."""
    gate = gate_of(campaign)
    waiting = await fanfare.runs.open_gate(campaign.id) if gate else None
    if gate is None or waiting is None:
        raise Problem(404, "no-open-approval", "No open approval", _no_gate(campaign))
    shown = waiting[1]["action_requests"][0]["args"]
    return {"gate": gate, "revision": campaign.revision, "request": waiting[1], "content": shown["content"]}


async def decide(fanfare: Fanfare, caller: Caller, campaign: Campaign, request: DecisionRequest) -> Campaign:
    """Take a decision, of many at once exactly one, and go on. Raises 409 and 422 problems."""
    _is_open(campaign, request)
    if request.type == "approve" and fanfare.settings.four_eyes:
        await _require_other_eyes(fanfare, caller, campaign)
    if request.type == "edit":
        await _check_edit(fanfare, campaign, request)
    if request.type == "approve":
        await _check_approval(fanfare, campaign, request.gate)
    if request.type == "respond" and request.gate == "creatives" and not campaign.order["languages"]:
        detail = "Nothing here is written anew from a comment: there are no translations. Approve or reject."
        raise invalid(detail, [{"loc": ["type"], "msg": detail}])
    decision = Decision(
        type=request.type,
        revision=request.revision,
        edits=request.plain,
        message=request.comment if request.type == "respond" else None,  # nobody else reads it
    )
    decided = Decided(
        id=new_id(), tenant=campaign.tenant, campaign_id=campaign.id, gate=request.gate, revision=request.revision,
        type=request.type, by=caller.signature, comment=request.comment, edits=request.plain,
        decided_at=now(),
    )  # fmt: skip
    resume = decision.model_dump(exclude_none=True, exclude_defaults=True)
    taken = await fanfare.records.decide(decided, resume=resume)
    now_is = await get(fanfare, campaign.id, tenant=campaign.tenant)
    if not taken:
        _is_open(now_is, request)
        raise _already()
    fanfare.runs.go(campaign.id)
    return now_is


async def cancel(fanfare: Fanfare, campaign: Campaign) -> Campaign:
    """Stop a campaign for good; raises a 409 problem when it has ended."""
    if not await fanfare.records.change(
        campaign.id,
        {"status": "cancelled", "revision": None, "decision": None},
        where=("queued", "running", *AWAITING.values()),
    ):
        now_is = await get(fanfare, campaign.id, tenant=campaign.tenant)
        raise conflict("already-ended", f"The campaign is {_said(now_is)}; there is nothing to cancel.")
    await fanfare.runs.cancel(campaign.id)
    return await get(fanfare, campaign.id, tenant=campaign.tenant)


async def retry(fanfare: Fanfare, campaign: Campaign, asked: RetryRequest) -> Campaign:
    """Let a failed campaign go on from its last checkpoint; raises a 409 problem when it has not failed."""
    values: dict[str, Any] = {"status": "queued", "error": None}
    if asked.budget_usd is not None:
        values["budget_usd"] = str(asked.budget_usd)
    if not await fanfare.records.change(campaign.id, values, where=("failed",)):
        now_is = await get(fanfare, campaign.id, tenant=campaign.tenant)
        raise conflict("not-failed", f"The campaign is {_said(now_is)}; only a failed one can be retried.")
    fanfare.runs.go(campaign.id)
    return await get(fanfare, campaign.id, tenant=campaign.tenant)


def package(campaign: Campaign) -> str:
    """The finished package's SHA-256; raises a 409 problem before it is finished."""
    if campaign.package_sha256 is None:
        raise conflict("not-completed", f"The campaign is {_said(campaign)}; its package is not made yet.")
    return campaign.package_sha256


def gate_of(campaign: Campaign) -> Gate | None:
    """The gate that the campaign sleeps at, or None."""
    return GATES.get(campaign.status)


async def standing(fanfare: Fanfare, campaign: Campaign, gate: Gate) -> Literal["waiting", "open", "decided"]:
    """Whether `gate` is still to come, or is open, or has nothing left to decide."""
    if gate_of(campaign) == gate:
        return "open"
    taken = campaign.decision if campaign.step == f"gate_{gate}" else None
    if campaign.ended or (taken and taken["type"] in ("approve", "reject")):
        return "decided"
    return "decided" if gate in (await fanfare.runs.state(campaign.id)).get("approved", {}) else "waiting"


def _writable(fanfare: Fanfare, request: CampaignRequest) -> None:
    known = model_languages(fanfare.settings)
    if known is None:
        return
    for name in (request.source_language, *request.languages):
        if name not in known:
            detail = (
                f"The rehearsal model cannot write {name}; it knows {', '.join(sorted(known))}. "
                "Set OPENAI_API_KEY to use a model that can."
            )
            raise invalid(detail, [{"loc": ["languages"], "msg": detail}])


async def _picture(fanfare: Fanfare, caller: Caller, request: CampaignRequest, image: Upload | None) -> Picture:
    if image is not None and request.image is None:
        return await uploads.keep(fanfare, caller, image)
    if image is not None or request.image is None:
        detail = "A campaign needs one photo: a part `image`, or in JSON the sha256 of an uploaded asset."
        raise invalid(detail, [{"loc": ["image"], "msg": detail}])
    return await uploads.known(fanfare, caller, request.image)


async def _check_brand(fanfare: Fanfare, caller: Caller, brand: Brand | None) -> None:
    """Refuse a brand whose files are not stored, or are of another kind than they are named for."""
    for part, kind in (("logo", "image"), ("font", "font"), ("bold_font", "font")):
        sha256 = getattr(brand, part, None)
        if sha256 is None:
            continue
        found = None
        if await fanfare.assets.renew(sha256, tenant=caller.tenant):
            with contextlib.suppress(AssetNotFound):
                found = (await fanfare.assets.find(sha256, tenant=caller.tenant)).media_type
        if found is None or not found.startswith(f"{kind}/"):
            lack = f"is {found}, not {'a picture' if kind == 'image' else 'a font'}" if found else "is not stored"
            detail = f"The brand's {part}, asset {sha256}, {lack}; upload it with POST /v1/assets first."
            raise invalid(detail, [{"loc": ["brand", part], "msg": detail}])


def _used() -> Problem:
    return conflict("idempotency-conflict", "This Idempotency-Key was used for another campaign; use a new one.")


def _body_hash(request: CampaignRequest, image: Upload | None) -> str:
    """The hash of what was sent, which is not always what is kept."""
    asked = request.model_dump(mode="json")
    if image is not None:
        asked["image"] = hashlib.sha256(image.data).hexdigest()
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _is_open(campaign: Campaign, request: DecisionRequest) -> None:
    if gate_of(campaign) == request.gate and campaign.revision == request.revision:
        return
    if campaign.decided_revision == request.revision:
        raise _already()
    if gate_of(campaign) == request.gate:
        raise conflict("stale-revision", "What you were shown has changed since; read the approval again.")
    raise conflict("no-open-approval", _no_gate(campaign))


def _already() -> Problem:
    return conflict("already-decided", "Somebody decided on this before you; read the campaign's status.")


def _no_gate(campaign: Campaign) -> str:
    if campaign.status in ENDED:
        return f"The campaign is {campaign.status}; nothing is left to decide."
    return f"The campaign is {_said(campaign)}; that gate is not open."


def _said(campaign: Campaign) -> str:
    return campaign.status.replace("_", " ")


async def _require_other_eyes(fanfare: Fanfare, caller: Caller, campaign: Campaign) -> None:
    """Refuse whoever has edited the campaign, and the guests of whoever has."""
    decided = await fanfare.records.decisions(campaign.id)
    editors = {one.by for one in decided if one.type == "edit"}
    if editors & {caller.subject, caller.sponsor}:
        who = "You have" if caller.subject in editors else "Whoever made this link has"
        detail = f"{who} edited this campaign, so somebody else must approve it."
        raise Problem(403, "four-eyes", "Forbidden", detail)


async def _check_edit(fanfare: Fanfare, campaign: Campaign, request: DecisionRequest) -> None:
    """Apply the edit to a copy of what is shown, and refuse it where the rules block."""
    shown = (await approval(fanfare, campaign))["content"]
    decision = Decision(type="edit", revision=request.revision, edits=request.plain)
    try:
        changed = edited(request.gate, shown, decision)
    except EditRefused as error:
        raise invalid(str(error), [{"loc": ["edits"], "msg": str(error)}]) from None
    order = Order.model_validate(campaign.order)
    before, after = _texts_at(request.gate, shown, order), _texts_at(request.gate, changed, order)
    broken = [
        finding
        for name, copy in after.items()
        if copy != before[name]
        for finding in _brought_in(copy_of(before[name]), copy_of(copy), order, name)
    ]
    if broken:
        detail = f"The edit breaks a rule: {broken[0]['message']}"
        raise Problem(422, "edit-blocked", "Edit blocked", detail, errors=broken)


def _brought_in(
    before: dict[str, Any], after: dict[str, Any], order: Order, language: str
) -> list[dict[str, Any]]:
    """What blocks in the texts that an edit changed, and what blocks elsewhere because of it."""
    known = rules.findings(before, order, language)
    return [
        finding
        for finding in rules.blocking(rules.findings(after, order, language))
        if finding not in known or _text_at(before, finding) != _text_at(after, finding)
    ]


def _text_at(copy: dict[str, Any], finding: dict[str, Any]) -> str | None:
    lines = copy.get(finding["placement"], {}).get(finding["field"], [])
    return lines[finding["index"]] if finding["index"] is not None and finding["index"] < len(lines) else None


async def _check_approval(fanfare: Fanfare, campaign: Campaign, gate: Gate) -> None:
    """Refuse to approve what the platform itself refuses; anything else a person may stand up for."""
    shown = (await approval(fanfare, campaign))["content"]
    if found := rules.unfit(findings(gate, shown)):
        detail = f"This cannot be uploaded: {found[0]['message']} Edit the text, or send it back."
        raise Problem(422, "unfit", "Not fit for upload", detail, errors=found)


def _texts_at(gate: Gate, shown: dict[str, Any], order: Order) -> dict[str, dict[str, Any]]:
    return {order.source_language: shown["copy"]} if gate == "copy" else shown["translations"]


async def content_of(fanfare: Fanfare, campaign: Campaign) -> dict[str, Any]:
    """The content as far as the campaign has come, creatives with the address of their picture."""
    seen = content(await fanfare.runs.state(campaign.id))
    for creative in seen["creatives"]:
        creative["url"] = fanfare.picture_links.to(creative["asset"]["sha256"], tenant=campaign.tenant)
    return seen
