"""What a start-up check tells about a server that may lose checkpoints."""

from collections.abc import Iterator, Mapping
from typing import Any


def warnings(info: Mapping[str, Any] | None, save: str | None, *, where: str) -> list[str]:
    """Judge INFO and the `save` setting, each None where the server did not permit it."""
    if info is None:
        unseen = f"{where} does not permit INFO, so nobody can see whether it keeps checkpoints on disk. "
        return [unseen + "Make sure that appendonly is on and maxmemory-policy is noeviction."]
    return [*_disk(info, save, where), *_eviction(info, where), *_role(info, where)]


def _disk(info: Mapping[str, Any], save: str | None, where: str) -> Iterator[str]:
    if info.get("aof_enabled") or save:
        return
    if save is None:
        yield (
            f"{where} keeps no append-only file and does not permit CONFIG, so nobody can see whether it "
            "saves snapshots. Make sure that it does, or a restart loses every sleeping thread."
        )
    else:
        yield (
            f"{where} keeps nothing on disk: a restart loses every thread. "
            "Set appendonly yes in its configuration, and appendfsync always if it shall lose nothing."
        )


def _eviction(info: Mapping[str, Any], where: str) -> Iterator[str]:
    policy = info.get("maxmemory_policy", "noeviction")
    if info.get("maxmemory") and policy != "noeviction":
        yield (
            f"{where} may evict checkpoints when it is full (maxmemory-policy {policy}). "
            "Set maxmemory-policy noeviction: a full store is then reported instead of forgetting threads."
        )


def _role(info: Mapping[str, Any], where: str) -> Iterator[str]:
    if info.get("role", "master") != "master":
        yield f"{where} is a replica and accepts no writes. Point the URL at the primary."
