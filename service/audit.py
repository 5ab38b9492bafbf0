"""The audit log: what was done, when and to what, without a word that names a person. It outlives erasure."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import delete, select
from sqlalchemy.engine import CursorResult

from service.database import Database
from service.identity import Caller
from service.tables import AuditEntry, new_id, now


class Audit:
    """Entries under pseudonyms: a keyed hash of tenant and subject, which nobody can guess without the key."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._database = database
        self._key = key

    def pseudonym(self, *names: str) -> str:
        """The name under which somebody stands in the log: 32 hexadecimal digits."""
        told = "\0".join(names).encode()
        return hmac.new(self._key, told, hashlib.sha256).hexdigest()[:32]

    async def note(
        self, caller: Caller, action: str, target: str | None = None, facts: Mapping[str, Any] | None = None
    ) -> None:
        """Write an entry; `facts` are numbers and ids of ours only."""
        entry = AuditEntry(
            id=new_id(), at=now(), tenant=self.pseudonym(caller.tenant), action=action, target=target,
            facts=dict(facts or {}),
            actor=self.pseudonym(caller.tenant, caller.subject),
        )  # fmt: skip
        async with self._database.writing() as session:
            session.add(entry)

    async def page(self, tenant: str, *, before: str | None, limit: int) -> Sequence[AuditEntry]:
        """Up to `limit` of the tenant's entries, newest first, older than the one with the id `before`."""
        rows = select(AuditEntry).where(AuditEntry.tenant == self.pseudonym(tenant))
        if before:
            rows = rows.where(AuditEntry.id < before)
        async with self._database.listing() as session:
            return (await session.scalars(rows.order_by(AuditEntry.id.desc()).limit(limit))).all()

    async def forget(self, *, before: str) -> int:
        """Delete entries older than that; how many."""
        async with self._database.writing() as session:
            gone = await session.execute(delete(AuditEntry).where(AuditEntry.at < before))
        return cast("CursorResult[Any]", gone).rowcount
