"""What can go wrong between a graph and its checkpoint store, each with a sentence to act on."""

import re
from typing import ClassVar, NamedTuple

from redis import exceptions as redis

FAILURES = (redis.RedisError, redis.RedisClusterException, OSError)
"""What a client of redis-py raises when it could not do what was asked."""


class CheckpointStoreError(Exception):
    """The store did not do what was asked; the message says what a person can do about it."""

    retryable: ClassVar[bool] = False
    """True when the same call may succeed later though nobody changed anything."""


class CheckpointStoreUnavailable(CheckpointStoreError):
    """The store is down, loading, failing over or too slow; whether the last write landed is unknown."""

    retryable = True


class CheckpointStoreReadOnly(CheckpointStoreError):
    """The store answers but accepts no writes; nothing was written."""

    retryable = True


class CheckpointStoreFull(CheckpointStoreError):
    """The store has reached its memory limit; nothing was written."""


class CheckpointStoreDenied(CheckpointStoreError):
    """The store refused the credentials, or the user lacks a permission."""


class CheckpointDamaged(CheckpointStoreError):
    """A checkpoint is listed but part of it is gone; resuming from it would lose state silently."""


class CheckpointKeyMissing(CheckpointStoreError):
    """A checkpoint is encrypted under a key that this saver was not given."""


class CheckpointUnreadable(CheckpointStoreError):
    """A checkpoint was altered, or written with a serializer or key that this saver does not have."""


class ThreadForgotten(CheckpointStoreError):
    """The thread was deleted, pruned or expired while a run went on; nothing was written."""


class ThreadOccupied(CheckpointStoreError):
    """A thread cannot be copied onto one that holds other checkpoints; nothing was changed."""


class StaleEpoch(CheckpointStoreError):
    """The thread was opened under a newer epoch; the saver that raises this must leave it alone."""

    def __init__(self, message: str, *, held: int) -> None:
        super().__init__(message)
        self.held = held


class _Refusal(NamedTuple):
    codes: str
    kind: type[CheckpointStoreError]
    sentence: str


_REFUSALS = (
    _Refusal(
        codes="DAMAGED",
        kind=CheckpointDamaged,
        sentence="Thread {thread!r} has lost part of a checkpoint by eviction or a foreign command. {where} "
        "should run with maxmemory-policy noeviction; restore its backup, or delete the thread.",
    ),
    _Refusal(
        codes="FORGOTTEN",
        kind=ThreadForgotten,
        sentence="Thread {thread!r} was deleted, pruned or expired while this run went on, so its next "
        "checkpoint could not be whole and was not written. Start the thread anew.",
    ),
    _Refusal(
        codes="OCCUPIED",
        kind=ThreadOccupied,
        sentence="Thread {thread!r} holds checkpoints of its own. Copy to a new id, or delete it first.",
    ),
    _Refusal(
        codes="OOM",
        kind=CheckpointStoreFull,
        sentence="{where} is full, so nothing was written. Raise maxmemory or prune threads, then resume.",
    ),
    _Refusal(
        codes="READONLY|MISCONF|NOREPLICAS",
        kind=CheckpointStoreReadOnly,
        sentence="{where} accepts no writes, so nothing was written ({said}). "
        "Point the URL at the primary, or mend its disk or replicas, then resume.",
    ),
    _Refusal(
        codes="NOAUTH|WRONGPASS|NOPERM|ACL failure|executing the script can't run",
        kind=CheckpointStoreDenied,
        sentence="{where} refused this user ({said}). Check the user's name, password and permissions.",
    ),
    _Refusal(
        codes="LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|TTL exhausted",
        kind=CheckpointStoreUnavailable,
        sentence="{where} is not ready ({said}). Wait until it is, then resume; repeating a write is safe.",
    ),
)


_NOT_THERE = (
    redis.ConnectionError,
    redis.ClusterError,
    redis.RedisClusterException,
    redis.TryAgainError,
    OSError,
)
_ANSWERED = (redis.AuthenticationError, redis.AuthorizationError, TimeoutError)


def worth_another_attempt(error: Exception) -> bool:
    """Whether the server was not there, or not ready; one that is slow is not asked twice."""
    return isinstance(error, _NOT_THERE) and not isinstance(error, _ANSWERED)


def explain(error: Exception, *, where: str, thread_id: str) -> CheckpointStoreError:
    """Turn what the client library raised into the error and the sentence of this module."""
    said = f"{getattr(error, 'status_code', None) or ''} {error}".strip()
    if held := re.search(r"\bSTALEEPOCH (\d+)", said):
        return _stale(int(held[1]), thread_id)
    for refusal in _REFUSALS:
        # Redis 6 wraps the code of a refusal inside a script into a longer message.
        if re.search(rf"\b({refusal.codes})\b", said):
            return refusal.kind(refusal.sentence.format(where=where, thread=thread_id, said=said))
    return _unexplained(error, where=where, said=said)


def _stale(held: int, thread_id: str) -> StaleEpoch:
    return StaleEpoch(
        f"Thread {thread_id!r} was opened under epoch {held}, newer than this saver's. "
        "Stop this run: another worker owns the thread.",
        held=held,
    )


def _unexplained(error: Exception, *, where: str, said: str) -> CheckpointStoreError:
    if isinstance(error, redis.AuthenticationError | redis.AuthorizationError):
        return CheckpointStoreDenied(f"{where} refused this user ({said}). Check the credentials in the URL.")
    if isinstance(error, redis.TimeoutError | TimeoutError):
        return CheckpointStoreUnavailable(
            f"{where} did not answer in time ({said}). The last write may have landed; repeating it is safe."
        )
    if isinstance(error, _NOT_THERE):
        return CheckpointStoreUnavailable(
            f"{where} cannot be reached ({said}). Start it or correct its URL, then resume."
        )
    return CheckpointStoreError(f"{where} refused a command: {said}")
