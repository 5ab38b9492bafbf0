"""Checkpoints at rest under keys that change."""

import os

import pytest

from graph.checkpoints import CheckpointKeyMissing, CheckpointUnreadable, RedisSaver, encrypted
from graph.checkpoints.encryption import KeyRing
from tests.checkpoints import Plain, at, contents, ids, put, word_at
from tests.stores import Server

OLD, NEW = {"2025": os.urandom(32)}, {"2026": os.urandom(32)}
PRODUCT = "an unannounced product"


async def test_nothing_that_was_said_can_be_read_in_the_store(shared_server: Server, redis: Plain) -> None:
    async with RedisSaver.from_url(shared_server.url, serde=encrypted(OLD)) as saver:
        config = await put(saver, at("t"), PRODUCT, note=PRODUCT)
        await saver.aput_writes(config, [("c", PRODUCT)], "task")
        found = await saver.aget_tuple(at("t"))
    assert found
    assert found.checkpoint["channel_values"] == {"word": PRODUCT}
    assert found.metadata["note"] == PRODUCT  # type: ignore[typeddict-item]
    assert found.pending_writes == [("task", "c", PRODUCT)]
    assert PRODUCT not in str(await contents(redis))


async def test_a_key_is_changed_while_a_thread_sleeps(shared_server: Server, redis: Plain) -> None:
    async with RedisSaver.from_url(shared_server.url) as plain:
        await put(plain, at("t"), "unencrypted")
    for keys in (OLD, {**NEW, **OLD}):
        async with RedisSaver.from_url(shared_server.url, serde=encrypted(keys)) as saver:
            assert await word_at(saver, at("t")) is not None
            await put(saver, at("t"), next(iter(keys)))
            assert await word_at(saver, at("t")) == next(iter(keys))
    async with RedisSaver.from_url(shared_server.url, serde=encrypted(NEW)) as saver:
        assert await word_at(saver, at("t")) == "2026"
        with pytest.raises(CheckpointKeyMissing, match=r"'aes256gcm:2025'.*keys here are 2026"):
            await ids(saver, at("t"))
        await saver.aprune(["t"])
        assert len(await ids(saver, at("t"))) == 1
    assert b"aes256gcm:2025" not in str(await contents(redis)).encode()


async def test_a_reader_without_keys_is_told(shared_server: Server, redis: Plain) -> None:
    assert redis
    async with RedisSaver.from_url(shared_server.url, serde=encrypted(OLD)) as saver:
        await put(saver, at("t"))
    async with RedisSaver.from_url(shared_server.url) as saver:
        with pytest.raises(CheckpointUnreadable, match="aes256gcm:2025"):
            await saver.aget_tuple(at("t"))


def test_what_was_altered_does_not_open() -> None:
    ring = KeyRing(OLD)
    name, sealed = ring.encrypt(b"x" * 100)
    assert ring.decrypt(name, sealed) == b"x" * 100
    for altered in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:20], b"", sealed[::-1]):
        with pytest.raises(CheckpointUnreadable, match="altered"):
            ring.decrypt(name, altered)
    with pytest.raises(CheckpointUnreadable):
        KeyRing({"2025": os.urandom(32)}).decrypt(name, sealed)


def test_equal_values_are_stored_differently() -> None:
    ring = KeyRing(OLD)
    assert ring.encrypt(b"same")[1] != ring.encrypt(b"same")[1]


@pytest.mark.parametrize(
    "keys", [{}, {"short": b"x" * 16}, {"": b"x" * 32}, {"a+b": b"x" * 32}, {"a:b": b"x" * 32}]
)
def test_a_key_that_cannot_be_one_is_refused(keys: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match=r"(?i)key"):
        KeyRing(keys)
