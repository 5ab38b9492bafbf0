"""The one connection that carries a saver's writes: nothing lost, nothing mixed up, whatever befalls it."""

import asyncio
import gc
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig

from graph.checkpoints import CheckpointStoreFull, CheckpointStoreUnavailable, RedisSaver, StaleEpoch
from tests.checkpoints import Plain, at, connect, put, settled, word_at
from tests.stores import Server

BIG = "x" * 8_000_000


@asynccontextmanager
async def writing(url: str, *, timeout: float = 5.0) -> AsyncGenerator[RedisSaver]:
    """A saver whose line is open."""
    async with RedisSaver.from_url(url, timeout=timeout) as saver:
        await open_again(saver)
        yield saver


async def open_again(saver: RedisSaver) -> None:
    """Write until a write goes over the line."""

    async def wrote() -> bool:
        await put(saver, at("first"))
        return is_open(saver)

    assert await settled(wrote)


def wire_of(saver: Any) -> Any:
    """The connection that writes go over, or None."""
    return saver._line._wire


def is_open(saver: RedisSaver) -> bool:
    wire = wire_of(saver)
    return bool(wire and not wire.lost)


@pytest.fixture
async def admin(own_server: Server) -> AsyncIterator[Plain]:
    async with connect(own_server.url) as client:
        yield client


async def test_what_is_written_at_once_leaves_at_once(own_server: Server, admin: Plain) -> None:
    async with writing(own_server.url) as saver:
        config = await put(saver, at("t"))
        await saver.aput_writes(config, [("c", 0)], "the first teaches the server the script")
        before = (await admin.info("stats"))["total_reads_processed"]
        await asyncio.gather(*(saver.aput_writes(config, [("c", n)], f"task {n:03}") for n in range(100)))
        assert (await admin.info("stats"))["total_reads_processed"] - before < 10
        found = await saver.aget_tuple(config)
    assert found
    assert sorted(value for _, _, value in found.pending_writes or ()) == [0, *range(100)]


async def test_callers_who_give_up_take_nobody_s_answer(own_server: Server) -> None:
    chance = random.Random(3)  # noqa: S311 - a test repeats it

    async def one(saver: RedisSaver, number: int) -> tuple[str, RunnableConfig] | None:
        task = asyncio.create_task(put(saver, at(f"t{number % 7}"), str(number)))
        for _ in range(chance.randrange(6)):
            await asyncio.sleep(0)
        if chance.random() < 0.5:
            task.cancel()
        await asyncio.wait([task])
        return None if task.cancelled() else (str(number), task.result())

    async with writing(own_server.url) as saver:
        wire = wire_of(saver)
        told = [each for each in await asyncio.gather(*(one(saver, n) for n in range(400))) if each]
        assert 100 < len(told) < 400
        assert [await word_at(saver, config) for _, config in told] == [word for word, _ in told]
        assert wire_of(saver) is wire
        assert not wire._waiting


async def test_a_server_that_hangs_is_told_and_asked_once(own_server: Server) -> None:
    async with writing(own_server.url, timeout=0.4) as saver:
        with own_server.asleep():
            started = time.monotonic()
            raised = await asyncio.gather(*(put(saver, at(f"t{n}")) for n in range(20)), return_exceptions=True)
            assert time.monotonic() - started < 1.5
        assert {type(each) for each in raised} == {CheckpointStoreUnavailable}
        assert "did not answer in time" in str(raised[0])
        await open_again(saver)


async def test_connections_cut_under_load_lose_nothing(own_server: Server, admin: Plain) -> None:
    async def write(saver: RedisSaver, number: int) -> None:
        for turn in range(60):
            config = await put(saver, at(f"t{number}"), f"{number} {turn}")
            assert await word_at(saver, config) == f"{number} {turn}"

    async with writing(own_server.url) as saver:
        writers = asyncio.gather(*(write(saver, n) for n in range(6)))
        cuts = 0
        while not writers.done():
            await admin.client_kill_filter(_type="normal", skipme=True)
            cuts += 1
            if cuts % 5 == 0:
                await admin.script_flush()
            await asyncio.sleep(0.01)
        await writers
        assert cuts > 5
        await open_again(saver)


async def test_a_refusal_comes_with_its_own_error_and_the_line_stays(own_server: Server, admin: Plain) -> None:
    async with writing(own_server.url) as saver:
        config = await put(saver.fenced(5), at("t"), "new")
        with pytest.raises(StaleEpoch) as refused:
            await put(saver.fenced(4), config, "late")
        assert refused.value.held == 5
        await admin.config_set("maxmemory", "100kb")
        with pytest.raises(CheckpointStoreFull):
            await put(saver, config, "late")
        await admin.config_set("maxmemory", "0")
        assert await word_at(saver, at("t")) == "new"
        assert is_open(saver)


async def test_a_server_that_was_emptied_of_scripts_is_taught_again(own_server: Server, admin: Plain) -> None:
    async with writing(own_server.url) as saver:
        await admin.script_flush()
        config = await put(saver, at("t"), "x")
        await saver.aput_writes(config, [("c", 1)], "task")
        found = await saver.aget_tuple(config)
        assert found
        assert found.pending_writes == [("task", "c", 1)]
        assert is_open(saver)


async def test_a_primary_that_became_a_replica_ends_the_line(own_server: Server, admin: Plain) -> None:
    async with writing(own_server.url, timeout=0.3) as saver:
        await admin.replicaof("127.0.0.1", 1)
        with pytest.raises(Exception, match="accepts no writes"):
            await put(saver, at("t"))
        assert not is_open(saver)
        await admin.replicaof("NO", "ONE")
        await open_again(saver)


async def test_eight_megabytes_go_over_tls(secure: tuple[int, Path]) -> None:
    port, certificate = secure
    async with writing(f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}") as saver:
        config = await put(saver, at("t"), BIG)
        assert await word_at(saver, config) == BIG
        assert is_open(saver)


async def test_a_password_and_a_database_are_respected(own_server: Server, admin: Plain) -> None:
    await admin.config_set("requirepass", "sesame")
    async with writing(own_server.url.replace("//", "//:sesame@") + "/3") as saver:
        await put(saver, at("t"))
    info = await admin.info("keyspace")
    assert set(info) == {"db3"}


async def test_opened_and_closed_at_any_moment_it_leaves_nothing_behind(own_server: Server, admin: Plain) -> None:
    for number in range(24):
        async with RedisSaver.from_url(own_server.url) as saver:
            for _ in range(number % 4):
                await put(saver, at("t"))
            await asyncio.sleep(0.001 * (number % 3))
    gc.collect()

    async def alone() -> bool:
        return len(await admin.client_list()) == 1

    assert await settled(alone)
