"""Wounds that users of other checkpointers reported in public, each a story that would have shown it."""

import asyncio
import contextlib
import operator
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Annotated, Any, TypedDict, cast

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.graph import START, StateGraph, add_messages  # pyright: ignore[reportMissingTypeStubs]
from langgraph.types import Command, Interrupt, Send, interrupt
from redis.crc import key_slot

from graph.checkpoints import (
    CheckpointStoreDenied,
    CheckpointStoreError,
    CheckpointStoreReadOnly,
    CheckpointStoreUnavailable,
    RedisSaver,
    StaleEpoch,
    ThreadOccupied,
)
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
    settled,
    word_at,
)
from tests.stores import Server

PLAIN_COMMANDS = {
    *("eval", "evalsha", "scan", "info", "config|get", "dump", "restore", "unlink", "exists"),
    *("get", "set", "time", "pexpire", "pexpireat", "persist", "pttl"),
    *("hdel", "hexists", "hget", "hkeys", "hlen", "hmget", "hset", "hsetnx", "hstrlen"),
    *("zadd", "zcard", "zrange", "zrangebylex", "zrem", "zrevrangebylex", "zscore"),
}
"""Commands of every Redis since 6.2 and of every Valkey; none of a module, and no KEYS."""
FIVE_MEGABYTES = 5_000_000


class Talk(TypedDict, total=False):
    """Lines that only grow."""

    lines: Annotated[list[str], operator.add]


class Ticket(TypedDict):
    """What one task of a fan-out is sent."""

    number: int


def in_sequence(saver: RedisSaver, state: type[Any], *nodes: Callable[..., Any]) -> Any:
    """Run nodes one after another."""
    building: Any = StateGraph(state)
    building.add_sequence(list(nodes))
    building.add_edge(START, nodes[0].__name__)
    return building.compile(checkpointer=saver)


def fanned_out(saver: RedisSaver, work: Callable[[Ticket], Awaitable[Talk]], width: int, **options: Any) -> Any:
    """Run `work` so many times at once, then join."""

    def plan(_: Talk) -> Talk:
        return {}

    def join(_: Talk) -> Talk:
        return {"lines": ["joined"]}

    def each(_: Talk) -> list[Send]:
        return [Send("work", {"number": number}) for number in range(width)]

    building: Any = StateGraph(Talk)
    building.add_node("plan", plan)
    building.add_node("work", work)
    building.add_node("join", join)
    building.add_edge(START, "plan")
    building.add_conditional_edges("plan", each, ["work"])
    building.add_edge("work", "join")
    return building.compile(checkpointer=saver, **options)


def another(server: Server, **options: Any) -> AbstractAsyncContextManager[RedisSaver]:
    """A saver such as another process would open."""
    return RedisSaver.from_url(server.url, **options)


async def newest(saver: RedisSaver, config: RunnableConfig) -> CheckpointTuple:
    """The checkpoint of a config, which must be there."""
    found = await saver.aget_tuple(config)
    assert found
    return found


async def questions(graph: Any, config: RunnableConfig) -> dict[Any, str]:
    """What a sleeping graph asks, each with the id under which it is answered."""
    return {each.value: each.id for each in (await graph.aget_state(config)).interrupts}


async def ran(redis: Plain, *calls: Callable[[], Awaitable[object]]) -> set[str]:
    """The commands that a server runs for some calls, those within scripts included."""
    await redis.config_resetstat()
    for call in calls:
        await call()
    counted: dict[str, Any] = await redis.info("commandstats")
    return {name.removeprefix("cmdstat_") for name in counted} - {"config|resetstat"}


async def halves(redis: Plain) -> dict[bytes, set[int]]:
    """The threads whose keys do not expire at one moment, with their moments; -1 is never."""
    found: dict[bytes, set[int]] = {}
    for key in await redis.keys():
        found.setdefault(key.rpartition(b"}")[0], set()).add(await redis.pexpiretime(key))
    return {thread: each for thread, each in found.items() if len(each) > 1 or -1 in each}


# Any plain server will do


async def test_a_server_without_modules_is_enough(saver: RedisSaver, redis: Plain) -> None:
    """langgraph-redis issue 98: needs RedisJSON and RediSearch, so plain Redis and Valkey are out."""
    modules: list[Any] = await redis.execute_command("MODULE LIST")
    assert [each for each in modules if b"lua" not in str(each).encode()] == []  # Valkey's own scripting engine
    fenced = saver.fenced(1)
    config = await put(fenced, at("t"))
    assert await ran(redis, *operations(fenced, config).values()) <= PLAIN_COMMANDS
    assert set(await redis.info("errorstats")) <= {"errorstat_NOSCRIPT"}


async def test_only_what_asks_for_all_threads_walks_over_keys(saver: RedisSaver, redis: Plain) -> None:
    """langgraph-redis pull request 48: reads and deletion looked for their keys with KEYS."""
    config = await put(saver, at("t"))
    calls = operations(saver, config)
    walks = [calls.pop(name) for name in ("list all", "delete_for_runs")]
    assert not await ran(redis, *calls.values()) & {"scan", "keys", "randomkey"}
    for walk in walks:
        assert "scan" in await ran(redis, walk)


async def test_a_user_without_administrative_commands_can_do_everything(own_server: Server) -> None:
    """langgraph-redis issue 114: sends MODULE LIST, which managed services refuse."""
    rights = ("~fanfare:*", "+@all", "-@admin", "-@dangerous", "-module", "+restore")
    async with (
        connect(own_server.url) as admin,
        RedisSaver.from_url(own_server.url.replace("//", "//app:pw@")) as saver,
    ):
        await admin.execute_command("ACL", "SETUSER", "app", "on", ">pw", *rights)
        config = await put(saver, at("t"))
        refused = {name: await outcome(call) for name, call in operations(saver, config).items()}
        assert {name for name, error in refused.items() if error} == set()
        await put(saver, at("t"))
        await admin.execute_command("ACL", "SETUSER", "app", "-restore")
        with pytest.raises(CheckpointStoreDenied, match="permissions"):
            await saver.acopy_thread("t", "u")


async def test_every_script_keeps_to_the_keys_of_one_slot(redis: Plain) -> None:
    """langgraph-redis issues 25, 55 and 72, langchain-aws issue 809: CROSSSLOT errors on a cluster."""
    for thread_id in ("plain", "{a}", "a}b{c", "", "大きさ"):
        client = Counting(redis)
        saver = RedisSaver(client, ttl=60, fence=1)
        config = await put(saver, at(thread_id))
        for call in operations(saver, config).values():
            await call()
        asked = [keys for name, keys in zip(client.sent, client.keys, strict=True) if name in {"EVAL", "EVALSHA"}]
        assert len(asked) > 10
        assert {len({key_slot(key.encode()) for key in keys}) for keys in asked} == {1}


async def test_savers_with_other_prefixes_share_a_server(redis: Plain) -> None:
    """langgraph-redis issue 187: pointers to the newest checkpoint ignored the prefix."""
    one, two, odd = (RedisSaver(redis, prefix=prefix) for prefix in ("app", "app:two", "*"))
    for saver, word in ((one, "one"), (two, "two"), (odd, "odd")):
        await put(saver, at("t"), word, run_id="run")
    for saver, word in ((one, "one"), (two, "two"), (odd, "odd")):
        assert await word_at(saver, at("t")) == word
        assert len(await ids(saver, None)) == 1
    await odd.adelete_for_runs(["run"])
    await one.adelete_thread("t")
    assert await word_at(two, at("t")) == "two"
    assert await redis.dbsize() == 3


async def test_a_number_names_the_same_thread_as_its_digits(saver: RedisSaver, redis: Plain) -> None:
    """LangGraph pull request 4281: thread ids that are numbers."""
    seven, eight = cast("str", 7), cast("str", 8)
    await put(saver, at(seven), "seven")
    assert await word_at(saver, at("7")) == "seven"
    await saver.acopy_thread(seven, eight)
    assert await word_at(saver, at("8")) == "seven"
    await saver.aprune([seven])
    await saver.adelete_thread(seven)
    await saver.aprune([eight], strategy="delete")
    assert await redis.dbsize() == 0


# A server that cannot answer is never an absent thread


@contextlib.asynccontextmanager
async def killed(server: Server) -> AsyncGenerator[None]:
    """A server that is not there."""
    server.kill()
    yield


@contextlib.asynccontextmanager
async def hung(server: Server) -> AsyncGenerator[None]:
    """A server that never answers."""
    with server.asleep():
        yield


@contextlib.asynccontextmanager
async def busy(server: Server) -> AsyncGenerator[None]:
    """A server that runs somebody's endless script."""
    async with connect(server.url) as admin, connect(server.url) as careless:
        await admin.config_set("lua-time-limit", 1)
        endless = asyncio.create_task(outcome(lambda: careless.eval("while true do end", 0)))

        async def blocked() -> bool:
            return await outcome(admin.dbsize) is not None

        assert await settled(blocked)
        yield
        await admin.script_kill()
        await endless


@contextlib.asynccontextmanager
async def without_primary(server: Server) -> AsyncGenerator[None]:
    """A replica that has lost its primary and serves nothing stale."""
    async with connect(server.url) as admin:
        await admin.config_set("replica-serve-stale-data", "no")
        await admin.replicaof("127.0.0.1", 1)
        yield


@pytest.mark.parametrize("failing", [killed, hung, busy, without_primary])
async def test_a_server_that_cannot_answer_starts_no_campaign_from_nothing(
    own_server: Server, failing: Callable[[Server], AbstractAsyncContextManager[None]]
) -> None:
    """langgraph-checkpoint-aws: a dead server reads as "no such thread", so a run starts from nothing."""
    calls: list[str] = []

    def spend(_: Talk) -> Talk:
        calls.append("spent")
        return {"lines": ["spent"]}

    async with another(own_server, timeout=0.3) as saver:
        graph = in_sequence(saver, Talk, spend)
        await graph.ainvoke({"lines": []}, at("t"))
        async with failing(own_server):
            for attempt in (
                lambda: graph.ainvoke({"lines": []}, at("t")),
                lambda: graph.aget_state(at("t")),
                lambda: ids(saver, None),
            ):
                with pytest.raises(CheckpointStoreUnavailable):
                    await attempt()
    assert calls == ["spent"]


async def test_a_primary_without_its_replicas_says_so_and_writes_nothing(own_server: Server) -> None:
    """langgraph-redis pull request 174: a refused command was logged, and interrupts were lost silently."""
    async with another(own_server) as saver, connect(own_server.url) as admin:
        config = await put(saver, at("t"), "kept")
        before = await contents(admin)
        await admin.config_set("min-replicas-to-write", 1)
        for refused in (put(saver.fenced(1), config), saver.aput_writes(config, [("c", 1)], "task")):
            with pytest.raises(CheckpointStoreReadOnly, match="NOREPLICAS"):
                await refused
        assert await contents(admin) == before
        assert await word_at(saver, at("t")) == "kept"


# What a run wrote is what the next one reads


async def test_a_resumed_fan_out_lands_in_the_order_sent_though_it_finished_backwards(saver: RedisSaver) -> None:
    """langgraph-checkpoint-aws: pending writes were not returned in the order of their task paths."""
    broken, runs = True, list[int]()

    async def work(ticket: Ticket) -> Talk:
        runs.append(ticket["number"])
        await asyncio.sleep(0.004 * (12 - ticket["number"]))
        if broken and ticket["number"] == 0:
            raise RuntimeError("the last to finish fails")
        return {"lines": [f"line {ticket['number']}"]}

    with pytest.raises(RuntimeError, match="the last to finish"):
        await fanned_out(saver, work, 12).ainvoke({"lines": []}, at("t"))
    pending = (await newest(saver, at("t"))).pending_writes or ()
    kept = [value for _, channel, value in pending if channel == "lines"]
    assert kept == [[f"line {number}"] for number in range(1, 12)]
    broken = False
    resumed = await fanned_out(saver, work, 12).ainvoke(None, at("t"))
    assert resumed["lines"] == [*(f"line {number}" for number in range(12)), "joined"]
    assert sorted(runs) == [0, *range(12)]


async def test_what_several_nodes_wrote_is_read_as_a_whole(saver: RedisSaver) -> None:
    """langgraph-redis issue 69, langgraphjs issue 2334: only what the last node wrote came back."""

    class Form(TypedDict, total=False):
        query: str
        sources: list[str]
        answer: str | None

    def ask(_: Form) -> Form:
        return {"query": "why?"}

    def look(_: Form) -> Form:
        return {"sources": ["a", "b"]}

    def answer(_: Form) -> Form:
        return {"answer": None}

    await in_sequence(saver, Form, ask, look, answer).ainvoke({}, at("t"))
    state = await in_sequence(saver, Form, ask, look, answer).aget_state(at("t"))
    assert state.values == {"query": "why?", "sources": ["a", "b"], "answer": None}


async def test_messages_come_back_as_messages(saver: RedisSaver) -> None:
    """langgraph-redis issues 128 and 181: messages could not be stored, or came back as dicts."""

    class Chat(TypedDict):
        messages: Annotated[list[AnyMessage], add_messages]

    def reply(_: Chat) -> Chat:
        return {"messages": [AIMessage(f"good {interrupt('which time of day?')}", id="2")]}

    said = HumanMessage("hello\0 大きさ", id="1")
    graph = in_sequence(saver, Chat, reply)
    await graph.ainvoke({"messages": [said]}, at("t"))
    assert (await graph.aget_state(at("t"))).values["messages"] == [said]
    await graph.ainvoke(Command(resume="evening"), at("t"))
    found = await newest(saver, at("t"))
    assert found.checkpoint["channel_values"]["messages"] == [said, AIMessage("good evening", id="2")]


async def test_sends_that_wait_are_sent_after_a_restart(saver: RedisSaver, shared_server: Server) -> None:
    """langgraph-redis issues 116, 122 and 191, langgraph issue 5074: waiting sends broke history and resume."""

    async def work(ticket: Ticket) -> Talk:
        return {"lines": [f"line {ticket['number']}"]}

    graph = fanned_out(saver, work, 3, interrupt_before=["work"])
    await graph.ainvoke({"lines": []}, at("t"))
    async with another(shared_server) as second:
        graph = fanned_out(second, work, 3, interrupt_before=["work"])
        history = [state async for state in graph.aget_state_history(at("t"))]
        assert history[0].next == ("work", "work", "work")
        resumed = await graph.ainvoke(None, at("t"))
    assert resumed["lines"] == ["line 0", "line 1", "line 2", "joined"]


async def test_a_checkpoint_found_without_its_id_names_it(saver: RedisSaver) -> None:
    """langgraph-redis issue 64: the newest checkpoint came back without its id."""
    configs = await chain(saver, "t", 3)
    found = await newest(saver, {"configurable": {"thread_id": "t"}})
    assert (found.config, found.parent_config) == (configs[2], configs[1])


async def test_listing_is_newest_first_and_tells_the_root_from_no_namespace(saver: RedisSaver) -> None:
    """langgraph-redis issue 106 and pull request 186: unsorted lists, and filters that were not applied."""
    stored: list[RunnableConfig] = []
    for step in range(8):
        ns = ("", "child:1", "child:1|grandchild:2")[step % 3]
        stored.append(await put(saver, at("t", ns), f"word {step}", step=step, tenant=f"tenant {step % 2}"))
    anywhere: RunnableConfig = {"configurable": {"thread_id": "t"}}
    newest_first = [id_of(each) for each in stored][::-1]
    assert await ids(saver, anywhere) == newest_first
    assert await ids(saver, at("t")) == newest_first[1::3]
    assert await ids(saver, at("t", "child:1")) == newest_first[::3]
    assert await ids(saver, anywhere, filter={"tenant": "tenant 1"}, limit=3) == newest_first[0:6:2]
    assert await ids(saver, at("t"), filter={"tenant": "tenant 2"}) == []
    assert await ids(saver, anywhere, before=stored[4], filter={"tenant": "tenant 0"}) == newest_first[5::2]
    await saver.aprune([])
    assert await ids(saver, None) == newest_first


async def test_odd_names_of_channels_tasks_and_namespaces_do_not_mix(saver: RedisSaver, redis: Plain) -> None:
    """langgraph-redis pull request 59: names that the store rewrote were not found again."""
    versions: Versions = {name: f"{number}.x" for number, name in enumerate(ODD_IDS)}
    values = {name: f"channel {name!a}" for name in ODD_IDS}
    for ns in ODD_IDS:
        config = await saver.aput(at("t\0大", ns), checkpoint(values, versions), {"step": 1}, versions)
        for task_id in ODD_IDS:
            writes = [(name, f"{ns!a} {task_id!a} {name!a}") for name in ODD_IDS]
            await saver.aput_writes(config, writes, task_id, f"~{task_id}")
    for ns in ODD_IDS:
        found = await newest(saver, at("t\0大", ns))
        assert found.checkpoint["channel_values"] == values
        assert found.checkpoint["channel_versions"] == versions
        assert found.pending_writes == [
            (task_id, name, f"{ns!a} {task_id!a} {name!a}") for task_id in sorted(ODD_IDS) for name in ODD_IDS
        ]
    await saver.aprune(["t\0大"])
    assert len(await ids(saver, {"configurable": {"thread_id": "t\0大"}})) == len(ODD_IDS)
    await saver.adelete_thread("t\0大")
    assert await redis.dbsize() == 0


async def test_tasks_that_write_at_once_lose_nothing_and_repeat_nothing(
    saver: RedisSaver, shared_server: Server
) -> None:
    """langchain-aws issue 1174: parallel tasks lost writes to each other, and a repeated one doubled its own."""
    config = await put(saver, at("t"))
    async with another(shared_server) as second:
        sending = [
            each.aput_writes(config, [("c", f"{task} {position}") for position in range(3)], f"task-{task:02}")
            for task in range(30)
            for each in (saver, second)
        ]
        random.Random(1174).shuffle(sending)  # noqa: S311 - an order, no secret
        await asyncio.gather(*sending)
    written = [value for _, _, value in (await newest(saver, config)).pending_writes or ()]
    assert written == [f"{task} {position}" for task in range(30) for position in range(3)]


# Forks


async def test_each_branch_of_a_fork_walks_its_own_parents(saver: RedisSaver) -> None:
    """LangGraph issue 4987: after going back in time, history and the newest checkpoint mixed two branches."""

    def first(_: Talk) -> Talk:
        return {"lines": ["first"]}

    def second(_: Talk) -> Talk:
        return {"lines": ["second"]}

    graph = in_sequence(saver, Talk, first, second)
    await graph.ainvoke({"lines": ["start"]}, at("t"))
    (root,) = [state async for state in graph.aget_state_history(at("t")) if state.next == ("second",)]
    ends = {"main": (await graph.aget_state(at("t"))).config}
    for branch in ("left", "right"):
        forked = await graph.aupdate_state(root.config, {"lines": [branch]}, as_node="first")
        await graph.ainvoke(None, forked)
        ends[branch] = (await graph.aget_state(at("t"))).config
    for branch, end in ends.items():
        told, config = list[list[str]](), end
        while config:
            state = await graph.aget_state(config)
            told.append(state.values.get("lines", []))
            config = state.parent_config
        whole = ["start", "first", *([branch] if branch != "main" else []), "second"]
        assert told == [whole[:length] for length in range(len(whole), -1, -1)][: len(told)]
        assert told[-1] == []
    assert (await graph.aget_state(at("t"))).values["lines"] == ["start", "first", "right", "second"]


# Size


async def test_a_state_of_five_megabytes_is_sent_once(redis: Plain) -> None:
    """langgraph-checkpoint-aws: the whole state was stored again at every step."""

    class Film(TypedDict, total=False):
        film: bytes
        lines: Annotated[list[str], operator.add]

    async def shoot(_: Film) -> Film:
        return {"film": b"\xff\0" * (FIVE_MEGABYTES // 2)}

    async def cut(_: Film) -> Film:
        return {"lines": ["cut"]}

    def fan_out(_: Film) -> list[Send]:
        return [Send("cut", {}) for _ in range(3)]

    client = Counting(redis)
    saver = RedisSaver(client)
    building: Any = StateGraph(Film)
    building.add_node("shoot", shoot)
    building.add_node("cut", cut)
    building.add_edge(START, "shoot")
    building.add_conditional_edges("shoot", fan_out, ["cut"])
    graph = building.compile(checkpointer=saver)
    await graph.ainvoke({"lines": []}, at("t"))
    # Once as the write of its task, once as the value of its channel.
    assert 2 * FIVE_MEGABYTES < client.bytes < 2.01 * FIVE_MEGABYTES
    client.bytes = 0
    for number in range(28):
        await graph.aupdate_state(at("t"), {"lines": [f"line {number}"]}, as_node="cut")
    assert client.bytes < 200_000
    held = sum([await redis.memory_usage(key, samples=0) or 0 for key in await redis.keys()])
    assert held < 2.5 * FIVE_MEGABYTES
    history = [state.values async for state in graph.aget_state_history(at("t"), limit=20)]
    assert {len(values["film"]) for values in history} == {FIVE_MEGABYTES}
    await saver.aprune(["t"])
    held = sum([await redis.memory_usage(key, samples=0) or 0 for key in await redis.keys()])
    assert held < 1.3 * FIVE_MEGABYTES
    assert (await graph.aget_state(at("t"))).values["film"] == b"\xff\0" * (FIVE_MEGABYTES // 2)


async def test_a_run_of_thirty_one_steps_keeps_its_unchanged_state_once(redis: Plain) -> None:
    """langgraph-checkpoint-aws: 31 steps with an unchanged channel of 200 KB took 11.5 MB."""

    class Long(TypedDict, total=False):
        brief: bytes
        step: int

    def step(state: Long) -> Command[Any]:
        done = state.get("step", 0) + 1
        return Command(update={"step": done}, goto="step" if done < 31 else "__end__")

    client = Counting(redis)
    building: Any = StateGraph(Long)
    building.add_node("step", step, destinations=("step", "__end__"))
    building.add_edge(START, "step")
    graph = building.compile(checkpointer=RedisSaver(client))
    await graph.ainvoke({"brief": b"x" * 200_000}, {**at("t"), "recursion_limit": 40})
    assert client.bytes < 1_000_000
    held = sum([await redis.memory_usage(key, samples=0) or 0 for key in await redis.keys()])
    assert held < 1_000_000


async def test_a_chat_that_is_pruned_stays_small(saver: RedisSaver, redis: Plain) -> None:
    """langgraph-redis issues 13 and 162: values that no checkpoint names any more stayed for ever."""

    class Chat(TypedDict):
        recent: list[str]

    def reply(state: Chat) -> Chat:
        return {"recent": [*state["recent"], "r" * 300][-10:]}

    graph = in_sequence(saver, Chat, reply)

    async def turn(number: int) -> tuple[int, int, int]:
        recent = (await graph.aget_state(at("t"))).values.get("recent", [])
        await graph.ainvoke({"recent": [*recent, f"{number:03}" * 100]}, at("t"))
        await saver.aprune(["t"])
        held = sum([await redis.memory_usage(key, samples=0) for key in await redis.keys()])
        return await redis.hlen("fanfare:{t}:channels"), await redis.hlen("fanfare:{t}:checkpoints"), held

    turns = [await turn(number) for number in range(300)]
    early, late = turns[20], turns[-1]
    assert late[:2] == early[:2]
    assert late[2] < 1.02 * early[2]


# Time to live


async def test_no_operation_lets_a_thread_expire_by_halves(redis: Plain) -> None:
    """langgraph-redis issue 137 and pull request 203: writes and pointers were left without a time to live."""
    saver = RedisSaver(redis, ttl=timedelta(hours=1), fence=1)
    await saver.aput_writes(at("t", "", "not-there-yet"), [("c", 1)], "task")
    assert await halves(redis) == {}
    first = await put(saver, at("t"))
    stories: dict[str, Callable[[], Awaitable[object]]] = {
        "a namespace": lambda: put(saver, at("t", "child:1|grandchild:2")),
        "writes of a namespace": lambda: saver.aput_writes(at("t", "child:1", "later"), [("c", 1)], "task"),
        "a fork": lambda: put(saver, first),
        "opening": lambda: saver.fenced(2).aget_tuple(at("t")),
        "opening another": lambda: saver.aget_tuple(at("unwritten")),
        "a copy onto an opened thread": lambda: saver.acopy_thread("t", "unwritten"),
    }
    for story, happens in {**stories, **operations(saver.fenced(2), first)}.items():
        await happens()
        assert await halves(redis) == {}, story
    assert await redis.dbsize() > 6


async def test_a_thread_expires_within_one_millisecond(redis: Plain) -> None:
    """langgraph-redis pull request 203: each key got its time to live by a call, and a time, of its own."""
    saver = RedisSaver(redis, ttl=60, fence=1)
    config = await put(saver, at("t"))
    for number in range(500):
        await saver.aput_writes(config, [("c", number)], "task")
        first, last = await redis.pexpiretime("fanfare:{t}:timeline"), await redis.pexpiretime("fanfare:{t}:epoch")
        assert first == last


async def test_nothing_of_a_run_remains_after_its_time_to_live(shared_server: Server, redis: Plain) -> None:
    """langgraph-redis issue 137: pending writes outlived their thread and filled the memory."""

    async def work(ticket: Ticket) -> Talk:
        return {"lines": [str(interrupt(ticket["number"]))]}

    async with another(shared_server, ttl=0.5, fence=1) as saver:
        inner = fanned_out(saver, work, 3)
        graph = in_sequence(saver, Talk, inner_node(inner))
        await graph.ainvoke({"lines": []}, at("t"))
        assert len((await graph.aget_state(at("t"))).interrupts) == 3
        first = [state async for state in graph.aget_state_history(at("t"))][-1]
        await graph.aupdate_state(first.config, {"lines": ["fork"]})
        await saver.aput_writes(at("t", "", "not-there-yet"), [("c", 1)], "task")
        await saver.acopy_thread("t", "copy")
        assert await redis.dbsize() > 10

    async def empty() -> bool:
        return bool(await redis.dbsize() == 0)

    assert await settled(empty)


def inner_node(inner: Any) -> Callable[[Talk], Awaitable[Talk]]:
    """A node that runs a graph of its own."""

    async def nested(state: Talk) -> Talk:
        found: Talk = await inner.ainvoke(state)
        return found

    return nested


async def test_a_copy_that_is_refused_leaves_no_key_behind_for_ever(redis: Plain) -> None:
    """langgraph-redis pull request 190: a path that few take forgot the time to live."""
    saver = RedisSaver(redis, ttl=60)
    await put(saver, at("source"))
    await put(saver, at("target"))
    before = await contents(redis)
    with pytest.raises(ThreadOccupied):
        await saver.fenced(1).acopy_thread("source", "target")
    assert await halves(redis) == {}
    assert await contents(redis) == before


async def test_a_thread_made_permanent_keeps_the_writes_and_the_epoch_it_had_before(redis: Plain) -> None:
    """langgraph-redis issue 66: a pinned thread must not lose some of its keys to an older time to live."""
    brief, lasting = RedisSaver(redis, ttl=60, fence=1), RedisSaver(redis)
    one = checkpoint({"word": "x"}, {"word": "1.a"})
    await brief.aput_writes(at("t", "", one["id"]), [("c", 1)], "task")
    await lasting.aput(at("t"), one, {"step": 1}, {"word": "1.a"})
    assert {key: await redis.pttl(key) for key in await redis.keys()} == dict.fromkeys(await redis.keys(), -1)


async def test_a_run_that_was_cancelled_goes_on_and_leaks_nothing(shared_server: Server, redis: Plain) -> None:
    """langgraph-redis pull request 190: a cancelled run overwrote its state, by a key that never expired."""
    runs: list[int] = []
    arrived, patient = asyncio.Event(), True

    async def work(ticket: Ticket) -> Talk:
        runs.append(ticket["number"])
        if patient and ticket["number"] == 2:
            arrived.set()
            await asyncio.Event().wait()
        return {"lines": [f"line {ticket['number']}"]}

    async with another(shared_server, ttl=60) as saver:
        graph = fanned_out(saver, work, 3)
        running = asyncio.create_task(graph.ainvoke({"lines": []}, at("t")))
        await arrived.wait()

        async def both_kept() -> bool:
            return bool(await redis.hlen("fanfare:{t}:writes") >= 2)

        assert await settled(both_kept)
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        assert await halves(redis) == {}
        patient = False
        resumed = await graph.ainvoke(None, at("t"))
    assert resumed["lines"] == ["line 0", "line 1", "line 2", "joined"]
    assert sorted(runs) == [0, 1, 2, 2]


# Forgetting


async def test_deleting_a_thread_takes_everything_that_was_ever_put_there(saver: RedisSaver, redis: Plain) -> None:
    """langgraph-redis issue 51, langgraphjs issue 2207: deletion missed the writes."""
    fenced = saver.fenced(1)
    await fenced.aput_writes(at("t", "", "not-there-yet"), [("c", 1)], "task")
    for ns in ("", "child:1", "child:1|grandchild:2"):
        config = await put(fenced, at("t", ns))
        await fenced.aput_writes(config, [("c", 1), ("__interrupt__", 2)], "task")
    assert await redis.dbsize() == 6
    await fenced.adelete_thread("t")
    assert await redis.dbsize() == 0


@pytest.mark.parametrize("how", ["deleted", "expired", "pruned"])
async def test_what_a_late_put_acknowledges_can_be_read(redis: Plain, how: str) -> None:
    """LangGraph issue 7206: a late write resurrected a thread that was gone; it must not do so by halves."""
    saver = RedisSaver(redis, ttl=60, fence=1)
    versions: Versions = {"brief": "1.a", "word": "1.a"}
    values = {"brief": "unchanged", "word": "early"}
    parent = await saver.aput(at("t"), checkpoint(values, versions), {"step": 1}, versions)
    await forget(saver, redis, parent, how)
    late = checkpoint({**values, "word": "late"}, {"brief": "1.a", "word": "2.a"})
    try:
        stored = await saver.aput(parent, late, {"step": 2}, {"word": "2.a"})
    except CheckpointStoreError:
        return  # an honest answer: the writer learns that its thread is gone
    finally:
        assert await halves(redis) == {}
    assert (await newest(saver, stored)).checkpoint["channel_values"] == {"brief": "unchanged", "word": "late"}


async def forget(saver: RedisSaver, redis: Plain, parent: RunnableConfig, how: str) -> None:
    """Let a thread, or one checkpoint of it, go."""
    if how == "deleted":
        await saver.adelete_thread("t")
    elif how == "pruned":
        versions: Versions = {"brief": "2.a", "word": "2.b"}
        await saver.aput(parent, checkpoint({"brief": "new", "word": "new"}, versions), {"step": 2}, versions)
        await saver.aprune(["t"])
    else:
        for key in await redis.keys():
            await redis.pexpire(key, 1)

        async def gone() -> bool:
            return not await redis.exists("fanfare:{t}:timeline")

        assert await settled(gone)


# People who are asked


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_whoever_reads_next_sees_the_question_and_can_answer(
    saver: RedisSaver, shared_server: Server, durability: str
) -> None:
    """langgraph-redis issues 113 and 133: a question was not there, or came back as a dict."""

    def gate(_: Talk) -> Talk:
        return {"lines": [f"answered {interrupt('publish?')}"]}

    await in_sequence(saver, Talk, gate).ainvoke({"lines": []}, at("t"), durability=durability)
    async with another(shared_server) as second:
        found = await newest(second, at("t"))
        assert [type(each) for _, _, (each,) in found.pending_writes or ()] == [Interrupt]
        graph = in_sequence(second, Talk, gate)
        history = [state async for state in graph.aget_state_history(at("t"))]
        assert [each.value for each in history[0].interrupts] == ["publish?"]
        asked = await questions(graph, at("t"))
        resumed = await graph.ainvoke(Command(resume={asked["publish?"]: "yes"}), at("t"))
    assert resumed["lines"] == ["answered yes"]


async def test_a_question_stored_before_its_checkpoint_is_found_with_it(saver: RedisSaver) -> None:
    """LangGraphJS issue 1996: storing a checkpoint hid the question that had been written beside it."""
    one, asked = checkpoint({"word": "x"}, {"word": "1.a"}), Interrupt("publish?")
    place = at("t", "", one["id"])
    await saver.aput_writes(place, [("__interrupt__", (asked,))], "task")
    for _ in range(2):
        await saver.aput(at("t"), one, {"step": 1}, {"word": "1.a"})
        assert [value for _, _, (value,) in (await newest(saver, at("t"))).pending_writes or ()] == [asked]


async def test_finished_siblings_of_two_questions_are_never_run_again(own_server: Server) -> None:
    """langgraph-redis issue 133 and pull request 134: cleaning up took the writes of a pending approval."""
    calls: list[str] = []

    async def work(ticket: Ticket) -> Talk:
        number = ticket["number"]
        answer = interrupt(f"approve {number}?") if number in {1, 4} else "unasked"
        calls.append(f"{number} {answer}")
        return {"lines": [f"{number} {answer}"]}

    async with another(own_server) as saver:
        graph = fanned_out(saver, work, 6)
        await graph.ainvoke({"lines": []}, at("t"))
        assert sorted(calls) == ["0 unasked", "2 unasked", "3 unasked", "5 unasked"]
        await saver.aprune(["t"])
        own_server.kill()
        own_server.start()
        await saver.acopy_thread("t", "u")
        for thread_id in ("t", "u"):
            asked = await questions(graph, at(thread_id))
            assert set(asked) == {"approve 1?", "approve 4?"}
            await graph.ainvoke(Command(resume={asked["approve 4?"]: "yes"}), at(thread_id))
            await saver.aprune([thread_id])
            asked = await questions(graph, at(thread_id))
            assert set(asked) == {"approve 1?"}
            end = await graph.ainvoke(Command(resume={asked["approve 1?"]: "no"}), at(thread_id))
            assert end["lines"] == ["0 unasked", "1 no", "2 unasked", "3 unasked", "4 yes", "5 unasked", "joined"]
    assert sorted(calls[4:]) == ["1 no", "1 no", "4 yes", "4 yes"]


async def test_pruning_between_the_questions_of_one_node_loses_no_answer(saver: RedisSaver) -> None:
    """langgraph-redis issue 159: keeping the latest only broke a chain of questions."""
    began = 0

    def tools(_: Talk) -> Talk:
        nonlocal began
        began += 1
        return {"lines": [str(interrupt(f"tool {number}?")) for number in range(3)]}

    def after(_: Talk) -> Talk:
        return {"lines": ["after"]}

    graph = in_sequence(saver, Talk, tools, after)
    await graph.ainvoke({"lines": []}, at("t"))
    for number in range(3):
        await saver.aprune(["t"])
        asked = await questions(graph, at("t"))
        assert set(asked) == {f"tool {number}?"}
        await graph.ainvoke(Command(resume={asked[f"tool {number}?"]: f"answer {number}"}), at("t"))
    assert (await graph.aget_state(at("t"))).values["lines"] == ["answer 0", "answer 1", "answer 2", "after"]
    assert began == 4


async def test_pruning_between_the_tools_of_one_message_runs_none_twice(saver: RedisSaver) -> None:
    """langgraph-redis issue 159: tools that had finished were run again after a prune."""
    done: list[int] = []

    async def work(ticket: Ticket) -> Talk:
        answer = interrupt(ticket["number"])
        done.append(ticket["number"])
        return {"lines": [str(answer)]}

    graph = fanned_out(saver, work, 4)
    await graph.ainvoke({"lines": []}, at("t"))
    for number in (2, 0, 3, 1):
        await saver.aprune(["t"])
        asked = await questions(graph, at("t"))
        await graph.ainvoke(Command(resume={asked[number]: f"answer {number}"}), at("t"))
    assert done == [2, 0, 3, 1]
    lines = (await graph.aget_state(at("t"))).values["lines"]
    assert lines == ["answer 0", "answer 1", "answer 2", "answer 3", "joined"]


async def test_pruning_between_the_questions_of_a_subgraph_keeps_its_place(saver: RedisSaver) -> None:
    """LangGraph issue 4796: a subgraph that asks started again instead of going on from where it slept."""
    calls: list[str] = []

    def prepare(_: Talk) -> Talk:
        calls.append("prepare")
        return {"lines": ["prepared"]}

    def ask(_: Talk) -> Talk:
        answers = [str(interrupt("first?")), str(interrupt("second?"))]
        calls.append("ask")
        return {"lines": answers}

    def before(_: Talk) -> Talk:
        calls.append("before")
        return {}

    nested: Any = StateGraph(Talk)
    nested.add_sequence([prepare, ask])
    nested.add_edge(START, "prepare")
    building: Any = StateGraph(Talk)
    building.add_node("before", before)
    building.add_node("nested", nested.compile())
    building.add_edge(START, "before")
    building.add_edge("before", "nested")
    graph = building.compile(checkpointer=saver)
    await graph.ainvoke({"lines": []}, at("t"))
    for question in ("first?", "second?"):
        await saver.aprune(["t"])
        asked = await questions(graph, at("t"))
        assert set(asked) == {question}
        await graph.ainvoke(Command(resume={asked[question]: f"{question} yes"}), at("t"))
    assert (await graph.aget_state(at("t"))).values["lines"] == ["prepared", "first? yes", "second? yes"]
    assert calls == ["before", "prepare", "ask"]


# Many answers at once


class Decision(TypedDict, total=False):
    """An answer, and what was done about it."""

    answer: str
    published: str


def gated(saver: RedisSaver, published: list[str]) -> Any:
    """Ask, then publish the answer."""

    def gate(_: Decision) -> Decision:
        return {"answer": str(interrupt("publish?"))}

    async def publish(state: Decision) -> Decision:
        answer = state.get("answer", "")
        await asyncio.sleep(random.uniform(0, 0.03))  # noqa: S311 - runs overtake each other
        published.append(answer)
        return {"published": answer}

    return in_sequence(saver, Decision, gate, publish)


async def test_twenty_answers_at_once_leave_one_of_them_and_a_thread_that_can_be_read(
    saver: RedisSaver, shared_server: Server
) -> None:
    """langgraph-redis pull request 79: runs of one thread at a time corrupted each other's state."""
    graph = gated(saver, [])
    await graph.ainvoke({"published": "nothing"}, at("t"))
    (asked,) = (await questions(graph, at("t"))).values()

    async def answer(number: int) -> Decision:
        async with another(shared_server) as own:
            end: Decision = await gated(own, []).ainvoke(Command(resume={asked: f"answer {number}"}), at("t"))
            return end

    ends = await asyncio.gather(*(answer(number) for number in range(20)))
    final = await graph.aget_state(at("t"))
    assert final.next == ()
    assert final.values in [{"answer": f"answer {n}", "published": f"answer {n}"} for n in range(20)]
    assert final.values in ends
    async for state in graph.aget_state_history(at("t")):
        assert state.values.get("published") in {None, "nothing", state.values.get("answer")}


async def test_of_twenty_fenced_answers_only_the_newest_epoch_acts(saver: RedisSaver) -> None:
    """langgraph-redis pull request 79: two workers took up one thread, and both went on."""
    published: list[str] = []
    await gated(saver, published).ainvoke({"published": "nothing"}, at("t"))
    (asked,) = (await questions(gated(saver, published), at("t"))).values()
    for epoch in range(20):
        await saver.fenced(epoch).aget_tuple(at("t"))
    epochs = list(range(20))
    random.Random(79).shuffle(epochs)  # noqa: S311 - an order, no secret
    resume = [
        gated(saver.fenced(epoch), published).ainvoke(Command(resume={asked: f"epoch {epoch}"}), at("t"))
        for epoch in epochs
    ]
    ends = dict(zip(epochs, await asyncio.gather(*resume, return_exceptions=True), strict=True))
    assert {epoch for epoch, end in ends.items() if not isinstance(end, StaleEpoch)} == {19}
    assert published == ["epoch 19"]
    assert (await gated(saver, []).aget_state(at("t"))).values == {"answer": "epoch 19", "published": "epoch 19"}
