"""JSON Web Tokens: whether our login server made one for us, and what it says of its bearer."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

import jwt
from jwt import PyJWK
from jwt.exceptions import (
    DecodeError,
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAlgorithmError,
    InvalidAudienceError,
    InvalidIssuerError,
    InvalidKeyError,
    InvalidTokenError,
    PyJWTError,
)
from pydantic import SecretStr

from service.identity import TENANT_PATTERN, Caller, known
from service.problems import Problem, unauthenticated

_WRONG: dict[type[InvalidTokenError], str] = {
    InvalidAudienceError: "it was made for another audience than FANFARE_JWT_AUDIENCE",
    InvalidIssuerError: "it comes from another issuer than FANFARE_JWT_ISSUER",
}
_LONGEST = 8192
_LONGEST_SUBJECT = 200
_TENANT = re.compile(TENANT_PATTERN)


class Unsigned(Exception):
    """No token of ours: nobody whom we trust has signed it."""


class SigningKeys(Protocol):
    """The keys that tokens are signed with, each bound to one algorithm."""

    async def find(self, kid: str | None) -> PyJWK | None:
        """The key with this id, or None; raises a 503 problem when nobody can say."""
        ...


class SharedSecret:
    """`SigningKeys` of a login server that shares one secret with us: HS256 and nothing else."""

    def __init__(self, secret: SecretStr) -> None:
        k = urlsafe_b64encode(secret.get_secret_value().encode()).rstrip(b"=").decode()
        self._key = PyJWK({"kty": "oct", "k": k}, "HS256")

    async def find(self, kid: str | None) -> PyJWK | None:  # noqa: ARG002 - one key, whatever it is called
        """See `SigningKeys.find`."""
        return self._key


@dataclass(frozen=True)
class Claims:
    """What a token must say, and where it says the rest."""

    issuer: str
    audience: str
    tenant: str
    roles: str
    leeway: float


class Tokens:
    """Reads the tokens that are signed by one of `keys`."""

    def __init__(self, keys: SigningKeys, claims: Claims) -> None:
        self._keys = keys
        self._claims = claims

    async def read(self, token: str) -> tuple[Caller, float]:
        """The bearer, and the second (since 1970) at which the token expires.

        Raises `Unsigned`, or a 401 problem for one that is signed and still not good enough.
        """
        if len(token) > _LONGEST:
            raise Unsigned
        try:
            key = await self._keys.find(jwt.get_unverified_header(token).get("kid"))
        except PyJWTError:
            raise Unsigned from None
        if key is None:
            raise Unsigned
        said = self._verified(token, key)
        return self._bearer(said), float(said["exp"]) + self._claims.leeway

    def _verified(self, token: str, key: PyJWK) -> dict[str, Any]:
        # The algorithm is the key's own: what the token's header says may only agree with it.
        try:
            return jwt.decode(
                token, key, algorithms=[key.algorithm_name], issuer=self._claims.issuer,
                audience=self._claims.audience, leeway=self._claims.leeway,
                options={"require": ["exp", "sub", "iss", "aud"], "verify_iat": False},
            )  # fmt: skip
        except ExpiredSignatureError:
            raise unauthenticated("token-expired", "This token has expired; log in again for a new one.") from None
        except ImmatureSignatureError:
            raise unauthenticated("token-invalid", "This token is not valid yet; is a clock wrong?") from None
        except (DecodeError, InvalidAlgorithmError, InvalidKeyError):  # a wrong signature is a DecodeError
            raise Unsigned from None
        except InvalidTokenError as error:
            raise _unfit(_WRONG.get(type(error), "a claim is missing or malformed")) from None

    def _bearer(self, said: Mapping[str, Any]) -> Caller:
        subject, tenant = said["sub"], _at(said, self._claims.tenant)
        if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
            raise _unfit(f"the subject is not 1 to {_LONGEST_SUBJECT} printable characters")
        if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
            raise _unfit(f"the claim {self._claims.tenant!r} names no tenant (1 to 64 letters, digits, - or _)")
        roles = _at(said, self._claims.roles)
        listed = roles.split() if isinstance(roles, str) else roles
        return Caller(
            tenant, f"user:{subject}", known(cast("list[object]", listed) if isinstance(listed, list) else [])
        )


def _at(said: Mapping[str, Any], name: str) -> object:
    """The claim called `name`; one that is not there may lie deeper, as in realm_access.roles."""
    if name in said:
        return cast("object", said[name])
    outer, dot, rest = name.partition(".")
    inner = said.get(outer) if dot else None
    return _at(cast("Mapping[str, Any]", inner), rest) if isinstance(inner, dict) else None


def _unfit(why: str) -> Problem:
    return unauthenticated("token-invalid", f"This token is signed, and not one for us: {why}.")
