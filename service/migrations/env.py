"""Alembic's entry: runs the migrations on the URL that the caller gives, in one transaction under a lock."""

from alembic import context
from sqlalchemy import URL, Connection, text

from service.migrations import open_engine
from service.tables import Base

_LOCK = 0x46616E66  # "Fanf": any number that no other program on the database takes


def _migrate(url: URL) -> None:
    engine = open_engine(url).execution_options(writing=True)  # on SQLite the transaction itself is the lock
    with engine.begin() as connection:
        sqlite = connection.dialect.name == "sqlite"
        if not sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
        context.run_migrations()
        if sqlite:
            _require_whole(connection)


def _require_whole(connection: Connection) -> None:
    if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise RuntimeError(f"The migration would leave rows of {broken[0]} without the {broken[2]} they refer to.")


_migrate(context.config.attributes["url"])
