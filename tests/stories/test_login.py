"""Coming in: by key, by token, in a browser; and what becomes of those who guess."""

import asyncio
import contextlib
import json
import re
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from typer.testing import CliRunner

from graph.checkpoints import locate, open_async
from service import attempts
from service.cli import app
from service.console.login import local
from service.tables import now
from service.wiring import Shared
from tests.login import House, house
from tests.running import process
from tests.stores import free_port
from tests.stories.test_command_line import fanfare

SECRET = "correct horse battery staple, twice over"  # noqa: S105 - everybody may know this one
TOKENS = {"jwt_secret": SECRET, "jwt_issuer": "https://login.example/", "jwt_audience": "fanfare"}


def token(**changes: Any) -> str:
    claims = {"iss": TOKENS["jwt_issuer"], "aud": "fanfare", "sub": "ada", "tenant": "acme", "roles": "editor"}
    return jwt.encode({**claims, "exp": time.time() + 600, **changes}, SECRET, "HS256")


async def status(here: House, credential: str, path: str = "/v1/campaigns") -> int:
    async with here.with_key(credential) as service:
        return (await service.http.get(path)).status_code


async def test_a_key_opens_until_it_is_revoked_or_expires(data_dir: Path) -> None:
    async with house(data_dir) as here:
        admin_key = await here.key("admin", name="Ada")
        async with here.with_key(admin_key) as admin:
            made = await admin.http.post("/v1/keys", json={"name": "Bo", "roles": ["viewer"], "expires_in": 3600})
            assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
            spare = made.json()
            assert re.fullmatch(r"fanfare_[0-9a-f]{32}_[0-9a-f]{64}", spare["key"])
            assert await status(here, spare["key"]) == 200
            listed = {key["name"]: key for key in (await admin.get("/v1/keys"))["items"]}
            assert listed["Bo"]["last_used_at"] <= now()
            assert spare["key"][-64:] not in json.dumps(listed)
            first = await admin.get("/v1/keys?limit=1")
            second = await admin.get(f"/v1/keys?limit=1&cursor={first['next_cursor']}")
            assert [first["items"][0]["name"], second["items"][0]["name"]] == ["Bo", "Ada"]
            for _ in range(2):
                assert (await admin.http.delete(f"/v1/keys/{spare['id']}")).status_code == 204
            refused = await admin.http.post("/v1/keys", json={"name": "x", "roles": ["owner"]})
            assert refused.status_code == 422
        async with here.with_key(spare["key"]) as revoked:
            answer = await revoked.http.get("/v1/campaigns")
        assert (answer.status_code, answer.json()["code"]) == (401, "key-ended")
        assert answer.headers["www-authenticate"] == 'Bearer realm="fanfare", error="invalid_token"'
        assert await status(here, await here.key("viewer", seconds=-1)) == 401
        unnamed = await here.nobody.http.get("/v1/campaigns")
        assert unnamed.headers["www-authenticate"] == 'Bearer realm="fanfare"'
        for wrong in (admin_key[:-1], admin_key.upper(), admin_key[:-1] + "g", "fanfare__", "x"):
            assert await status(here, wrong) == 401
        basic = await here.nobody.http.get("/v1/campaigns", headers={"Authorization": "Basic eDp5"})
        assert basic.json()["code"] == "login-needed"


async def test_nobody_unknown_has_a_body_read(data_dir: Path) -> None:
    """The refusal comes while the upload is still to be sent."""
    async with house(data_dir) as here:
        host, port = here.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = "POST /v1/assets HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n"
        writer.write(f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n".encode())
        line = await asyncio.wait_for(reader.readline(), 20)
        writer.close()
        assert b"401" in line
        async with here.browser() as browser:
            for path in ("/login", "/review/nobody", "/review/nobody/decision"):
                large = await browser.post(path, data={"credential": "x" * 100_000, "secret": "x"})
                assert large.status_code == 413, path


async def test_a_browser_logs_in_and_out(data_dir: Path) -> None:
    async with house(data_dir, public_url="https://fanfare.example", **TOKENS) as here, here.browser() as browser:
        key = await here.key("editor")
        turned = await browser.get("/new?x=1")
        assert (turned.status_code, turned.headers["location"]) == (303, "/login?next=%2Fnew%3Fx%3D1")
        assert (await browser.post("/new", data={"name": "Aurora"})).status_code == 303
        form = await browser.get(turned.headers["location"])
        assert 'value="/new?x=1"' in form.text
        wrong = await browser.post("/login", data={"credential": "fanfare_x", "next": "/new"})
        assert (wrong.status_code, "not one of ours" in wrong.text) == (401, True)
        assert "set-cookie" not in wrong.headers

        came = await browser.post("/login", data={"credential": key, "next": "//evil.example"})
        assert (came.status_code, came.headers["location"]) == (303, "/")
        cookie = came.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=lax", "Secure", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        assert key[-64:] not in cookie
        value = cookie.partition("=")[2].partition(";")[0]
        sent = {"Cookie": f"fanfare_session={value}"}
        home = await browser.get("/", headers=sent)
        assert "Log out" in home.text
        assert (await browser.get("/v1/campaigns", headers=sent)).status_code == 200
        assert (await browser.get("/v1/keys", headers=sent)).status_code == 403

        foreign = {**sent, "Origin": "https://evil.example"}
        for headers in (foreign, {**sent, "Origin": "null"}, {**sent, "Sec-Fetch-Site": "cross-site"}):
            answer = await browser.post("/new", data={"name": "Aurora"}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "cross-site")
        ours = {**sent, "Origin": "null", "Sec-Fetch-Site": "same-origin"}
        assert (await browser.post("/new", data={"name": "Aurora"}, headers=ours)).status_code == 422

        assert (await browser.post("/logout", headers=sent)).headers["location"] == "/login"
        assert (await browser.get("/v1/campaigns", headers=sent)).status_code == 401
        assert not await here.fanfare.redis.keys("*session*")


async def test_a_session_ends_with_what_it_was_begun_with(data_dir: Path) -> None:
    async with house(data_dir, **TOKENS) as here, here.browser() as browser:
        key = await here.key("viewer")
        await browser.post("/login", data={"credential": key})
        assert (await browser.get("/")).status_code == 200
        assert (await browser.get("/new")).status_code == 403
        assert "needs a role" in (await browser.get("/new")).text
        (row,) = await here.fanfare.keys.page("acme")
        await here.fanfare.keys.revoke(row.id)
        assert (await browser.get("/")).status_code == 303

        short = await browser.post("/login", data={"credential": token(exp=time.time() + 100)})
        lasts = re.search(r"Max-Age=(\d+)", short.headers["set-cookie"])
        assert lasts
        assert int(lasts[1]) <= 130
        assert (await browser.get("/")).status_code == 200
        assert (await browser.get("/new")).status_code == 200, "the token's roles hold in its session"
        assert await status(here, token(tenant="rival")) == 200
        assert await status(here, token(exp=1)) == 401
        assert await status(here, token(aud="billing")) == 401


@pytest.mark.parametrize(
    ("asked", "goes"),
    [
        ("/campaigns/x?y=1", "/campaigns/x?y=1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/\r\nSet-Cookie: x", "/"),
        ("/" + "x" * 600, "/"),
        ("", "/"),
        ("//[", "/"),
    ],
)
def test_a_login_leads_to_our_own_pages_only(asked: str, goes: str) -> None:
    assert local(asked) == goes


async def test_guessing_is_slow_and_locks_nobody_out(data_dir: Path) -> None:
    async with house(data_dir) as here:
        key = await here.key("viewer")
        guess, unknown = key[:-4] + "0000", key[:8] + "0" * 32 + key[40:]
        first, second = [await _answer(here, one) for one in (guess, unknown)]
        assert first == second, "a wrong secret and an unknown key are told apart by nothing"
        assert await status(here, key) == 200
        for _ in range(attempts.MOST_BY_ADDRESS - 2):
            assert await status(here, guess) == 401
        async with here.with_key(guess) as service:
            slowed = await service.http.get("/v1/campaigns")
        assert (slowed.status_code, slowed.json()["code"]) == (429, "too-many-failures")
        assert 0 < int(slowed.headers["retry-after"]) <= attempts.WINDOW_SECONDS
        assert (await here.nobody.http.get("/healthz")).status_code == 200
        async with here.browser() as browser:
            page = await browser.post("/login", data={"credential": guess})
            assert (page.status_code, "<html" in page.text) == (429, True)
            assert int(page.headers["retry-after"]) > 0
        await here.fanfare.redis.flushdb()
        assert await status(here, key) == 200


async def _answer(here: House, credential: str) -> Any:
    async with here.with_key(credential) as service:
        answer = await service.http.get("/v1/campaigns")
        return answer.status_code, answer.json()


async def test_a_key_under_attack_is_refused_to_those_who_failed(data_dir: Path) -> None:
    async with house(data_dir) as here:
        counting = here.fanfare.attempts
        for number in range(attempts.MOST_BY_KEY):
            await counting.failed(f"198.51.100.{number}", "one")
        await counting.check("203.0.113.5", "one")
        await counting.check("198.51.100.7", "another")
        with pytest.raises(Exception, match="Too many failed logins"):
            await counting.check("198.51.100.7", "one")


async def test_a_key_opens_while_the_database_takes_no_writes(data_dir: Path) -> None:
    async with house(data_dir, database_statement_timeout_seconds=0.5) as here:
        key = await here.key("viewer")
        with contextlib.closing(sqlite3.connect(data_dir / "fanfare.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await status(here, key) == 200
        assert (await here.fanfare.keys.page("acme"))[0].last_used_at is None
        assert await status(here, key) == 200
        assert (await here.fanfare.keys.page("acme"))[0].last_used_at is not None


async def test_failures_over_ipv6_count_for_one_subscriber(data_dir: Path) -> None:
    async with house(data_dir, trusted_proxies=["127.0.0.1"]) as here:

        async def guessed(address: str) -> int:
            sent = {"Authorization": "Bearer wrong", "X-Forwarded-For": address}
            return (await here.nobody.http.get("/v1/campaigns", headers=sent)).status_code

        for _ in range(attempts.MOST_BY_ADDRESS):
            assert await guessed("2001:db8:1:2::1") == 401
        assert await guessed("2001:db8:1:2:ffff::9") == 429
        assert await guessed("2001:db8:1:3::1") == 401, "a neighbour is not locked out"


async def test_while_redis_is_away_nobody_is_refused_for_guessing() -> None:
    async with open_async(locate("redis://127.0.0.1:9"), timeout=0.2) as away:
        counting = attempts.Attempts(away)
        await counting.failed("203.0.113.5", "one")
        await counting.check("203.0.113.5", "one")


async def test_what_no_route_takes_is_refused_as_such_whoever_calls(data_dir: Path) -> None:
    async with house(data_dir) as here:
        for method, path in (("TRACE", "/healthz"), ("POST", "/metrics"), ("PUT", "/v1/assets/0/signed")):
            assert (await here.nobody.http.request(method, path)).status_code == 405
        assert (await here.nobody.http.post("/v1/nowhere")).status_code == 404
        assert (await here.nobody.http.post("/v1/campaigns")).status_code == 401


async def test_a_stream_ends_with_its_key(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.events._WAIT_SECONDS", 0.2)
    async with house(data_dir) as here, here.somebody("editor") as editor:
        campaign = await editor.create(languages=[], placements=["x_post"])
        await editor.still(campaign["id"])
        (key,) = await here.fanfare.keys.page("acme")
        path = f"/v1/campaigns/{campaign['id']}/events"
        async with editor.http.stream("GET", path) as answer:
            lines = answer.aiter_lines()
            assert "event" in await anext(lines) + await anext(lines)
            await here.fanfare.keys.revoke(key.id)
            rest = [line async for line in lines]
        assert not [line for line in rest if "final" in line]
        assert (await editor.http.get(path)).status_code == 401


async def test_who_edited_may_not_approve(data_dir: Path) -> None:
    async with (
        house(data_dir, four_eyes=True) as here,
        here.somebody("editor", "approver") as ada,
        here.somebody("approver") as bo,
        here.somebody("admin") as chief,
    ):
        campaign = await ada.create(languages=[], placements=["x_post"])
        await ada.still(campaign["id"])
        assert (await ada.decide(campaign["id"], "edit", edits={"/copy/headlines/0": "Quiet"})).status_code == 202
        assert (await ada.still(campaign["id"]))["status"] == "awaiting_creative_approval"
        own = await ada.decide(campaign["id"], "approve")
        assert (own.status_code, own.json()["code"]) == (403, "four-eyes")
        assert "somebody else" in own.json()["detail"]
        assert (await chief.still(campaign["id"]))["status"] == "awaiting_creative_approval"
        assert (await bo.approve(campaign["id"]))["status"] == "completed"


async def test_names_that_the_service_answers_to(data_dir: Path) -> None:
    async with house(data_dir, allowed_hosts="fanfare.example, other.example", public_docs=False) as here:
        assert (await here.nobody.http.get("/healthz")).status_code == 200
        for name, expected in (("fanfare.example", 200), ("FANFARE.example:8000", 200), ("evil.example", 421)):
            answer = await here.nobody.http.get("/healthz", headers={"Host": name})
            assert answer.status_code == expected, name
        assert (await here.nobody.http.get("/openapi.json")).status_code == 401
        assert (await here.nobody.http.get("/docs")).headers["location"] == "/login?next=%2Fdocs"
        assert await status(here, await here.key("viewer"), "/openapi.json") == 200


def test_keys_from_a_shell_while_the_service_runs(data_dir: Path) -> None:
    login = {"FANFARE_AUTH": "required"}
    made = fanfare(
        data_dir, "keys", "create", "--name", "Ada", "--role", "admin", "--days", "1", "--json", **login
    )
    assert made.returncode == 0, made.stderr
    admin = json.loads(made.stdout)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {**login, "FANFARE_DATA_DIR": str(data_dir)}
    with process("serve", "--host", "0.0.0.0", "--port", str(port), url=url, **settings):  # noqa: S104 - with a login
        told = fanfare(data_dir, "list", "--server", url)
        assert (told.returncode, "Say who you are" in told.stderr) == (5, True)
        assert fanfare(data_dir, "list", "--server", url, FANFARE_KEY=admin["key"]).returncode == 0
        assert fanfare(data_dir, "keys", "revoke", admin["id"], **login).returncode == 0
        assert httpx2.get(f"{url}/v1/campaigns", headers={"Authorization": f"Bearer {admin['key']}"}).is_error
        assert httpx2.get(f"{url}/readyz").json()["checks"] == {"redis": "ok", "database": "ok", "assets": "ok"}
    told = fanfare(data_dir, "keys", "list", **login)
    assert "revoked" in told.stdout
    assert admin["key"][-64:] not in told.stdout


def test_whoever_may_open_the_folder_needs_no_key(data_dir: Path) -> None:
    assert fanfare(data_dir, "list", FANFARE_AUTH="required").returncode == 0


def test_half_a_login_is_told_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFARE_FOUR_EYES", "true")
    told = CliRunner().invoke(app, ["serve"])
    assert told.exit_code == 2
    assert "FANFARE_AUTH=required" in told.output


@pytest.mark.parametrize(
    "wrong", [("--role", "owner"), ("--role", "viewer", "--tenant", "../x"), ("--role", "viewer", "--name", " ")]
)
def test_a_key_is_not_made_from_wrong_input(wrong: tuple[str, ...]) -> None:
    assert CliRunner().invoke(app, ["keys", "create", "--name", "x", *wrong]).exit_code == 2


async def test_studio_does_not_show_tenants_to_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFARE_AUTH", "required")
    with pytest.raises(RuntimeError, match="unset FANFARE_AUTH"):
        await Shared().open().__aenter__()
