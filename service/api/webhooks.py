"""The calls about webhooks, for those who manage; and what webhooks are sent."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from service import webhooks
from service.announcements import EventBody, EventType
from service.api.deps import App, Limit, Manager, cut
from service.api.document import links, problems
from service.problems import conflict, not_found
from service.tables import Delivery, DeliveryStatus, Webhook
from service.webhooks import CAMPAIGNS, MOST_WEBHOOKS, TooManyWebhooks

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
events = APIRouter()

_ID = r"^[0-9a-z-]{1,36}$"
Id = Annotated[str, Path(pattern=_ID)]
Wanted = Annotated[str | None, Query(pattern=_ID)]


class WebhookRequest(BaseModel):
    """Where to send events."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        min_length=1,
        max_length=2048,
        description="An address on the public Internet.",
        json_schema_extra={"format": "uri"},
        examples=["https://hooks.example.com/fanfare"],
    )


class WebhookBody(BaseModel):
    """An address that hears of every campaign; `disabled_at` tells since when nothing is sent to it."""

    id: str
    url: str
    created_at: str
    disabled_at: str | None

    @classmethod
    def of(cls, webhook: Webhook) -> "WebhookBody":
        """The record as callers see it."""
        return cls.model_validate(webhook, from_attributes=True)


class SecretBody(BaseModel):
    """What receivers check signatures with. It is shown this once."""

    secret: str = Field(pattern="^whsec_", examples=["whsec_bm90IGEgc2VjcmV0LCBidXQgYW4gZXhhbXBsZSBvbmx5"])


class NewWebhookBody(WebhookBody, SecretBody):
    """A new webhook with its secret."""


class RotationRequest(BaseModel):
    """How long the secrets before it go on signing; 0 for one that has become known."""

    model_config = ConfigDict(extra="forbid")

    overlap_hours: float = Field(default=24, ge=0, le=168, allow_inf_nan=False)


class WebhookPage(BaseModel):
    """Every webhook, oldest first."""

    items: list[WebhookBody]
    next_cursor: None = None


class DeliveryBody(BaseModel):
    """One event on its way to one address; `webhook_id` is null where a campaign named the address itself."""

    id: str
    event_id: str
    type: EventType
    campaign_id: str
    webhook_id: str | None
    url: str
    status: DeliveryStatus
    attempts: int
    occurred_at: str
    due_at: str | None = Field(description="When it is sent, or sent again if nothing is heard of it.")
    ended_at: str | None
    last_status: int | None = Field(description="The HTTP status that the receiver answered last.")
    last_error: str | None

    @classmethod
    def of(cls, delivery: Delivery) -> "DeliveryBody":
        """The record as callers see it."""
        return cls.model_validate(delivery, from_attributes=True)


class DeliveryPage(BaseModel):
    """A page of deliveries, newest first; `next_cursor` is null on the last."""

    items: list[DeliveryBody]
    next_cursor: str | None


_ABOUT_A_WEBHOOK = ("get_webhook", "remove_webhook", "enable_webhook", "rotate_secret")


@router.post(
    "",
    status_code=201,
    responses={
        **problems(403, 409, 422),
        201: {"links": links(_ABOUT_A_WEBHOOK, webhook_id="$response.body#/id")},
    },
)
async def add_webhook(asked: WebhookRequest, response: Response, fanfare: App, caller: Manager) -> NewWebhookBody:
    """Send every event of every campaign to an address, signed with a secret that is shown this once."""
    await webhooks.accept(fanfare.outbound, asked.url, field="url")
    try:
        added, secret = await fanfare.webhooks.add(caller.tenant, asked.url)
    except TooManyWebhooks:
        detail = f"There are {MOST_WEBHOOKS} webhooks already, which is the most; remove one first."
        raise conflict("too-many-webhooks", detail) from None
    response.headers["Location"] = f"/v1/webhooks/{added.id}"
    return NewWebhookBody(**WebhookBody.of(added).model_dump(), secret=secret)


@router.get("", responses=problems(403))
async def list_webhooks(fanfare: App, caller: Manager) -> WebhookPage:
    """The webhooks, without their secrets."""
    return WebhookPage(items=[WebhookBody.of(one) for one in await fanfare.webhooks.of(caller.tenant)])


_REPLAYING = links(("replay_delivery",), delivery_id="$response.body#/items/0/id")


@router.get("/deliveries", responses={**problems(403, 422), 200: {"links": _REPLAYING}})
async def list_deliveries(
    fanfare: App,
    caller: Manager,
    status: DeliveryStatus | None = None,
    webhook_id: Wanted = None,
    limit: Limit = 20,
    cursor: Wanted = None,
) -> DeliveryPage:
    """What was sent, is on its way, or is `dead`: given up."""
    found = await fanfare.outbox.page(
        caller.tenant, status=status, webhook_id=webhook_id, after=cursor, limit=limit + 1
    )
    rows, last = cut(found, limit)
    return DeliveryPage(items=[DeliveryBody.of(row) for row in rows], next_cursor=last and last.id)


@router.post("/deliveries/{delivery_id}/replay", status_code=202, responses=problems(403, 404, 409, 422))
async def replay_delivery(delivery_id: Id, fanfare: App, caller: Manager) -> DeliveryBody:
    """Send an event again that has arrived or is dead, under the same `webhook-id`."""
    delivery = await fanfare.outbox.get(delivery_id, tenant=caller.tenant)
    if delivery is None:
        raise not_found("delivery")
    webhook = await fanfare.webhooks.get(delivery.webhook_id or "", tenant=caller.tenant)
    if webhook and webhook.disabled_at:
        raise conflict("webhook-disabled", "The receiver answered 410 once; enable the webhook first.")
    if not await fanfare.outbox.replay(delivery_id):
        raise conflict("still-pending", "It is being tried still; there is nothing to replay.")
    again = await fanfare.outbox.get(delivery_id, tenant=caller.tenant)
    if again is None:
        raise not_found("delivery")
    return DeliveryBody.of(again)


async def _webhook(webhook_id: Id, fanfare: App, caller: Manager) -> Webhook:
    found = await fanfare.webhooks.get(webhook_id, tenant=caller.tenant)
    if found is None:
        raise not_found("webhook")
    return found


Found = Annotated[Webhook, Depends(_webhook)]


@router.get("/{webhook_id}", responses=problems(403, 404, 422))
async def get_webhook(webhook: Found) -> WebhookBody:
    """One webhook, without its secret."""
    return WebhookBody.of(webhook)


@router.delete("/{webhook_id}", status_code=204, responses=problems(403, 404, 422))
async def remove_webhook(webhook: Found, fanfare: App) -> None:
    """Send nothing to it any more, and forget what was sent and its secrets."""
    await fanfare.webhooks.remove(webhook.id, tenant=webhook.tenant)


@router.post("/{webhook_id}/enable", status_code=200, responses=problems(403, 404, 422))
async def enable_webhook(webhook: Found, fanfare: App) -> WebhookBody:
    """Send to it again, after it had answered 410."""
    await fanfare.webhooks.enable(webhook.id, tenant=webhook.tenant)
    return WebhookBody.of(webhook).model_copy(update={"disabled_at": None})


@router.post("/{webhook_id}/rotate", status_code=200, responses=problems(403, 404, 422))
async def rotate_secret(
    webhook_id: Id, fanfare: App, caller: Manager, asked: RotationRequest | None = None
) -> SecretBody:
    """Make a new secret. As `webhook_id`, `campaigns` means the one for the addresses that campaigns name."""
    if webhook_id != CAMPAIGNS:
        await _webhook(webhook_id, fanfare, caller)
    overlap = (asked or RotationRequest()).overlap_hours * 3600
    return SecretBody(secret=await fanfare.webhooks.rotate(caller.tenant, webhook_id, overlap_seconds=overlap))


@events.post("campaign", operation_id="campaign_event", tags=["webhooks"])
def campaign_event(body: EventBody) -> None:  # pyright: ignore[reportUnusedParameter] - FastAPI documents it
    """A campaign has come to a status that somebody waits for; any 2xx means that it was taken."""
