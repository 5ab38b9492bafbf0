"""Sessions of browsers, in Redis: a cookie holds a random name, and nothing else leaves the server."""

import json
from typing import Any, Literal, cast

from graph.checkpoints import AsyncClient
from service.secret import kept_of, new_secret

Kind = Literal["login", "review"]


class Sessions:
    """What is known of a session until it ends; whoever reads Redis finds no cookie there, only its hash."""

    def __init__(self, redis: AsyncClient, *, prefix: str = "fanfare") -> None:
        self._redis = redis
        self._prefix = prefix

    async def begin(self, kind: Kind, data: dict[str, Any], *, seconds: float) -> str:
        """A new session that holds `data` for so long; what the cookie is to say."""
        cookie, kept = new_secret()
        await self._redis.set(self._key(kind, kept), json.dumps(data), ex=max(1, int(seconds)))
        return cookie

    async def find(self, kind: Kind, cookie: str) -> dict[str, Any] | None:
        """What the session holds, or None when it has ended or never was."""
        stored: Any = await self._redis.get(self._key(kind, kept_of(cookie)))
        return cast("dict[str, Any]", json.loads(stored)) if stored else None

    async def end(self, kind: Kind, cookie: str) -> None:
        """Forget the session."""
        await self._redis.delete(self._key(kind, kept_of(cookie)))

    def _key(self, kind: Kind, kept: str) -> str:
        return f"{self._prefix}:session:{kind}:{kept}"
