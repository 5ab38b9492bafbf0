"""Tokens of a login server: what is taken, the known attacks, and its keys as they come, rotate and go away."""

import contextlib
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from pydantic import SecretStr, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.identity import Caller
from service.jwks import Jwks
from service.problems import Problem
from service.server import serving
from service.settings import Settings
from service.tokens import Claims, SharedSecret, Tokens, Unsigned

ISSUER, AUDIENCE = "https://login.example/", "fanfare"
CLAIMS = Claims(ISSUER, AUDIENCE, "tenant", "roles", 30)
SECRET = "correct horse battery staple, twice over"  # noqa: S105 - everybody may know this one
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def private(kid: str) -> Private:
    """A key of the login server; those whose name begins with `ec` are on P-256."""
    if kid.startswith("ec"):
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 1024 if kid == "short" else 2048)


def jwk(kid: str, **more: Any) -> dict[str, Any]:
    public = private(kid).public_key()
    algorithm: Any = RSAAlgorithm if isinstance(public, rsa.RSAPublicKey) else ECAlgorithm
    return {**json.loads(algorithm.to_jwk(public)), "kid": kid, "use": "sig", **more}


def said(**changes: Any) -> dict[str, Any]:
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "tenant": "acme",
        "roles": ["approver", "owner"],
        "exp": time.time() + 600,
    }
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def signed(kid: str | None = "rsa-1", *, by: str = "", algorithm: str = "", **changes: Any) -> str:
    key = private(by or kid or "rsa-1")
    named = algorithm or ("ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS256")
    return jwt.encode(said(**changes), key, named, headers={"kid": kid} if kid else {})


def forged(header: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(part).encode() for part in (header, said())]
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, signature))


@dataclass
class LoginServer:
    """A login server's JWKS address, which can change its mind, and a clock."""

    kids: tuple[str, ...] = ("rsa-1",)
    body: bytes | None = None
    status: int = 200
    asked: int = 0
    seconds: float = 0.0
    more: dict[str, Any] = field(default_factory=dict[str, Any])

    async def answer(self, _: Request) -> Response:
        self.asked += 1
        keys = {"keys": [jwk(kid, **self.more) for kid in self.kids]}
        content = json.dumps(keys).encode() if self.body is None else self.body
        return Response(content, self.status, {"Location": "/elsewhere"})

    @contextlib.asynccontextmanager
    async def reader(self) -> AsyncGenerator[Tokens]:
        """What reads tokens by the keys at this address."""
        async with serving(Starlette(routes=[Route("/keys", self.answer)])) as url, httpx2.AsyncClient() as http:
            yield Tokens(Jwks(http, f"{url}/keys", clock=lambda: self.seconds), CLAIMS)


async def test_a_token_says_who_comes_from_which_tenant_with_which_roles() -> None:
    server = LoginServer(kids=("rsa-1", "ec-1"))
    async with server.reader() as tokens:
        for kid in server.kids:
            caller, until = await tokens.read(signed(kid))
            assert caller == Caller("acme", "user:ada", frozenset({"approver"}))
            assert until > time.time() + 600
        words, _ = await tokens.read(signed(roles="viewer  editor"))
        assert words.roles == {"viewer", "editor"}
        for nothing in (None, {"editor": True}, 7, ["root", None]):
            assert (await tokens.read(signed(roles=nothing)))[0].roles == frozenset()
    assert server.asked == 1


async def test_claims_may_have_other_names_and_lie_deeper() -> None:
    claims = Claims(ISSUER, AUDIENCE, "https://acme.example/tenant", "realm_access.roles", 30)
    token = jwt.encode(
        said(**{"https://acme.example/tenant": "deep", "realm_access": {"roles": ["admin"]}}), SECRET, "HS256"
    )
    caller, _ = await Tokens(SharedSecret(SecretStr(SECRET)), claims).read(token)
    assert caller == Caller("deep", "user:ada", frozenset({"admin"}))


FORGERIES = {
    "no signature, as none": forged({"alg": "none", "kid": "rsa-1"}),
    "no signature, as NONE": forged({"alg": "NONE", "kid": "rsa-1"}),
    "no signature, as RS256": forged({"alg": "RS256", "kid": "rsa-1"}),
    "signed by somebody else": signed("rsa-1", by="rsa-2"),
    "signed by another algorithm of the same key": signed(algorithm="RS512"),
    "an RSA key for P-256": signed("ec-1", by="rsa-1"),
    "an unknown key": signed("rsa-9"),
    "no key id where there are several": signed(None),
    "a key in its own header": jwt.encode(said(), private("rsa-2"), "RS256", headers={"jwk": jwk("rsa-2")}),
    "a key at its own address": jwt.encode(
        said(), private("rsa-2"), "RS256", headers={"kid": "rsa-2", "jku": "https://evil.example/keys"}
    ),
    "no token at all": "Bearer",
    "three dots": "...",
    "a key id that is no text": forged({"alg": "RS256", "kid": 7}),
    "something critical that we do not know": forged({"alg": "RS256", "kid": "rsa-1", "crit": ["x"], "x": 1}),
    "very long": "e" * 9000,
    "not ASCII": "é.ü.ß",
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_forgeries_are_not_ours(name: str) -> None:
    async with LoginServer(kids=("rsa-1", "ec-1")).reader() as tokens:
        with pytest.raises(Unsigned):
            await tokens.read(FORGERIES[name])


async def test_a_public_key_is_no_shared_secret() -> None:
    """The classic: HS256 with the public key, which everybody has, as the secret."""
    pem = (
        private("rsa-1")
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    head = urlsafe_b64encode(b'{"alg":"HS256","kid":"rsa-1"}').rstrip(b"=")
    body = urlsafe_b64encode(json.dumps(said()).encode()).rstrip(b"=")
    oct_key = jwt.PyJWK({"kty": "oct", "k": urlsafe_b64encode(pem).decode().rstrip("=")}, "HS256")
    mac = oct_key.Algorithm.sign(head + b"." + body, oct_key.key)
    token = b".".join((head, body, urlsafe_b64encode(mac).rstrip(b"="))).decode()
    async with LoginServer().reader() as tokens:
        with pytest.raises(Unsigned):
            await tokens.read(token)


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
async def test_a_shared_secret_signs_by_hs256_alone(algorithm: str) -> None:
    tokens = Tokens(SharedSecret(SecretStr(SECRET)), CLAIMS)
    assert (await tokens.read(jwt.encode(said(), SECRET, "HS256")))[0].subject == "user:ada"
    long = SECRET * 2
    with pytest.raises(Unsigned):
        await Tokens(SharedSecret(SecretStr(long)), CLAIMS).read(jwt.encode(said(), long, algorithm))


UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"exp": time.time() - 60}, "expired"),
    "not yet valid": ({"nbf": time.time() + 600}, "not valid yet"),
    "without an end": ({"exp": None}, "missing"),
    "for somebody else": ({"aud": "billing"}, "FANFARE_JWT_AUDIENCE"),
    "for nobody": ({"aud": None}, "missing"),
    "from somebody else": ({"iss": "https://evil.example/"}, "FANFARE_JWT_ISSUER"),
    "of nobody": ({"sub": None}, "missing"),
    "of an empty name": ({"sub": ""}, "subject"),
    "of a name with a line break": ({"sub": "ada\nadmin"}, "subject"),
    "of no tenant": ({"tenant": None}, "tenant"),
    "of a tenant that is a path": ({"tenant": "../acme"}, "tenant"),
    "of many tenants": ({"tenant": ["acme", "rival"]}, "tenant"),
}


@pytest.mark.parametrize("name", UNFIT)
async def test_a_signed_token_may_still_not_be_for_us(name: str) -> None:
    changes, says = UNFIT[name]
    tokens = Tokens(SharedSecret(SecretStr(SECRET)), CLAIMS)
    with pytest.raises(Problem) as refused:
        await tokens.read(jwt.encode(said(**changes), SECRET, "HS256"))
    assert refused.value.status == 401
    assert says in refused.value.detail


async def test_clocks_may_be_a_little_apart() -> None:
    tokens = Tokens(SharedSecret(SecretStr(SECRET)), CLAIMS)
    for changes in ({"exp": time.time() - 10}, {"nbf": time.time() + 10}, {"iat": time.time() + 3600}):
        assert (await tokens.read(jwt.encode(said(**changes), SECRET, "HS256")))[0].tenant == "acme"


async def test_keys_rotate_and_unknown_ids_do_not_hammer_the_login_server() -> None:
    server = LoginServer()
    async with server.reader() as tokens:
        await tokens.read(signed("rsa-1"))
        server.kids = ("rsa-1", "rsa-2")
        for _ in range(5):
            with pytest.raises(Unsigned):
                await tokens.read(signed("rsa-2"))
        assert server.asked == 1, "asked again within ten seconds"
        server.seconds += 11
        await tokens.read(signed("rsa-2"))
        assert server.asked == 2
        server.kids = ("rsa-2",)
        server.seconds += 200
        await tokens.read(signed("rsa-1"))
        server.seconds += 101
        with pytest.raises(Unsigned):
            await tokens.read(signed("rsa-1"))
        await tokens.read(signed("rsa-2"))
        assert server.asked == 3, "one fetch in five minutes"


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b""), (302, b""), (200, b"<html>"), (200, b'{"keys": []}'), (200, b"[]"), (200, b" " * 300_000)],
)
async def test_while_the_login_server_is_away_its_last_keys_serve_for_a_day(status: int, body: bytes) -> None:
    server = LoginServer()
    async with server.reader() as tokens:
        await tokens.read(signed())
        server.status, server.body = status, body
        server.seconds += 3600
        assert (await tokens.read(signed()))[0].subject == "user:ada"
        server.seconds += 24 * 3600
        with pytest.raises(Problem) as away:
            await tokens.read(signed())
        assert away.value.status == 503
        server.status, server.body = 200, None
        server.seconds += 11
        assert (await tokens.read(signed()))[0].subject == "user:ada"


@pytest.mark.parametrize(
    ("kids", "more"),
    [(("short",), {}), (("rsa-1",), {"use": "enc"}), (("rsa-1",), {"alg": "RS512"}), (("rsa-1",), {"kid": 7})],
)
async def test_keys_that_are_not_for_this_are_not_taken(kids: tuple[str, ...], more: dict[str, Any]) -> None:
    async with LoginServer(kids=kids, more=more).reader() as tokens:
        with pytest.raises(Problem) as away:
            await tokens.read(signed())
        assert away.value.status == 503


WHOLE: dict[str, Any] = {"auth": "required", "jwt_secret": SECRET, "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}
HALVES: dict[str, tuple[dict[str, Any], str]] = {
    "a short secret": ({"jwt_secret": "x" * 31}, "32 bytes"),
    "a public key as secret": ({"jwt_secret": "-----BEGIN PUBLIC KEY-----" + "x" * 40}, "JWKS_URL"),
    "no issuer": ({"jwt_issuer": None}, "FANFARE_JWT_ISSUER"),
    "no audience": ({"jwt_audience": None}, "FANFARE_JWT_AUDIENCE"),
    "no key": ({"jwt_secret": None}, "FANFARE_JWT_JWKS_URL"),
    "two kinds of key": ({"jwt_jwks_url": "https://login.example/keys"}, "one of the two"),
    "nobody asks": ({"auth": "none"}, "FANFARE_AUTH=required"),
    "keys over plain HTTP": ({"jwt_secret": None, "jwt_jwks_url": "http://login.example/keys"}, "https://"),
    "four eyes of nobody": ({"auth": "none", "jwt_secret": None, "jwt_issuer": None, "jwt_audience": None,
                             "four_eyes": True}, "FANFARE_FOUR_EYES"),
}  # fmt: skip


@pytest.mark.parametrize("name", HALVES)
def test_half_a_login_is_refused_at_the_start(name: str) -> None:
    Settings(**WHOLE)
    changes, says = HALVES[name]
    with pytest.raises(ValidationError) as refused:
        Settings(**{**WHOLE, **changes})
    assert says in str(refused.value)
    assert SECRET not in str(refused.value)
