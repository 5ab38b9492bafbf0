"""Alembic's entry: runs the migrations on the URL that the caller gives."""

import asyncio

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from service.pictures import Upload


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Upload.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


async def _run(url: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(_migrate)
    await engine.dispose()


asyncio.run(_run(context.config.attributes["url"]))
