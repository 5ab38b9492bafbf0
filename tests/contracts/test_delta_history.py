"""Delta channels: what the Redis savers return for them, beside LangGraph's own way of finding it."""

import operator
import random
from collections.abc import Sequence
from functools import reduce
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph

from graph.checkpoints import CheckpointDamaged, RedisSaver, StaleEpoch, SyncRedisSaver
from tests.checkpoints import Counting, Plain, Versions, at, checkpoint, id_of
from tests.stores import Server

CHANNELS = ["log", "größe\0", "never"]


async def a_forked_thread(saver: RedisSaver, seed: int) -> list[RunnableConfig]:
    """Store sixty checkpoints as a tree, some with a value, some with writes, some with neither."""
    chance = random.Random(seed)  # noqa: S311 - a test repeats it
    configs = [at("t", chance.choice(["", "inner"]))]
    for step in range(60):
        parent = chance.choice(configs[-3:])
        versions: Versions = {channel: f"{step}.{chance.random()}" for channel in CHANNELS[:2]}
        values = {channel: f"{channel} at {step}" for channel in CHANNELS[:2] if chance.random() < 0.1}
        config = await saver.aput(parent, checkpoint(values, versions), {"step": step}, versions)
        for task in range(chance.randrange(3)):
            writes = [
                (chance.choice([*CHANNELS[:2], "other"]), (step, task, n)) for n in range(chance.randrange(3))
            ]
            await saver.aput_writes(config, writes, f"task {task}", f"~{3 - task}")
        configs.append(config)
    return configs


@pytest.mark.parametrize("seed", range(5))
async def test_one_call_finds_what_a_walk_over_the_ancestors_finds(redis: Plain, seed: int) -> None:
    client = Counting(redis)
    saver = RedisSaver(client)
    seeded = 0
    for config in await a_forked_thread(saver, seed):
        walked = await BaseCheckpointSaver.aget_delta_channel_history(saver, config=config, channels=CHANNELS)
        client.sent.clear()
        asked = await saver.aget_delta_channel_history(config=config, channels=CHANNELS)
        assert asked == walked
        assert client.sent in (["EVALSHA"], ["EVALSHA", "EVAL"])
        seeded += "seed" in asked["log"]
    assert 3 < seeded < 60


async def test_nothing_is_asked_for_no_channels(redis: Plain) -> None:
    client = Counting(redis)
    assert await RedisSaver(client).aget_delta_channel_history(config=at("t"), channels=[]) == {}
    assert client.sent == []


async def test_a_thread_that_is_not_there_has_no_history(saver: RedisSaver) -> None:
    assert await saver.aget_delta_channel_history(config=at("t"), channels=["log"]) == {"log": {"writes": []}}


async def test_reading_a_history_respects_the_fence(saver: RedisSaver) -> None:
    await saver.fenced(2).aget_tuple(at("t"))
    with pytest.raises(StaleEpoch):
        await saver.fenced(1).aget_delta_channel_history(config=at("t"), channels=["log"])


async def test_the_twins_agree(shared_server: Server, saver: RedisSaver) -> None:
    newest = (await a_forked_thread(saver, 7))[-1]
    with SyncRedisSaver.from_url(shared_server.url) as twin:
        found = twin.get_delta_channel_history(config=newest, channels=CHANNELS)
    assert found == await saver.aget_delta_channel_history(config=newest, channels=CHANNELS)
    assert found["log"]["writes"]


# A real graph


def added(log: list[str], writes: Sequence[list[str]]) -> list[str]:
    """Append every write."""
    return reduce(operator.add, writes, log)


class Diary(TypedDict, total=False):
    """A log that is kept as differences."""

    log: Annotated[list[str], DeltaChannel(added, snapshot_frequency=7)]
    turns: int


def diary(saver: Any) -> Any:
    """One entry a turn."""

    def write(state: Diary) -> Diary:
        turn = state.get("turns", 0)
        return {"log": [f"entry {turn}"], "turns": turn + 1}

    building: Any = StateGraph(Diary)
    building.add_node("write", write)
    building.add_edge(START, "write")
    building.add_edge("write", END)
    return building.compile(checkpointer=saver)


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
async def test_a_graph_with_a_delta_channel_remembers_through_prune_and_copy(saver: RedisSaver) -> None:
    graph = diary(saver)
    for _ in range(20):
        await graph.ainvoke({}, at("t"), durability="sync")
    expected = [f"entry {number}" for number in range(20)]
    assert (await graph.aget_state(at("t"))).values["log"] == expected
    await saver.aprune(["t"])
    await saver.acopy_thread("t", "copy")
    for thread in ("t", "copy"):
        end = await graph.ainvoke({}, at(thread), durability="sync")
        assert end["log"] == [*expected, "entry 20"]


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
async def test_a_lost_ancestor_is_never_an_empty_log(saver: RedisSaver, redis: Plain) -> None:
    graph = diary(saver)
    for _ in range(3):
        await graph.ainvoke({}, at("t"), durability="sync")
    newest, parent = [found async for found in saver.alist(at("t"), limit=2)]
    assert newest.parent_config == parent.config
    await redis.hdel("fanfare:{t}:checkpoints", b"\xff" + id_of(parent.config).encode())
    with pytest.raises(CheckpointDamaged):
        await graph.aget_state(at("t"))
