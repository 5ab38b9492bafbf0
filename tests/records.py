"""Campaign records without a service: rows to write, and a database to write them to."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from service import migrations
from service.database import Database, Pool
from service.tables import Campaign, Decided, Status, new_id, now

TENANT = "default"


def record(number: int = 0, **values: Any) -> Campaign:
    """A campaign that was created `number` milliseconds into the year."""
    created = f"2026-01-01T{number // 3_600_000:02}:{number // 60_000 % 60:02}:{number / 1000 % 60:06.3f}Z"
    status: Status = "queued"
    given = {
        "id": new_id(), "tenant": TENANT, "name": f"Aurora {number}", "status": status, "step": None,
        "progress": 0.0, "order": {"number": number}, "cost": {}, "error": None, "decision": None,
        "budget_usd": None, "idempotency_key": None, "body_hash": "0" * 64,
        "created_at": created, "updated_at": created,
    }  # fmt: skip
    return Campaign(**{**given, **values})


def decision(campaign: Campaign, *, gate: str = "copy", revision: str = "r1", by: str = "local") -> Decided:
    """An approval of what the campaign shows, or of what it does not."""
    return Decided(
        id=new_id(), tenant=campaign.tenant, campaign_id=campaign.id, gate=gate, revision=revision, type="approve",
        by=by, comment=None, edits={}, decided_at=now(),
    )  # fmt: skip


@contextlib.asynccontextmanager
async def migrated(
    url: str, *, replica_url: str | None = None, pool: Pool | None = None
) -> AsyncGenerator[Database]:
    """The database at `url`, with its tables."""
    await migrations.upgrade(url)
    async with Database.open(url, replica_url=replica_url, pool=pool) as database:
        yield database
