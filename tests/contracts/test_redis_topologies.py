"""The savers on what people run: a cluster, a primary behind a sentinel, TLS, users with few rights."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncGenerator, Generator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError

from graph.checkpoints import CheckpointStoreDenied, CheckpointStoreUnavailable, RedisSaver, SyncRedisSaver
from graph.checkpoints.connections import locate
from tests.checkpoints import (
    ODD_IDS,
    Plain,
    at,
    chain,
    connect,
    id_of,
    ids,
    operations,
    outcome,
    put,
    settled,
    word_at,
)
from tests.stores import SERVERS, Server, cluster_url, free_port, start_cluster, start_server

# A cluster


@pytest.fixture(scope="module", params=SERVERS)
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[list[Server]]:
    """Three primaries that share the slots."""
    with start_cluster(request.param, tmp_path_factory.mktemp("cluster")) as nodes:
        yield nodes


async def connections(stack: contextlib.AsyncExitStack, nodes: list[Server]) -> list[Plain]:
    return [await stack.enter_async_context(connect(node.url)) for node in nodes]


@pytest.fixture
async def sharded(cluster: list[Server]) -> AsyncGenerator[RedisSaver]:
    for node in cluster:
        async with connect(node.url) as client:
            await client.flushall()
    async with RedisSaver.from_url(cluster_url(cluster), ttl=600) as saver:
        yield saver


async def sizes(nodes: list[Server]) -> list[int]:
    """How many keys each node holds."""
    held: list[int] = []
    for node in nodes:
        async with connect(node.url) as client:
            held.append(await client.dbsize())
    return held


async def test_every_operation_works_on_a_cluster(cluster: list[Server], sharded: RedisSaver) -> None:
    threads = [*ODD_IDS, *(f"thread {number}" for number in range(30))]
    for thread in threads:
        config = await put(sharded.fenced(3), at(thread), thread.encode("utf-8", "backslashreplace").decode())
        await sharded.aput_writes(config, [("c", 1)], "task")
    assert min(await sizes(cluster)) > 0
    assert sum(await sizes(cluster)) == 6 * len(threads)
    assert len(await ids(sharded, None)) == len(threads)
    for name, operation in operations(sharded, await put(sharded, at("own"))).items():
        assert await outcome(operation) is None, name
    await sharded.adelete_for_runs(["run"])
    await sharded.aprune([*threads, "copy of own"], strategy="delete")
    assert sum(await sizes(cluster)) == 0


async def test_a_thread_is_copied_from_one_node_to_another(cluster: list[Server], sharded: RedisSaver) -> None:
    configs = await chain(sharded, "source", 3)
    for number in range(10):
        await sharded.acopy_thread("source", f"copy {number}")
        assert await ids(sharded, at(f"copy {number}")) == [id_of(each) for each in reversed(configs)]
    assert min(await sizes(cluster)) > 0


async def test_the_check_looks_at_every_node_of_a_cluster(cluster: list[Server], sharded: RedisSaver) -> None:
    assert await sharded.check() == []
    async with connect(cluster[2].url) as third:
        await third.config_set("appendonly", "no")
        try:
            (warning,) = await sharded.check()
        finally:
            await third.config_set("appendonly", "yes")
    assert f"127.0.0.1:{cluster[2].port} keeps nothing on disk" in warning


async def test_a_dead_node_is_told_and_the_others_go_on(cluster: list[Server]) -> None:
    async with RedisSaver.from_url(cluster_url(cluster), timeout=0.3) as saver:
        threads = [f"thread {number}" for number in range(8)]
        for thread in threads:
            await put(saver, at(thread))
        cluster[2].kill()
        raised = [await outcome(partial(word_at, saver, at(thread))) for thread in threads]
        cluster[2].start()
        lost = [each for each in raised if each is not None]
        assert {type(each) for each in lost} == {CheckpointStoreUnavailable}
        assert 0 < len(lost) < len(threads)

        async def whole() -> bool:
            return not any([await outcome(partial(word_at, saver, at(thread))) for thread in threads])

        assert await settled(whole, seconds=20)


async def test_a_call_waits_while_its_slot_moves(cluster: list[Server], sharded: RedisSaver) -> None:
    config = await put(sharded, at("moving"), "kept")
    async with contextlib.AsyncExitStack() as stack:
        clients = await connections(stack, cluster)
        names = [await client.execute_command("CLUSTER MYID") for client in clients]
        slot = await clients[0].execute_command("CLUSTER KEYSLOT", "fanfare:{moving}:timeline")
        held = [await client.execute_command("CLUSTER COUNTKEYSINSLOT", slot) for client in clients]
        home = held.index(max(held))
        away = (home + 1) % 3
        await clients[away].execute_command("CLUSTER SETSLOT", slot, "IMPORTING", names[home])
        await clients[home].execute_command("CLUSTER SETSLOT", slot, "MIGRATING", names[away])
        keys = await clients[home].execute_command("CLUSTER GETKEYSINSLOT", slot, 100)
        await clients[home].execute_command("MIGRATE", "127.0.0.1", cluster[away].port, "", 0, 5000, "KEYS", *keys)
        reading = asyncio.create_task(word_at(sharded, at("moving")))
        assert await asyncio.wait([reading], timeout=0.3) == (set(), {reading})
        for client in (clients[away], clients[home], *clients):
            await client.execute_command("CLUSTER SETSLOT", slot, "NODE", names[away])
        assert await reading == "kept"
    await put(sharded, config, "later")
    assert len(await ids(sharded, at("moving"))) == 2


def test_the_synchronous_saver_works_on_a_cluster(cluster: list[Server]) -> None:
    with SyncRedisSaver.from_url(cluster_url(cluster)) as saver:
        assert saver.check() == []
        for number in range(12):
            saver.put_writes(at(f"sync {number}", "", "1"), [("c", 1)], "task")
            saver.delete_thread(f"sync {number}")
        assert list(saver.list(at("sync 1"))) == []


def test_a_cluster_that_is_not_there_is_told() -> None:
    with (
        pytest.raises(CheckpointStoreUnavailable, match="cannot be reached"),
        SyncRedisSaver.from_url(f"redis+cluster://127.0.0.1:{free_port()}", timeout=0.2) as saver,
    ):
        saver.check()


# A primary behind a sentinel


@pytest.fixture(params=SERVERS)
def watched(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[tuple[Server, Server, int]]:
    """A primary, its replica and the port of the sentinel that watches both."""
    folders = [tmp_path / name for name in ("primary", "replica", "sentinel")]
    for folder in folders:
        folder.mkdir()
    with contextlib.ExitStack() as stack:
        primary = start_server(request.param, folders[0], "--repl-diskless-sync-delay", "0")
        stack.callback(primary.kill)
        replica = start_server(request.param, folders[1], "--replicaof", f"127.0.0.1 {primary.port}")
        stack.callback(replica.kill)
        port = free_port()
        settings = folders[2] / "sentinel.conf"
        settings.write_text(
            f"port {port}\nbind 127.0.0.1\nsentinel monitor song 127.0.0.1 {primary.port} 1\n"
            "sentinel down-after-milliseconds song 300\nsentinel failover-timeout song 2000\n"
        )
        words = [primary.binary, "sentinel.conf", "--sentinel"]
        sentinel = subprocess.Popen(words, cwd=folders[2], stdout=subprocess.DEVNULL)
        stack.callback(sentinel.wait)
        stack.callback(sentinel.kill)
        yield primary, replica, port


async def test_a_saver_follows_the_primary_through_a_failover(watched: tuple[Server, Server, int]) -> None:
    primary, replica, sentinel = watched
    async with (
        connect(f"redis://127.0.0.1:{sentinel}") as watch,
        connect(primary.url) as client,
        connect(replica.url) as copy,
    ):

        async def known() -> bool:
            with contextlib.suppress(RedisError):  # it is still starting
                return len(await watch.execute_command("SENTINEL REPLICAS", "song")) == 1
            return False

        async def replicated() -> bool:
            return bool(await copy.dbsize() == await client.dbsize() > 0)

        assert await settled(known)
        async with RedisSaver.from_url(f"redis+sentinel://127.0.0.1:{sentinel}/song", timeout=20) as saver:
            config = await put(saver, at("t"), "before")
            assert await settled(replicated)
            primary.kill()
            config = await put(saver, config, "after")
            assert await ids(saver, at("t"), limit=1) == [id_of(config)]
            assert len(await ids(saver, at("t"))) == 2
    async with RedisSaver.from_url(replica.url) as promoted:
        assert await word_at(promoted, at("t")) == "after"


async def test_sentinels_that_are_not_there_are_told() -> None:
    url = f"redis+sentinel://127.0.0.1:{free_port()}/song"
    async with RedisSaver.from_url(url, timeout=0.2) as saver:
        with pytest.raises(CheckpointStoreUnavailable, match="cannot be reached"):
            await saver.aget_tuple(at("t"))
    with (
        SyncRedisSaver.from_url(url, timeout=0.2) as twin,
        pytest.raises(CheckpointStoreUnavailable, match="cannot be reached"),
    ):
        twin.get_tuple(at("t"))


# TLS


async def test_tls_is_spoken_and_the_certificate_checked(secure: tuple[int, Path]) -> None:
    port, certificate = secure
    async with RedisSaver.from_url(f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}") as saver:
        await put(saver, at("t"))
        assert await word_at(saver, at("t")) == "x"
    with SyncRedisSaver.from_url(f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}") as twin:
        assert twin.get_tuple(at("t"))
    async with RedisSaver.from_url(f"rediss://127.0.0.1:{port}", timeout=0.3) as trusting_nobody:
        with pytest.raises(CheckpointStoreUnavailable, match=r"(?i)certificate"):
            await trusting_nobody.aget_tuple(at("t"))


# A user with few rights

RIGHTS = "+evalsha +eval +hset +hsetnx +hget +hmget +hexists +hdel +hkeys +zadd +zrem +zscore +zrange +zrangebylex"
MORE_RIGHTS = "+zrevrangebylex +exists +get +set +pexpireat +time +persist +unlink +dump +restore +scan +info"


async def test_a_user_needs_the_documented_rights_only(own_server: Server) -> None:
    async with connect(own_server.url) as admin:
        rights = [*RIGHTS.split(), *MORE_RIGHTS.split(), "+config|get", "+type"]
        await admin.execute_command("ACL", "SETUSER", "app", "on", ">pw", "~fanfare:*", *rights)
    async with RedisSaver.from_url(own_server.url.replace("//", "//app:pw@"), ttl=60, fence=1) as saver:
        config = await put(saver, at("t"), run_id="run")
        raised = {name: await outcome(each) for name, each in operations(saver, config).items()}
        assert {name for name, error in raised.items() if error} == set()
    async with RedisSaver.from_url(own_server.url.replace("//", "//app:pw@"), prefix="other") as saver:
        with pytest.raises(CheckpointStoreDenied, match="permissions"):
            await put(saver, at("t"))


# URLs


@pytest.mark.parametrize(
    ("url", "topology", "hosts", "service", "options"),
    [
        ("redis://", "", [("localhost", 6379)], "", {}),
        ("redis://h:1/2", "", [("h", 1)], "", {}),
        ("unix:///a/b.sock?db=1", "", [], "", {}),
        ("redis+cluster://a,[::1]:7001", "cluster", [("a", 6379), ("::1", 7001)], "", {}),
        (
            "rediss+cluster://u:p%40@a",
            "cluster",
            [("a", 6379)],
            "",
            {"username": "u", "password": "p@", "ssl": True},
        ),
        (
            "redis+sentinel://:p@a:1,b/song/3",
            "sentinel",
            [("a", 1), ("b", 26379)],
            "song",
            {"password": "p", "db": 3},
        ),
    ],
)
def test_urls_are_read(url: str, topology: str, hosts: Any, service: str, options: dict[str, Any]) -> None:
    location = locate(url)
    assert (location.topology, list(location.hosts), location.service) == (topology, hosts, service)
    assert dict(location.options) == options
    assert "p%40" not in str(location)


def test_the_credentials_of_sentinels_are_apart() -> None:
    location = locate("rediss+sentinel://u:p@a/song?sentinel_username=s&sentinel_password=q&ssl_ca_certs=ca.pem")
    tls = {"ssl": True, "ssl_ca_certs": "ca.pem"}
    assert location.options == {"username": "u", "password": "p", **tls}
    assert location.sentinel_options == {"username": "s", "password": "q", **tls}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://a",
        "redis+what://a",
        "unix+cluster:///a",
        "redis+sentinel://a",
        "redis+cluster://",
        "redis+cluster://a/5",
        "redis+sentinel://a/s/x",
        "redis://:a#b@c:1/",
    ],
)
def test_a_url_that_names_no_server_is_told(url: str) -> None:
    with pytest.raises(ValueError, match=r"Redis URL|database"):
        locate(url)


def test_waiting_for_a_server_ends_in_time() -> None:
    started = time.monotonic()
    with (
        SyncRedisSaver.from_url(f"redis://127.0.0.1:{free_port()}", timeout=0.4) as saver,
        pytest.raises(CheckpointStoreUnavailable),
    ):
        saver.get_tuple(at("t"))
    assert 0.35 < time.monotonic() - started < 3
