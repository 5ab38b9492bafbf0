"""A running service and what a person does with it: create, wait, decide, read."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx2

from service.app import create_app
from service.server import serving
from service.settings import Settings
from service.wiring import Fanfare, open_fanfare

ROOT = Path(__file__).parent.parent
PHOTO = ROOT / "examples" / "aurora.jpg"
STILL = ("awaiting_copy_approval", "awaiting_creative_approval", "completed", "rejected", "failed", "cancelled")
AURORA: dict[str, Any] = {
    "product": {"name": "Aurora", "features": ["40 h battery", "Noise cancelling", "Folds flat"]},
    "tone": "premium",
    "languages": ["de"],
    "placements": ["instagram_post", "x_post"],
}


@dataclass(frozen=True)
class Service:
    """The REST contract, spoken as a caller speaks it."""

    http: httpx2.AsyncClient
    fanfare: Fanfare | None = None

    async def create(self, asked: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        """Create a campaign and require that it was taken."""
        answer = await self.post({**AURORA, **(asked or {}), **changes})
        assert answer.status_code == 202, answer.text
        created: dict[str, Any] = answer.json()
        return created

    async def post(
        self, asked: Any, *, photo: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """POST a campaign as a form with a photo."""
        body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
        image = PHOTO.read_bytes() if photo is None else photo
        parts = {
            "campaign": (None, body, "application/json"),
            "image": ("photo", image, "application/octet-stream"),
        }
        return await self.http.post("/v1/campaigns", files=parts, headers=dict(headers or {}))

    async def get(self, path: str) -> Any:
        """The JSON at `path`, which must be there."""
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def still(self, campaign_id: str, *, seconds: float = 60) -> dict[str, Any]:
        """The campaign once it waits for a person or has ended."""
        deadline = time.monotonic() + seconds
        while True:
            campaign: dict[str, Any] = await self.get(f"/v1/campaigns/{campaign_id}")
            if campaign["status"] in STILL:
                return campaign
            assert time.monotonic() < deadline, f"still {campaign['status']} at {campaign['step']}"
            await asyncio.sleep(0.03)

    async def decide(self, campaign_id: str, kind: str, **more: Any) -> httpx2.Response:
        """Decide on what is shown at the open gate."""
        shown = await self.get(f"/v1/campaigns/{campaign_id}/approval")
        decision = {"gate": shown["gate"], "revision": shown["revision"], "type": kind, **more}
        return await self.http.post(f"/v1/campaigns/{campaign_id}/decisions", json=decision)

    async def approve(self, campaign_id: str) -> dict[str, Any]:
        """Approve at the open gate, and wait for what comes of it."""
        answer = await self.decide(campaign_id, "approve")
        assert answer.status_code == 202, answer.text
        return await self.still(campaign_id)

    async def content(self, campaign_id: str) -> Any:
        """The campaign's content."""
        return await self.get(f"/v1/campaigns/{campaign_id}/content")


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncGenerator[Service]:
    """The service in this process, on a free port."""
    async with open_fanfare(settings, command="a test") as fanfare:
        app = create_app(lambda: contextlib.nullcontext(fanfare))
        async with serving(app) as url, httpx2.AsyncClient(base_url=url, timeout=60) as http:
            yield Service(http, fanfare)


@contextlib.contextmanager
def process(*arguments: str, url: str, log: str = "", **environment: str) -> Generator[subprocess.Popen[bytes]]:
    """`fanfare ARGUMENTS` as a process of its own, from when `url` answers; killed at the end."""
    # A pipe that nobody reads would fill and stop the process.
    told: IO[bytes] = Path(log).open("w+b") if log else tempfile.TemporaryFile()  # noqa: SIM115
    started = subprocess.Popen(
        [sys.executable, "-m", "service.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.DEVNULL,
        stderr=told,
    )
    try:
        _wait_for(url, started, told)
        yield started
    finally:
        started.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(20)
        started.kill()
        started.wait()
        told.close()


def _wait_for(url: str, started: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    deadline = time.monotonic() + 30
    with httpx2.Client() as http:
        while time.monotonic() < deadline:
            if started.poll() is not None:
                log.seek(0)
                raise AssertionError(log.read().decode())
            with contextlib.suppress(httpx2.TransportError):
                http.get(url)
                return
            time.sleep(0.05)
    raise AssertionError(f"{url} does not answer.")
