"""Servers for the suites of the Redis saver: one of each kind that all tests share, and some to break."""

from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest

from graph.checkpoints import RedisSaver
from tests.checkpoints import Plain, connect
from tests.stores import SERVERS, Server, start_server
from tests.tls import issue, tls_front


@pytest.fixture(scope="session", params=SERVERS)
def shared_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    server = start_server(request.param, tmp_path_factory.mktemp("a folder with spaces"))
    yield server
    server.kill()


@pytest.fixture(params=SERVERS)
def own_server(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Server]:
    """Start a server that the test may break."""
    server = start_server(request.param, tmp_path)
    yield server
    server.kill()


@pytest.fixture
async def redis(shared_server: Server) -> AsyncIterator[Plain]:
    """A plain client of an empty server."""
    async with connect(shared_server.url) as client:
        await client.flushall()
        yield client


@pytest.fixture
async def saver(shared_server: Server, redis: Plain) -> AsyncIterator[RedisSaver]:
    """A saver on an empty server."""
    assert await redis.dbsize() == 0
    async with RedisSaver.from_url(shared_server.url) as opened:
        yield opened


@pytest.fixture
def secure(shared_server: Server, tmp_path: Path) -> Generator[tuple[int, Path]]:
    """A TLS port that leads to the shared server, and the certificate to trust."""
    certificate = issue(tmp_path)
    with tls_front(shared_server.port, certificate) as port:
        yield port, certificate
