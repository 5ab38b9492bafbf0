"""Who comes in: by API key, by token, or by the session that a browser began with one of them."""

import hmac
import time
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from fastapi import Request

from service.attempts import Attempts
from service.edge.peers import peer_of
from service.identity import LOCAL, Caller, known
from service.keys import Keys, Parts, bearer, ended, parts
from service.problems import Problem, unauthenticated
from service.secret import kept_of, new_secret
from service.sessions import Sessions
from service.tokens import Tokens, Unsigned

COOKIE = "fanfare_session"


@dataclass(frozen=True)
class Admission:
    """Somebody who was let in: until when (a second since 1970), and by which key."""

    caller: Caller
    key: str | None = None
    until: float | None = None


class Authentication(Protocol):
    """Says who calls."""

    @property
    def required(self) -> bool:
        """Whether callers have to say who they are."""
        ...

    @property
    def operator_pass(self) -> str | None:
        """What this process itself may call its own service with; it lives as long as the process."""
        ...

    async def identify(self, request: Request) -> Caller:
        """Whoever sent `request`; raises a 401 problem, or 429 after too many failures."""
        ...

    async def log_in(self, request: Request, credential: str) -> tuple[str, float]:
        """Begin a session: what its cookie says, and the seconds it lasts. Raises a 401 or 429 problem."""
        ...

    async def log_out(self, request: Request) -> None:
        """End the session that the request's cookie names, if any."""
        ...


class NoLogin:
    """`Authentication` where none is configured: whoever reaches this machine may do everything."""

    required = False
    operator_pass = None

    async def identify(self, request: Request) -> Caller:  # noqa: ARG002 - whoever it is
        """See `Authentication.identify`."""
        return LOCAL

    async def log_in(self, request: Request, credential: str) -> tuple[str, float]:  # noqa: ARG002
        """See `Authentication.log_in`."""
        raise Problem(409, "no-login", "No login", "No login is configured here; everybody is in already.")

    async def log_out(self, request: Request) -> None:
        """See `Authentication.log_out`."""


@dataclass(frozen=True)
class Login:
    """`Authentication` by keys, tokens and sessions; a session ends with its key."""

    keys: Keys
    tokens: Tokens | None
    sessions: Sessions
    attempts: Attempts
    session_seconds: float
    operator_pass: str = field(default_factory=lambda: new_secret()[0], repr=False)
    required = True

    async def identify(self, request: Request) -> Caller:
        """See `Authentication.identify`."""
        if credential := _credential(request):
            return (await self._admit(credential, address_of(request))).caller
        if cookie := request.cookies.get(COOKIE):
            return await self._continued(cookie)
        detail = "Say who you are: Authorization: Bearer with an API key or a token; people log in at /login."
        raise unauthenticated("login-needed", detail)

    async def log_in(self, request: Request, credential: str) -> tuple[str, float]:
        """See `Authentication.log_in`."""
        admitted = await self._admit(credential, address_of(request))
        seconds = self.session_seconds
        if admitted.until is not None:
            seconds = min(seconds, admitted.until - time.time())
        caller = admitted.caller
        held: dict[str, Any] = {"key": admitted.key} if admitted.key else {
            "tenant": caller.tenant, "subject": caller.subject, "roles": sorted(caller.roles),
        }  # fmt: skip
        return await self.sessions.begin("login", held, seconds=seconds), seconds

    async def log_out(self, request: Request) -> None:
        """See `Authentication.log_out`."""
        if cookie := request.cookies.get(COOKIE):
            await self.sessions.end("login", cookie)

    async def _admit(self, credential: str, address: str) -> Admission:
        if hmac.compare_digest(kept_of(credential), kept_of(self.operator_pass)):
            return Admission(LOCAL)
        key = parts(credential)
        wanted = key.id if key else None
        await self.attempts.check(address, wanted)
        admitted = await (self._by_key(key) if key else self._by_token(credential))
        if admitted is None:
            await self.attempts.failed(address, wanted)
            raise unauthenticated("login-failed", "This key or token is not one of ours; check that it is whole.")
        return admitted

    async def _by_key(self, key: Parts) -> Admission | None:
        row = await self.keys.known(key)
        if row is None:
            return None
        if why := ended(row):
            raise unauthenticated("key-ended", why)
        await self.keys.used(row)
        return Admission(bearer(row), key=row.id)

    async def _by_token(self, credential: str) -> Admission | None:
        if self.tokens is None:
            return None
        try:
            caller, until = await self.tokens.read(credential)
        except Unsigned:
            return None
        return Admission(caller, until=until)

    async def _continued(self, cookie: str) -> Caller:
        held = await self.sessions.find("login", cookie)
        if held is None:
            raise unauthenticated("session-ended", "This session has ended; log in again.")
        if "key" not in held:
            return Caller(held["tenant"], held["subject"], known(cast("list[object]", held["roles"])))
        row = await self.keys.get(held["key"])
        why = ended(row) if row else "The API key of this session is gone; log in with another."
        if row is None or why:
            raise unauthenticated("key-ended", why or "")
        await self.keys.used(row)
        return bearer(row)


def address_of(request: Request) -> str:
    """What failures are counted by: where the request comes from, for IPv6 the block of one subscriber."""
    return str(peer_of(request.scope))


def _credential(request: Request) -> str | None:
    """What the header bears; another scheme is a proxy's in front of us, and says nothing here."""
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else None
