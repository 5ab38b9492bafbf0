"""The login server's public keys, by its JWKS URL: fetched when needed, kept for a while, rotated with it."""

import asyncio
import json
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

import httpx2
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from service.problems import Problem

log = structlog.get_logger()

_FRESH_SECONDS = 300.0
"""How long a key that the login server has withdrawn may still be taken for good."""
_STALE_SECONDS = 24 * 3600.0
"""How long keys serve while the URL is away."""
_PAUSE_SECONDS = 10.0
"""Between two fetches, whatever unknown key ids tokens name."""
_TIMEOUT_SECONDS = 5.0
_MOST_BYTES = 1 << 18
_LEAST_RSA_BITS = 2048
_ALGORITHMS: dict[tuple[object, object], str] = {("RSA", None): "RS256", ("EC", "P-256"): "ES256"}


class JwksUnusable(Exception):
    """What the URL answers is no set of keys that we can use."""


class Jwks:
    """`SigningKeys` at `url`: RSA keys sign by RS256, P-256 keys by ES256, and no others are taken."""

    def __init__(self, http: httpx2.AsyncClient, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._url = url
        self._clock = clock
        self._keys: dict[str | None, PyJWK] = {}
        self._fetched = self._tried = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, kid: str | None) -> PyJWK | None:
        """See `SigningKeys.find`: without an id, the key if there is only one."""
        if self._age() > _FRESH_SECONDS or self._named(kid) is None:
            await self._refresh(kid)
        if not self._keys or self._age() > _STALE_SECONDS:
            detail = (
                "The login server's keys cannot be fetched, so no token can be checked. Try again in a moment."
            )
            raise Problem(503, "login-server-away", "Unavailable", detail, headers={"Retry-After": "10"})
        return self._named(kid)

    def _named(self, kid: str | None) -> PyJWK | None:
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    def _age(self) -> float:
        return self._clock() - self._fetched

    async def _refresh(self, kid: str | None) -> None:
        if self._lock.locked() and self._named(kid) is not None and self._age() <= _STALE_SECONDS:
            return  # somebody fetches already, and this key is good until then
        async with self._lock:
            wanted = self._age() > _FRESH_SECONDS or self._named(kid) is None
            if not wanted or self._clock() - self._tried < _PAUSE_SECONDS:
                return
            self._tried = self._clock()
            try:
                async with asyncio.timeout(_TIMEOUT_SECONDS):
                    self._keys = _usable(await self._fetch())
                self._fetched = self._clock()
            except (httpx2.HTTPError, TimeoutError, JwksUnusable) as error:
                log.warning("jwks_unavailable", url=self._url, error=f"{type(error).__name__}: {error}")

    async def _fetch(self) -> bytes:
        body = b""
        async with self._http.stream("GET", self._url, follow_redirects=False) as answer:
            if answer.status_code != HTTPStatus.OK:
                raise JwksUnusable(f"it answers {answer.status_code}")
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise JwksUnusable(f"it is longer than {_MOST_BYTES} bytes")
        return body


def _usable(body: bytes) -> dict[str | None, PyJWK]:
    """The keys in a JWKS document that may sign our tokens, by their ids; raises `JwksUnusable` without any."""
    try:
        listed = json.loads(body)["keys"]
    except (ValueError, KeyError, TypeError):
        raise JwksUnusable("it is not a JWKS document") from None
    found: dict[str | None, PyJWK] = {}
    for jwk in cast("list[Any]", listed) if isinstance(listed, list) else []:
        if isinstance(jwk, dict) and (key := _key(cast("dict[str, Any]", jwk))):
            found[key.key_id] = key
    if not found:
        raise JwksUnusable("it has no RSA key of 2048 bits or more, and none on P-256")
    return found


def _key(jwk: dict[str, Any]) -> PyJWK | None:
    algorithm = _ALGORITHMS.get((jwk.get("kty"), jwk.get("crv")))
    if algorithm is None or jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig":
        return None
    if not isinstance(jwk.get("kid"), str | None):
        return None
    public = {name: value for name, value in jwk.items() if name in ("kty", "crv", "kid", "n", "e", "x", "y")}
    try:
        key = PyJWK(public, algorithm)
    except (PyJWTError, ValueError, TypeError):
        return None
    return None if isinstance(key.key, RSAPublicKey) and key.key.key_size < _LEAST_RSA_BITS else key
