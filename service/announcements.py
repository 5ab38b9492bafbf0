"""What webhooks are told: one event for each status that somebody waits for."""

from typing import Final, Literal

import httpx2
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from graph.state import Gate
from service.api.models import links_of
from service.tables import GATES, Campaign, Delivery, Status, Webhook, new_id

EventType = Literal[
    "campaign.created", "campaign.approval.requested", "campaign.completed", "campaign.rejected",
    "campaign.failed", "campaign.cancelled",
]  # fmt: skip
TYPES: Final[dict[Status, EventType]] = {
    "awaiting_copy_approval": "campaign.approval.requested",
    "awaiting_creative_approval": "campaign.approval.requested",
    "completed": "campaign.completed",
    "rejected": "campaign.rejected",
    "failed": "campaign.failed",
    "cancelled": "campaign.cancelled",
}
"""The event that coming to a status is; the others come and go by themselves."""


class Failure(BaseModel):
    """Why a campaign stopped; the campaign itself has the sentence."""

    code: str
    step: str | None


class EventData(BaseModel):
    """How the campaign stood. Texts, comments and pictures are to be fetched by those who may."""

    status: Status
    gate: Gate | None = Field(description="The gate that waits for a decision.")
    revision: str | None = Field(description="What is shown at the gate; a decision names it.")
    error: Failure | None
    links: dict[str, str]


class EventBody(BaseModel):
    """One event, as it is sent; the header `webhook-id` repeats its id."""

    id: str
    type: EventType
    campaign_id: str
    occurred_at: str
    data: EventData


async def announce(session: AsyncSession, campaign: Campaign, kind: EventType) -> None:
    """Write down for everybody who hears of `campaign` that `kind` has happened, in `session`'s transaction."""
    heard_by = (
        select(Webhook)
        .where(Webhook.tenant == campaign.tenant, Webhook.disabled_at.is_(None))
        .order_by(Webhook.id)
        .with_for_update(read=True, key_share=True)  # nobody removes it before the delivery refers to it
    )
    places: list[tuple[str | None, str]] = [(one.id, one.url) for one in await session.scalars(heard_by)]
    if campaign.webhook_url:
        places.append((None, campaign.webhook_url))
    event_id, data = new_id(), _data(campaign).model_dump(mode="json")
    for webhook_id, url in places:
        session.add(
            Delivery(
                id=new_id(), event_id=event_id, tenant=campaign.tenant, campaign_id=campaign.id,
                webhook_id=webhook_id, type=kind, occurred_at=campaign.updated_at, data=data, url=url,
                host=httpx2.URL(url).netloc.decode(), status="pending", attempts=0, due_at=campaign.updated_at,
            )
        )  # fmt: skip


def _data(campaign: Campaign) -> EventData:
    error = campaign.error
    return EventData(
        status=campaign.status,
        gate=GATES.get(campaign.status),
        revision=campaign.revision,
        error=Failure(code=error["code"], step=error["step"]) if error else None,
        links=links_of(campaign),
    )


def body_of(delivery: Delivery) -> bytes:
    """The event that `delivery` brings, in the same bytes each time."""
    body = EventBody.model_validate(
        {
            "id": delivery.event_id, "type": delivery.type, "campaign_id": delivery.campaign_id,
            "occurred_at": delivery.occurred_at, "data": delivery.data,
        }
    )  # fmt: skip
    return body.model_dump_json().encode()
