"""What callers rely on besides campaigns themselves: validators, history, counters, methods."""

import asyncio
from decimal import Decimal

from tests.running import Service


async def test_an_unchanged_campaign_is_not_sent_twice(service: Service) -> None:
    campaign = await service.create(languages=[], placements=["x_post"])
    waiting = await service.still(campaign["id"])
    here = f"/v1/campaigns/{waiting['id']}"
    first = await service.http.get(here)
    tag = first.headers["etag"]
    for header in (tag, f"W/{tag}", f'"another", {tag}', "*"):
        again = await service.http.get(here, headers={"If-None-Match": header})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), header
    await service.approve(campaign["id"])
    changed = await service.http.get(here, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


async def test_the_history_tells_steps_costs_and_who_decided_on_what(service: Service) -> None:
    campaign = await service.create(languages=[], placements=["x_post"])
    shown = await service.still(campaign["id"])
    edit = await service.decide(
        campaign["id"], "edit", edits={"/copy/headlines/0": "Quiet, folded flat"}, comment="shorter"
    )
    assert edit.status_code == 202, edit.text
    await service.still(campaign["id"])
    ended = await service.approve(campaign["id"])
    told = (await service.get(f"/v1/campaigns/{campaign['id']}/history"))["items"]
    assert [entry["at"] for entry in told] == sorted(entry["at"] for entry in told)
    decisions = [entry for entry in told if entry["kind"] == "decision"]
    assert [(one["gate"], one["type"], one["by"]) for one in decisions] == [
        ("copy", "edit", "local"),
        ("creatives", "approve", "local"),
    ]
    assert decisions[0]["revision"] == shown["revision"]
    assert decisions[0]["comment"] == "shorter"
    assert decisions[0]["edits"] == {"/copy/headlines/0": "Quiet, folded flat"}
    steps = [entry for entry in told if entry["kind"] == "step"]
    assert {"brief", "write_copy", "render", "package"} <= {name for entry in steps for name in entry["steps"]}
    assert sum(Decimal(entry["cost_usd"]) for entry in steps) == Decimal(ended["cost"]["usd"])


async def test_a_refused_decision_leaves_no_trace_in_the_history(service: Service) -> None:
    campaign = await service.create(languages=[], placements=["x_post"])
    await service.still(campaign["id"])
    stale = {"gate": "copy", "revision": "0" * 16, "type": "approve"}
    answer = await service.http.post(f"/v1/campaigns/{campaign['id']}/decisions", json=stale)
    assert answer.status_code == 409
    told = (await service.get(f"/v1/campaigns/{campaign['id']}/history"))["items"]
    assert {entry["kind"] for entry in told} == {"step"}


async def test_prometheus_reads_answers_by_route_and_campaigns_by_status(service: Service) -> None:
    campaign = await service.create(languages=[], placements=["x_post"])
    await service.still(campaign["id"])
    await service.http.get("/v1/nowhere")
    await service.http.request("PROPFIND", "/v1/campaigns")
    told = ""
    for _ in range(200):  # an answer is counted once it is out
        told = (await service.http.get("/metrics")).text
        if 'method="other"' in told:
            break
        await asyncio.sleep(0.01)
    assert 'fanfare_campaigns{status="awaiting_copy_approval"} 1.0' in told
    assert 'fanfare_http_answers_total{method="POST",route="/v1/campaigns",status="202"} 1.0' in told
    assert 'route="-",status="404"' in told
    assert 'method="other"' in told
    assert campaign["id"] not in told


async def test_a_wrong_method_is_told_every_right_one(service: Service) -> None:
    for path, allowed in {
        "/v1/campaigns": "GET, POST",
        "/v1/assets": "POST",
        "/v1/campaigns/0/decisions": "POST",
        "/v1/webhooks/deliveries": "GET",
        "/new": "GET, POST",
    }.items():
        answer = await service.http.request("PUT", path)
        assert answer.status_code == 405
        assert answer.json()["code"] == "method-not-allowed"
        assert answer.headers["allow"] == allowed
