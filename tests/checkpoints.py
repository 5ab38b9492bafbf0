"""What tests of a checkpointer say in one word: name a checkpoint, store one, read what a server holds."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, empty_checkpoint
from redis.asyncio import Redis

from graph.checkpoints import RedisSaver

ODD_IDS = [
    "plain",
    "",
    "%",
    "a:b",
    "a}b",
    "{a}",
    "a%7Db",
    "nul\0nul",
    "Größe 大きさ",
    "\udc80",
    "*",
    "a/b\nc",
]
Versions = dict[str, str | int | float]
Plain: TypeAlias = Any
"""A client of redis-py, which leaves most of its answers untyped."""


def connect(url: str) -> Plain:
    """Open a plain client."""
    return Redis.from_url(url)  # pyright: ignore[reportUnknownMemberType]


def at(thread_id: str, ns: str = "", checkpoint_id: str | None = None) -> RunnableConfig:
    """Name a checkpoint, or the newest of a namespace."""
    named = {"checkpoint_id": checkpoint_id} if checkpoint_id else {}
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ns, **named}}


def id_of(config: RunnableConfig) -> str:
    """The checkpoint's id in a config."""
    return str(config.get("configurable", {})["checkpoint_id"])


def checkpoint(values: dict[str, Any], versions: Versions) -> Checkpoint:
    """A checkpoint with a new id."""
    return {**empty_checkpoint(), "channel_values": values, "channel_versions": versions}


async def put(saver: RedisSaver, config: RunnableConfig, word: str = "x", **notes: object) -> RunnableConfig:
    """Store a checkpoint whose one channel says `word`, as the child of the one that the config names."""
    version = saver.get_next_version(None, None)
    metadata: Any = {"source": "loop", "step": 0, "parents": {}, **notes}
    return await saver.aput(config, checkpoint({"word": word}, {"word": version}), metadata, {"word": version})


async def word_at(saver: RedisSaver, config: RunnableConfig) -> object:
    """What the one channel of a checkpoint says; None if there is no checkpoint."""
    found = await saver.aget_tuple(config)
    return found.checkpoint["channel_values"]["word"] if found else None


async def ids(saver: RedisSaver, config: RunnableConfig | None, **choice: Any) -> list[str]:
    """The ids of all checkpoints that match, in the order in which they are listed."""
    return [id_of(found.config) async for found in saver.alist(config, **choice)]


async def chain(saver: RedisSaver, thread_id: str, length: int) -> list[RunnableConfig]:
    """Store checkpoints, each the child of the one before, oldest first."""
    configs = [at(thread_id)]
    for step in range(length):
        configs.append(await put(saver, configs[-1], f"word {step}", step=step))
    return configs[1:]


async def contents(redis: Plain) -> dict[bytes, object]:
    """Read everything the server holds, expiry aside."""
    held: dict[bytes, object] = {}
    for key in await redis.keys():
        match await redis.type(key):
            case b"hash":
                held[key] = await redis.hgetall(key)
            case b"zset":
                held[key] = await redis.zrange(key, 0, -1)
            case _:
                held[key] = await redis.get(key)
    return held


async def outcome(call: Callable[[], Awaitable[object]]) -> BaseException | None:
    """What a call raised, if anything."""
    try:
        await call()
    except Exception as error:  # noqa: BLE001 - the test looks at it
        return error
    return None


def operations(saver: RedisSaver, config: RunnableConfig) -> dict[str, Callable[[], Awaitable[object]]]:
    """Each operation of a saver on the thread of a config, by name; those that forget come last."""
    thread_id = str(config.get("configurable", {})["thread_id"])
    return {
        "get": lambda: saver.aget_tuple(at(thread_id)),
        "put": lambda: put(saver, config, run_id="run"),
        "put_writes": lambda: saver.aput_writes(config, [("c", 1)], "task"),
        "history": lambda: saver.aget_delta_channel_history(config=config, channels=["word"]),
        "list": lambda: ids(saver, at(thread_id)),
        "list all": lambda: ids(saver, None),
        "check": saver.check,
        "copy": lambda: saver.acopy_thread(thread_id, f"copy of {thread_id}"),
        "prune": lambda: saver.aprune([thread_id]),
        "delete_for_runs": lambda: saver.adelete_for_runs(["run"]),
        "prune all": lambda: saver.aprune([thread_id], strategy="delete"),
        "delete": lambda: saver.adelete_thread(thread_id),
    }


class Counting:
    """A client that remembers the name, the keys and the size of each command it sends."""

    def __init__(self, client: Plain) -> None:
        self.client = client
        self.sent: list[str] = []
        self.keys: list[list[str]] = []
        self.bytes = 0
        self.get_connection_kwargs = client.get_connection_kwargs
        self.scan_iter = client.scan_iter

    async def execute_command(self, *args: Any) -> Any:
        """Send it and count it."""
        self.sent.append(args[0])
        self.keys.append(list(args[3 : 3 + args[2]] if args[0].startswith("EVAL") else args[1:2]))
        self.bytes += sum(len(arg) if isinstance(arg, bytes | str) else 1 for arg in args)
        return await self.client.execute_command(*args)


async def settled(met: Callable[[], Awaitable[bool]], *, seconds: float = 10) -> bool:
    """Whether something comes true in time."""
    async with asyncio.timeout(seconds + 5):
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not await met():
            if loop.time() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True
