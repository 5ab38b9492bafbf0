"""What every test starts from: no environment of ours, no tracing, databases, a service on a folder of its own."""

import os
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from service.settings import Settings
from tests.databases import empty_database, postgres
from tests.running import Service, running


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("FANFARE_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LANGSMITH_TEST_TRACKING", "false")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A folder whose name has a space, as people's folders do."""
    return tmp_path / "data folder"


@pytest.fixture(scope="session")
def postgres_server() -> Generator[str]:
    """The URL of a Postgres: the one that TEST_DATABASE_URL names, or one that all tests of this process share."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    with postgres(fsync="off") as server:
        yield server.url


@pytest.fixture
def postgres_url(postgres_server: str) -> Generator[str]:
    """An empty database on that server."""
    with empty_database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    (tmp_path / "a folder").mkdir()
    return f"sqlite:///{tmp_path / 'a folder' / 'fanfare.db'}"


@pytest.fixture
async def service(data_dir: Path) -> AsyncGenerator[Service]:
    """The service on the embedded default, with the rehearsal model."""
    async with running(Settings(data_dir=data_dir)) as started:
        yield started
