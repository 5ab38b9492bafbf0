"""The private server and the folder that it lives in, where people put them."""

import os
import signal
from pathlib import Path

import pytest
from redis.asyncio import Redis

from service.embedded import DataFolderInUse, hold, private_server


@pytest.mark.parametrize("name", ["plain", "with a space", "läng" * 30, 'q"uote'])
async def test_what_was_written_is_there_again(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    for expected in (None, b"kept"):
        async with private_server(folder) as url, Redis.from_url(url) as client:
            assert await client.get("key") == expected
            await client.set("key", "kept")
            assert (await client.config_get("appendonly"))["appendonly"] == "yes"


async def test_a_server_killed_hard_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    async with private_server(tmp_path) as url, Redis.from_url(url) as client:
        await client.set("key", "kept")
        os.kill(int((tmp_path / "valkey.pid").read_text()), signal.SIGKILL)
    async with private_server(tmp_path) as url, Redis.from_url(url) as client:
        assert await client.get("key") == b"kept"


def test_a_folder_is_held_by_one(tmp_path: Path) -> None:
    with hold(tmp_path, "fanfare serve", "http://127.0.0.1:8000"):
        with pytest.raises(DataFolderInUse, match="fanfare serve") as refused, hold(tmp_path, "another"):
            pass
        assert refused.value.holder["pid"] == os.getpid()
    with hold(tmp_path, "another"):
        pass
