"""Copy, moderation and translation through the whole graph: what is mended, what goes to a person, what holds."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from agents.prompts import fenced_data
from service.server import serving
from tests.models import Body, Partial, at, judging, writing
from tests.running import Service, running


def screening(path: str, _: Body) -> bool:
    return path.endswith("/moderations")


def translating(*codes: str) -> Callable[[str, Body], bool]:
    def when(path: str, body: Body) -> bool:
        if not path.endswith("/chat/completions"):
            return False
        said = (
            fenced_data(body["messages"][1]["content"]) if isinstance(body["messages"][1]["content"], str) else {}
        )
        target = said.get("target_language")
        return isinstance(target, dict) and target["code"] in codes

    return when


async def finding(service: Service, campaign_id: str, rule: str) -> dict[str, Any]:
    verdict = (await service.content(campaign_id))["verdict"]
    assert verdict["decision"] == "needs_human"
    (found,) = [one for one in verdict["findings"] if one["rule"] == rule]
    return dict(found)


async def test_a_judge_that_cannot_answer_means_a_person_must_look(data_dir: Path) -> None:
    server = Partial("refusal", judging)
    async with serving(server) as url, running(at(data_dir, f"{url}/v1")) as service:
        campaign = await service.create(approval="none")
        waiting = await service.still(campaign["id"])
        assert waiting["status"] == "awaiting_copy_approval", "though no approval was asked for"
        assert "a person must look" in (await finding(service, campaign["id"], "judge-unanswered"))["message"]
        server.healed = True
        after = await service.approve(campaign["id"])
        assert after["status"] == "completed", "a person has looked"


async def test_a_screen_that_cannot_be_reached_means_a_person_must_look(data_dir: Path) -> None:
    server = Partial("500", screening)
    async with serving(server) as url:
        settings = at(data_dir, f"{url}/v1", model_patience_seconds=1)
        async with running(settings) as service:
            campaign = await service.create(approval="none", languages=[])
            waiting = await service.still(campaign["id"])
            assert waiting["status"] == "awaiting_copy_approval"
            verdict = (await service.content(campaign["id"]))["verdict"]
            assert {one["field"] for one in verdict["findings"] if one["rule"] == "screen-unanswered"} == {
                "screen"
            }


async def test_a_photo_that_is_flagged_goes_to_a_person_at_the_first_gate(service: Service) -> None:
    drawn = io.BytesIO()
    Image.new("RGB", (800, 800), (255, 0, 255)).save(drawn, "JPEG")
    asked = {
        "product": {"name": "Aurora", "features": ["40 h battery", "Noise cancelling", "Folds flat"]},
        "tone": "premium",
        "placements": ["x_post"],
        "approval": "none",
    }
    campaign = (await service.post(asked, photo=drawn.getvalue())).json()
    assert (await service.still(campaign["id"]))["status"] == "awaiting_copy_approval"
    found = await finding(service, campaign["id"], "screen-violence")
    assert (found["field"], found["suggestion"]) == ("picture", "Choose another photo.")


async def test_one_language_that_fails_does_not_sink_the_others(data_dir: Path) -> None:
    server = Partial("refusal", translating("ja"))
    async with serving(server) as url, running(at(data_dir, f"{url}/v1")) as service:
        campaign = await service.create(approval="none", languages=["de", "ja", "fr"], placements=["x_post"])
        waiting = await service.still(campaign["id"])
        assert waiting["status"] == "awaiting_creative_approval", "a person must know what is missing"
        content = await service.content(campaign["id"])
        assert list(content["translations"]) == ["de", "fr"]
        assert content["failures"]["ja"]["code"] == "model-refused"

        server.healed = True
        again = await service.decide(campaign["id"], "respond", comment="Try Japanese once more.")
        assert again.status_code == 202, again.text
        done = await service.still(campaign["id"])
        content = await service.content(campaign["id"])
        assert (done["status"], content["failures"]) == ("completed", {})
        assert set(content["translations"]) == {"de", "ja", "fr"}


async def test_a_refused_translation_does_not_come_back_when_the_next_one_fails(data_dir: Path) -> None:
    server = Partial("refusal", translating("de"))
    server.healed = True
    async with serving(server) as url, running(at(data_dir, f"{url}/v1")) as service:
        campaign = await service.create(languages=["de", "fr"], placements=["x_post"])
        await service.still(campaign["id"])
        await service.approve(campaign["id"])
        server.healed = False
        await service.decide(campaign["id"], "respond", comment="Warmer, please.")
        again = await service.still(campaign["id"])
        assert again["status"] == "awaiting_creative_approval"
        content = await service.content(campaign["id"])
        assert list(content["translations"]) == ["fr"]
        assert list(content["failures"]) == ["de"]
        assert (await service.approve(campaign["id"]))["status"] == "completed"
        names = (await packed(service, campaign["id"])).namelist()
        assert not [name for name in names if "/de/" in name or name == "copy/de.json"]


async def test_a_campaign_may_go_on_without_a_language_and_says_so(data_dir: Path) -> None:
    server = Partial("refusal", translating("ja"))
    async with serving(server) as url, running(at(data_dir, f"{url}/v1")) as service:
        campaign = await service.create(approval="none", languages=["de", "ja"], placements=["x_post"])
        await service.still(campaign["id"])
        assert (await service.approve(campaign["id"]))["status"] == "completed"
        archive = await packed(service, campaign["id"])
        manifest = json.loads(archive.read("manifest.json"))
        assert [one["language"] for one in manifest["missing"]] == ["ja"]
        assert not [name for name in archive.namelist() if "/ja/" in name]
        assert "There is no ja" in archive.read("index.html").decode()


async def test_when_every_language_fails_the_campaign_stops_and_goes_on_by_retry(data_dir: Path) -> None:
    server = Partial("refusal", translating("ja", "de"))
    async with serving(server) as url, running(at(data_dir, f"{url}/v1")) as service:
        campaign = await service.create(approval="none", languages=["de", "ja"], placements=["x_post"])
        stopped = await service.still(campaign["id"])
        assert (stopped["status"], stopped["error"]["code"]) == ("failed", "model-refused")
        server.healed = True
        assert (await service.http.post(f"/v1/campaigns/{campaign['id']}/retry")).status_code == 202
        ended = await service.still(campaign["id"])
        assert ended["status"] == "completed", ended["error"]
        assert set((await service.content(campaign["id"]))["translations"]) == {"de", "ja"}


async def test_two_variants_are_written_translated_drawn_and_packed(service: Service) -> None:
    campaign = await service.create(
        variants=2, approval="none", languages=["de"], placements=["x_post", "meta_feed"]
    )
    ended = await service.still(campaign["id"])
    assert ended["status"] == "completed", ended["error"]
    content = await service.content(campaign["id"])
    for copy in (content["copy"], content["translations"]["de"]):
        first, second = copy["headlines"], copy["variants"]["b"]["headlines"]
        assert len(second) == 3
        assert first[0] != second[0]
        assert copy["placements"]["x_post"]["body"] != copy["variants"]["b"]["placements"]["x_post"]["body"]
    drawn = {(one["language"], one["variant"], one["placement"]) for one in content["creatives"]}
    assert {("de", "b", "meta_feed"), ("en", "a", "x_post")} <= drawn
    archive = await packed(service, campaign["id"])
    rows = list(csv.DictReader(io.StringIO(archive.read("copy.csv").decode("utf-8-sig"))))
    assert {(row["language"], row["variant"]) for row in rows} == {
        (c, v) for c in ("en", "de") for v in ("a", "b")
    }
    assert [name for name in archive.namelist() if name.startswith("creatives/de-b/meta_feed/")]


async def test_an_edit_of_the_second_variant_is_taken(service: Service) -> None:
    campaign = await service.create(variants=2, languages=[], placements=["x_post"])
    await service.still(campaign["id"])
    body = "/copy/variants/b/placements/x_post/body/0"
    too_long = await service.decide(campaign["id"], "edit", edits={body: "x" * 281})
    assert (too_long.status_code, too_long.json()["errors"][0]["placement"]) == (422, "x_post@b")
    assert (await service.decide(campaign["id"], "edit", edits={body: "Aurora folds flat."})).status_code == 202
    await service.still(campaign["id"])
    copy = (await service.content(campaign["id"]))["copy"]
    assert copy["variants"]["b"]["placements"]["x_post"]["body"] == ["Aurora folds flat."]
    assert copy["placements"]["x_post"]["body"] != ["Aurora folds flat."]


async def test_what_a_platform_refuses_nobody_can_approve(data_dir: Path) -> None:
    server = Partial("limit", writing)
    async with serving(server) as url, running(at(data_dir, f"{url}/v1")) as service:
        campaign = await service.create(languages=[], placements=["x_post"])
        waiting = await service.still(campaign["id"])
        refused = await service.decide(campaign["id"], "approve")
        assert (refused.status_code, refused.json()["code"]) == (422, "unfit")
        assert refused.json()["errors"][0]["rule"] == "over-hard-limit"
        assert (await service.get(f"/v1/campaigns/{campaign['id']}"))["revision"] == waiting["revision"]


async def test_every_claim_is_traced_in_the_content_and_in_the_package(service: Service) -> None:
    product = {
        "name": "Aurora",
        "features": ["40 h battery", "Noise cancelling", "Folds flat"],
        "evidence": [{"claim": "40 h battery", "source": "lab report 12"}],
    }
    campaign = await service.create(
        product=product, approval="none", languages=["de"], placements=["google_rsa", "linkedin_post"]
    )
    ended = await service.still(campaign["id"])
    assert ended["status"] == "completed", ended["error"]
    content = await service.content(campaign["id"])
    for claims in (content["claims"], content["translations"]["de"]["claims"]):
        assert claims, "the battery's hours are named somewhere"
        assert {claim["ground"]["where"].split("/")[0] for claim in claims} <= {"features", "evidence"}
    ledger = json.loads((await packed(service, campaign["id"])).read("claims.json"))
    assert set(ledger) == {"en", "de"}
    assert len(ledger["de"]) == len(content["translations"]["de"]["claims"])


async def test_an_edit_may_mend_one_text_while_another_is_still_blocked(data_dir: Path) -> None:
    server = Partial("limit", writing)
    async with serving(server) as url, running(at(data_dir, f"{url}/v1")) as service:
        campaign = await service.create(languages=[], placements=["x_post", "linkedin_post"])
        await service.still(campaign["id"])
        copy = (await service.content(campaign["id"]))["copy"]
        over = [name for name, slots in copy["placements"].items() if len(slots["body"][0]) > 280]
        assert over
        edit = await service.decide(campaign["id"], "edit", edits={"/copy/call_to_action": "Look closer"})
        assert edit.status_code == 202, edit.text
        again = await service.still(campaign["id"])
        assert again["status"] == "awaiting_copy_approval"
        refused = await service.decide(campaign["id"], "approve")
        assert refused.json()["code"] == "unfit"


async def packed(service: Service, campaign_id: str) -> zipfile.ZipFile:
    answer = await service.http.get(f"/v1/campaigns/{campaign_id}/package.zip")
    assert answer.status_code == 200, answer.text
    return zipfile.ZipFile(io.BytesIO(answer.content))
