"""What `langgraph dev` loads by path: the graph without a checkpointer, our saver, and the service.

Each path is loaded as a module of its own, so what they share lives in `service.wiring`.
"""

import contextlib
from collections.abc import AsyncGenerator

from langgraph.checkpoint.base import BaseCheckpointSaver

from graph.campaign import build_campaign
from service.app import create_app
from service.runs import Graph
from service.wiring import shared

app = create_app(shared.open)


@contextlib.asynccontextmanager
async def checkpointer() -> AsyncGenerator[BaseCheckpointSaver[str]]:
    """The saver that the service uses as well."""
    async with shared.open() as fanfare:
        yield fanfare.saver


@contextlib.asynccontextmanager
async def graph() -> AsyncGenerator[Graph]:
    """The campaign graph; the server that loads it brings the checkpointer."""
    async with shared.open() as fanfare:
        yield build_campaign(fanfare.ports).compile()
