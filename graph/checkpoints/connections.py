"""The server that a URL names: one alone, a cluster, or the primary that sentinels know."""

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Literal, NamedTuple, TypeAlias
from urllib.parse import SplitResult, urlsplit

import redis
import redis.asyncio
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import EqualJitterBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException
from redis.retry import Retry

from graph.checkpoints.errors import FAILURES, explain

AsyncClient: TypeAlias = redis.asyncio.Redis | redis.asyncio.RedisCluster
SyncClient: TypeAlias = redis.Redis | redis.RedisCluster

_PORTS = {"": 6379, "cluster": 6379, "sentinel": 26379}


class _UnusableURL(ValueError):
    """A URL that names no server; the message holds nothing of its user and password."""


class Location(NamedTuple):
    """A URL, read."""

    url: str
    topology: Literal["", "cluster", "sentinel"]
    hosts: Sequence[tuple[str, int]]
    service: str
    options: Mapping[str, Any]
    """Keyword arguments of a connection to a node of a cluster, or to the primary behind sentinels."""
    sentinel_options: Mapping[str, Any]

    def __str__(self) -> str:
        """Name the place in messages, without user or password."""
        return ",".join(f"{host}:{port}" for host, port in self.hosts) or urlsplit(self.url).path


def locate(url: str) -> Location:
    """Read a URL; ValueError with the form that it should have.

    `redis://[user:password@]host[:port][/db]` and `unix:///path` name one server,
    `redis+cluster://host[:port],host[:port]` some nodes of a cluster, and
    `redis+sentinel://host[:port],host[:port]/service[/db]` a service that sentinels watch, whose own
    credentials go into `?sentinel_username=` and `?sentinel_password=`. With `rediss` in place of `redis`
    the connections are TLS. redis-py's options (`ssl_ca_certs`, `client_name`, …) go into the query.
    """
    try:
        return _located(url)
    except _UnusableURL:
        raise
    except ValueError:  # it may quote the password
        raise ValueError("The Redis URL cannot be read: write / ? # @ in a password as %2F %3F %23 %40") from None


def _located(url: str) -> Location:
    parts = urlsplit(url)
    scheme, _, topology = parts.scheme.partition("+")
    if scheme not in {"redis", "rediss", "unix"} or topology not in _PORTS or (topology and scheme == "unix"):
        raise _UnusableURL(
            f"A Redis URL begins with redis://, rediss://, unix://, {_FORMS}, not {parts.scheme}://"
        )
    hosts = [_host(each, _PORTS[topology]) for each in parts.netloc.rpartition("@")[2].split(",") if each]
    _require_known(parts)
    if not topology:
        hosts = hosts or ([] if scheme == "unix" else [_host("", _PORTS[""])])
        return Location(url, "", hosts, "", {}, {})
    service, _, db = parts.path.strip("/").partition("/") if topology == "sentinel" else ("", "", "")
    if (topology == "cluster" and parts.path.strip("/")) or (db and not db.isdecimal()):
        raise _UnusableURL("A cluster has no databases, and behind sentinels a database is a number.")
    if not hosts or (topology == "sentinel" and not service):
        raise _UnusableURL(f"A Redis URL of several servers looks like {_FORMS}")
    options, own = _options(parts, scheme, db)
    return Location(url, "cluster" if topology == "cluster" else "sentinel", hosts, service, options, own)


_FORMS = "redis+cluster://host:port,host:port or redis+sentinel://host:port,host:port/service"


def _require_known(parts: SplitResult) -> None:
    """Refuse options in the query that no connection takes: redis-py would raise at the first command only."""
    plain = parts._replace(scheme=parts.scheme.partition("+")[0], netloc="localhost", path="/0")
    options: dict[str, Any] = dict(parse_url(plain.geturl()))
    for elsewhere in ("max_connections", "sentinel_username", "sentinel_password"):
        options.pop(elsewhere, None)
    try:
        options.pop("connection_class", redis.asyncio.Connection)(**options)
    except TypeError:
        raise _UnusableURL("The Redis URL has an option in its query that redis-py does not know.") from None


def _host(text: str, port: int) -> tuple[str, int]:
    named = urlsplit(f"//{text}")
    return named.hostname or "localhost", named.port or port


def _options(parts: SplitResult, scheme: str, db: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Let redis-py read what is not an address: the node's options, and those of the sentinels."""
    credentials, at, _ = parts.netloc.rpartition("@")
    known: dict[str, Any] = dict(parse_url(f"{scheme}://{credentials}{at}localhost/{db}?{parts.query}"))
    for address in ("host", "port", "connection_class"):
        known.pop(address, None)
    shared = {name: value for name, value in known.items() if name.startswith("ssl_")}
    if scheme == "rediss":
        known["ssl"] = shared["ssl"] = True
    credentials_of_sentinels = {name: known.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    return known, {**shared, **{name: value for name, value in credentials_of_sentinels.items() if value}}


@asynccontextmanager
async def open_async(
    location: Location, *, timeout: float, max_connections: int | None = None, retries: int = 0
) -> AsyncGenerator[AsyncClient]:
    """Give a client for asyncio, and close its connections afterwards.

    `timeout` bounds, in seconds, connecting and each answer; a lost connection is tried again `retries` times.
    """
    retry = AsyncRetry(EqualJitterBackoff(cap=1, base=0.05), retries, (RedisConnectionError,))
    client, *others = _clients(redis.asyncio, location, retry, timeout, max_connections)
    try:
        if location.topology == "cluster":
            # Many first calls at once break a client that has not seen its cluster; one away is told later.
            with suppress(*FAILURES):
                await client.initialize()
        yield client
    finally:
        for each in (client, *others):
            await each.aclose()


@contextmanager
def open_sync(location: Location, *, timeout: float, max_connections: int | None = None) -> Generator[SyncClient]:
    """Give a client for threads, which never retries by itself, and close its connections afterwards."""
    retry = Retry(NoBackoff(), 0)
    try:
        client, *others = _clients(redis, location, retry, timeout, max_connections)
    except RedisClusterException as error:  # it looks for the cluster at once
        raise explain(error, where=f"The checkpoint store at {location}", thread_id="") from error
    try:
        yield client
    finally:
        for each in (client, *others):
            each.close()


def _clients(kit: Any, location: Location, retry: Any, timeout: float, limit: int | None) -> list[Any]:
    """Make the client that `location` asks for, followed by those of its sentinels; `kit` is redis or its twin."""
    bounds: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": timeout, "retry": retry}
    most = {} if limit is None else {"max_connections": limit}
    if location.topology == "sentinel":
        watch = kit.Sentinel(location.hosts, sentinel_kwargs={**bounds, **location.sentinel_options}, **bounds)
        return [watch.master_for(location.service, **most, **location.options), *watch.sentinels]
    if location.topology == "cluster":
        nodes = [kit.cluster.ClusterNode(*host) for host in location.hosts]
        options = {"startup_nodes": nodes, "require_full_coverage": False}
        return [kit.RedisCluster(**options, **most, **bounds, **location.options)]
    pool = kit.ConnectionPool.from_url(location.url, **most, **bounds)
    return [kit.Redis.from_pool(pool)]


def describe(options: Mapping[str, Any]) -> str:
    """Name the server of a client that somebody else made; ValueError if the client cannot carry bytes."""
    if options.get("decode_responses"):
        raise ValueError("Checkpoints are bytes: give the saver a client with decode_responses=False.")
    if path := options.get("path"):
        return str(path)
    return f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
