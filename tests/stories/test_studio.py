"""`langgraph dev`: the same graph, the same saver and the service, as Studio sees them."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.running import AURORA, PHOTO, ROOT
from tests.stores import free_port


@contextlib.asynccontextmanager
async def studio(data_dir: Path) -> AsyncGenerator[str]:
    """The development server on a free port, with our langgraph.json."""
    port = free_port()
    log = (data_dir.parent / "studio.log").open("w+")
    started = subprocess.Popen(  # noqa: ASYNC220 - it outlives the awaits of the fixture
        [
            sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload",
            "--port", str(port), "--config", str(ROOT / "langgraph.json"),
        ],
        cwd=ROOT,
        env={**os.environ, "FANFARE_DATA_DIR": str(data_dir), "LANGSMITH_TRACING": "false"},
        stdout=log,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        await _ready(url, started, log.name)
        yield url
    finally:
        started.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(20)
        started.kill()
        log.close()


async def _ready(url: str, started: subprocess.Popen[bytes], log: str) -> None:
    async with httpx2.AsyncClient() as http:
        for _ in range(300):
            assert started.poll() is None, Path(log).read_text()
            with contextlib.suppress(httpx2.TransportError):
                if (await http.get(f"{url}/ok")).status_code == 200:
                    return
            await asyncio.sleep(0.2)
    raise AssertionError(Path(log).read_text())


@pytest.mark.timeout(180)
async def test_studio_drives_both_gates(data_dir: Path) -> None:
    data_dir.mkdir()
    async with (
        studio(data_dir) as url,
        httpx2.AsyncClient(base_url=url, timeout=60) as http,
        get_client(url=url) as client,
    ):
        order = await _order(http)
        schemas = await _schemas(client)
        assert "order" in schemas["input_schema"]["properties"]

        approved = await client.threads.create()
        await _run(client, approved, {"order": order})
        gate = await _gate(client, approved)
        assert gate["action_requests"][0]["name"] == "approve_copy"
        await _resume(client, approved, {"type": "approve"})
        gate = await _gate(client, approved)
        assert gate["action_requests"][0]["name"] == "approve_creatives"
        await _resume(client, approved, {"type": "approve"})
        assert await _outcome(client, approved) == "completed"

        edited = await client.threads.create()
        await _run(client, edited, {"order": order})
        content = (await _gate(client, edited))["action_requests"][0]["args"]["content"]
        content["copy"]["headlines"][0] = "Silence, folded flat"
        action = {"name": "approve_copy", "args": {"content": content}}
        await _resume(client, edited, {"type": "edit", "edited_action": action})
        shown = (await _gate(client, edited))["action_requests"][0]["args"]["content"]
        assert shown["copy"]["headlines"][0] == "Silence, folded flat"
        await _resume(client, edited, {"type": "reject", "message": "Not now."})
        assert await _outcome(client, edited) == "rejected"

        mounted = await http.post(
            "/v1/campaigns",
            files={
                "campaign": (None, json.dumps(AURORA).encode(), "application/json"),
                "image": ("photo.jpg", PHOTO.read_bytes(), "image/jpeg"),
            },
        )
        assert mounted.status_code == 202, mounted.text


async def _schemas(client: LangGraphClient) -> dict[str, Any]:
    assistants = await client.assistants.search(graph_id="campaign")
    return dict(await client.assistants.get_schemas(assistants[0]["assistant_id"]))


async def _order(http: httpx2.AsyncClient) -> dict[str, Any]:
    photo = (await http.post("/v1/assets", files={"file": ("a.jpg", PHOTO.read_bytes(), "image/jpeg")})).json()
    return {**AURORA, "id": "studio", "picture": photo}


async def _run(client: LangGraphClient, thread: Any, asked: dict[str, Any]) -> None:
    await client.runs.wait(thread["thread_id"], "campaign", input=asked)


async def _gate(client: LangGraphClient, thread: Any) -> dict[str, Any]:
    state = await client.threads.get_state(thread["thread_id"])
    interrupts = [found for task in state["tasks"] for found in task["interrupts"]]
    assert interrupts, state["tasks"]
    value: dict[str, Any] = interrupts[0]["value"]
    return value


async def _resume(client: LangGraphClient, thread: Any, decision: dict[str, Any]) -> None:
    command: Any = {"resume": {"decisions": [decision]}}
    await client.runs.wait(thread["thread_id"], "campaign", command=command)


async def _outcome(client: LangGraphClient, thread: Any) -> str:
    state = await client.threads.get_state(thread["thread_id"])
    values = cast("dict[str, Any]", state["values"])
    return str(values["outcome"])
