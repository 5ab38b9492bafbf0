"""What every benchmark needs: the rehearsal model on a port, and a word about the machine."""

import asyncio
import contextlib
import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx2

_START_SECONDS = 30.0


def machine() -> dict[str, Any]:
    """Where the figures come from, for whoever compares them."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": round(os.getloadavg()[0], 2),
    }


@contextlib.asynccontextmanager
async def served_rehearsal(latency: float) -> AsyncGenerator[str]:
    """The rehearsal model in a process of its own, `latency` seconds an answer; yields its base URL."""
    port = _free_port()
    command = ["rehearsal", "--port", str(port), "--latency", str(latency)]
    process = subprocess.Popen(  # noqa: ASYNC220, S603 - our own command, which is to outlive this call
        [sys.executable, "-m", "service.cli", *command],
        cwd=Path(__file__).parent.parent.parent,
        stderr=subprocess.DEVNULL,
    )
    try:
        await _answers(f"http://127.0.0.1:{port}/v1/models", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 10)


async def _answers(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    async with httpx2.AsyncClient() as http:
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(httpx2.TransportError):
                await http.get(url)
                return
            await asyncio.sleep(0.05)
    raise RuntimeError("The rehearsal model did not start.")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
