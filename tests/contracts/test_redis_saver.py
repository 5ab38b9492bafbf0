"""The Redis saver against real servers: LangGraph's own conformance suite, and what that suite misses."""

import asyncio
import operator
import os
import time
from collections.abc import AsyncGenerator
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, empty_checkpoint
from langgraph.checkpoint.conformance import (  # pyright: ignore[reportMissingTypeStubs]
    checkpointer_test,
    validate,
)
from langgraph.checkpoint.conformance.capabilities import (  # pyright: ignore[reportMissingTypeStubs]
    Capability,
)
from langgraph.graph import END, START, StateGraph  # pyright: ignore[reportMissingTypeStubs]
from langgraph.types import Command, Send, interrupt
from redis.asyncio import Redis
from redis.crc import key_slot

from graph.checkpoints import (
    CheckpointDamaged,
    CheckpointStoreDenied,
    CheckpointStoreError,
    CheckpointStoreFull,
    CheckpointStoreReadOnly,
    CheckpointStoreUnavailable,
    RedisSaver,
    StaleEpoch,
    ThreadOccupied,
)
from graph.checkpoints.layout import thread_keys
from tests.checkpoints import (
    ODD_IDS,
    Counting,
    Plain,
    Versions,
    at,
    chain,
    checkpoint,
    connect,
    contents,
    id_of,
    ids,
    operations,
    outcome,
    put,
    word_at,
)
from tests.stores import Server

WORD_BYTES = 200_000


# LangGraph's own contract


async def test_passes_every_capability_of_the_conformance_suite(shared_server: Server, redis: Plain) -> None:
    await redis.flushall()

    @checkpointer_test(name=f"RedisSaver on {shared_server.binary}")
    async def factory() -> AsyncGenerator[RedisSaver]:
        async with RedisSaver.from_url(shared_server.url) as opened:
            yield opened

    report = await validate(factory)
    results = report.results
    assert {name: result.failures for name, result in results.items() if result.failures} == {}
    assert {name for name, result in results.items() if result.passed} == {each.value for each in Capability}
    assert sum(result.tests_passed for result in results.values()) >= 75


# A real graph


class Task(TypedDict):
    """What one translation is sent."""

    brief: str
    language: str


class Story(TypedDict, total=False):
    """The channels of a small campaign."""

    brief: str
    languages: list[str]
    copies: Annotated[list[str], operator.add]
    verdict: str


def story_graph(saver: RedisSaver, calls: list[str]) -> Any:
    """Write in three languages at once, ask a person, then publish; every step says that it ran."""

    def plan(state: Story) -> Story:
        calls.append("plan")
        assert "brief" in state
        return {"languages": ["de", "fr", "ja"]}

    def translate(state: Task) -> Story:
        calls.append(state["language"])
        return {"copies": [f"{state['brief']} ({state['language']})"]}

    def gate(state: Story) -> Story:
        return {"verdict": interrupt({"question": "publish?", "copies": len(state.get("copies", []))})}

    def publish(state: Story) -> Story:
        calls.append("publish")
        return {"copies": [f"published: {state.get('verdict')}"]}

    def fan_out(state: Story) -> list[Send]:
        brief = state.get("brief", "")
        return [Send("translate", {"brief": brief, "language": each}) for each in state.get("languages", [])]

    building: Any = StateGraph(Story)
    building.add_node("plan", plan)
    building.add_node("translate", translate)
    building.add_node("gate", gate)
    building.add_node("publish", publish)
    building.add_edge(START, "plan")
    building.add_conditional_edges("plan", fan_out, ["translate"])
    building.add_edge("translate", "gate")
    building.add_edge("gate", "publish")
    building.add_edge("publish", END)
    return building.compile(checkpointer=saver)


async def test_a_second_saver_resumes_a_gate_and_repeats_no_step(shared_server: Server, redis: Plain) -> None:
    calls: list[str] = []
    async with RedisSaver.from_url(shared_server.url) as first:
        await story_graph(first, calls).ainvoke({"brief": "hi"}, at("t"), durability="sync")
    assert sorted(calls) == ["de", "fr", "ja", "plan"]

    async with RedisSaver.from_url(shared_server.url) as second:
        graph = story_graph(second, calls)
        waiting = await graph.aget_state(at("t"))
        assert [each.value for each in waiting.interrupts] == [{"question": "publish?", "copies": 3}]
        resumed = await graph.ainvoke(Command(resume={waiting.interrupts[0].id: "yes"}), at("t"))
        steps = [state.metadata["step"] async for state in graph.aget_state_history(at("t")) if state.metadata]
    assert sorted(calls) == ["de", "fr", "ja", "plan", "publish"]
    assert resumed["copies"] == ["hi (de)", "hi (fr)", "hi (ja)", "published: yes"]
    assert steps == sorted(steps, reverse=True)
    assert await redis.dbsize() == 5


async def test_pruning_does_not_break_a_sleeping_gate(saver: RedisSaver) -> None:
    calls: list[str] = []
    graph = story_graph(saver, calls)
    await graph.ainvoke({"brief": "hi"}, at("t"), durability="sync")
    await saver.aprune(["t"])
    assert len(await ids(saver, at("t"))) == 1
    waiting = await graph.aget_state(at("t"))
    resumed = await graph.ainvoke(Command(resume={waiting.interrupts[0].id: "yes"}), at("t"))
    assert resumed["copies"][-1] == "published: yes"
    assert calls.count("plan") == 1


async def test_two_answers_from_one_fork_point_do_not_mix(saver: RedisSaver) -> None:
    graph = story_graph(saver, [])
    await graph.ainvoke({"brief": "hi"}, at("t"), durability="sync")
    fork = (await graph.aget_state(at("t"))).config
    for answer in ("yes", "no"):
        await graph.aupdate_state(fork, {"verdict": answer}, as_node="gate")
        end = await graph.ainvoke(None, at("t"))
        assert end["copies"][-1] == f"published: {answer}"
    verdicts = {state.values.get("verdict") async for state in graph.aget_state_history(at("t"))}
    assert verdicts == {None, "yes", "no"}


# What is kept, and in which order


async def test_pending_writes_come_back_by_task_path_then_task_then_position(saver: RedisSaver) -> None:
    config = await put(saver, at("t"))
    await saver.aput_writes(config, [("c", 1)], "task-a", "~2")
    await saver.aput_writes(config, [("c", i) for i in range(12)], "task-c", "~1")
    await saver.aput_writes(config, [("c", 3)], "task-b", "~1, longer")
    await saver.aput_writes(config, [("c", 4)], "task-z")
    found = await saver.aget_tuple(config)
    assert found
    assert found.pending_writes
    expected = [("task-z", 4), *(("task-c", i) for i in range(12)), ("task-b", 3), ("task-a", 1)]
    assert [(task, value) for task, _, value in found.pending_writes] == expected


async def test_a_stored_write_stands_but_a_special_one_is_replaced(saver: RedisSaver) -> None:
    config = await put(saver, at("t"))
    for attempt in ("first", "second"):
        await saver.aput_writes(config, [("c", attempt), ("__resume__", attempt)], "task")
    found = await saver.aget_tuple(config)
    assert found
    assert found.pending_writes == [("task", "__resume__", "second"), ("task", "c", "first")]


async def test_put_names_its_parent_and_put_writes_makes_no_checkpoint(saver: RedisSaver) -> None:
    await saver.aput_writes(at("t", "", "not-there-yet"), [("c", 1)], "task")
    assert await saver.aget_tuple(at("t")) is None
    assert await ids(saver, at("t")) == []
    first, second = await chain(saver, "t", 2)
    found = await saver.aget_tuple(at("t"))
    assert found
    assert (found.config, found.parent_config) == (second, first)


async def test_an_unchanged_channel_is_kept_once(saver: RedisSaver, redis: Plain) -> None:
    config, big, versions = at("t"), os.urandom(WORD_BYTES // 2).hex(), Versions()
    for step in range(31):
        values = {"big": big, "step": step}
        changed = values if step == 0 else {"step": step}
        new: Versions = {name: saver.get_next_version(_text(versions.get(name)), None) for name in changed}
        versions = {**versions, **new}
        config = await saver.aput(config, checkpoint(values, versions), {"source": "loop", "step": step}, new)
    assert await redis.hlen("fanfare:{t}:channels") == 1 + 31
    held = sum([await redis.memory_usage(key, samples=0) or 0 for key in await redis.keys()])
    assert held < WORD_BYTES * 1.25
    history = [found.checkpoint["channel_values"] async for found in saver.alist(at("t"))]
    assert history == [{"big": big, "step": step} for step in reversed(range(31))]


def _text(version: str | float | None) -> str | None:
    return None if version is None else str(version)


async def test_versions_keep_their_types_and_empty_channels_stay_absent(saver: RedisSaver) -> None:
    versions: Versions = {"text": "1.a", "whole": 2, "real": 2.5, "empty": 3, "none": 4}
    values = {"text": "x", "whole": b"\xff\xfe\xfd\0", "real": [1, {"a": None}], "none": None}
    config = await saver.aput(at("t"), checkpoint(values, versions), {"step": 1}, versions)
    found = await saver.aget_tuple(config)
    assert found
    assert found.checkpoint["channel_versions"] == versions
    assert found.checkpoint["channel_values"] == values


def test_versions_grow_and_never_repeat() -> None:
    saver, version, seen = RedisSaver(Redis()), None, list[str]()
    for _ in range(1200):
        version = saver.get_next_version(version, None)
        seen.append(version)
    assert seen == sorted(set(seen))
    assert saver.get_next_version(seen[0], None) != seen[1]


async def test_any_id_is_told_from_any_other(saver: RedisSaver, redis: Plain) -> None:
    for thread_id in ODD_IDS:
        for ns in ODD_IDS[:4]:
            await saver.aput_writes(await put(saver, at(thread_id, ns), f"{thread_id!a} {ns}"), [(ns, 1)], ns, ns)
    for thread_id in ODD_IDS:
        for ns in ODD_IDS[:4]:
            found = await saver.aget_tuple(at(thread_id, ns))
            assert found
            assert found.pending_writes == [(ns, ns, 1)]
            assert found.checkpoint["channel_values"] == {"word": f"{thread_id!a} {ns}"}
        assert len(await ids(saver, {"configurable": {"thread_id": thread_id}})) == 4
    assert await redis.dbsize() == 5 * len(ODD_IDS)
    assert len(await ids(saver, None)) == 4 * len(ODD_IDS)


@pytest.mark.parametrize("thread_id", ODD_IDS)
def test_the_keys_of_a_thread_share_a_hash_slot(thread_id: str) -> None:
    assert len({key_slot(key.encode()) for key in thread_keys("a{b}c", thread_id)}) == 1


async def test_odd_checkpoint_ids_keep_their_order(saver: RedisSaver) -> None:
    odd = sorted(ODD_IDS[1:])
    for checkpoint_id in odd:
        one: Checkpoint = {**empty_checkpoint(), "id": checkpoint_id}
        await saver.aput(at("t"), one, {"step": 1}, {})
    assert await ids(saver, at("t")) == odd[::-1]
    assert await ids(saver, at("t"), before=at("t", "", odd[4])) == odd[:4][::-1]
    newest = await saver.aget_tuple(at("t"))
    assert newest
    assert id_of(newest.config) == odd[-1]


async def test_listing_pages_through_a_long_history(saver: RedisSaver) -> None:
    configs = await chain(saver, "t", 40)
    newest_first = [id_of(each) for each in configs][::-1]
    assert await ids(saver, at("t")) == newest_first
    assert await ids(saver, at("t"), limit=20) == newest_first[:20]
    assert await ids(saver, at("t"), limit=0) == []
    assert await ids(saver, at("t"), before=configs[30], limit=3) == newest_first[10:13]
    assert await ids(saver, at("t"), filter={"step": 7}, limit=1) == [newest_first[32]]
    assert await ids(saver, configs[3]) == [newest_first[36]]
    anywhere: RunnableConfig = {"configurable": {"thread_id": "t"}}
    assert await ids(saver, anywhere, limit=2) == newest_first[:2]
    assert await ids(saver, anywhere, before=configs[2]) == newest_first[-2:]


# Round trips and repetition


async def test_put_put_writes_and_get_tuple_are_one_round_trip_each(redis: Plain) -> None:
    client = Counting(redis)
    saver = RedisSaver(client, ttl=60, fence=1)
    await _every_operation(saver)
    await redis.script_flush()
    await _every_operation(saver)
    client.sent.clear()
    config = await put(saver, at("t"))
    await saver.aput_writes(config, [("c", 1), ("d", 2)], "task")
    await saver.aget_tuple(at("t"))
    assert client.sent == ["EVALSHA"] * 3


async def _every_operation(saver: RedisSaver) -> None:
    config = await put(saver, at("t"))
    await saver.aput_writes(config, [("c", 1)], "task")
    await saver.aget_tuple(at("t"))


async def test_an_unchanged_channel_is_sent_once(redis: Plain) -> None:
    client = Counting(redis)
    saver = RedisSaver(client)
    values, versions = {"big": b"x" * WORD_BYTES, "step": 1}, Versions(big="1.a", step="1.a")
    config = await saver.aput(at("t"), checkpoint(values, versions), {"step": 1}, versions)
    client.bytes = 0
    later = Versions(big="1.a", step="2.a")
    await saver.aput(config, checkpoint(values, later), {"step": 2}, {"step": "2.a"})
    assert client.bytes < 2000


async def test_repeating_a_step_changes_nothing(saver: RedisSaver, redis: Plain) -> None:
    one = checkpoint({"word": "x"}, {"word": "1.a"})

    async def steps() -> None:
        config = await saver.aput(at("t"), one, {"step": 1}, {"word": "1.a"})
        await saver.aput_writes(config, [("c", 1), ("__error__", 2)], "task", "~1")
        await saver.acopy_thread("t", "u")

    await steps()
    before = await contents(redis)
    await steps()
    assert await contents(redis) == before


async def test_many_tasks_share_a_small_pool(shared_server: Server, redis: Plain) -> None:
    async with RedisSaver.from_url(shared_server.url, max_connections=3) as saver:
        config = await put(saver, at("t"))
        await asyncio.gather(*(saver.aput_writes(config, [("c", i)], f"task-{i:03}") for i in range(200)))
        found = await saver.aget_tuple(config)
    assert found
    assert found.pending_writes
    assert [value for _, _, value in found.pending_writes] == list(range(200))
    assert await redis.hlen("fanfare:{t}:writes") == 200


# Forgetting


async def test_deleting_a_thread_leaves_no_key(saver: RedisSaver, redis: Plain) -> None:
    await story_graph(saver.fenced(3), []).ainvoke({"brief": "hi"}, at("t"))
    await put(saver, at("other"))
    assert len(await redis.keys("fanfare:{t}:*")) == 6
    await saver.adelete_thread("t")
    assert await redis.keys("fanfare:{t}:*") == []
    assert await word_at(saver, at("other")) == "x"


async def test_pruning_drops_channel_values_that_nobody_names(saver: RedisSaver, redis: Plain) -> None:
    configs = await chain(saver, "t", 50)
    for config in configs[-3:]:
        await saver.aput_writes(config, [("c", 1)], "task")
    await saver.aprune(["t"])
    assert await ids(saver, at("t")) == [id_of(configs[-1])]
    assert await word_at(saver, at("t")) == "word 49"
    sizes = {key: await redis.hlen(f"fanfare:{{t}}:{key}") for key in ("checkpoints", "channels", "writes")}
    assert sizes == {"checkpoints": 1, "channels": 1, "writes": 1}
    assert await redis.zcard("fanfare:{t}:pending") == 1


async def test_a_step_of_ten_thousand_writes_is_kept_and_forgotten(saver: RedisSaver, redis: Plain) -> None:
    config = await put(saver, at("t"))
    await saver.aput_writes(config, [("c", i) for i in range(10_000)], "task")
    found = await saver.aget_tuple(config)
    assert found
    assert [value for _, _, value in found.pending_writes or ()] == list(range(10_000))
    await put(saver, config)
    await saver.aprune(["t"])
    assert await redis.exists("fanfare:{t}:writes", "fanfare:{t}:pending") == 0


async def test_pruning_keeps_the_ancestors_of_a_delta_channel(saver: RedisSaver) -> None:
    config, configs = at("t"), list[RunnableConfig]()
    for since in (1, 2, 0, 1, 2):
        counters: dict[str, Any] = {"counters_since_delta_snapshot": {"log": (since, since)}} if since else {}
        config = await put(saver, config, **counters)
        configs.append(config)
    await saver.aprune(["t"])
    assert await ids(saver, at("t")) == [id_of(each) for each in configs[:1:-1]]


async def test_an_unknown_way_of_pruning_is_refused(saver: RedisSaver) -> None:
    with pytest.raises(ValueError, match="keep_latest and delete"):
        await saver.aprune(["t"], strategy="keep_some")


async def test_deleting_the_only_run_of_a_thread_leaves_no_key(saver: RedisSaver, redis: Plain) -> None:
    config = await put(saver.fenced(1), at("t"), run_id="run-1")
    await saver.aput_writes(config, [("c", 1)], "task")
    await saver.adelete_for_runs(["run-1", ""])
    assert await redis.dbsize() == 0


async def test_a_copy_never_overwrites_another_thread(saver: RedisSaver) -> None:
    await chain(saver, "source", 2)
    await put(saver, at("target"), "mine")
    with pytest.raises(ThreadOccupied, match="'target' holds checkpoints of its own"):
        await saver.acopy_thread("source", "target")
    assert await word_at(saver, at("target")) == "mine"
    await saver.acopy_thread("source", "source")
    assert len(await ids(saver, at("source"))) == 2


# Time to live


async def test_a_thread_expires_as_a_whole_after_its_last_write(shared_server: Server, redis: Plain) -> None:
    async with RedisSaver.from_url(shared_server.url, ttl=0.4, fence=1) as saver:
        config = await put(saver, at("t"))
        await asyncio.sleep(0.25)
        await saver.aput_writes(config, [("c", 1)], "task")
        moments = {await redis.pexpiretime(key) for key in await redis.keys()}
        await asyncio.sleep(0.25)
        assert await word_at(saver.fenced(1), at("t")) == "x"
        assert len(moments) == 1
        await asyncio.sleep(0.3)
    assert await redis.dbsize() == 0


async def test_a_thread_that_was_only_opened_expires_too(shared_server: Server, redis: Plain) -> None:
    async with RedisSaver.from_url(shared_server.url, ttl=60, fence=1) as saver:
        assert await saver.aget_tuple(at("t")) is None
    assert await redis.pttl("fanfare:{t}:epoch") > 0


async def test_a_write_without_ttl_keeps_the_whole_thread(shared_server: Server, redis: Plain) -> None:
    async with RedisSaver.from_url(shared_server.url, ttl=60) as brief:
        config = await put(brief, at("t"))
    async with RedisSaver.from_url(shared_server.url) as lasting:
        await lasting.aput_writes(config, [("c", 1)], "task")
    assert {await redis.pttl(key) for key in await redis.keys()} == {-1}


@pytest.mark.parametrize("options", [{"ttl": 0}, {"ttl": -1}, {"fence": -1}, {"fence": 2**53}])
def test_nonsense_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        RedisSaver(Redis(), **options)


def test_a_client_that_decodes_is_refused() -> None:
    with pytest.raises(ValueError, match="decode_responses=False"):
        RedisSaver(Redis(decode_responses=True))


# One writer


async def test_a_stale_epoch_can_neither_write_nor_open(saver: RedisSaver, redis: Plain) -> None:
    old, new = saver.fenced(9), saver.fenced(10)
    config = await put(old, at("t"), "old")
    await put(saver, at("other"))
    await new.aget_tuple(at("t"))
    before = await contents(redis)
    for attempt in (
        put(old, config, "late"),
        old.aput_writes(config, [("c", 1)], "task"),
        old.aget_tuple(at("t")),
        old.aprune(["t"]),
        old.aprune(["t"], strategy="delete"),
        old.adelete_thread("t"),
        old.acopy_thread("other", "t"),
    ):
        with pytest.raises(StaleEpoch, match="another worker owns") as refused:
            await attempt
        assert refused.value.held == 10
    assert await contents(redis) == before
    await put(new, config, "new")
    assert await word_at(saver, at("t")) == "new"


async def test_a_run_that_lost_its_thread_stops(saver: RedisSaver) -> None:
    calls: list[str] = []
    graph = story_graph(saver.fenced(1), calls)
    await graph.ainvoke({"brief": "hi"}, at("t"), durability="sync")
    waiting = await graph.aget_state(at("t"))
    await saver.fenced(2).aget_tuple(at("t"))
    with pytest.raises(StaleEpoch):
        await graph.ainvoke(Command(resume={waiting.interrupts[0].id: "yes"}), at("t"), durability="sync")
    assert "publish" not in calls


async def test_opening_an_unwritten_thread_already_shuts_older_epochs_out(saver: RedisSaver) -> None:
    assert await saver.fenced(2).aget_tuple(at("t")) is None
    with pytest.raises(StaleEpoch):
        await put(saver.fenced(1), at("t"))


# Honest failure


async def test_a_dead_server_is_never_an_absent_thread(own_server: Server) -> None:
    async with RedisSaver.from_url(own_server.url, timeout=1) as saver:
        config = await put(saver, at("t"), "kept")
        own_server.kill()
        raised = await asyncio.gather(*(outcome(call) for call in operations(saver, config).values()))
        assert {type(each) for each in raised} == {CheckpointStoreUnavailable}
        assert f"127.0.0.1:{own_server.port} cannot be reached" in str(raised[0])
        own_server.start()
        assert await word_at(saver, at("t")) == "kept"


async def test_a_server_that_hangs_raises_within_the_timeout(own_server: Server) -> None:
    async with RedisSaver.from_url(own_server.url, timeout=0.3) as saver:
        config = await put(saver, at("t"))
        with own_server.asleep():
            started = time.monotonic()
            with pytest.raises(CheckpointStoreUnavailable, match="did not answer in time"):
                await put(saver, config)
            assert time.monotonic() - started < 1.5
        assert await word_at(saver, at("t")) == "x"


async def test_a_cancelled_read_does_not_answer_the_next_one(own_server: Server) -> None:
    async with RedisSaver.from_url(own_server.url, max_connections=1) as saver:
        await put(saver, at("one"), "first")
        await put(saver, at("two"), "second")
        with own_server.asleep():
            reading = asyncio.create_task(word_at(saver, at("one")))
            await asyncio.sleep(0.05)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        assert await word_at(saver, at("two")) == "second"


async def test_a_run_cut_off_by_its_server_goes_on_after_the_restart(own_server: Server) -> None:
    calls: list[str] = []
    async with RedisSaver.from_url(own_server.url, timeout=1) as saver:
        graph = story_graph(saver, calls)
        await graph.ainvoke({"brief": "hi"}, at("t"), durability="sync")
        waiting = await graph.aget_state(at("t"))
        own_server.kill()
        with pytest.raises(CheckpointStoreUnavailable):
            await graph.ainvoke(Command(resume={waiting.interrupts[0].id: "yes"}), at("t"))
        own_server.start()
        resumed = await graph.ainvoke(Command(resume={waiting.interrupts[0].id: "yes"}), at("t"))
    assert resumed["copies"][-1] == "published: yes"
    assert calls.count("publish") == 1


async def test_a_read_only_server_raises_and_can_still_be_read(own_server: Server) -> None:
    async with (
        RedisSaver.from_url(own_server.url) as saver,
        connect(own_server.url) as admin,
    ):
        config = await put(saver, at("t"), "kept")
        await admin.replicaof("127.0.0.1", 1)
        for refused in (put(saver, config), saver.aput_writes(config, [("c", 1)], "task")):
            with pytest.raises(CheckpointStoreReadOnly, match="Point the URL at the primary"):
                await refused
        assert await word_at(saver, at("t")) == "kept"
        assert any("is a replica" in each for each in await saver.check())


async def test_a_full_server_raises_and_writes_nothing(own_server: Server) -> None:
    async with (
        RedisSaver.from_url(own_server.url) as saver,
        connect(own_server.url) as admin,
    ):
        config = await put(saver, at("t"), "kept")
        before = await contents(admin)
        await admin.config_set("maxmemory", "100kb")
        for refused in (
            put(saver.fenced(1), config),
            saver.aput_writes(config, [("c", 1)], "task"),
            saver.acopy_thread("t", "u"),
        ):
            with pytest.raises(CheckpointStoreFull, match="Raise maxmemory"):
                await refused
        assert await contents(admin) == before
        assert await word_at(saver, at("t")) == "kept"


async def test_wrong_credentials_raise(own_server: Server) -> None:
    async with connect(own_server.url) as admin:
        await admin.config_set("requirepass", "sesame")
    for url in (own_server.url, own_server.url.replace("//", "//:guess@")):
        async with RedisSaver.from_url(url) as saver:
            with pytest.raises(CheckpointStoreDenied) as refused:
                await saver.aget_tuple(at("t"))
            assert "guess" not in str(refused.value)


@pytest.mark.parametrize("part", ["timeline", "checkpoints", "channels", "pending", "writes"])
async def test_a_thread_that_lost_a_part_raises(saver: RedisSaver, redis: Plain, part: str) -> None:
    await saver.aput_writes(await put(saver, at("t")), [("c", 1)], "task")
    await redis.delete(f"fanfare:{{t}}:{part}")
    with pytest.raises(CheckpointDamaged, match="'t' has lost part"):
        await saver.aget_tuple(at("t"))


def test_errors_tell_whether_to_ask_again() -> None:
    kinds = {each: each.retryable for each in CheckpointStoreError.__subclasses__()}
    assert {each for each, again in kinds.items() if again} == {
        CheckpointStoreUnavailable,
        CheckpointStoreReadOnly,
    }


# The start-up check


async def test_a_persistent_server_passes_the_check(saver: RedisSaver) -> None:
    assert await saver.check() == []


async def test_the_check_names_a_server_that_forgets(own_server: Server) -> None:
    async with (
        RedisSaver.from_url(own_server.url) as saver,
        connect(own_server.url) as admin,
    ):
        await admin.config_set("appendonly", "no")
        await admin.config_set("maxmemory", "100mb")
        await admin.config_set("maxmemory-policy", "allkeys-lru")
        disk, eviction = await saver.check()
        assert "keeps nothing on disk" in disk
        assert "maxmemory-policy allkeys-lru" in eviction
        await admin.config_set("save", "60 1")
        assert await saver.check() == [eviction]


@pytest.mark.parametrize(("forbidden", "said"), [("config", "permit CONFIG"), ("info", "permit INFO")])
async def test_the_check_says_what_it_may_not_see(own_server: Server, forbidden: str, said: str) -> None:
    async with connect(own_server.url) as admin:
        await admin.config_set("appendonly", "no")
        await admin.execute_command("ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", f"-{forbidden}")
    async with RedisSaver.from_url(own_server.url.replace("//", "//app:pw@")) as saver:
        (warning,) = await saver.check()
        assert said in warning
