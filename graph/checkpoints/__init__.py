"""A LangGraph checkpointer on plain Redis; a library of its own that knows nothing of campaigns."""

from graph.checkpoints.errors import (
    CheckpointDamaged,
    CheckpointStoreDenied,
    CheckpointStoreError,
    CheckpointStoreFull,
    CheckpointStoreReadOnly,
    CheckpointStoreUnavailable,
    StaleEpoch,
    ThreadOccupied,
)
from graph.checkpoints.saver import RedisSaver

__all__ = [
    "CheckpointDamaged",
    "CheckpointStoreDenied",
    "CheckpointStoreError",
    "CheckpointStoreFull",
    "CheckpointStoreReadOnly",
    "CheckpointStoreUnavailable",
    "RedisSaver",
    "StaleEpoch",
    "ThreadOccupied",
]
