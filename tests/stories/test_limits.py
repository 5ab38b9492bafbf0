"""Callers who call too often, from one address or many, on one replica or two, with and without Redis."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from ipaddress import ip_network
from pathlib import Path

import httpx2
import pytest
from structlog.testing import capture_logs

from graph.checkpoints import locate, open_async
from service.limits import Limit, Limits, fields, limits_in, too_often
from service.settings import Settings
from tests.running import AURORA, Service, running
from tests.stores import Server, start_server


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    server = start_server("valkey", tmp_path_factory.mktemp("limits"))
    yield server
    server.kill()


@pytest.fixture
async def limits(redis: Server, tmp_path: Path) -> AsyncGenerator[Limits]:
    """Limits under a prefix of their own."""
    allowed = {
        "caller": Limit(limits_in("10/hour"), False),
        "tenant": Limit(limits_in("2/second; 30/hour"), False),
    }
    async with open_async(locate(redis.url), timeout=5) as client:
        yield Limits(client, allowed, prefix=tmp_path.name)  # type: ignore[arg-type]


async def statuses(service: Service, path: str, calls: int, **headers: str) -> list[int]:
    return [(await service.http.get(path, headers=headers)).status_code for _ in range(calls)]


async def test_two_replicas_count_together(redis: Server, tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        one, two = [
            await stack.enter_async_context(
                running(Settings(data_dir=tmp_path / name, redis_url=f"{redis.url}/1", limit_caller="5/hour"))
            )
            for name in ("one", "two")
        ]
        taken = await statuses(one, "/v1/campaigns", 3) + await statuses(two, "/v1/campaigns", 3)
        assert taken == [200] * 5 + [429]
        assert await statuses(one, "/v1/campaigns", 1) == [429]
        assert await statuses(one, "/healthz", 20) == [200] * 20, "probes are not counted"


async def test_a_refusal_says_when_to_come_back(redis: Server, tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path / "data", redis_url=f"{redis.url}/2", limit_address="9/hour", limit_caller="1/10 minute"
    )
    async with running(settings) as service:
        first = await service.http.get("/v1/campaigns")
        assert first.headers["ratelimit-policy"] == '"address-hour";q=9;w=3600, "caller-10minute";q=1;w=600'
        assert first.headers["ratelimit"].startswith('"address-hour";r=8;t=')
        assert "retry-after" not in first.headers
        second = await service.http.get("/v1/campaigns")
        assert (second.status_code, second.json()["code"]) == (429, "rate-limited")
        assert 0 < int(second.headers["retry-after"]) <= 1200
        assert f"call again in {second.headers['retry-after']} s" in second.json()["detail"]
        assert '"caller-10minute";r=0;t=' in second.headers["ratelimit"]
        page = await service.http.get("/")
        assert page.status_code == 429, "pages count as well"


async def test_creating_has_a_limit_of_its_own_and_leaves_nothing(redis: Server, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", redis_url=f"{redis.url}/3", limit_create="1/hour")
    async with running(settings) as service:
        created = await service.create(languages=[], placements=["x_post"])
        assert (await service.post(AURORA)).status_code == 429
        page = await service.http.post("/new", data={"name": "Aurora"})
        assert page.status_code == 429
        assert [one["id"] for one in (await service.get("/v1/campaigns"))["items"]] == [created["id"]]
        await service.still(created["id"])


async def test_a_forged_header_does_not_help(redis: Server, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", redis_url=f"{redis.url}/4", limit_address="2/hour")
    async with running(settings) as service:
        for number in range(2):
            assert await statuses(service, "/v1/campaigns", 1, **{"X-Forwarded-For": f"203.0.113.{number}"}) == [
                200
            ]
        for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP"):
            forged = {header: "for=203.0.113.77" if header == "Forwarded" else "203.0.113.77"}
            assert await statuses(service, "/v1/campaigns", 1, **forged) == [429], header


async def test_behind_our_proxy_each_client_has_a_count(redis: Server, tmp_path: Path) -> None:
    proxies = (ip_network("127.0.0.0/8"),)
    url = f"{redis.url}/5"
    settings = Settings(data_dir=tmp_path / "data", redis_url=url, limit_address="2/hour", trusted_proxies=proxies)

    def came(chain: str) -> dict[str, str]:
        return {"X-Forwarded-For": chain}

    async with running(settings) as service:
        assert await statuses(service, "/v1/campaigns", 3, **came("203.0.113.1")) == [200, 200, 429]
        assert await statuses(service, "/v1/campaigns", 3, **came("203.0.113.2")) == [200, 200, 429]
        assert await statuses(service, "/v1/campaigns", 1, **came("198.51.100.9, 203.0.113.2")) == [429]
        ipv6 = [f"2001:db8:0:1::{number}" for number in range(3)]
        assert [(await statuses(service, "/v1/campaigns", 1, **came(each)))[0] for each in ipv6] == [200, 200, 429]


async def test_unset_limits_spare_this_machine_but_no_proxy_on_it(service: Service) -> None:
    here = await service.http.get("/v1/campaigns")
    through = await service.http.get("/v1/campaigns", headers={"X-Forwarded-For": "203.0.113.9"})
    assert "ratelimit" not in here.headers
    assert '"address-minute";q=1200;w=60' in through.headers["ratelimit-policy"]


async def test_redis_asleep_or_away_refuses_nobody(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    server = start_server("valkey", tmp_path / "redis")
    settings = Settings(
        data_dir=tmp_path / "data", redis_url=server.url, limit_address="1/hour", limit_caller="1/hour"
    )
    async with running(settings) as service:
        assert await statuses(service, "/v1/campaigns", 2) == [200, 429]
        with server.asleep(), capture_logs() as logs:
            began = asyncio.get_running_loop().time()
            assert await statuses(service, "/v1/campaigns", 5) == [200] * 5
            assert asyncio.get_running_loop().time() - began < 5, "it is not waited for again and again"
        assert Counter(line["event"] for line in logs)["limits_not_counted"] == 1
    server.kill()


async def test_of_many_at_once_no_more_than_allowed(limits: Limits) -> None:
    subjects = {"caller": "ada"}
    told = await asyncio.gather(*(limits.hit("t", subjects, here=False) for _ in range(60)))  # type: ignore[arg-type]
    assert Counter(each[0].full for each in told) == {False: 10, True: 50}
    other = await limits.hit("t", {"caller": "bob"}, here=False)
    elsewhere = await limits.hit("u", {"caller": "ada"}, here=False)
    assert not other[0].full
    assert not elsewhere[0].full


async def test_what_one_limit_refuses_no_other_counts(limits: Limits) -> None:
    for _ in range(10):
        await limits.hit("t", {"caller": "ada"}, here=False)
    refused = [await limits.hit("t", {"caller": "ada", "tenant": "t"}, here=False) for _ in range(40)]
    assert all(too_often(each) for each in refused)
    (_, hour) = await limits.hit("t", {"tenant": "t"}, here=False)
    assert hour.left == 29


async def test_whoever_waits_as_told_is_let_in(limits: Limits) -> None:
    for _ in range(3):
        while not (problem := too_often(await limits.hit("t", {"tenant": "t"}, here=False))):
            pass
        await asyncio.sleep(int(problem.headers["Retry-After"]))
        assert not too_often(await limits.hit("t", {"tenant": "t"}, here=False))


def test_nothing_is_told_where_nothing_is_limited() -> None:
    assert fields([]) == {}
    assert too_often([]) is None
    assert limits_in("OFF") == ()


@pytest.mark.parametrize("text", ["", "many", "0/minute", "-1/minute", "5/fortnight", "5"])
def test_a_limit_that_is_none_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("FANFARE_LIMIT_CREATE", text or " ")
    with pytest.raises(ValueError, match="600/minute"):
        Settings()


@pytest.mark.parametrize("text", ["10.0.0.1/8", "proxy", "10.0.0.0/33"])
def test_a_network_that_is_none_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("FANFARE_TRUSTED_PROXIES", text)
    with pytest.raises(ValueError, match="write networks as in"):
        Settings()


async def test_the_client_of_a_command_gets_the_sentence(redis: Server, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", redis_url=f"{redis.url}/6", limit_caller="1/hour")
    async with running(settings) as service:
        answers: list[httpx2.Response] = [await service.http.get("/v1/placements") for _ in range(2)]
    assert answers[1].headers["content-type"] == "application/problem+json"
