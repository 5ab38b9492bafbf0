"""Webhooks: the addresses that hear of a tenant's campaigns, and the secrets that sign what they hear."""

import contextlib
from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from service.database import Database
from service.outbound import Outbound, Refused
from service.problems import invalid, sentence
from service.signatures import new_secret
from service.tables import Webhook, WebhookSecret, later, new_id, now

CAMPAIGNS: Final = "campaigns"
"""Stands for every address that a campaign names itself, where a webhook's id is asked for."""
MOST_WEBHOOKS: Final = 20
_MOST_SIGNATURES = 5


class TooManyWebhooks(Exception):
    """The tenant has as many as it may have."""


class Webhooks:
    """The webhooks of every tenant. Their secrets are read and written here and nowhere else."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, tenant: str, url: str) -> tuple[Webhook, str]:
        """A new webhook, and its secret, which no other call tells. Raises `TooManyWebhooks`."""
        webhook = Webhook(id=new_id(), tenant=tenant, url=url, created_at=now(), disabled_at=None)
        secret = _current(tenant, webhook.id)
        async with self._database.writing() as session:
            session.add_all((webhook, secret))
            mine = select(func.count()).select_from(Webhook).where(Webhook.tenant == tenant)
            if (await session.scalars(mine)).one() > MOST_WEBHOOKS:
                raise TooManyWebhooks
        return webhook, secret.secret

    async def of(self, tenant: str) -> Sequence[Webhook]:
        """The tenant's webhooks, oldest first."""
        async with self._database.reading() as session:
            rows = select(Webhook).where(Webhook.tenant == tenant).order_by(Webhook.id)
            return (await session.scalars(rows)).all()

    async def get(self, webhook_id: str, *, tenant: str) -> Webhook | None:
        """The webhook, if it is there and the tenant's."""
        async with self._database.reading() as session:
            found = await session.get(Webhook, webhook_id)
        return found if found and found.tenant == tenant else None

    async def remove(self, webhook_id: str, *, tenant: str) -> bool:
        """Forget the webhook, its secrets, and whatever is on its way to it; whether it was there."""
        async with self._database.writing() as session:
            mine = delete(Webhook).where(Webhook.id == webhook_id, Webhook.tenant == tenant)
            removed = (await session.scalars(mine.returning(Webhook.id))).one_or_none()
            if removed:
                await session.execute(delete(WebhookSecret).where(_signing(tenant, removed)))
        return removed is not None

    async def enable(self, webhook_id: str, *, tenant: str) -> None:
        """Send to it again."""
        mine = update(Webhook).where(Webhook.id == webhook_id, Webhook.tenant == tenant)
        async with self._database.writing() as session:
            await session.execute(mine.values(disabled_at=None))

    async def rotate(self, tenant: str, signs_for: str, *, overlap_seconds: float) -> str:
        """A new secret; those before it sign as well for `overlap_seconds`."""
        while True:
            with contextlib.suppress(IntegrityError):  # somebody else has rotated it in this moment
                return await self._rotate(tenant, signs_for, ends=later(overlap_seconds))

    async def _rotate(self, tenant: str, signs_for: str, *, ends: str) -> str:
        secret, mine = _current(tenant, signs_for), _signing(tenant, signs_for)
        longer = or_(WebhookSecret.expires_at.is_(None), WebhookSecret.expires_at > ends)
        async with self._database.writing() as session:
            await session.execute(update(WebhookSecret).where(mine, longer).values(expires_at=ends))
            await session.execute(delete(WebhookSecret).where(mine, WebhookSecret.expires_at <= now()))
            session.add(secret)
        return secret.secret

    async def ensure_secret(self, tenant: str) -> None:
        """Let there be a secret for the addresses that the tenant's campaigns name."""
        if await self.secrets(tenant, CAMPAIGNS):
            return
        with contextlib.suppress(IntegrityError):  # somebody else has made it in this moment
            async with self._database.writing() as session:
                session.add(_current(tenant, CAMPAIGNS))

    async def secrets(self, tenant: str, signs_for: str) -> Sequence[str]:
        """Those that sign now, the newest first."""
        unexpired = or_(WebhookSecret.expires_at.is_(None), WebhookSecret.expires_at > now())
        rows = select(WebhookSecret.secret).where(_signing(tenant, signs_for), unexpired)
        async with self._database.reading() as session:
            return (await session.scalars(rows.order_by(WebhookSecret.id.desc()).limit(_MOST_SIGNATURES))).all()


async def accept(outbound: Outbound, url: str, *, field: str) -> None:
    """Raise a 422 problem that names `field` when events may not be sent to `url`."""
    try:
        await outbound.check(url)
    except Refused as error:
        errors = [{"loc": [field], "msg": str(error)}]
        raise invalid(sentence(errors), errors) from None


def _current(tenant: str, signs_for: str) -> WebhookSecret:
    return WebhookSecret(
        id=new_id(), tenant=tenant, signs_for=signs_for, secret=new_secret(), created_at=now(), expires_at=None
    )


def _signing(tenant: str, signs_for: str) -> ColumnElement[bool]:
    return and_(WebhookSecret.tenant == tenant, WebhookSecret.signs_for == signs_for)
