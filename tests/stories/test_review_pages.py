"""The review pages, used as a browser without JavaScript uses them."""

import html
import io
import re
from pathlib import Path
from typing import Any

from PIL import Image

from tests.login import house
from tests.running import AURORA, PHOTO, Service
from tools.imaging.vips import FONTS


async def test_a_person_takes_a_campaign_through_both_gates(service: Service) -> None:
    page = await _new(service)
    campaign_id = str(page.url).rsplit("/", 1)[-1]
    await service.still(campaign_id)
    page = await service.http.get(f"/campaigns/{campaign_id}")
    assert "Approve the copy" in page.text

    fields = _fields(page.text)
    fields["/copy/headlines/0"] = "Silence, folded flat"
    answer = await service.http.post(f"/campaigns/{campaign_id}", data={**fields, "action": "edit"})
    assert answer.status_code == 303
    await service.still(campaign_id)
    page = await service.http.get(f"/campaigns/{campaign_id}")
    assert "Approve pictures and translations" in page.text
    assert "Silence, folded flat" in html.unescape(page.text)

    answer = await service.http.post(
        f"/campaigns/{campaign_id}", data={**_fields(page.text), "action": "approve", "comment": "Fine"}
    )
    assert answer.status_code == 303
    assert (await service.still(campaign_id))["status"] == "completed"
    page = await service.http.get(f"/campaigns/{campaign_id}")
    assert "Download the package" in page.text
    for address in set(re.findall(r'src="(/[^"]+)"', page.text)):
        assert (await service.http.get(html.unescape(address))).status_code == 200, address


async def _new(service: Service) -> Any:
    form = {
        "name": '<script>alert("Aurora")</script>',
        "features": "40 h battery\r\nNoise cancelling\r\nFolds flat",
        "tone": "premium",
        "placements": ["instagram_post", "linkedin_post"],
        "languages": ["de"],
    }
    answer = await service.http.post("/new", data=form, files={"image": ("a.jpg", PHOTO.read_bytes())})
    assert answer.status_code == 303, answer.text
    return await service.http.get(answer.headers["location"])


def _fields(page: str) -> dict[str, str]:
    """What a browser would send of the page's form, with its line ends."""
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
    typed = re.findall(r'<textarea name="(/[^"]+)"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    texts = {name: html.unescape(text).replace("\n", "\r\n") for name, text in typed}
    return {**hidden, **texts}


async def test_what_people_wrote_is_shown_and_never_run(service: Service) -> None:
    page = await _new(service)
    campaign_id = str(page.url).rsplit("/", 1)[-1]
    await service.still(campaign_id)
    for path in ("/", f"/campaigns/{campaign_id}"):
        page = await service.http.get(path)
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;alert" in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_saving_without_an_edit_says_so_and_keeps_the_gate(service: Service) -> None:
    campaign = await service.create(languages=[])
    await service.still(campaign["id"])
    path = f"/campaigns/{campaign['id']}"
    page = await service.http.get(path)
    answer = await service.http.post(path, data={**_fields(page.text), "action": "edit"})
    assert answer.status_code == 422
    assert "edits" in answer.text
    unknown = await service.http.post(path, data={**_fields(page.text), "action": "explode"})
    assert unknown.status_code == 422
    assert (await service.still(campaign["id"]))["status"] == "awaiting_copy_approval"


async def test_a_wrong_form_comes_back_with_what_was_typed(service: Service) -> None:
    form = {"name": "Aurora", "features": "one", "tone": "dry", "placements": "x_post"}
    answer = await service.http.post("/new", data=form, files={"image": ("a.jpg", PHOTO.read_bytes())})
    assert answer.status_code == 422
    assert 'value="Aurora"' in answer.text
    assert "features" in answer.text
    without = await service.http.post("/new", data={**form, "features": "one\ntwo\nthree"})
    assert without.status_code == 422
    assert "photo" in without.text


async def test_the_form_takes_a_brand_and_a_focus(service: Service) -> None:
    logo, font = io.BytesIO(), (FONTS / "NotoSansHebrew-Regular.ttf").read_bytes()
    Image.new("RGBA", (200, 60), "#0a7d32").save(logo, "PNG")
    form = {
        "name": "Aurora",
        "features": "One\nTwo\nThree",
        "tone": "dry",
        "placements": "x_post",
        "primary": "#C8102E",
    }
    files = {
        "image": ("a.jpg", PHOTO.read_bytes()),
        "logo": ("l.png", logo.getvalue()),
        "bold_font": ("b.ttf", font),
    }
    answer = await service.http.post("/new", data={**form, "focus": "20 10 80 95"}, files=files)
    assert answer.status_code == 303, answer.text
    assert service.fanfare is not None
    campaign_id = answer.headers["location"].rsplit("/", 1)[-1]
    written = await service.fanfare.records.get(campaign_id, tenant="default")
    assert written is not None
    brand, focus = written.order["brand"], written.order["focus"]
    assert (brand["primary"], brand["font"]) == ("#c8102e", None)
    assert all(len(brand[name]) == 64 for name in ("logo", "bold_font"))
    assert focus == {"all": {"left": 0.2, "top": 0.1, "right": 0.8, "bottom": 0.95}}
    await service.still(campaign_id)

    wrong = await service.http.post("/new", data={**form, "focus": "somewhere"}, files=files)
    assert wrong.status_code == 422
    assert 'value="somewhere"' in wrong.text
    swapped = await service.http.post("/new", data=form, files={**files, "logo": ("l.png", font)})
    assert swapped.status_code == 422
    assert "not a picture" in swapped.text


async def test_lists_find_by_name_and_missing_pages_say_so(service: Service) -> None:
    assert "No campaigns yet" in (await service.http.get("/")).text
    campaign = await service.create(languages=[], product={**AURORA["product"], "name": "50% Größe"})
    await service.still(campaign["id"])
    assert "50% Größe" in (await service.http.get("/", params={"q": "größe"})).text
    assert "50% Größe" in (await service.http.get("/", params={"q": "50%"})).text
    assert "No campaign" in (await service.http.get("/", params={"q": "_"})).text
    missing = await service.http.get("/campaigns/nobody")
    assert (missing.status_code, "<html" in missing.text) == (404, True)


async def test_approving_changed_texts_means_those_texts_and_a_refusal_keeps_them(service: Service) -> None:
    campaign = await service.create(languages=[], placements=["x_post"])
    await service.still(campaign["id"])
    path = f"/campaigns/{campaign['id']}"
    fields = _fields((await service.http.get(path)).text)
    refused = {**fields, "/copy/placements/x_post/body/0": "x" * 281, "action": "approve"}
    answer = await service.http.post(path, data=refused)
    assert answer.status_code == 422
    assert "x" * 281 in answer.text, "what was typed is not lost"
    taken = {**fields, "/copy/headlines/0": "Silence, folded flat", "action": "approve"}
    assert (await service.http.post(path, data=taken)).status_code == 303
    await service.still(campaign["id"])
    assert (await service.content(campaign["id"]))["copy"]["headlines"][0] == "Silence, folded flat"


async def test_enter_in_a_field_decides_nothing_and_a_viewer_has_no_fields(data_dir: Path) -> None:
    async with house(data_dir) as here, here.somebody("editor", "approver") as service, here.browser() as viewer:
        campaign = await service.create(languages=[], placements=["x_post"])
        await service.still(campaign["id"])
        await service.approve(campaign["id"])
        path = f"/campaigns/{campaign['id']}"
        async with here.browser() as reviewer:
            await reviewer.post("/login", data={"credential": await here.key("approver")})
            form = (await reviewer.get(path)).text.partition('<form method="post" class="review">')[2]
            assert "data-focus" in form
            first = re.search("<button[^>]*>", form)
            assert first
            assert first[0] == "<button disabled hidden>", "it is what Enter presses"
        await viewer.post("/login", data={"credential": await here.key("viewer")})
        seen = await viewer.get(path)
        assert (seen.status_code, "data-focus" in seen.text, "data-pointer" in seen.text) == (200, False, False)


async def test_a_reviewer_types_where_the_product_is(service: Service) -> None:
    campaign = await service.create(languages=[], placements=["instagram_post", "x_post"])
    await service.still(campaign["id"])
    await service.approve(campaign["id"])
    path = f"/campaigns/{campaign['id']}"
    page = (await service.http.get(path)).text
    assert "all checks passed" in page
    assert 'name="/focus/all"' in page
    fields = _fields(page)
    wrong = await service.http.post(path, data={**fields, "/focus/all": "left a bit", "action": "edit"})
    assert wrong.status_code == 422
    assert "as in 20 10 80 95" in wrong.text
    assert 'value="left a bit"' in wrong.text, "what was typed is not lost"
    outside = await service.http.post(path, data={**fields, "/focus/all": "20 10 120 95", "action": "edit"})
    assert outside.status_code == 422

    typed = {**fields, "/focus/all": "", "/focus/x_post": " 20, 10, 80, 95.5 % ", "action": "edit"}
    assert (await service.http.post(path, data=typed)).status_code == 303
    assert (await service.still(campaign["id"]))["status"] == "awaiting_creative_approval"
    given = (await service.content(campaign["id"]))["focus"]
    assert given == {
        "all": None,
        "instagram_post": None,
        "x_post": {"left": 0.2, "top": 0.1, "right": 0.8, "bottom": 0.955},
    }
    page = (await service.http.get(path)).text
    assert 'value="20 10 80 95.5"' in page
    unchanged = await service.http.post(
        path, data={**_fields(page), "/focus/x_post": "20 10 80 95.5", "action": "edit"}
    )
    assert unchanged.status_code == 422
    assert "Nothing was changed" in unchanged.text
