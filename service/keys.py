"""API keys: `fanfare_ID_SECRET`, for one tenant, with roles, until they expire or are revoked."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from service.database import Database
from service.identity import Caller, Role, known
from service.outages import DatabaseUnavailable
from service.secret import matches, new_secret
from service.tables import ApiKey, is_id, later, new_id, now

log = structlog.get_logger()

PREFIX = "fanfare_"
_KEY = re.compile(rf"{PREFIX}([0-9a-f]{{32}})_([0-9a-f]{{64}})")
_USED_EVERY_SECONDS = 60.0


class Parts(NamedTuple):
    """What a key is made of."""

    id: str
    secret: str


def parts(key: str) -> Parts | None:
    """The id and the secret in `key`, or None when it is not written as one."""
    found = _KEY.fullmatch(key)
    return Parts(str(UUID(found[1])), found[2]) if found else None


class Keys:
    """The keys of every tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, tenant: str, *, name: str, roles: Sequence[Role], by: str, seconds: float | None = None
    ) -> tuple[ApiKey, str]:
        """A new key that lasts `seconds`, or until it is revoked; with the text that is shown this once."""
        secret, kept = new_secret()
        row = ApiKey(
            id=new_id(), tenant=tenant, name=name, roles=list(roles), secret_sha256=kept, created_by=by,
            created_at=now(), expires_at=None if seconds is None else later(seconds),
        )  # fmt: skip
        async with self._database.writing() as session:
            session.add(row)
        return row, f"{PREFIX}{UUID(row.id).hex}_{secret}"

    async def get(self, key_id: str) -> ApiKey | None:
        """The key with this id, alive or not."""
        if not is_id(key_id):
            return None
        async with self._database.reading() as session:
            return await session.get(ApiKey, key_id)

    async def known(self, key: Parts) -> ApiKey | None:
        """The key, alive or not, if its secret is the right one; a wrong id takes as long as a wrong secret."""
        row = await self.get(key.id)
        return row if matches(key.secret, row.secret_sha256 if row else None) else None

    async def page(self, tenant: str | None, *, before: str | None = None, limit: int = 100) -> Sequence[ApiKey]:
        """A tenant's keys or everybody's, newest first, older than the one with the id `before`."""
        rows = select(ApiKey).order_by(ApiKey.id.desc()).limit(limit)
        if tenant is not None:
            rows = rows.where(ApiKey.tenant == tenant)
        if before is not None:
            rows = rows.where(ApiKey.id < before)
        async with self._database.reading() as session:
            return (await session.scalars(rows)).all()

    async def revoke(self, key_id: str, *, tenant: str | None = None) -> bool:
        """End a key for good, with a tenant only if it is theirs; whether there is such a key."""
        row = await self.get(key_id)
        if row is None or tenant not in (None, row.tenant):
            return False
        ending = update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
        async with self._database.writing() as session:
            await session.execute(ending.values(revoked_at=now()))
        return True

    async def used(self, key: ApiKey) -> None:
        """Remember that the key was used, at most once a minute; never in the way of its use."""
        before = later(-_USED_EVERY_SECONDS)
        if key.last_used_at is not None and key.last_used_at > before:
            return
        due = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= before)
        try:
            async with self._database.writing() as session:
                await session.execute(update(ApiKey).where(ApiKey.id == key.id, due).values(last_used_at=now()))
        except (DatabaseUnavailable, SQLAlchemyError) as error:
            log.warning("key_use_untold", key=key.id, error=type(error).__name__)


def ended(key: ApiKey) -> str | None:
    """Why the key opens nothing any more, or None."""
    if key.revoked_at is not None:
        return "This API key was revoked; ask an admin for another."
    if key.expires_at is not None and key.expires_at <= now():
        return (
            f"This API key expired on {datetime.fromisoformat(key.expires_at):%d %B %Y}; ask an admin for another."
        )
    return None


def bearer(key: ApiKey) -> Caller:
    """Whoever has the key."""
    return Caller(key.tenant, f"key:{key.id}", known(key.roles))
