"""What to ask of the server for each operation, and how to read its answers; nothing here waits."""

import copy
import math
import secrets
import sys
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import timedelta
from operator import itemgetter
from typing import Any, NamedTuple, Self, TypeAlias, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    PendingWrite,
    get_serializable_checkpoint_metadata,
    writes_sort_key,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from graph.checkpoints import layout, scripts
from graph.checkpoints.errors import CheckpointUnreadable
from graph.checkpoints.health import warnings
from graph.checkpoints.layout import PART, Keys, Record

T = TypeVar("T")

PAGE = 16
"""Checkpoints read in one call when listing: few round trips, yet no call that holds up the server."""

MAX_EPOCH = 2**53
"""Lua counts in doubles, exact below this."""


class Call(NamedTuple):
    """Run a script on one thread."""

    script: scripts.Script
    thread_id: str
    keys: Keys
    args: Sequence[bytes | str | int]


class Ask(NamedTuple):
    """Send one plain command about one thread."""

    args: tuple[bytes | str | int, ...]


class AskAll(NamedTuple):
    """Send one plain command to every primary; the answers by the node's name, None for a refusal."""

    args: tuple[str, ...]


class Threads(NamedTuple):
    """Find the timeline key of every thread; slow, and never part of a run."""

    pattern: str


class Found(NamedTuple):
    """Not a question: a checkpoint to hand to whoever is listing."""

    checkpoint: CheckpointTuple


Step: TypeAlias = Call | Ask | AskAll | Threads
Plan: TypeAlias = Generator[Step, Any, T]
Listing: TypeAlias = Generator[Step | Found, Any, None]


class Place(NamedTuple):
    """The part of a config that names a checkpoint."""

    thread_id: str
    ns: str | None
    checkpoint_id: str | None

    @classmethod
    def of(cls, config: RunnableConfig) -> Self:
        """Read a place from a config; ValueError without a thread id."""
        given = config.get("configurable", {})
        if given.get("thread_id") is None:
            raise ValueError('A checkpointer needs a thread: set config["configurable"]["thread_id"].')
        return cls(str(given["thread_id"]), given.get("checkpoint_ns"), given.get("checkpoint_id") or None)


def config_of(thread_id: str, ns: str, checkpoint_id: str) -> RunnableConfig:
    """Name a checkpoint the way LangGraph does."""
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": checkpoint_id}}


class Reading(NamedTuple):
    """The answer of read.lua."""

    members: list[bytes]
    records: list[bytes]
    fields: list[bytes]
    values: list[bytes]
    write_fields: list[bytes]
    write_values: list[bytes]


class SaverPlans(BaseCheckpointSaver[str]):
    """A checkpointer without a connection: each method yields steps and returns what they led to.

    Every step may be repeated without harm, so one whose answer was lost may be asked again.
    """

    def __init__(
        self,
        *,
        ttl: float | timedelta | None = None,
        prefix: str = "fanfare",
        serde: SerializerProtocol | None = None,
        fence: int | None = None,
        timeout: float = 5.0,
        where: str = "localhost",
    ) -> None:
        super().__init__(serde=serde)
        self._ttl = _milliseconds(ttl)
        self._prefix = prefix
        self._fence = _epoch(fence)
        self._timeout = timeout
        self._where = f"The checkpoint store at {where}"

    def fenced(self, epoch: int) -> Self:
        """Return this saver, on the same connections, bound to an epoch.

        Its first read or write of a thread opens the thread under that epoch; from then on savers of an
        older epoch are refused with `StaleEpoch` there. Savers without an epoch are not checked.
        """
        clone = copy.copy(self)
        clone._fence = _epoch(epoch)  # noqa: SLF001 - it is ours
        return clone

    def get_next_version(self, current: str | None, channel: None) -> str:  # noqa: ARG002 - the contract
        """Count up; the random tail keeps two forks of a thread from writing the same version."""
        count = int(str(current).partition(".")[0]) if current is not None else 0
        return f"{count + 1:010d}.{secrets.token_hex(6)}"

    def _call(self, script: scripts.Script, thread_id: str, args: Sequence[bytes | str | int] = ()) -> Call:
        fence = "" if self._fence is None else self._fence
        return Call(script, thread_id, self._keys(thread_id), (fence, self._ttl, *args))

    def _maintain(self, script: scripts.Script, thread_id: str, args: Sequence[bytes | str | int] = ()) -> Call:
        return Call(script, thread_id, self._keys(thread_id), ("", self._ttl, *args))

    def _keys(self, thread_id: str) -> Keys:
        return layout.thread_keys(self._prefix, thread_id)

    def _put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> Plan[RunnableConfig]:
        place = Place.of(config)
        ns = place.ns or ""
        record = self._record(place, checkpoint, get_serializable_checkpoint_metadata(config, metadata))
        args = [layout.member(ns, checkpoint["id"]), PART.join(record)]
        for channel, version in new_versions.items():
            args.append(layout.text(ns) + PART + layout.version_item(channel, version))
            args.append(self._channel_value(checkpoint["channel_values"], channel))
        yield self._call(scripts.PUT, place.thread_id, args)
        return config_of(place.thread_id, ns, checkpoint["id"])

    def _record(self, parent: Place, checkpoint: Checkpoint, metadata: CheckpointMetadata) -> Record:
        rest = {k: v for k, v in checkpoint.items() if k not in {"channel_values", "channel_versions"}}
        kind, payload = self.serde.dumps_typed([rest, metadata])
        return Record(
            versions=layout.pack_versions(checkpoint["channel_versions"].items()),
            parent=layout.text(parent.checkpoint_id or ""),
            run=layout.text(str(metadata.get("run_id") or "")),
            delta=b"d" if metadata.get("counters_since_delta_snapshot") else b"",
            kind=kind.encode(),
            payload=payload,
        )

    def _channel_value(self, values: Mapping[str, Any], channel: str) -> bytes:
        """Encode a value; empty bytes stand for a channel that holds none."""
        return self._dump(values[channel]) if channel in values else b""

    def _dump(self, value: object) -> bytes:
        kind, payload = self.serde.dumps_typed(value)
        return kind.encode() + PART + payload

    def _load(self, stored: bytes) -> Any:
        kind, _, payload = stored.partition(PART)
        return self._decode(kind, payload)

    def _decode(self, kind: bytes, payload: bytes) -> Any:
        try:
            return self.serde.loads_typed((kind.decode(), payload))
        except NotImplementedError as error:
            raise CheckpointUnreadable(
                f"A checkpoint was written as {kind.decode()!r}, which this saver's serializer does not read. "
                "Give the saver the serializer, or the keys, that it was written with."
            ) from error

    def _put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> Plan[None]:
        place = Place.of(config)
        if not place.checkpoint_id:
            raise ValueError('Pending writes belong to a checkpoint: set config["configurable"]["checkpoint_id"].')
        of = layout.member(place.ns or "", place.checkpoint_id)
        args: list[bytes | str] = []
        for place_in_list, (channel, value) in enumerate(writes):
            position = WRITES_IDX_MAP.get(channel, place_in_list)
            args.append("HSETNX" if position >= 0 else "HSET")
            args.append(layout.write_field(of, task_id, position))
            args.append(PART.join((layout.text(task_path), layout.text(channel), self._dump(value))))
        if args:
            yield self._call(scripts.PUT_WRITES, place.thread_id, args)

    def _get_tuple(self, config: RunnableConfig) -> Plan[CheckpointTuple | None]:
        place = Place.of(config)
        answer = yield self._call(scripts.READ, place.thread_id, _one(place))
        return next(self._tuples(place.thread_id, Reading(*answer)), None)

    def _get_delta_channel_history(
        self, config: RunnableConfig, channels: Sequence[str]
    ) -> Plan[Mapping[str, DeltaChannelHistory]]:
        if not channels:
            return {}
        place = Place.of(config)
        names = [layout.text(channel) for channel in dict.fromkeys(channels)]
        answer = yield self._call(scripts.HISTORY, place.thread_id, [*_one(place), *names])
        fields, writes, found, values = answer
        seeds = dict(zip(found, values, strict=True))
        histories: dict[str, DeltaChannelHistory] = {channel: {"writes": []} for channel in channels}
        for each in reversed(self._writes(fields, writes).values()):
            for write in each:
                histories[write[1]]["writes"].append(write)
        for name, value in seeds.items():
            histories[layout.untext(name)]["seed"] = self._load(value)
        return histories

    def _list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> Listing:
        left = limit if limit is not None else sys.maxsize
        for place in (yield from self._places(config)):
            members = yield from self._members(place, before=before, limit=None if filter else left)
            for page in _pages(members):
                answer = yield self._maintain(scripts.READ, place.thread_id, [b"", *page])
                for found in self._tuples(place.thread_id, Reading(*answer)):
                    if left > 0 and _matches(found.metadata, filter):
                        left -= 1
                        yield Found(found)
                if left <= 0:
                    return

    def _places(self, config: RunnableConfig | None) -> Plan[list[Place]]:
        """Tell what to list: one place, or without a config every thread there is."""
        if config is not None:
            return [Place.of(config)]
        timelines = yield Threads(layout.timeline_pattern(self._prefix))
        return [Place(layout.thread_of(key), None, None) for key in sorted(timelines)]

    def _members(self, place: Place, *, before: RunnableConfig | None, limit: int | None) -> Plan[list[bytes]]:
        """Find a place's checkpoints, newest first; `limit` spares the server a long answer."""
        high = Place.of(before).checkpoint_id if before else None
        low, top = _span(place.ns, high)
        limited = ("LIMIT", 0, limit) if limit is not None and place.ns is not None else ()
        timeline = self._keys(place.thread_id).timeline
        members: list[bytes] = yield Ask(("ZREVRANGEBYLEX", timeline, top, low, *limited))
        ids = {member: layout.split_member(member)[1] for member in members}
        wanted = [m for m in members if _in_range(ids[m], only=place.checkpoint_id, before=high)]
        return sorted(wanted, key=ids.__getitem__, reverse=True)

    def _tuples(self, thread_id: str, reading: Reading) -> Iterator[CheckpointTuple]:
        """Decode an answer; two checkpoints never share a decoded value, so neither can change the other."""
        values = dict(zip(reading.fields, reading.values, strict=True))
        writes = self._writes(reading.write_fields, reading.write_values)
        for member, packed in zip(reading.members, reading.records, strict=True):
            record = Record(*packed.split(PART, 5))
            rest, metadata = self._decode(record.kind, record.payload)
            ns, checkpoint_id = layout.split_member(member)
            parent = layout.untext(record.parent)
            yield CheckpointTuple(
                config=config_of(thread_id, ns, checkpoint_id),
                checkpoint=self._checkpoint(rest, layout.text(ns) + PART, record.versions, values),
                metadata=metadata,
                parent_config=config_of(thread_id, ns, parent) if parent else None,
                pending_writes=writes.get(member, []),
            )

    def _checkpoint(
        self, rest: Checkpoint, start: bytes, packed: bytes, values: Mapping[bytes, bytes]
    ) -> Checkpoint:
        versions = layout.unpack_versions(packed)
        stored = {channel: values[start + item] for item, (channel, _) in versions.items()}
        return {
            **rest,
            "channel_versions": dict(versions.values()),
            "channel_values": {channel: self._load(value) for channel, value in stored.items() if value},
        }

    def _writes(self, fields: Sequence[bytes], values: Sequence[bytes]) -> dict[bytes, list[PendingWrite]]:
        """Decode pending writes by checkpoint, in the order in which a live run applies them."""
        sortable: defaultdict[bytes, list[tuple[tuple[str, str, int], PendingWrite]]] = defaultdict(list)
        for field, value in zip(fields, values, strict=True):
            of, task_id, position = layout.split_write_field(field)
            path, channel, stored = value.split(PART, 2)
            order = writes_sort_key(layout.untext(path), task_id, position)
            sortable[of].append((order, (task_id, layout.untext(channel), self._load(stored))))
        return {of: [write for _, write in sorted(each, key=itemgetter(0))] for of, each in sortable.items()}

    def _delete_thread(self, thread_id: str) -> Plan[None]:
        yield self._call(scripts.DELETE, str(thread_id))

    def _delete_for_runs(self, run_ids: Sequence[str]) -> Plan[None]:
        if not run_ids:
            return
        runs = [layout.text(str(run_id)) for run_id in run_ids]
        for key in (yield Threads(layout.timeline_pattern(self._prefix))):
            yield self._maintain(scripts.FORGET_RUNS, layout.thread_of(key), runs)

    def _copy_thread(self, source: str, target: str) -> Plan[None]:
        if str(source) == str(target):
            return
        dump = yield self._maintain(scripts.DUMP, str(source))
        if any(dump):
            yield self._call(scripts.RESTORE, str(target), dump)

    def _prune(self, thread_ids: Sequence[str], strategy: str) -> Plan[None]:
        known = {"keep_latest": scripts.PRUNE, "delete": scripts.DELETE}
        if strategy not in known:
            raise ValueError(f"Cannot prune by {strategy!r}; the strategies are {' and '.join(known)}.")
        for thread_id in thread_ids:
            yield self._call(known[strategy], str(thread_id))

    def _check(self) -> Plan[list[str]]:
        infos: Mapping[str, Any] = yield AskAll(("INFO",))
        saves: Mapping[str, Any] = yield AskAll(("CONFIG GET", "save"))
        found: list[str] = []
        for node, info in infos.items():
            save = saves.get(node)
            found += warnings(info, save and save.get("save"), where=f"{self._where} {node}".strip())
        return found


def _one(place: Place) -> list[bytes]:
    """Say to a script which checkpoint is meant: the newest of a namespace, or a certain one."""
    ns = place.ns or ""
    if place.checkpoint_id:
        return [b"", layout.member(ns, place.checkpoint_id)]
    return [layout.text(ns) + PART, b""]


def _milliseconds(ttl: float | timedelta | None) -> str:
    if ttl is None:
        return ""
    seconds = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
    if seconds <= 0:
        raise ValueError(f"A time to live must be positive, not {ttl!r}; None keeps threads for ever.")
    return str(math.ceil(seconds * 1000))


def _epoch(fence: int | None) -> int | None:
    if fence is not None and not 0 <= fence < MAX_EPOCH:
        raise ValueError(f"An epoch must be from 0 to 2**53 - 1, not {fence!r}.")
    return fence


def _pages(members: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (members[first : first + PAGE] for first in range(0, len(members), PAGE))


def _span(ns: str | None, before: str | None) -> tuple[bytes, bytes]:
    """Bound the timeline to a namespace, and to what is older than a checkpoint."""
    if ns is None:
        return b"-", b"+"
    start = layout.text(ns) + PART
    return b"[" + start, b"(" + start + (layout.text(before) if before else PART)


def _in_range(checkpoint_id: str, *, only: str | None, before: str | None) -> bool:
    return (only is None or checkpoint_id == only) and (before is None or checkpoint_id < before)


def _matches(metadata: CheckpointMetadata, wanted: Mapping[str, Any] | None) -> bool:
    return all(metadata.get(key) == value for key, value in (wanted or {}).items())
