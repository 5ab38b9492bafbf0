"""A LangGraph checkpointer on plain Redis; a library of its own that knows nothing of campaigns."""

from graph.checkpoints.connections import AsyncClient, locate, open_async, open_sync
from graph.checkpoints.encryption import KeyRing, encrypted
from graph.checkpoints.errors import (
    FAILURES,
    CheckpointDamaged,
    CheckpointKeyMissing,
    CheckpointStoreDenied,
    CheckpointStoreError,
    CheckpointStoreFull,
    CheckpointStoreReadOnly,
    CheckpointStoreUnavailable,
    CheckpointUnreadable,
    StaleEpoch,
    ThreadForgotten,
    ThreadOccupied,
)
from graph.checkpoints.saver import RedisSaver
from graph.checkpoints.sync_saver import SyncRedisSaver

__all__ = [
    "FAILURES",
    "AsyncClient",
    "CheckpointDamaged",
    "CheckpointKeyMissing",
    "CheckpointStoreDenied",
    "CheckpointStoreError",
    "CheckpointStoreFull",
    "CheckpointStoreReadOnly",
    "CheckpointStoreUnavailable",
    "CheckpointUnreadable",
    "KeyRing",
    "RedisSaver",
    "StaleEpoch",
    "SyncRedisSaver",
    "ThreadForgotten",
    "ThreadOccupied",
    "encrypted",
    "locate",
    "open_async",
    "open_sync",
]
