"""An S3 of our own: moto's server in a process, over real HTTP, which a test may let hang."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from obstore.store import S3Store

from tests.stores import asleep, free_port

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "ours", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
BUCKET = "pictures"


@dataclass(frozen=True)
class ObjectServer:
    """A running server; what is in it goes with it."""

    endpoint: str
    process: subprocess.Popen[bytes]

    def make_bucket(self, name: str = BUCKET) -> str:
        """An empty bucket's address."""
        httpx2.put(f"{self.endpoint}/{name}").raise_for_status()
        return f"s3://{name}/some/prefix"

    def lay(self, sha256: str, tenant: str, data: bytes) -> None:
        """Lay other bytes where a PNG is kept."""
        store = S3Store(BUCKET, endpoint=self.endpoint, client_options={"allow_http": True})
        place = f"some/prefix/{tenant}/{sha256[:2]}/{sha256}"
        store.put(place, data, attributes={"Content-Type": "image/png"})

    def empty(self) -> None:
        """Take away whatever earlier tests have left."""
        httpx2.post(f"{self.endpoint}/moto-api/reset").raise_for_status()

    @contextmanager
    def asleep(self) -> Generator[None]:
        """Let it hang: connections are taken, nothing is answered."""
        with asleep(self.process.pid):
            yield


@contextmanager
def object_server(folder: Path) -> Generator[ObjectServer]:
    """Start moto's server on a free port, and end it."""
    port = free_port()
    with (folder / "moto.log").open("wb") as log:
        words = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log)
    try:
        _wait_for(f"http://127.0.0.1:{port}/moto-api/", process, folder / "moto.log")
        yield ObjectServer(f"http://127.0.0.1:{port}", process)
    finally:
        process.kill()
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        with contextlib.suppress(httpx2.TransportError):
            httpx2.get(url)
            return
        time.sleep(0.05)
    raise AssertionError("moto's server does not answer.")
