"""What every test starts from: no environment of ours, no tracing, and a service on a folder of its own."""

import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from service.settings import Settings
from tests.running import Service, running


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("FANFARE_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LANGSMITH_TEST_TRACKING", "false")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A folder whose name has a space, as people's folders do."""
    return tmp_path / "data folder"


@pytest.fixture
async def service(data_dir: Path) -> AsyncGenerator[Service]:
    """The service on the embedded default, with the rehearsal model."""
    async with running(Settings(data_dir=data_dir)) as started:
        yield started
