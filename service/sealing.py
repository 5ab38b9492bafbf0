"""Columns that are encrypted at rest, under a ring of keys that can be changed.

An engine hands its dialect to the types of its columns, so the ring travels on the dialect: two databases in one
process may have two rings, and a column knows of neither. Without a ring values are stored as they are; what was
stored so stays readable once there is one.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any, Final, cast

from sqlalchemy import JSON, Column, Dialect, Row, Table, Text, and_, select, true, tuple_, update
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from graph.checkpoints import CheckpointKeyMissing, KeyRing

MARK: Final = "$sealed"
"""The key, in JSON, or the beginning, in text, by which a sealed value is known."""


def seal(engine: AsyncEngine, ring: KeyRing | None) -> None:
    """Let the sealed columns of this engine be encrypted under the first key of `ring`."""
    vars(engine.dialect)[_RING] = ring


class SealedJSON(TypeDecorator[Any]):
    """JSON that is stored as `{"$sealed": cipher, "data": base64}`; no query can look inside."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Encrypt, if there is a ring."""
        ring = _ring(dialect)
        if value is None or ring is None:
            return value
        cipher, data = ring.encrypt(json.dumps(value, ensure_ascii=False).encode())
        return {MARK: cipher, "data": base64.b64encode(data).decode()}

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Decrypt what was encrypted; raises CheckpointKeyMissing without its key."""
        sealed = cast("dict[str, str]", value)
        if not isinstance(value, dict) or MARK not in sealed:
            return cast("Any", value)
        return json.loads(_opened(dialect, sealed[MARK], sealed["data"]))


class SealedText(TypeDecorator[str]):
    """Text that is stored as `$sealed cipher base64`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Encrypt, if there is a ring."""
        ring = _ring(dialect)
        if value is None or ring is None:
            return value
        cipher, data = ring.encrypt(value.encode())
        return f"{MARK} {cipher} {base64.b64encode(data).decode()}"

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Decrypt what was encrypted; raises CheckpointKeyMissing without its key."""
        if value is None or not value.startswith(MARK + " "):
            return value
        _, cipher, data = value.split(" ", 2)
        return _opened(dialect, cipher, data).decode()


async def reseal(engine: AsyncEngine, base: type[DeclarativeBase]) -> dict[str, int]:
    """Write every sealed column of `base`'s tables anew under the first key; how many rows, by table.

    A row that changes meanwhile keeps its newer value; a repeated call begins again and harms nothing.
    """
    return {table.name: await _resealed(engine, table) for table in base.metadata.sorted_tables if _sealed(table)}


async def _resealed(engine: AsyncEngine, table: Table) -> int:
    key, columns, count = list(table.primary_key), _sealed(table), 0
    rows = select(*key, *columns).order_by(*key).limit(_PAGE)
    page: Sequence[Row[Any]] = ()
    while count == 0 or len(page) == _PAGE:
        after = tuple_(*key) > tuple_(*page[-1][: len(key)]) if page else true()
        async with engine.execution_options(writing=True).begin() as connection:
            page = (await connection.execute(rows.where(after).with_for_update())).all()
            for row in page:
                here = and_(*(column == value for column, value in zip(key, row, strict=False)))
                values = dict(zip([column.name for column in columns], row[len(key) :], strict=True))
                await connection.execute(update(table).where(here).values(values))
        if not page:
            break
        count += len(page)
    return count


def _sealed(table: Table) -> list[Column[Any]]:
    return [column for column in table.columns if isinstance(column.type, SealedJSON | SealedText)]


def _ring(dialect: Dialect) -> KeyRing | None:
    return cast("KeyRing | None", vars(dialect).get(_RING))


def _opened(dialect: Dialect, cipher: str, data: str) -> bytes:
    ring = _ring(dialect)
    if ring is None:
        raise CheckpointKeyMissing(
            f"The database holds fields encrypted under {cipher!r}; set FANFARE_FIELD_KEYS to read it."
        )
    return ring.decrypt(cipher, base64.b64decode(data))


_PAGE = 200
_RING = "fanfare_key_ring"
