"""The database's history, run by Alembic at start-up."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config

_HERE = Path(__file__).parent


async def upgrade(database_url: str) -> None:
    """Bring the database at `database_url` (async driver) to this version's tables."""
    await asyncio.to_thread(command.upgrade, _config(database_url), "head")


async def downgrade(database_url: str) -> None:
    """Take every table of ours away again."""
    await asyncio.to_thread(command.downgrade, _config(database_url), "base")


def _config(database_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.attributes["url"] = database_url
    return config
