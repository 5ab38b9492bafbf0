"""The checkpointer for asyncio: it sends each step of a plan and raises what went wrong."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Protocol, Self, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.serde.base import SerializerProtocol
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from graph.checkpoints.errors import explain
from graph.checkpoints.plans import Ask, Call, Found, Plan, SaverPlans, Step, Threads

T = TypeVar("T")


class Client(Protocol):
    """The few calls that a saver makes; `redis.asyncio.Redis` is one."""

    def execute_command(self, *args: Any) -> Awaitable[Any]:
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
    key. `fence` is an epoch, explained at `fenced`. The client must not decode responses.
    """

    def __init__(
        self,
        client: Client,
        *,
        ttl: float | timedelta | None = None,
        prefix: str = "fanfare",
        serde: SerializerProtocol | None = None,
        fence: int | None = None,
    ) -> None:
        super().__init__(ttl=ttl, prefix=prefix, serde=serde, fence=fence)
        if client.get_connection_kwargs().get("decode_responses"):
            raise ValueError("Checkpoints are bytes: give the saver a client with decode_responses=False.")
        self._client = client
        self._where = _address(client)

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
        """Open a saver on a redis://, rediss:// or unix:// URL, and close its connections afterwards.

        `timeout` bounds, in seconds, the wait for a connection, for a free one in the pool and for an
        answer. A broken connection is opened again with backoff; a slow server is not asked twice.
        """
        pool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]
            url,
            max_connections=max_connections,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(ExponentialBackoff(cap=0.4, base=0.05), 3, supported_errors=(RedisConnectionError,)),
        )
        client = Redis.from_pool(pool)
        try:
            yield cls(client, ttl=ttl, prefix=prefix, serde=serde, fence=fence)
        finally:
            await client.aclose()

    async def check(self) -> list[str]:
        """Return a sentence for each way in which this server may lose checkpoints; none is good news."""
        return await self._run(self._check(self._where))

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
        plan = self._list(config, filter=filter, before=before, limit=limit)
        answer = None
        while True:
            try:
                step = plan.send(answer)
            except StopIteration:
                return
            if isinstance(step, Found):
                yield step.checkpoint
            answer = None if isinstance(step, Found) else await self._take(step)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint as the child of the one that the config names; return its own config."""
        return await self._run(self._put(config, checkpoint, metadata, new_versions))

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store a task's writes beside the checkpoint; a regular write, once stored, is not replaced."""
        await self._run(self._put_writes(config, writes, task_id, task_path))

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

    async def _run(self, plan: Plan[T]) -> T:
        answer = None
        while True:
            try:
                step = plan.send(answer)
            except StopIteration as done:
                result: T = done.value
                return result
            answer = await self._take(step)

    async def _take(self, step: Step) -> Any:
        thread_id = step.thread_id if isinstance(step, Call) else ""
        try:
            return await self._send(step)
        except (RedisError, OSError) as error:
            if isinstance(step, Ask) and step.optional and isinstance(error, ResponseError):
                return None
            raise explain(error, where=self._where, thread_id=thread_id) from error

    async def _send(self, step: Step) -> Any:
        match step:
            case Call():
                return await self._evaluate(step)
            case Ask():
                return await self._client.execute_command(*step.args)
            case Threads():
                scan = self._client.scan_iter(match=step.pattern, count=1000, _type="ZSET")
                return {key async for key in scan}

    async def _evaluate(self, call: Call) -> Any:
        """Name the script by its digest; send it whole to a server that does not know it yet."""
        keys_and_args = (len(call.keys), *call.keys, *call.args)
        try:
            return await self._client.execute_command("EVALSHA", call.script.digest, *keys_and_args)
        except NoScriptError:
            return await self._client.execute_command("EVAL", call.script.source, *keys_and_args)


def _address(client: Client) -> str:
    """Name the server in messages, without user or password."""
    known = client.get_connection_kwargs()
    if path := known.get("path"):
        return f"The checkpoint store at {path}"
    return f"The checkpoint store at {known.get('host', 'localhost')}:{known.get('port', 6379)}"
