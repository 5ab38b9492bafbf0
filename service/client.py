"""A client of the REST contract: of a server elsewhere, or of one that lives as long as the command."""

import contextlib
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, cast

import httpx2

from service.app import create_app
from service.server import opened, serving
from service.settings import Settings

_TIMEOUT = httpx2.Timeout(60.0, read=120.0)


class Refused(Exception):
    """The service said no; the problem says why."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("detail", "The service refused."))
        self.problem = problem
        self.status = int(problem.get("status", 500))


@dataclass(frozen=True)
class Told:
    """One server-sent event."""

    id: str
    type: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Client:
    """The calls that the commands make."""

    http: httpx2.AsyncClient

    async def call(self, method: str, path: str, **kwargs: Any) -> Any:
        """The JSON answer; raises `Refused` for a problem."""
        answer = await self.http.request(method, path, **kwargs)
        if answer.is_error:
            raise Refused(_problem(answer))
        return answer.json()

    async def download(self, path: str, *, method: str = "GET", **kwargs: Any) -> bytes:
        """The bytes at `path`; raises `Refused`."""
        answer = await self.http.request(method, path, **kwargs)
        if answer.is_error:
            raise Refused(_problem(answer))
        return answer.content

    async def follow(self, campaign_id: str, *, after: str = "0") -> AsyncGenerator[Told]:
        """Events later than `after`, until the campaign's last or until the caller stops reading."""
        headers = {"Last-Event-ID": after}
        async with self.http.stream("GET", f"/v1/campaigns/{campaign_id}/events", headers=headers) as answer:
            number, kind, data = after, "message", ""
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    data = value
                elif name == "id":
                    number = value
                elif not line and data:
                    yield Told(number, kind, cast("dict[str, Any]", json.loads(data)))
                    kind, data = "message", ""


@contextlib.asynccontextmanager
async def connect(
    settings: Settings, server: str | None, *, command: str, key: str | None = None, recover: bool = True
) -> AsyncGenerator[Client]:
    """A client of `server`, who shows it `key`, or of a service that this process runs on its own data folder.

    With `recover` that service goes on with unfinished campaigns as well. Its own folder needs no key.
    """
    async with contextlib.AsyncExitStack() as stack:
        if server is None:
            fanfare = await stack.enter_async_context(opened(settings, command=command, recover=recover))
            app = create_app(lambda: contextlib.nullcontext(fanfare))
            server = await stack.enter_async_context(serving(app))
            key = key or fanfare.authentication.operator_pass
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        http = httpx2.AsyncClient(base_url=server, timeout=_TIMEOUT, trust_env=False, headers=headers)
        yield Client(await stack.enter_async_context(http))


def _problem(answer: httpx2.Response) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", answer.json())
    except ValueError:
        return {"status": answer.status_code, "detail": f"The server answered {answer.status_code}."}
