"""The Redis saver while its server is killed, its lines are cut and its memory fills; minutes long, on demand."""

import asyncio
import contextlib
import logging
import operator
import os
import random
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.graph import START, StateGraph  # pyright: ignore[reportMissingTypeStubs]
from langgraph.types import Command, Send, interrupt

from graph.checkpoints import CheckpointStoreUnavailable, RedisSaver
from tests.checkpoints import (
    Plain,
    Versions,
    at,
    chain,
    checkpoint,
    connect,
    id_of,
    ids,
    operations,
    outcome,
    put,
    settled,
    word_at,
)
from tests.stores import SERVERS, Server, start_server

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
log = logging.getLogger(__name__)

WRITERS = 8
WIDTH = 12
MANY = 10_000
LOSS_SECONDS = 3.0
"""A server that syncs every second lets a write wait for up to two while a sync is under way."""
BRIEF = os.urandom(2000)


@pytest.fixture(params=SERVERS)
def kind(request: pytest.FixtureRequest) -> str:
    """A kind of server."""
    return str(request.param)


@pytest.fixture
def server(kind: str, tmp_path: Path) -> Generator[Server]:
    """A server of each kind, with its defaults."""
    started = start_server(kind, tmp_path)
    yield started
    started.kill()


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Dice whose seed a failure tells; FAULTS_SEED throws the same again."""
    seed = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(2**32))
    request.node.add_report_section("setup", "FAULTS_SEED", str(seed))
    return random.Random(seed)  # noqa: S311 - dice, no secret


async def strike(server: Server, chance: random.Random, low: float, high: float) -> float:
    """Kill a server after a while, from a thread: at a moment of which this loop knows nothing."""

    def wait_and_kill(delay: float) -> float:
        time.sleep(delay)
        server.process.kill()
        moment = time.monotonic()
        server.process.wait()
        return moment

    return await asyncio.to_thread(wait_and_kill, chance.uniform(low, high))


# Kills under load


@dataclass
class Diary:
    """What one writer sent of its thread, and when it was told that each part is kept."""

    thread_id: str
    sent: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Channel values by checkpoint."""
    kept: dict[str, float] = field(default_factory=dict[str, float])
    sent_writes: dict[tuple[str, str], list[Any]] = field(default_factory=dict[tuple[str, str], list[Any]])
    """Values by checkpoint and task."""
    kept_writes: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])

    async def write(self, saver: RedisSaver, chance: random.Random, stop: asyncio.Event) -> None:
        """Go on from the newest checkpoint, step by step, until told to stop or the server is gone."""
        with contextlib.suppress(CheckpointStoreUnavailable):
            found = await saver.aget_tuple(at(self.thread_id))
            assert found or not self.kept, f"{self.thread_id} reads as absent"
            while not stop.is_set():
                found = await self._step(saver, chance, found)

    async def _step(
        self, saver: RedisSaver, chance: random.Random, parent: CheckpointTuple | None
    ) -> CheckpointTuple:
        """Store a checkpoint, then the writes of its tasks; a note after each answer."""
        versions: Versions = dict(parent.checkpoint["channel_versions"]) if parent else {}
        values = {"brief": BRIEF, "step": len(self.sent), "word": chance.randbytes(200)}
        changed = values if parent is None else {"step", "word"}
        new: Versions = {name: saver.get_next_version(_text(versions.get(name)), None) for name in changed}
        one = checkpoint(values, {**versions, **new})
        self.sent[one["id"]] = values
        config = await saver.aput(parent.config if parent else at(self.thread_id), one, {"source": "loop"}, new)
        self.kept[one["id"]] = time.monotonic()
        for task in range(chance.randint(1, 3)):
            written = (one["id"], f"task-{task}")
            self.sent_writes[written] = [chance.randbytes(100) for _ in range(chance.randint(1, 5))]
            await saver.aput_writes(config, [("c", each) for each in self.sent_writes[written]], written[1])
            self.kept_writes[written] = time.monotonic()
        return CheckpointTuple(config, one, {})

    async def compare(self, saver: RedisSaver, *, since: float) -> list[float]:
        """Require that nothing is half there; return when what is missing was acknowledged, and forget that.

        A thread of which a part is lost must have lost everything that came later, too.
        """
        expected = {name for name, moment in self.kept.items() if moment >= since}
        unanswered = len(self.sent) - len(self.kept)
        listed = [found async for found in saver.alist(at(self.thread_id), limit=len(expected) + unanswered)]
        there, written = {id_of(found.config) for found in listed}, set[tuple[str, str]]()
        for found in listed:
            name = id_of(found.config)
            assert found.checkpoint["channel_values"] == self.sent[name]
            for task, values in _by_task(found).items():
                assert values == self.sent_writes[name, task]
                written.add((name, task))
        missing = [self.kept.pop(name) for name in expected if name not in there]
        parts = [part for part in self.kept_writes if part[0] in expected and part not in written]
        missing += [self.kept_writes.pop(part) for part in parts]
        if missing:
            lasting = [*self.kept.values(), *self.kept_writes.values()]
            assert min(missing) > max(lasting, default=0.0), f"{self.thread_id} has a hole"
        return missing


def _text(version: str | float | None) -> str | None:
    return None if version is None else str(version)


def _by_task(found: CheckpointTuple) -> dict[str, list[Any]]:
    """The pending writes of a checkpoint by task, in the order in which they came."""
    tasks: defaultdict[str, list[Any]] = defaultdict(list)
    for task, _, value in found.pending_writes or ():
        tasks[task].append(value)
    return tasks


@pytest.mark.parametrize(("policy", "kills"), [("always", 50), ("everysec", 20)])
async def test_kills_under_load_lose_nothing_that_was_acknowledged(
    kind: str, policy: str, kills: int, tmp_path: Path, chance: random.Random
) -> None:
    """With `always` nothing at all; with `everysec` at most the last seconds, and never one part without another.

    The process is killed, not the machine. `everysec` hands each write to the kernel before it answers, except
    while a sync is under way: then the write waits in the process, for up to two seconds, and dies with it.
    """
    # Small files, so that some kills meet a rewrite of the append-only file.
    words = ("--appendfsync", policy, "--auto-aof-rewrite-min-size", "1mb")
    server = start_server(kind, tmp_path, *words)
    diaries = [Diary(f"campaign {number}") for number in range(WRITERS)]
    lost: list[float] = []
    try:
        async with (
            RedisSaver.from_url(server.url, timeout=0.5) as saver,
            RedisSaver.from_url(server.url, timeout=30) as patient,
        ):
            for _ in range(kills):
                since, stop = time.monotonic(), asyncio.Event()
                writing = asyncio.gather(*(diary.write(saver, chance, stop) for diary in diaries))
                killed = await strike(server, chance, 0.05, 0.4)
                stop.set()
                if policy == "always":  # what was on its way at the kill may still succeed, by asking again
                    await asyncio.to_thread(server.start)
                    await writing
                else:  # nothing follows a write that may be lost
                    await writing
                    await asyncio.to_thread(server.start)
                for diary in diaries:
                    missing = await diary.compare(patient, since=since)
                    assert policy == "everysec" or missing == []
                    assert all(killed - moment < LOSS_SECONDS for moment in missing)
                    lost += missing
            for diary in diaries:
                assert await diary.compare(patient, since=0) == []
    finally:
        server.kill()
    checkpoints = sum(len(diary.kept) for diary in diaries)
    tasks = sum(len(diary.kept_writes) for diary in diaries)
    log.info("%s %s: %d checkpoints, %d tasks' writes kept, %d lost", kind, policy, checkpoints, tasks, len(lost))
    assert min(checkpoints, tasks) > kills * WRITERS


# A graph in flight


class Campaign(TypedDict, total=False):
    """Lines that only grow."""

    lines: Annotated[list[str], operator.add]


class Ticket(TypedDict):
    """What one task of the fan-out is sent."""

    number: int


@dataclass
class Effects:
    """What tasks did to the world, each named by its id, and which of them the store had acknowledged."""

    chance: random.Random
    kept: set[str] = field(default_factory=set[str])
    again: list[str] = field(default_factory=list[str])
    """Tasks that ran although their writes had been acknowledged."""
    runs: Counter[str] = field(default_factory=Counter[str])
    tasks: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict[str, set[str]](set))
    """The ids under which each piece of work ran."""

    async def happen(self, config: RunnableConfig, work: str) -> None:
        """Do a piece of work that takes a moment."""
        place = config.get("configurable", {})
        task_id, name = str(place["__pregel_task_id"]), f"{place['thread_id']}: {work}"
        if task_id in self.kept:
            self.again.append(name)
        self.runs[name] += 1
        self.tasks[name].add(task_id)
        await asyncio.sleep(self.chance.uniform(0, 0.03))

    def remembered(self) -> type[RedisSaver]:
        """A saver that notes here which tasks' writes were acknowledged."""
        kept = self.kept

        class Remembered(RedisSaver):
            async def aput_writes(
                self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
            ) -> None:
                await super().aput_writes(config, writes, task_id, task_path)
                if not {channel for channel, _ in writes} & {"__interrupt__", "__resume__", "__error__"}:
                    kept.add(task_id)

        return Remembered


def campaign_graph(saver: RedisSaver, effects: Effects) -> Any:
    """Plan, translate twelve times at once, ask a person, publish."""

    async def plan(_: Campaign, config: RunnableConfig) -> Campaign:
        await effects.happen(config, "plan")
        return {"lines": ["plan"]}

    async def translate(ticket: Ticket, config: RunnableConfig) -> Campaign:
        await effects.happen(config, f"translate {ticket['number']}")
        return {"lines": [f"translation {ticket['number']}"]}

    async def gate(_: Campaign) -> Campaign:
        return {"lines": [f"decided {interrupt('publish?')}"]}

    async def publish(_: Campaign, config: RunnableConfig) -> Campaign:
        await effects.happen(config, "publish")
        return {"lines": ["published"]}

    def fan_out(_: Campaign) -> list[Send]:
        return [Send("translate", {"number": number}) for number in range(WIDTH)]

    building: Any = StateGraph(Campaign)
    for node in (plan, translate, gate, publish):
        building.add_node(node.__name__, node)
    building.add_edge(START, "plan")
    building.add_conditional_edges("plan", fan_out, ["translate"])
    building.add_edge("translate", "gate")
    building.add_edge("gate", "publish")
    return building.compile(checkpointer=saver)


async def finished(graph: Any, config: RunnableConfig, durability: str) -> Any:
    """Go on with a campaign, however often its server goes away, until nothing is left to do."""
    deadline = time.monotonic() + 60
    while True:
        assert time.monotonic() < deadline, "a campaign does not come to its end"
        with contextlib.suppress(CheckpointStoreUnavailable):
            state = await graph.aget_state(config)
            if state.created_at is None:
                await graph.ainvoke({"lines": []}, config, durability=durability)
            elif state.interrupts:
                answers = {each.id: "yes" for each in state.interrupts}
                await graph.ainvoke(Command(resume=answers), config, durability=durability)
            elif state.tasks:  # not `next`, which leaves out a task whose writes are kept but not yet applied
                await graph.ainvoke(None, config, durability=durability)
            else:
                return state
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("durability", ["sync", "async"])
async def test_no_task_whose_writes_were_acknowledged_runs_again_in_twenty_kills(
    kind: str, durability: str, tmp_path: Path, chance: random.Random
) -> None:
    server = start_server(kind, tmp_path, "--appendfsync", "always")
    effects, done = Effects(chance), asyncio.Event()

    async def kill_and_start() -> None:
        for _ in range(20):
            await strike(server, chance, 0.02, 0.3)
            # Some outages are so short that the saver mends them by asking again; after others the run has failed.
            await asyncio.sleep(chance.choice([0, 0.9]))
            await asyncio.to_thread(server.start)
        done.set()

    try:
        async with effects.remembered().from_url(server.url, timeout=0.4) as saver:
            graph = campaign_graph(saver, effects)
            killing, number = asyncio.create_task(kill_and_start()), 0
            while number == 0 or not done.is_set():
                state = await finished(graph, at(f"campaign {number}"), durability)
                translations = [f"translation {each}" for each in range(WIDTH)]
                assert state.values["lines"] == ["plan", *translations, "decided yes", "published"]
                number += 1
            await killing
    finally:
        server.kill()
    assert effects.again == []
    assert len(effects.runs) == number * (WIDTH + 2)
    assert sum(effects.runs.values()) > len(effects.runs), "no kill met a task in flight"
    if durability == "sync":
        # A step begins once its checkpoint is kept, so a piece of work never runs under two ids.
        assert {name for name, tasks in effects.tasks.items() if len(tasks) > 1} == set()


# Lines that are cut


Part = Literal["request", "reply"]


class Line:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.client = client
        self.left: int | None = None
        """Bytes of the next reply that still pass; None for all."""


class Proxy:
    """Stands between a saver and its server, and mistreats what it carries."""

    def __init__(self, behind: int) -> None:
        self.behind = behind
        self.port = 0
        self.delay = 0.0
        """Seconds by which each reply is late."""
        self.part: Part = "request"
        self.passing = 0
        """How many bytes of that part pass before the line is cut."""
        self.cuts = 0
        """How many calls of scripts will still be cut off."""
        self.size = 0
        """Bytes of the latest call of a script."""
        self._lines: dict[asyncio.Task[None], Line] = {}

    def cut(self, part: Part, passing: int, times: int) -> None:
        """Cut off the next calls of scripts, in the request or in its reply."""
        self.part, self.passing, self.cuts = part, passing, times

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncGenerator["Proxy"]:
        """Carry, until left."""
        accepting = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = accepting.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            accepting.close()
            for line in self._lines.values():
                line.client.transport.abort()
            await asyncio.gather(*self._lines)

    async def _carry(self, requests: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task, line = asyncio.current_task(), Line(client)
        assert task
        self._lines[task] = line
        replies, server = await asyncio.open_connection("127.0.0.1", self.behind)
        replying = asyncio.create_task(self._replies(replies, line))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._requests(requests, server, line)
        server.close()
        client.close()
        await replying
        del self._lines[task]

    async def _requests(self, requests: asyncio.StreamReader, server: asyncio.StreamWriter, line: Line) -> None:
        while True:
            request = await _request(requests)
            if b"EVAL" in request[:30]:
                self.size = len(request)
                if self.cuts > 0:
                    self.cuts -= 1
                    if self.part == "request":
                        server.write(request[: self.passing])
                        return
                    line.left = self.passing
            server.write(request)
            await server.drain()

    async def _replies(self, replies: asyncio.StreamReader, line: Line) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await replies.read(65536):
                await asyncio.sleep(self.delay)
                line.client.write(data[: line.left])
                if line.left is not None:
                    line.left -= len(data)
                    if line.left <= 0:
                        break
        line.client.close()


async def _request(requests: asyncio.StreamReader) -> bytes:
    """Read one request: an array of byte strings, each with its length before it."""
    parts = [await requests.readuntil(b"\r\n")]
    for _ in range(int(parts[0][1:])):
        parts.append(await requests.readuntil(b"\r\n"))
        parts.append(await requests.readexactly(int(parts[-1][1:]) + 2))
    return b"".join(parts)


@pytest.fixture
async def proxy(server: Server) -> AsyncGenerator[Proxy]:
    """A proxy before the server."""
    async with Proxy(server.port).listening() as listening:
        yield listening


@pytest.fixture
async def direct(server: Server) -> AsyncGenerator[RedisSaver]:
    """A saver whose lines nobody cuts."""
    async with RedisSaver.from_url(server.url) as opened:
        yield opened


def through(proxy: Proxy, timeout: float) -> contextlib.AbstractAsyncContextManager[RedisSaver]:
    """A saver that reaches its server through the proxy."""
    return RedisSaver.from_url(f"redis://127.0.0.1:{proxy.port}", timeout=timeout)


async def written(saver: RedisSaver, config: RunnableConfig, task_id: str) -> list[Any]:
    """The values of a task's pending writes."""
    found = await saver.aget_tuple(config)
    assert found
    return _by_task(found)[task_id]


@pytest.mark.parametrize("times", [1, 1000])
@pytest.mark.parametrize("part", ["request", "reply"])
async def test_a_line_cut_in_the_middle_of_writes_keeps_all_of_them_or_none(
    proxy: Proxy, direct: RedisSaver, part: Part, times: int
) -> None:
    """langgraph-redis issue 68: an interruption among a task's writes left some of them."""
    writes = [("c", f"{number:02} {'x' * 5000}") for number in range(40)]
    config = await put(direct, at("t"))
    await direct.aput_writes(config, writes, "task 000000")
    async with through(proxy, 0.5) as saver:
        await saver.aput_writes(config, writes, "task 000000")
        size = proxy.size
        assert size > 200_000
        places = [0, 1, 20, 100, size // 3, size // 2, size - 1] if part == "request" else [0, 1, 2]
        for place in places:
            task_id = f"task {place + 1:06}"
            proxy.cut(part, place, times)
            error = await outcome(partial(saver.aput_writes, config, writes, task_id))
            if times == 1:
                assert error is None, "one cut is mended by asking again"
            else:
                assert isinstance(error, CheckpointStoreUnavailable)
            stands = len(await written(direct, config, task_id))
            # A request that was cut never arrived; where only the reply was cut, the work was done.
            assert stands == (0 if error and part == "request" else 40)
            proxy.cut(part, 0, 0)
            await saver.aput_writes(config, writes, task_id)
            assert await written(direct, config, task_id) == [value for _, value in writes]


@pytest.mark.parametrize("part", ["request", "reply"])
async def test_a_line_cut_in_the_middle_of_a_checkpoint_keeps_it_whole_or_not(
    proxy: Proxy, direct: RedisSaver, part: Part
) -> None:
    async with through(proxy, 0.5) as saver:
        config = await put(saver, at("t"), "0")
        for number, place in enumerate([0, 1, 60, 150, 300] if part == "request" else [0, 1, 2], 1):
            proxy.cut(part, place, 1000)
            with pytest.raises(CheckpointStoreUnavailable):
                await put(saver, config, str(number))
            assert await word_at(direct, at("t")) == str(number if part == "reply" else number - 1)
            proxy.cut(part, 0, 0)
            config = await put(saver, config, str(number))
            assert await word_at(direct, at("t")) == str(number)


async def test_a_line_cut_in_the_middle_of_a_long_answer_is_never_a_short_one(
    proxy: Proxy, direct: RedisSaver
) -> None:
    values = {"big": os.urandom(300_000), "step": 1}
    versions: Versions = {"big": "1.a", "step": "1.a"}
    config = await direct.aput(at("t"), checkpoint(values, versions), {"step": 1}, versions)
    async with through(proxy, 0.5) as saver:
        assert await word_at(direct, at("absent")) is None
        await saver.aget_tuple(at("t"))
        for place in (0, 1, 10, 1000, 150_000, 300_000):
            proxy.cut("reply", place, 1000)
            with pytest.raises(CheckpointStoreUnavailable):
                await saver.aget_tuple(at("t"))
            proxy.cut("reply", place, 1)
            found = await saver.aget_tuple(at("t"))
            assert found
            assert found.config == config
            assert found.checkpoint["channel_values"] == values


async def test_every_operation_gives_up_on_a_slow_server_within_the_timeout(
    proxy: Proxy, direct: RedisSaver
) -> None:
    config = (await chain(direct, "t", 3))[-1]
    async with through(proxy, 0.4) as saver:
        await saver.aget_tuple(at("t"))
        proxy.delay = 1.5
        for name, call in operations(saver, config).items():
            started = time.monotonic()
            assert isinstance(await outcome(call), CheckpointStoreUnavailable), name
            assert time.monotonic() - started < 1, name
        proxy.delay = 0
        assert await word_at(saver, at("other")) is None


# Ten thousand threads


async def each_of_many(act: Callable[[int], Awaitable[object]]) -> None:
    """Do something for ten thousand threads, a few hundred at a time."""
    for first in range(0, MANY, 250):
        await asyncio.gather(*(act(number) for number in range(first, first + 250)))


async def used(redis: Plain) -> int:
    """Bytes that the server has in use."""
    memory: dict[str, int] = await redis.info("memory")
    return memory["used_memory"]


async def test_ten_thousand_threads_are_kept_listed_and_forgotten(server: Server, chance: random.Random) -> None:
    async with RedisSaver.from_url(server.url) as saver, connect(server.url) as redis:

        async def keep(number: int) -> None:
            config = await put(saver, at(f"thread {number}"), f"word {number}", run_id=f"run {number % 10}")
            await saver.aput_writes(config, [("c", number)], "task")

        await each_of_many(keep)
        assert await redis.dbsize() == 5 * MANY
        for number in chance.sample(range(MANY), 300):
            assert await word_at(saver, at(f"thread {number}")) == f"word {number}"
        assert len(await ids(saver, None, limit=50)) == 50
        assert len(await ids(saver, None, filter={"run_id": "run 3"}, limit=20)) == 20
        await saver.adelete_for_runs(["run 3", "run 7"])
        assert await redis.dbsize() == 4 * MANY
        for number in chance.sample(range(MANY), 300):
            gone = number % 10 in {3, 7}
            assert await word_at(saver, at(f"thread {number}")) == (None if gone else f"word {number}")
        await each_of_many(lambda number: saver.adelete_thread(f"thread {number}"))
        assert await redis.dbsize() == 0


async def test_ten_thousand_threads_expire_and_give_their_memory_back(server: Server) -> None:
    async with (
        RedisSaver.from_url(server.url, ttl=2, fence=1) as saver,
        connect(server.url) as redis,
    ):
        before = await used(redis)

        async def keep(number: int) -> None:
            await saver.aput_writes(await put(saver, at(f"thread {number}"), "x" * 500), [("c", number)], "task")

        await each_of_many(keep)
        peak = await used(redis)
        assert peak - before > MANY * 500

        async def empty() -> bool:
            return bool(await redis.dbsize() == 0)

        async def given_back() -> bool:
            return await used(redis) - before < (peak - before) // 10

        assert await settled(empty, seconds=60)
        assert await settled(given_back, seconds=30)
