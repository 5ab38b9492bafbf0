"""Fields that people wrote are encrypted at rest, under keys that change."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from graph.checkpoints import CheckpointKeyMissing, KeyRing
from service import migrations
from service.database import Database
from service.records import Records
from service.sealing import reseal
from service.tables import Base, Campaign, Decided, now

CANARY = "ein unangekündigtes Erzeugnis"
OLD, NEW = {"old": b"o" * 32}, {"new": b"n" * 32}


def campaign(number: int) -> Campaign:
    return Campaign(
        id=f"campaign-{number:03}", tenant="acme", name="Aurora", status="awaiting_copy_approval", step=None,
        order={"product": {"description": CANARY}}, cost={}, error=None, decision=None, body_hash="0",
        revision="r", created_at=now(), updated_at=now(),
    )  # fmt: skip


def decided(number: int) -> Decided:
    return Decided(
        id=f"decision-{number}", tenant="acme", campaign_id=f"campaign-{number:03}", gate="copy", revision="r",
        type="edit", by="ada", comment=CANARY, edits={"/copy/headlines/0": CANARY}, decided_at=now(),
    )  # fmt: skip


@pytest.fixture
async def url(tmp_path: Path) -> str:
    where = f"sqlite+aiosqlite:///{tmp_path / 'records.db'}"
    await migrations.upgrade(where)
    return where


async def stored(database: Database) -> str:
    """Every value of both tables, as it lies there."""
    async with database.engine.connect() as connection:
        queries = [text("SELECT * FROM campaigns"), text("SELECT * FROM decisions")]
        return str([row for query in queries for row in await connection.execute(query)])


async def filled(url: str, ring: KeyRing | None, *, number: int = 1) -> None:
    async with Database.open(url, ring=ring) as database:
        records = Records(database)
        for at in range(number):
            await records.create(campaign(at))
            assert await records.decide(decided(at), resume={"type": "respond", "message": CANARY})


async def read(url: str, ring: KeyRing | None, *, number: int = 1) -> list[Any]:
    async with Database.open(url, ring=ring) as database:
        records = Records(database)
        return [
            (found.order["product"]["description"], (found.decision or {})["message"], said.comment, said.edits)
            for at in range(number)
            if (found := await records.get(f"campaign-{at:03}"))
            for said in await records.decisions(found.id)
        ]


WHOLE = (CANARY, CANARY, CANARY, {"/copy/headlines/0": CANARY})


async def test_nothing_that_people_wrote_lies_open_and_all_of_it_is_read_back(url: str) -> None:
    await filled(url, KeyRing(NEW))
    async with Database.open(url, ring=KeyRing(NEW)) as database:
        assert CANARY not in await stored(database)
        assert "unangek" not in await stored(database)
    assert await read(url, KeyRing(NEW)) == [WHOLE]


async def test_rows_from_before_stay_readable_until_they_are_written_anew(url: str) -> None:
    await filled(url, None, number=450)
    assert await read(url, KeyRing(NEW), number=450) == [WHOLE] * 450
    async with Database.open(url, ring=KeyRing(NEW)) as database:
        assert CANARY in await stored(database)
        assert await reseal(database.engine, Base) == {
            "campaigns": 450, "decisions": 450, "webhook_secrets": 0,
        }  # fmt: skip
        assert CANARY not in await stored(database)
    assert await read(url, KeyRing(NEW), number=450) == [WHOLE] * 450


async def test_after_a_rotation_the_old_key_can_go(url: str) -> None:
    await filled(url, KeyRing(OLD))
    with pytest.raises(CheckpointKeyMissing, match="old"):
        await read(url, KeyRing(NEW))
    async with Database.open(url, ring=KeyRing(NEW | OLD)) as database:
        await reseal(database.engine, Base)
    assert await read(url, KeyRing(NEW)) == [WHOLE]
    with pytest.raises(CheckpointKeyMissing, match="FANFARE_FIELD_KEYS"):
        await read(url, None)
