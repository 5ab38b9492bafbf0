"""The checkpointer for threads: the twin of `RedisSaver`, from the same plans."""

import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from redis import RedisCluster

from graph.checkpoints.connections import describe, locate, open_sync
from graph.checkpoints.conversation import Nodes, Pause, Request, Scan, Send, Talk, Told, converse
from graph.checkpoints.errors import FAILURES
from graph.checkpoints.plans import Found, Plan, SaverPlans

T = TypeVar("T")


class Client(Protocol):
    """The few calls that a saver makes; `redis.Redis` and `redis.RedisCluster` are clients."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command and return its parsed answer."""
        ...

    def scan_iter(self, *, match: str, count: int, _type: str) -> Iterator[bytes]:
        """Walk over all keys that match."""
        ...

    def get_connection_kwargs(self) -> Mapping[str, Any]:
        """Tell how connections are made."""
        ...


class SyncRedisSaver(SaverPlans):
    """`RedisSaver` for graphs that run without asyncio, in as many threads as they like.

    What it takes, keeps and raises is told there.
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
        self._turns = threading.Semaphore(max_connections)

    @classmethod
    @contextmanager
    def from_url(
        cls,
        url: str,
        *,
        ttl: float | timedelta | None = None,
        prefix: str = "fanfare",
        serde: SerializerProtocol | None = None,
        fence: int | None = None,
        timeout: float = 5.0,
        max_connections: int = 64,
    ) -> Generator[Self]:
        """Open a saver on a URL of any form that `locate` reads, and close its connections afterwards.

        `timeout` bounds, in seconds, connecting, an answer, and the attempts to reach a server that is not
        there; a server that is slow is not asked twice.
        """
        location = locate(url)
        with open_sync(location, timeout=timeout, max_connections=max_connections) as client:
            saver = cls(
                client, ttl=ttl, prefix=prefix, serde=serde, fence=fence,
                timeout=timeout, max_connections=max_connections,
            )  # fmt: skip
            saver._where = f"The checkpoint store at {location}"
            yield saver

    def check(self) -> list[str]:
        """Return a sentence for each way in which this server may lose checkpoints; none is good news.

        A server that is not there is told at once: whoever asks will ask again.
        """
        return self._run(self._check(), patience=0)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that a config names, or the newest; None only if there is none."""
        return self._run(self._get_tuple(config))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Yield matching checkpoints, newest first; without a config, those of one thread after another."""
        listing = self._list(config, filter=filter, before=before, limit=limit)
        talk = converse(listing, timeout=self._timeout, where=self._where)
        while not (told := self._advance(talk)).last:
            yield told.value

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint as the child of the one that the config names; return its own config."""
        return self._run(self._put(config, checkpoint, metadata, new_versions))

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store a task's writes beside the checkpoint; a regular write, once stored, is not replaced."""
        self._run(self._put_writes(config, writes, task_id, task_path))

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what delta channels are rebuilt from: a value to start with, and later writes, oldest first."""
        return self._run(self._get_delta_channel_history(config, channels))

    def delete_thread(self, thread_id: str) -> None:
        """Delete a thread, leaving no key of it."""
        self._run(self._delete_thread(thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints of runs wherever they are; walks all threads, so keep it off hot paths."""
        self._run(self._delete_for_runs(run_ids))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread onto a new id; `ThreadOccupied` if the target holds checkpoints of its own."""
        self._run(self._copy_thread(source_thread_id, target_thread_id))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep each namespace's newest checkpoint with its pending writes, or `delete` the threads."""
        self._run(self._prune(thread_ids, strategy))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Refuse: this saver would hold up an event loop."""
        raise NotImplementedError("Use `graph.invoke(...)`, or RedisSaver for a graph with asyncio.")

    def _run(self, plan: Plan[T], *, patience: float | None = None) -> T:
        seconds = self._timeout if patience is None else patience
        told = self._advance(converse(plan, timeout=seconds, where=self._where))
        result: T = told.value
        return result

    def _advance(self, talk: Talk[Any]) -> Told:
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
                go = partial(talk.send, self._answer(request))
            except FAILURES as error:
                go = partial(talk.throw, error)

    def _answer(self, request: Request) -> Any:
        match request:
            case Send():
                return self._send(request)
            case Pause(seconds):
                return time.sleep(seconds)
            case Scan(pattern):
                return set(self._client.scan_iter(match=pattern, count=1000, _type="ZSET"))
            case Nodes():
                return self._nodes()

    def _send(self, request: Send) -> Any:
        options = {"target_nodes": request.node} if request.node else {}
        if not self._turns.acquire(timeout=self._timeout):
            raise TimeoutError("every connection was busy")
        try:
            return self._client.execute_command(*request.args, **options)
        finally:
            self._turns.release()

    def _nodes(self) -> dict[str, Any]:
        if not isinstance(self._client, RedisCluster):
            return {"": None}
        primaries: Any = self._client.get_primaries()  # type: ignore[no-untyped-call]
        return {node.name: node for node in primaries}
