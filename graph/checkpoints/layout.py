"""Where a thread lives: six keys in one hash slot, and the bytes of their members and fields."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote

# UTF-8 never contains these bytes, so joined ids need no escaping and keep their order.
PART, ITEM, PAIR = b"\xff", b"\xfe", b"\xfd"

_VERSIONS = {b"s": str, b"i": int, b"f": float}


class Keys(NamedTuple):
    """The keys of one thread, in the order in which every script takes them."""

    timeline: str
    """Sorted set of members, all of score 0: lexical order is a namespace's order of time."""
    checkpoints: str
    """Hash of member to record."""
    channels: str
    """Hash of namespace, channel and version to a channel's value, kept once however many share it."""
    pending: str
    """Sorted set of the fields of the next hash, so that one checkpoint's writes are a range."""
    writes: str
    """Hash of member, task and position to a pending write."""
    epoch: str
    """The newest epoch under which the thread was opened; absent without fencing."""


class Record(NamedTuple):
    """One checkpoint without its channel values; scripts read the first four parts, savers all."""

    versions: bytes
    parent: bytes
    run: bytes
    delta: bytes
    kind: bytes
    payload: bytes


def text(value: str) -> bytes:
    """Encode an id, lone surrogates included."""
    return value.encode("utf-8", "surrogatepass")


def untext(value: bytes) -> str:
    """Undo `text`."""
    return value.decode("utf-8", "surrogatepass")


@lru_cache(maxsize=1024)
def thread_keys(prefix: str, thread_id: str) -> Keys:
    """Name the keys of a thread; different threads never share one, whatever their ids contain."""
    # An empty hash tag would scatter the keys; a lone "%" is no percent-encoding of anything.
    tag = quote(thread_id, safe="", errors="surrogatepass") or "%"
    start = f"{quote(prefix, safe=':')}:{{{tag}}}:"
    return Keys(*(start + name for name in Keys._fields))


def timeline_pattern(prefix: str) -> str:
    """Match the timeline key of every thread of a prefix."""
    return f"{quote(prefix, safe=':')}:{{*}}:timeline"


def thread_of(timeline_key: bytes) -> str:
    """Read the thread id back from a timeline key."""
    tag = timeline_key.rpartition(b"}")[0].rpartition(b"{")[2].decode()
    return unquote(tag, errors="surrogatepass") if tag != "%" else ""


def member(ns: str, checkpoint_id: str) -> bytes:
    """Name a checkpoint within its thread."""
    return text(ns) + PART + text(checkpoint_id)


def split_member(value: bytes) -> tuple[str, str]:
    """Undo `member`: namespace and checkpoint id."""
    ns, _, checkpoint_id = value.partition(PART)
    return untext(ns), untext(checkpoint_id)


def pack_versions(versions: Iterable[tuple[str, str | int | float]]) -> bytes:
    """Join channel versions; each item, after its namespace, is also the field of the channel's value."""
    return ITEM.join(version_item(channel, version) for channel, version in versions)


@lru_cache(maxsize=4096, typed=True)
def version_item(channel: str, version: str | float) -> bytes:
    """Name one version of one channel, keeping the version's type."""
    return text(channel) + PAIR + text(f"{type(version).__name__[0]}{version}")


def unpack_versions(packed: bytes) -> dict[bytes, tuple[str, str | int | float]]:
    """Undo `pack_versions`: each item with its channel and version."""
    return {item: _unpack_version(item) for item in packed.split(ITEM) if item}


def _unpack_version(item: bytes) -> tuple[str, str | int | float]:
    channel, _, version = item.partition(PAIR)
    return untext(channel), _VERSIONS[version[:1]](untext(version[1:]))


def write_field(of: bytes, task_id: str, position: int) -> bytes:
    """Name one pending write of a checkpoint."""
    return of + PART + text(task_id) + PAIR + str(position).encode()


def split_write_field(field: bytes) -> tuple[bytes, str, int]:
    """Undo `write_field`: member, task id and position."""
    of, _, rest = field.rpartition(PART)
    task_id, _, position = rest.rpartition(PAIR)
    return of, untext(task_id), int(position)
