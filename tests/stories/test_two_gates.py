"""A campaign and the people who decide on it, through HTTP, graph and Redis."""

import asyncio
import io
import json
import zipfile
from typing import Any

from PIL import Image

from tests.running import Service
from tools.counting import measure
from tools.placements import PLACEMENTS

SEED_SIZES = {(1080, 1080), (1080, 1350), (1200, 628), (1080, 1920)}
SIX = ["instagram_post", "instagram_story", "linkedin_post", "x_post", "meta_feed", "google_rda"]


async def test_approved_at_both_gates_it_becomes_a_package(service: Service) -> None:
    campaign = await service.create(placements=SIX, languages=["de", "ja", "ar"])
    waiting = await service.still(campaign["id"])
    assert waiting["status"] == "awaiting_copy_approval"
    assert not (await service.content(campaign["id"]))["translations"]

    waiting = await service.approve(campaign["id"])
    assert waiting["status"] == "awaiting_creative_approval"
    done = await service.approve(campaign["id"])
    assert done["status"] == "completed"
    assert done["progress"] == 1
    assert done["cost"]["calls"] > 0

    content = await service.content(campaign["id"])
    _inside_limits(content)
    made = {(one["asset"]["width"], one["asset"]["height"]) for one in content["creatives"]}
    assert made >= SEED_SIZES
    data = (await service.http.get(f"/v1/campaigns/{campaign['id']}/package.zip")).content
    _complete(data, content)


def _inside_limits(content: Any) -> None:
    for copy in [content["copy"], *content["translations"].values()]:
        for name, slots in copy["placements"].items():
            for slot in PLACEMENTS[name].slots:
                assert slot.min <= len(slots[slot.name]) <= slot.max
                for text in slots[slot.name]:
                    assert slot.hard is None or measure(text, slot.rule) <= slot.hard, (name, text)


def _complete(data: bytes, content: Any) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = set(archive.namelist())
        manifest = json.loads(archive.read("manifest.json"))
        page = archive.read("index.html").decode()
        sheet = Image.open(io.BytesIO(archive.read("contact-sheet.jpg")))
        for entry in manifest["files"]:
            assert entry["path"] in names
        for creative in content["creatives"]:
            path = f"creatives/{creative['language']}/{creative['placement']}/{creative['size']}.jpg"
            with Image.open(io.BytesIO(archive.read(path))) as picture:
                assert picture.size == (creative["asset"]["width"], creative["asset"]["height"])
    assert {"copy/en.json", "copy/de.json", "copy/ja.json", "copy/ar.json", "copy.csv"} <= names
    assert sheet.width > 1000
    assert manifest["rehearsal"] is True
    for copy in [content["copy"], *content["translations"].values()]:
        for line in copy["headlines"]:
            assert line.replace("&", "&amp;").replace("'", "&#39;") in page


async def test_an_edit_at_gate_one_is_checked_again_and_changes_what_follows(service: Service) -> None:
    campaign = await service.create()
    await service.still(campaign["id"])
    edit = {"/copy/headlines/0": "Silence, folded flat", "/copy/placements/x_post/body/0": "Aurora folds flat."}
    answer = await service.decide(campaign["id"], "edit", edits=edit)
    assert answer.status_code == 202, answer.text
    after = await service.still(campaign["id"])
    assert after["status"] == "awaiting_creative_approval"

    content = await service.content(campaign["id"])
    assert content["copy"]["headlines"][0] == "Silence, folded flat"
    assert "Silence, folded flat" in str(content["translations"]["de"]["headlines"][0])
    assert content["verdict"]["decision"] == "pass"


async def test_an_edit_that_breaks_a_rule_is_refused_and_changes_nothing(service: Service) -> None:
    campaign = await service.create()
    before = await service.still(campaign["id"])
    too_long = await service.decide(campaign["id"], "edit", edits={"/copy/placements/x_post/body/0": "x" * 281})
    invented = await service.decide(campaign["id"], "edit", edits={"/copy/placements/x_post/body/0": "Now 99 h."})
    nowhere = await service.decide(campaign["id"], "edit", edits={"/copy/placements/vine/body/0": "Hi"})
    verdict = await service.decide(campaign["id"], "edit", edits={"/verdict/decision": "pass"})

    assert [too_long.status_code, invented.status_code] == [422, 422]
    assert too_long.json()["code"] == "edit-blocked"
    assert too_long.json()["errors"][0]["rule"] == "over-hard-limit"
    assert [nowhere.status_code, verdict.status_code] == [422, 422]
    assert await service.get(f"/v1/campaigns/{campaign['id']}") == before


async def test_an_edit_that_the_moderator_blocks_comes_back_to_the_gate(service: Service) -> None:
    campaign = await service.create()
    await service.still(campaign["id"])
    await service.decide(campaign["id"], "edit", edits={"/copy/placements/x_post/body/0": "Buy followers here."})
    again = await service.still(campaign["id"])
    assert again["status"] == "awaiting_copy_approval"
    content = await service.content(campaign["id"])
    assert content["verdict"]["decision"] == "block"
    assert content["copy"]["placements"]["x_post"]["body"] == ["Buy followers here."]


async def test_an_edited_translation_is_rendered_and_shown_again(service: Service) -> None:
    campaign = await service.create()
    await service.still(campaign["id"])
    await service.approve(campaign["id"])
    before = await service.content(campaign["id"])
    answer = await service.decide(
        campaign["id"], "edit", edits={"/translations/de/headlines/0": "Stille, flach gefaltet"}
    )
    assert answer.status_code == 202, answer.text
    assert (await service.still(campaign["id"]))["status"] == "awaiting_creative_approval"
    after = await service.content(campaign["id"])
    assert after["translations"]["de"]["headlines"][0] == "Stille, flach gefaltet"
    assert _pictures(after, "de") != _pictures(before, "de")
    assert _pictures(after, "en") == _pictures(before, "en")
    assert (await service.approve(campaign["id"]))["status"] == "completed"


async def test_every_edit_at_gate_two_is_looked_at_again(service: Service) -> None:
    campaign = await service.create()
    await service.still(campaign["id"])
    await service.approve(campaign["id"])
    caption = "/translations/de/placements/instagram_post/caption/0"
    assert (
        await service.decide(campaign["id"], "edit", edits={caption: "Aurora. Folds flat."})
    ).status_code == 202
    again = await service.still(campaign["id"])
    assert again["status"] == "awaiting_creative_approval", "although no picture changed"
    german = (await service.content(campaign["id"]))["translations"]["de"]
    assert german["placements"]["instagram_post"]["caption"] == ["Aurora. Folds flat."]
    assert german["back_translation"]["instagram_post"]["caption"] == [""], "it said what is no longer there"
    assert german["back_translation"]["x_post"]["body"] != [""]


def _pictures(content: Any, language: str) -> list[str]:
    return [one["asset"]["sha256"] for one in content["creatives"] if one["language"] == language]


async def test_rejected_it_ends(service: Service) -> None:
    campaign = await service.create()
    await service.still(campaign["id"])
    await service.decide(campaign["id"], "reject", comment="Not this product.")
    ended = await service.still(campaign["id"])
    assert ended["status"] == "rejected"
    later = await service.http.get(f"/v1/campaigns/{campaign['id']}/approval")
    assert (later.status_code, later.json()["code"]) == (404, "no-open-approval")
    package = await service.http.get(f"/v1/campaigns/{campaign['id']}/package.zip")
    assert (package.status_code, package.json()["code"]) == (409, "not-completed")


async def test_sent_back_with_a_comment_it_returns_with_new_copy(service: Service) -> None:
    campaign = await service.create()
    first = await service.still(campaign["id"])
    before = await service.content(campaign["id"])
    await service.decide(campaign["id"], "respond", comment="Quieter, and start with the battery.")
    second = await service.still(campaign["id"])
    after = await service.content(campaign["id"])
    assert second["status"] == "awaiting_copy_approval"
    assert second["revision"] != first["revision"]
    assert after["copy"]["placements"] != before["copy"]["placements"]
    package = await _finish(service, campaign["id"])
    assert b"Quieter, and start" not in package, "comments stay with the team"


async def _finish(service: Service, campaign_id: str) -> bytes:
    while (await service.approve(campaign_id))["status"] != "completed":
        pass
    data = (await service.http.get(f"/v1/campaigns/{campaign_id}/package.zip")).content
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())


async def test_of_twenty_decisions_at_once_one_is_taken(service: Service) -> None:
    campaign = await service.create()
    await service.still(campaign["id"])
    shown = await service.get(f"/v1/campaigns/{campaign['id']}/approval")

    def decide(number: int) -> Any:
        kind = "approve" if number % 2 else "reject"
        body = {"gate": "copy", "revision": shown["revision"], "type": kind}
        return service.http.post(f"/v1/campaigns/{campaign['id']}/decisions", json=body)

    answers = await asyncio.gather(*(decide(number) for number in range(20)))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 19
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"already-decided"}
    taken = next(number for number, answer in enumerate(answers) if answer.status_code == 202)
    ended = await service.still(campaign["id"])
    assert ended["status"] == ("awaiting_creative_approval" if taken % 2 else "rejected")


async def test_a_decision_on_what_is_no_longer_there_is_refused(service: Service) -> None:
    campaign = await service.create()
    first = await service.still(campaign["id"])
    await service.decide(campaign["id"], "respond", comment="Again, please.")
    await service.still(campaign["id"])
    path = f"/v1/campaigns/{campaign['id']}/decisions"
    stale = await service.http.post(path, json={"gate": "copy", "revision": "0" * 24, "type": "approve"})
    repeated = await service.http.post(
        path, json={"gate": "copy", "revision": first["revision"], "type": "approve"}
    )
    wrong_gate = await service.http.post(path, json={"gate": "creatives", "revision": "0" * 24, "type": "approve"})
    assert [one.json()["code"] for one in (stale, repeated, wrong_gate)] == [
        "stale-revision",
        "already-decided",
        "no-open-approval",
    ]
    assert {one.status_code for one in (stale, repeated, wrong_gate)} == {409}


async def test_moderation_sends_back_with_reasons_before_a_person_is_asked(service: Service) -> None:
    product = {
        "name": "Steady",
        "features": ["Soft grip", "Steel core", "Fits every bag"],
        "description": "A dumbbell with guaranteed results.",
    }
    campaign = await service.create(product=product)
    waiting = await service.still(campaign["id"])
    events = await _events(service, campaign["id"])
    writes = [event for event in events if event == "write_copy"]
    assert waiting["status"] == "awaiting_copy_approval"
    assert len(writes) == 6, "three writers, each tempted, each sent back"
    content = await service.content(campaign["id"])
    assert content["verdict"]["decision"] == "pass"
    assert "guaranteed" not in json.dumps(content["copy"])


async def _events(service: Service, campaign_id: str) -> list[str]:
    assert service.fanfare is not None
    steps: list[str] = []
    async for event in service.fanfare.events.follow(campaign_id):
        assert event is not None
        if event.type == "step.finished":
            steps.append(event.data["step"])
        if event.type == "approval.requested":
            break
    return steps


async def test_without_gates_it_runs_through_and_blocks_still_stop_it(service: Service) -> None:
    through = await service.create(approval="none", languages=[])
    assert (await service.still(through["id"]))["status"] == "completed"
    flagged = await service.create(approval="flagged", languages=[])
    assert (await service.still(flagged["id"]))["status"] == "completed"
