"""A service that asks for a login, and people who come to it."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from service.identity import Role
from service.settings import Settings
from service.wiring import Fanfare
from tests.running import Service, running

ROLES: tuple[Role, ...] = ("viewer", "editor", "approver", "admin")


@dataclass(frozen=True)
class House:
    """The service, as nobody and as whoever is asked for."""

    nobody: Service
    fanfare: Fanfare
    url: str

    async def key(
        self, *roles: Role, tenant: str = "acme", name: str = "A key", seconds: float | None = None
    ) -> str:
        """The text of a new key."""
        _, key = await self.fanfare.keys.create(tenant, name=name, roles=roles, by="local", seconds=seconds)
        return key

    @contextlib.asynccontextmanager
    async def with_key(self, key: str) -> AsyncGenerator[Service]:
        """The service as the bearer of `key` calls it."""
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(base_url=self.url, timeout=60, headers=headers) as http:
            yield Service(http, self.fanfare)

    @contextlib.asynccontextmanager
    async def somebody(self, *roles: Role, tenant: str = "acme") -> AsyncGenerator[Service]:
        """The service as somebody with these roles calls it."""
        async with self.with_key(await self.key(*roles, tenant=tenant)) as service:
            yield service

    @contextlib.asynccontextmanager
    async def browser(self) -> AsyncGenerator[httpx2.AsyncClient]:
        """A browser that keeps cookies, says whose page it shows, and has not logged in."""
        headers = {"Origin": self.url, "Accept": "text/html"}
        async with httpx2.AsyncClient(base_url=self.url, timeout=60, headers=headers) as http:
            yield http


@contextlib.asynccontextmanager
async def house(data_dir: Path, **settings: Any) -> AsyncGenerator[House]:
    """A service with a login, on a folder of its own."""
    async with running(Settings(data_dir=data_dir, auth="required", **settings)) as nobody:
        assert nobody.fanfare is not None
        yield House(nobody, nobody.fanfare, str(nobody.http.base_url).rstrip("/"))
