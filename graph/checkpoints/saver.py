"""The checkpointer for asyncio: it sends each step of a plan and raises what went wrong."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Protocol, Self, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from redis.asyncio import RedisCluster

from graph.checkpoints.connections import describe, locate, open_async
from graph.checkpoints.conversation import Nodes, Pause, Request, Scan, Send, Talk, Told, converse
from graph.checkpoints.errors import FAILURES, explain
from graph.checkpoints.line import Line, open_line
from graph.checkpoints.plans import Call, Found, Plan, SaverPlans, Step

T = TypeVar("T")


class Client(Protocol):
    """The few calls that a saver makes; `redis.asyncio.Redis` and `RedisCluster` are clients."""

    def execute_command(self, *args: Any, **options: Any) -> Awaitable[Any]:
        """Send a command and return its parsed answer."""
        ...

    def scan_iter(self, *, match: str, count: int, _type: str) -> AsyncIterator[bytes]:
        """Walk over all keys that match."""
        ...

    def get_connection_kwargs(self) -> Mapping[str, Any]:
        """Tell how connections are made."""
        ...


class RedisSaver(SaverPlans):
    """LangGraph's checkpointer on plain Redis commands: Redis 6.2 or newer, or Valkey; no modules.

    `put` and `put_writes` are one round trip each, `get_tuple` is one; each channel version is kept once.
    A server that is dead, slow, full or read-only raises a `CheckpointStoreError`: a thread is never
    reported as absent because it could not be read.

    `ttl` (seconds) lets a thread expire as a whole that long after its last write. `prefix` begins every
    key. `fence` is an epoch, explained at `fenced`. A server that is not there is tried again for `timeout`
    seconds. `max_connections` bounds the commands under way at once; others wait their turn, no longer than
    `timeout`. The client must not decode responses.
    """

    def __init__(
        self,
        client: Client,
        *,
        ttl: float | timedelta | None = None,
        prefix: str = "fanfare",
        serde: SerializerProtocol | None = None,
        fence: int | None = None,
        timeout: float = 5.0,
        max_connections: int = 64,
    ) -> None:
        where = describe(client.get_connection_kwargs())
        super().__init__(ttl=ttl, prefix=prefix, serde=serde, fence=fence, timeout=timeout, where=where)
        self._client = client
        self._line: Line | None = None
        self._turns = asyncio.Semaphore(max_connections)

    @classmethod
    @asynccontextmanager
    async def from_url(
        cls,
        url: str,
        *,
        ttl: float | timedelta | None = None,
        prefix: str = "fanfare",
        serde: SerializerProtocol | None = None,
        fence: int | None = None,
        timeout: float = 5.0,
        max_connections: int = 64,
    ) -> AsyncGenerator[Self]:
        """Open a saver on a URL of any form that `locate` reads, and close its connections afterwards.

        `timeout` bounds, in seconds, connecting, an answer, and the attempts to reach a server that is not
        there; a server that is slow is not asked twice.
        """
        location = locate(url)
        async with (
            open_async(location, timeout=timeout, max_connections=max_connections) as client,
            open_line(client, timeout=timeout) as line,
        ):
            saver = cls(
                client, ttl=ttl, prefix=prefix, serde=serde, fence=fence,
                timeout=timeout, max_connections=max_connections,
            )  # fmt: skip
            saver._line = line
            saver._where = f"The checkpoint store at {location}"
            yield saver

    async def check(self) -> list[str]:
        """Return a sentence for each way in which this server may lose checkpoints; none is good news.

        A server that is not there is told at once: whoever asks will ask again.
        """
        return await self._run(self._check(), patience=0)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that a config names, or the newest; None only if there is none."""
        return await self._run(self._get_tuple(config))

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Yield matching checkpoints, newest first; without a config, those of one thread after another."""
        listing = self._list(config, filter=filter, before=before, limit=limit)
        talk = converse(listing, timeout=self._timeout, where=self._where)
        while not (told := await self._advance(talk)).last:
            yield told.value

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint as the child of the one that the config names; return its own config."""
        return await self._write(self._put(config, checkpoint, metadata, new_versions))

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store a task's writes beside the checkpoint; a regular write, once stored, is not replaced."""
        await self._write(self._put_writes(config, writes, task_id, task_path))

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what delta channels are rebuilt from: a value to start with, and later writes, oldest first."""
        return await self._run(self._get_delta_channel_history(config, channels))

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete a thread, leaving no key of it."""
        await self._run(self._delete_thread(thread_id))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints of runs wherever they are; walks all threads, so keep it off hot paths."""
        await self._run(self._delete_for_runs(run_ids))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread onto a new id; `ThreadOccupied` if the target holds checkpoints of its own."""
        await self._run(self._copy_thread(source_thread_id, target_thread_id))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep each namespace's newest checkpoint with its pending writes, or `delete` the threads."""
        await self._run(self._prune(thread_ids, strategy))

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Refuse: this saver works in an event loop only."""
        raise NotImplementedError("Use `await graph.ainvoke(...)`, or SyncRedisSaver for a graph without asyncio.")

    async def _write(self, plan: Plan[T]) -> T:
        """Carry out a plan whose scripts answer nil: by the line where it can, otherwise as any other plan."""
        try:
            while True:
                step = next(plan)
                if not await self._by_line(step):
                    await self._run(_alone(step))
        except StopIteration as done:
            result: T = done.value
            return result

    async def _by_line(self, step: Step) -> bool:
        if self._line is None or not isinstance(step, Call):
            return False
        try:
            return await self._line.run(step.script.digest, step.keys, step.args)
        except TimeoutError as error:
            raise explain(error, where=self._where, thread_id=step.thread_id) from error

    async def _run(self, plan: Plan[T], *, patience: float | None = None) -> T:
        seconds = self._timeout if patience is None else patience
        told = await self._advance(converse(plan, timeout=seconds, where=self._where))
        result: T = told.value
        return result

    async def _advance(self, talk: Talk[Any]) -> Told:
        """Answer requests until a checkpoint is found or the plan has come to its end."""
        go: Callable[[], Request | Found] = partial(next, talk)
        while True:
            try:
                request = go()
            except StopIteration as done:
                return Told(done.value, last=True)
            if isinstance(request, Found):
                return Told(request.checkpoint, last=False)
            try:
                go = partial(talk.send, await self._answer(request))
            except FAILURES as error:
                go = partial(talk.throw, error)

    async def _answer(self, request: Request) -> Any:
        match request:
            case Send():
                return await self._send(request)
            case Pause(seconds):
                return await asyncio.sleep(seconds)
            case Scan(pattern):
                return {key async for key in self._client.scan_iter(match=pattern, count=1000, _type="ZSET")}
            case Nodes():
                return await self._nodes()

    async def _send(self, request: Send) -> Any:
        options = {"target_nodes": request.node} if request.node else {}
        try:
            async with asyncio.timeout(self._timeout):
                await self._turns.acquire()
        except TimeoutError:
            raise TimeoutError("every connection was busy") from None
        try:
            return await self._client.execute_command(*request.args, **options)
        finally:
            self._turns.release()

    async def _nodes(self) -> dict[str, Any]:
        if not isinstance(self._client, RedisCluster):
            return {"": None}
        await self._client.initialize()
        return {node.name: node for node in self._client.get_primaries()}


def _alone(step: Step) -> Plan[None]:
    yield step
