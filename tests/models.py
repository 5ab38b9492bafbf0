"""Model servers on which calls go wrong, and the settings that ask them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agents.offline import rehearsal
from service.settings import Settings

Body = dict[str, Any]


def at(data_dir: Path, url: str, **more: Any) -> Settings:
    usual: dict[str, Any] = {
        "data_dir": data_dir,
        "openai_base_url": url,
        "openai_api_key": SecretStr("sk-rehearsal"),
        "model": "rehearsal",
        "model_timeout_seconds": 3,
        "model_patience_seconds": 20,
    }
    return Settings(**(usual | more))


class Failing:
    """A model server whose first chat calls go wrong in a certain way, and all later ones well."""

    def __init__(self, fault: str, *, times: int = 1) -> None:
        self.ill: ASGIApp = rehearsal(faults={fault: 1.0})
        self.well: ASGIApp = rehearsal()
        self.times = times
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        chat = scope["type"] == "http" and scope["path"].endswith("/chat/completions")
        self.asked += chat
        await (self.ill if chat and self.asked <= self.times else self.well)(scope, receive, send)


class Partial:
    """A model server on which certain calls go wrong, each in a certain way."""

    def __init__(self, fault: str, when: Callable[[str, Body], bool]) -> None:
        self.ill: ASGIApp = rehearsal(faults={fault: 1.0})
        self.well: ASGIApp = rehearsal()
        self.when = when
        self.healed = False
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.well(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()
        self.asked += scope["path"].endswith("/chat/completions")
        wrong = not self.healed and self.when(scope["path"], json.loads(body))
        await (self.ill if wrong else self.well)(scope, _replay(body), send)


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def judging(path: str, body: Body) -> bool:
    """A call of the judge."""
    return _is_by("moderator", path, body)


def writing(path: str, body: Body) -> bool:
    """A call of the copywriter."""
    return _is_by("copywriter", path, body)


def _is_by(agent: str, path: str, body: Body) -> bool:
    return path.endswith("/chat/completions") and f"You are the {agent}" in str(body["messages"][0])
