"""A whole campaign on the Redis servers that people run, and what it leaves there."""

import base64
import os
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from redis import Redis

from service.settings import Settings
from service.wiring import _fallback  # pyright: ignore[reportPrivateUsage]
from tests.running import AURORA, running
from tests.stores import Server, cluster_url, start_cluster, start_server

KEYS = "2026a:" + base64.b64encode(os.urandom(32)).decode()


async def test_a_campaign_runs_on_a_cluster(tmp_path: Path) -> None:
    with start_cluster("valkey", tmp_path) as nodes:
        settings = Settings(data_dir=tmp_path / "data", redis_url=cluster_url(nodes))
        async with running(settings) as service:
            created = await service.create()
            gate = await service.still(created["id"])
            assert gate["status"] == "awaiting_copy_approval", gate
            assert service.fanfare
            stream = service.fanfare.events.follow(created["id"])
            first = await anext(stream)
            assert first is not None
            assert first.type == "status"
            assert (await service.get("/readyz"))["warnings"] == []
            end = await service.approve(created["id"])
        assert end["status"] == "awaiting_creative_approval"
        assert sum(_size(node) for node in nodes) > 0


def _size(node: Server) -> int:
    with Redis(port=node.port) as client:
        return int(client.dbsize())


async def test_encrypted_checkpoints_say_nothing_of_a_product(tmp_path: Path) -> None:
    server = start_server("valkey", tmp_path)
    try:
        settings = Settings(data_dir=tmp_path / "data", redis_url=server.url, checkpoint_keys=SecretStr(KEYS))
        async with running(settings) as service:
            created = await service.create()
            gate = await service.still(created["id"])
            assert gate["status"] == "awaiting_copy_approval", gate
            with Redis(port=server.port) as client:
                kept = [client.hgetall(key) for key in client.keys("*:channels")]
            assert kept
            assert AURORA["product"]["name"] not in str(kept)
            end = await service.approve(created["id"])
        assert end["status"] == "awaiting_creative_approval"
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("checkpoint_keys", "a:secret word", "key 'a' is not base64"),
        ("checkpoint_keys", "secretc2hvcnQ=", "one has no name"),
        ("checkpoint_keys", "a:c2hvcnQ=", "has 5 bytes; AES-256 takes 32"),
        ("redis_url", "https://:secret@x", "A Redis URL begins with"),
        ("redis_url", "redis://:secret#1@x:1", "write / "),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_without_its_secret(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"FANFARE_{name.upper()}", value)
    with pytest.raises(ValidationError, match=said) as refused:
        Settings()
    assert "secret" not in str(refused.value)


def test_another_server_is_never_sent_the_first_one_s_key() -> None:
    first = Settings(openai_api_key=SecretStr("sk-first"), fallback_model="m")
    other = first.model_copy(update={"fallback_base_url": "http://elsewhere/v1"})
    own = other.model_copy(update={"fallback_api_key": SecretStr("sk-own")})
    assert [_fallback(each, "m").secret for each in (first, other, own)] == ["sk-first", "none", "sk-own"]
