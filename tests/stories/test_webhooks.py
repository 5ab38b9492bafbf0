"""Webhooks as receivers see them: signed, repeated until they arrive, never lost and never sent astray."""

import asyncio
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx2
from starlette.responses import RedirectResponse, Response

from tests.receivers import Receiver, receiving, settings_to
from tests.running import AURORA, ROOT, Service, process, running
from tests.stores import free_port

GATED: dict[str, Any] = {"languages": [], "placements": ["x_post"]}
SHORT: dict[str, Any] = {**GATED, "approval": "none"}
TO_THE_END = [
    "campaign.created", "campaign.approval.requested", "campaign.approval.requested", "campaign.completed",
]  # fmt: skip


async def added(service: Service, url: str) -> Any:
    """A new webhook of the tenant, with its secret."""
    answer = await service.http.post("/v1/webhooks", json={"url": url})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/webhooks/{answer.json()['id']}"
    return answer.json()


async def rotated(service: Service, webhook_id: str, **asked: Any) -> str:
    """A new secret."""
    answer = await service.http.post(f"/v1/webhooks/{webhook_id}/rotate", json=asked or None)
    assert answer.status_code == 200, answer.text
    secret: str = answer.json()["secret"]
    return secret


async def deliveries(service: Service, **query: str) -> list[dict[str, Any]]:
    """The deliveries, newest first."""
    answer = await service.http.get("/v1/webhooks/deliveries", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def ended(service: Service, count: int, *, status: str) -> list[dict[str, Any]]:
    """The deliveries with `status`, once they are `count`."""
    deadline = time.monotonic() + 30
    while len(found := await deliveries(service, status=status)) < count:
        assert time.monotonic() < deadline, await deliveries(service)
        await asyncio.sleep(0.02)
    return found


async def failed(service: Service) -> dict[str, Any]:
    """The oldest delivery, once an attempt has failed."""
    deadline = time.monotonic() + 30
    while not (oldest := (await deliveries(service))[-1])["last_error"]:
        assert time.monotonic() < deadline, oldest
        await asyncio.sleep(0.02)
    return oldest


async def test_a_campaign_is_told_from_beginning_to_end(data_dir: Path) -> None:
    async with receiving() as own, receiving() as tenant_s:
        settings = settings_to(own, tenant_s, data_dir=data_dir)
        async with running(settings) as service:
            webhook = await added(service, tenant_s.url)
            secret = await rotated(service, "campaigns")
            campaign = await service.create(GATED, webhook_url=own.url)
            await service.still(campaign["id"])
            await service.approve(campaign["id"])
            await service.approve(campaign["id"])
            for receiver, key in ((own, secret), (tenant_s, webhook["secret"])):
                assert all(one.is_signed_with(key) for one in await receiver.gets(4))
            assert not own.received[0].is_signed_with(webhook["secret"])
            delivered = await ended(service, 8, status="delivered")
            assert {one["attempts"] for one in delivered} == {1}
            assert {one["webhook_id"] for one in delivered} == {None, webhook["id"]}

    events = sorted((one.event for one in own.received), key=lambda event: event["occurred_at"])
    assert [event["type"] for event in events] == TO_THE_END
    assert {event["campaign_id"] for event in events} == {campaign["id"]}
    assert [event["data"]["gate"] for event in events] == [None, "copy", "creatives", None]
    assert all((event["data"]["revision"] is not None) == (event["data"]["gate"] is not None) for event in events)
    assert events[3]["data"]["links"]["package"].endswith("/package.zip")
    assert sorted(one.event["id"] for one in tenant_s.received) == sorted(event["id"] for event in events)
    for one in own.received:
        assert one.headers["webhook-id"] == one.event["id"]
        assert one.headers["content-type"] == "application/json"
        assert b"Aurora" not in one.body
        assert set(one.event) == {"id", "type", "campaign_id", "occurred_at", "data"}


async def test_the_ways_to_end_are_told_apart_and_comments_stay_here(data_dir: Path) -> None:
    async with receiving() as receiver, running(settings_to(receiver, data_dir=data_dir)) as service:
        rejected, cancelled = [(await service.create(GATED, webhook_url=receiver.url))["id"] for _ in range(2)]
        await service.still(rejected)
        await service.still(cancelled)
        assert (await service.decide(rejected, "reject", comment="The boss hates it")).status_code == 202
        assert (await service.http.post(f"/v1/campaigns/{cancelled}/cancel")).status_code == 202
        got = await receiver.gets(6)
        told = {(one.event["campaign_id"], one.event["type"]) for one in got}
        assert {(rejected, "campaign.rejected"), (cancelled, "campaign.cancelled")} <= told
        assert not [one for one in got if b"boss" in one.body]


async def test_a_failure_is_told_by_its_code(data_dir: Path) -> None:
    async with receiving() as receiver:
        settings = settings_to(
            receiver, data_dir=data_dir, model="rehearsal", openai_api_key="sk-x",
            openai_base_url=f"http://127.0.0.1:{free_port()}/v1", model_patience_seconds=0.3,
        )  # fmt: skip
        async with running(settings) as service:
            campaign = await service.create(SHORT, webhook_url=receiver.url)
            assert (await service.still(campaign["id"]))["status"] == "failed"
            failed = (await receiver.gets(2))[1].event
        assert failed["type"] == "campaign.failed"
        assert failed["data"]["error"]["code"] == "model-unavailable"
        assert set(failed["data"]["error"]) == {"code", "step"}


async def test_a_receiver_that_fails_at_first_gets_it_later_under_the_same_id(data_dir: Path) -> None:
    async with receiving(lambda number: Response(status_code=503 if number < 3 else 200)) as receiver:
        async with running(settings_to(receiver, data_dir=data_dir)) as service:
            await added(service, receiver.url)
            campaign = await service.create(GATED)
            first = (await receiver.gets(1))[0].headers["webhook-id"]
            await service.still(campaign["id"])
            done = await ended(service, 2, status="delivered")
        tries = [one for one in receiver.received if one.headers["webhook-id"] == first]
        assert len({one.body for one in tries}) == 1
        assert sum(one["attempts"] for one in done) == len(receiver.received) == 4
        assert {one["last_error"] for one in done} == {None}


async def test_a_receiver_that_is_down_gets_it_once_it_is_up(data_dir: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/hook"
    settings = settings_to(Receiver(url=url), data_dir=data_dir, webhook_attempts=20)
    async with running(settings) as service:
        await service.create(SHORT, webhook_url=url)
        assert "took no connection" in (await failed(service))["last_error"]
        async with receiving(port=port) as receiver:
            assert {one.event["type"] for one in await receiver.gets(2)} == {TO_THE_END[0], TO_THE_END[3]}


async def test_a_receiver_that_hangs_slows_no_other_and_no_campaign(data_dir: Path) -> None:
    async with receiving(seconds=60) as stuck, receiving() as quick:
        settings = settings_to(stuck, quick, data_dir=data_dir, webhook_timeout_seconds=60, stop_seconds=0.2)
        async with running(settings) as service:
            await added(service, stuck.url.replace("127.0.0.1", "localhost"))
            await added(service, quick.url)
            made = [(await service.create(SHORT))["id"] for _ in range(5)]
            for campaign_id in made:
                assert (await service.still(campaign_id))["status"] == "completed"
            await quick.gets(10)
            assert len(stuck.received) == 4, "no more than four are under way to one host"
            waiting = await deliveries(service, status="pending")
        # The last one to the quick receiver may have arrived without being written down yet.
        assert len([one for one in waiting if "//localhost" in one["url"]]) == 10


async def test_a_redirect_is_not_followed(data_dir: Path) -> None:
    to_metadata = "http://169.254.169.254/latest/meta-data/"
    async with receiving() as inner, receiving() as receiver:
        receiver.answer = lambda number: RedirectResponse(inner.url if number % 2 else to_metadata, 307)
        settings = settings_to(receiver, inner, data_dir=data_dir, webhook_attempts=2)
        async with running(settings) as service:
            await service.create(SHORT, webhook_url=receiver.url)
            for dead in await ended(service, 2, status="dead"):
                assert dead["last_status"] == 307
                assert dead["last_error"] == f"127.0.0.1:{receiver.port} answered 307."
        assert (len(receiver.received), inner.received) == (4, [])


async def test_what_was_given_up_can_be_seen_and_replayed_from_the_command_line(data_dir: Path) -> None:
    async with receiving(lambda _: Response(status_code=500)) as receiver:
        settings = settings_to(receiver, data_dir=data_dir, webhook_attempts=2)
        async with running(settings) as service:
            webhook = await added(service, receiver.url)
            await service.create(SHORT)
            dead = (await ended(service, 2, status="dead"))[0]
            assert dead["attempts"] == 2
            receiver.answer = lambda _: Response(status_code=200)
            server = str(service.http.base_url)
            assert receiver.url in await _fanfare("list", "--server", server)
            listed = await _fanfare("deliveries", "--status", "dead", "--server", server)
            assert dead["id"] in listed
            assert "answered 500" in listed
            again = json.loads(await _fanfare("replay", dead["id"], "--json", "--server", server))
            assert (again["status"], again["attempts"]) == ("pending", 0)
            (arrived,) = await ended(service, 1, status="delivered")
        assert (arrived["id"], arrived["event_id"]) == (dead["id"], dead["event_id"])
        last = receiver.received[-1]
        assert len(receiver.received) == 5
        assert last.headers["webhook-id"] == dead["event_id"]
        assert [one.body for one in receiver.received].count(last.body) == 3
        assert last.is_signed_with(webhook["secret"])


async def _fanfare(*arguments: str) -> str:
    command = (sys.executable, "-m", "service.cli", "webhooks", *arguments)
    told = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env={**os.environ, "COLUMNS": "300"}, stdout=subprocess.PIPE
    )
    output, _ = await told.communicate()
    assert told.returncode == 0
    return output.decode()


async def test_a_delivery_that_is_still_tried_cannot_be_replayed(data_dir: Path) -> None:
    def in_an_hour(_: int) -> Response:
        return Response(status_code=429, headers={"retry-after": "3600"})

    async with receiving(in_an_hour) as receiver, running(settings_to(receiver, data_dir=data_dir)) as service:
        created = await service.create(GATED, webhook_url=receiver.url)
        waiting = await failed(service)
        assert waiting["last_status"] == 429
        assert waiting["due_at"][:13] != created["created_at"][:13], "it asked for an hour"
        answer = await service.http.post(f"/v1/webhooks/deliveries/{waiting['id']}/replay")
        assert (answer.status_code, answer.json()["code"]) == (409, "still-pending")
        unknown = await service.http.post("/v1/webhooks/deliveries/nobody/replay")
        assert unknown.status_code == 404


async def test_while_a_secret_rotates_both_sign(data_dir: Path) -> None:
    async with receiving() as receiver, running(settings_to(receiver, data_dir=data_dir)) as service:
        webhook = await added(service, receiver.url)
        first = webhook["secret"]
        second = await rotated(service, webhook["id"])
        campaign = await service.create(GATED)
        both = (await receiver.gets(1))[0]
        assert both.is_signed_with(first)
        assert both.is_signed_with(second)
        assert len(both.headers["webhook-signature"].split()) == 2
        third = await rotated(service, webhook["id"], overlap_hours=0)
        count = len(receiver.received)
        await service.still(campaign["id"])
        await service.create(GATED)
        later = (await receiver.gets(count + 1))[-1]
        assert later.is_signed_with(third)
        assert not later.is_signed_with(first)
        assert not later.is_signed_with(second)
        assert "secret" not in (await service.get(f"/v1/webhooks/{webhook['id']}"))
        assert not [one for one in (await service.get("/v1/webhooks"))["items"] if "secret" in one]
        too_long = await service.http.post(f"/v1/webhooks/{webhook['id']}/rotate", json={"overlap_hours": 1000})
        assert too_long.status_code == 422


async def test_who_answers_gone_is_left_alone_until_enabled(data_dir: Path) -> None:
    async with receiving(lambda number: Response(status_code=410 if number == 1 else 200)) as receiver:
        async with running(settings_to(receiver, data_dir=data_dir)) as service:
            webhook = await added(service, receiver.url)
            campaign = await service.create(GATED)
            dead = (await ended(service, 1, status="dead"))[0]
            assert (await service.get(f"/v1/webhooks/{webhook['id']}"))["disabled_at"]
            await service.still(campaign["id"])
            await service.http.post(f"/v1/campaigns/{campaign['id']}/cancel")
            replay = f"/v1/webhooks/deliveries/{dead['id']}/replay"
            refused = await service.http.post(replay)
            assert (refused.status_code, refused.json()["code"]) == (409, "webhook-disabled")
            enabled = await service.http.post(f"/v1/webhooks/{webhook['id']}/enable")
            assert enabled.json()["disabled_at"] is None
            assert (await service.http.post(replay)).status_code == 202
            await ended(service, 1, status="delivered")
        assert {one.event["type"] for one in receiver.received} <= {"campaign.created", TO_THE_END[1]}
        assert receiver.received[-1].event["id"] == dead["event_id"]


async def test_a_webhook_that_is_removed_takes_what_was_sent_along(data_dir: Path) -> None:
    async with receiving() as receiver, running(settings_to(receiver, data_dir=data_dir)) as service:
        webhook = await added(service, receiver.url)
        campaign = await service.create(SHORT)
        await ended(service, 2, status="delivered")
        assert (await service.http.delete(f"/v1/webhooks/{webhook['id']}")).status_code == 204
        assert (await service.http.delete(f"/v1/webhooks/{webhook['id']}")).status_code == 404
        assert (await service.http.post(f"/v1/webhooks/{webhook['id']}/rotate")).status_code == 404
        assert await deliveries(service) == []
        assert (await service.get(f"/v1/campaigns/{campaign['id']}"))["status"] == "completed"


async def test_there_are_no_more_webhooks_than_twenty_and_pages_of_deliveries_are_whole(data_dir: Path) -> None:
    async with receiving() as receiver, running(settings_to(receiver, data_dir=data_dir)) as service:
        for _ in range(20):
            await added(service, receiver.url)
        for odd in ("webhooks/%00", "webhooks/deliveries?cursor=%00", "webhooks/" + "a" * 99):
            assert (await service.http.get(f"/v1/{odd}")).status_code == 422
        refused = await service.http.post("/v1/webhooks", json={"url": receiver.url})
        assert (refused.status_code, refused.json()["code"]) == (409, "too-many-webhooks")
        campaign = await service.create(GATED)
        await receiver.gets(20)
        await service.still(campaign["id"])
        seen: list[str] = []
        cursor: str | None = None
        while cursor or not seen:
            query = {"limit": "7"} | ({"cursor": cursor} if cursor else {})
            page = (await service.http.get("/v1/webhooks/deliveries", params=query)).json()
            seen += [one["id"] for one in page["items"]]
            cursor = page["next_cursor"]
        assert len(seen) == len(set(seen)) == 40
        assert seen == sorted(seen, reverse=True)


FORBIDDEN = (
    "http://hooks.example.com/", "https://user:pass@hooks.example.com/", "https://hooks.example.com:22/",
    "nonsense", "https://localhost/", "https://169.254.169.254/latest/meta-data/", "https://[::ffff:10.0.0.1]/",
    "https://2130706433/", "https://" + "a" * 2040 + ".example/",
)  # fmt: skip


async def test_an_address_that_events_may_not_go_to_is_refused_with_a_sentence(service: Service) -> None:
    for url in FORBIDDEN:
        named = await service.post({**AURORA, "webhook_url": url})
        given = await service.http.post("/v1/webhooks", json={"url": url})
        for answer, field in ((named, "webhook_url"), (given, "url")):
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (422, "invalid-request"), url
            assert problem["errors"][0]["loc"] == [field]
            assert problem["detail"].endswith(".")
            assert "127.0.0.1" not in problem["detail"], "what a name leads to is nobody's business"
    assert (await service.get("/v1/campaigns"))["items"] == []
    assert (await service.get("/v1/webhooks"))["items"] == []


# Processes that die


@contextlib.asynccontextmanager
async def served(data_dir: Path, port: int) -> AsyncGenerator[tuple[Service, subprocess.Popen[bytes]]]:
    """The service as a process of its own, which may send to `port` of this machine."""
    here = free_port()
    environment = {
        "FANFARE_DATA_DIR": str(data_dir), "FANFARE_WEBHOOK_ALLOW": "127.0.0.1/32", "FANFARE_WEBHOOK_HTTP": "true",
        "FANFARE_WEBHOOK_PORTS": str(port), "FANFARE_WEBHOOK_RETRY_SECONDS": "0.05",
    }  # fmt: skip
    with process("serve", "--port", str(here), url=f"http://127.0.0.1:{here}/healthz", **environment) as started:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{here}", timeout=30) as http:
            yield Service(http), started


async def test_killed_between_commit_and_send_the_event_arrives_from_the_next_process(data_dir: Path) -> None:
    port = free_port()
    async with served(data_dir, port) as (service, started):
        campaign = await service.create(GATED, webhook_url=f"http://127.0.0.1:{port}/hook")
        started.kill()
    async with receiving(port=port) as receiver, served(data_dir, port) as (service, _):
        await service.still(campaign["id"])
        told = [one.event for one in await receiver.gets(2)]
        await ended(service, 2, status="delivered")
    assert sorted(event["type"] for event in told) == [TO_THE_END[1], TO_THE_END[0]]
    assert len(receiver.received) == 2


async def test_killed_while_it_sends_the_event_is_sent_again_under_the_same_id(data_dir: Path) -> None:
    async with receiving(seconds=1) as receiver:
        async with served(data_dir, receiver.port) as (service, started):
            await service.create(GATED, webhook_url=receiver.url)
            await receiver.gets(1)
            started.kill()
            started.wait()
        _let_leases_run_out(data_dir)
        async with served(data_dir, receiver.port) as (service, _):
            await ended(service, 2, status="delivered")
    created = [one for one in receiver.received if one.event["type"] == "campaign.created"]
    assert len(created) == 2
    assert len({one.headers["webhook-id"] for one in created}) == len({one.body for one in created}) == 1


def _let_leases_run_out(data_dir: Path) -> None:
    with contextlib.closing(sqlite3.connect(data_dir / "fanfare.db")) as database, database:
        leased = "UPDATE webhook_deliveries SET due_at = occurred_at WHERE due_at IS NOT NULL"
        assert database.execute(leased).rowcount


async def test_a_stopping_service_does_not_wait_for_a_receiver_for_long(data_dir: Path) -> None:
    async with receiving(seconds=60) as receiver:
        settings = settings_to(receiver, data_dir=data_dir, stop_seconds=0.3, webhook_timeout_seconds=50)
        async with asyncio.timeout(30), running(settings) as service:
            campaign = await service.create(GATED, webhook_url=receiver.url)
            await receiver.gets(1)
            await service.still(campaign["id"])
    assert len(receiver.received) <= 2


async def test_the_schema_tells_what_receivers_are_sent(service: Service) -> None:
    schema = await service.get("/openapi.json")
    body = schema["webhooks"]["campaign"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/EventBody"}
