"""The synchronous twin: the same contract, run in threads."""

import asyncio
import operator
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypedDict, TypeVar

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt

from graph.checkpoints import CheckpointStoreUnavailable, RedisSaver, StaleEpoch, SyncRedisSaver
from tests.checkpoints import Plain, at, checkpoint, connect
from tests.stores import Server

T = TypeVar("T")


class InThreads(BaseCheckpointSaver[str]):
    """The twin as the conformance suite wants it: each call in a thread of its own."""

    def __init__(self, saver: SyncRedisSaver) -> None:
        super().__init__(serde=saver.serde)
        self.saver = saver
        self.get_next_version = saver.get_next_version  # type: ignore[method-assign]

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return await asyncio.to_thread(self.saver.get_tuple, config)

    async def alist(self, config: RunnableConfig | None, **choice: Any) -> AsyncIterator[CheckpointTuple]:
        for found in await asyncio.to_thread(lambda: list(self.saver.list(config, **choice))):
            yield found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return await asyncio.to_thread(self.saver.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        await asyncio.to_thread(self.saver.put_writes, config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        await asyncio.to_thread(self.saver.delete_thread, thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        await asyncio.to_thread(self.saver.delete_for_runs, run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        await asyncio.to_thread(self.saver.copy_thread, source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        await asyncio.to_thread(self.saver.prune, thread_ids, strategy=strategy)


@pytest.fixture
def twin(shared_server: Server, redis: Plain) -> Generator[SyncRedisSaver]:
    assert redis
    with SyncRedisSaver.from_url(shared_server.url) as saver:
        yield saver


async def test_passes_every_capability_of_the_conformance_suite(shared_server: Server, redis: Plain) -> None:
    await redis.flushall()

    @checkpointer_test(name=f"SyncRedisSaver on {shared_server.binary}")
    async def factory() -> AsyncGenerator[InThreads]:
        with SyncRedisSaver.from_url(shared_server.url) as opened:
            yield InThreads(opened)

    report = await validate(factory)
    results = report.results
    assert {name: result.failures for name, result in results.items() if result.failures} == {}
    assert {name for name, result in results.items() if result.passed} == {each.value for each in Capability}


class Song(TypedDict, total=False):
    """The channels of a small graph."""

    languages: Annotated[list[str], operator.add]
    verdict: str


def song_graph(saver: Any, calls: list[str]) -> Any:
    """Write in four languages at once, then ask a person."""

    def write(language: str) -> Song:
        calls.append(language)
        return {"languages": [language]}

    def fan_out(_: Song) -> list[Send]:
        return [Send("write", each) for each in "abcd"]

    def gate(state: Song) -> Song:
        return {"verdict": interrupt(len(state.get("languages", [])))}

    building: Any = StateGraph(Song)
    building.add_node("write", write)
    building.add_node("gate", gate)
    building.add_conditional_edges(START, fan_out, ["write"])
    building.add_edge("write", "gate")
    building.add_edge("gate", END)
    return building.compile(checkpointer=saver)


async def test_what_one_twin_began_the_other_goes_on_with(shared_server: Server, twin: SyncRedisSaver) -> None:
    calls: list[str] = []
    graph = song_graph(twin, calls)
    await asyncio.to_thread(lambda: graph.invoke({}, at("t"), durability="sync"))
    async with RedisSaver.from_url(shared_server.url) as saver:
        resumed = await song_graph(saver, calls).ainvoke(Command(resume="yes"), at("t"))
        history = [found.checkpoint["id"] async for found in saver.alist(at("t"))]
    assert resumed == {"languages": [*"abcd"], "verdict": "yes"}
    assert sorted(calls) == [*"abcd"]
    assert [found.checkpoint["id"] for found in twin.list(at("t"))] == history
    assert [found.checkpoint["id"] for found in twin.list(at("t"), limit=2)] == history[:2]


def in_threads(calls: list[Callable[[], T]]) -> list[T]:
    """Make all calls at once."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [each.result() for each in [pool.submit(call) for call in calls]]


def test_forty_threads_share_three_connections(shared_server: Server) -> None:
    def story(number: int) -> object:
        thread = at(f"thread {number}", "", "")
        version = saver.get_next_version(None, None)
        one = checkpoint({"word": number}, {"word": version})
        config = saver.put(thread, one, {"step": number}, {"word": version})
        saver.put_writes(config, [("c", number)], "task")
        found = saver.get_tuple(thread)
        return found and (found.checkpoint["channel_values"], found.pending_writes)

    with SyncRedisSaver.from_url(shared_server.url, max_connections=3) as saver:
        told = in_threads([lambda n=number: story(n) for number in range(40)])  # type: ignore[misc]
    assert told == [({"word": number}, [("task", "c", number)]) for number in range(40)]


def test_fencing_holds_for_both(twin: SyncRedisSaver) -> None:
    twin.fenced(2).put_writes(at("t", "", "1"), [("c", 1)], "task")
    with pytest.raises(StaleEpoch):
        twin.fenced(1).put_writes(at("t", "", "1"), [("c", 2)], "task")


def test_a_dead_server_is_told_and_found_again(own_server: Server) -> None:
    with SyncRedisSaver.from_url(own_server.url, timeout=0.3) as saver:
        saver.put_writes(at("t", "", "1"), [("c", 1)], "task")
        own_server.kill()
        with pytest.raises(CheckpointStoreUnavailable, match="cannot be reached"):
            saver.get_tuple(at("t"))
        own_server.start()
        assert saver.check() == []


def test_a_server_that_hangs_is_told(own_server: Server) -> None:
    with SyncRedisSaver.from_url(own_server.url, timeout=0.3) as saver:
        saver.check()
        with own_server.asleep(), pytest.raises(CheckpointStoreUnavailable, match="did not answer in time"):
            saver.get_tuple(at("t"))


async def test_each_twin_says_where_the_other_belongs(shared_server: Server, twin: SyncRedisSaver) -> None:
    with pytest.raises(NotImplementedError, match="RedisSaver for a graph with asyncio"):
        await song_graph(twin, []).ainvoke({}, at("t"))
    async with RedisSaver.from_url(shared_server.url) as saver:
        with pytest.raises(NotImplementedError, match="SyncRedisSaver for a graph without asyncio"):
            await asyncio.to_thread(lambda: song_graph(saver, []).invoke({}, at("t")))


async def test_busy_connections_are_told_as_such(own_server: Server) -> None:
    with SyncRedisSaver.from_url(own_server.url, timeout=0.5, max_connections=1) as saver:
        saver.check()
        with own_server.asleep():
            raised = await asyncio.gather(
                *(asyncio.to_thread(saver.get_tuple, at("t")) for _ in range(3)), return_exceptions=True
            )
    assert {type(each) for each in raised} == {CheckpointStoreUnavailable}
    assert any("every connection was busy" in str(each) for each in raised)
    async with connect(own_server.url) as client:
        assert await client.ping()
