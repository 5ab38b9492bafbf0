"""A house's own look, and where people say that the product is, through the real service."""

import io
import json
import zipfile
from typing import Any

import pytest
from PIL import Image, ImageDraw

from tests.running import AURORA, PHOTO, Service
from tools.imaging.vips import FONTS

HEBREW = (FONTS / "NotoSansHebrew-Regular.ttf").read_bytes()
PART = {"left": 0.1, "top": 0.2, "right": 0.4, "bottom": 0.6}
RED = "#c8102e"


def mark(size: tuple[int, int] = (320, 60), mode: str = "RGBA") -> bytes:
    """A wordmark, longer than a photo may be, with transparency around it."""
    image = Image.new(mode, size, 0)
    ImageDraw.Draw(image).rounded_rectangle((2, 2, size[0] - 3, size[1] - 3), radius=8, fill="#0a7d32")
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


async def upload(service: Service, data: bytes) -> Any:
    return await service.http.post("/v1/assets", files={"file": ("a", data, "application/octet-stream")})


async def picture(service: Service, creative: Any) -> Image.Image:
    return Image.open(io.BytesIO((await service.http.get(creative["url"])).content)).convert("RGB")


def share(image: Image.Image, colour: str) -> float:
    """The share of pixels that nearly are of this colour."""
    wanted = Image.new("RGB", (1, 1), colour).getpixel((0, 0))
    assert isinstance(wanted, tuple)
    small = image.resize((100, 100), Image.Resampling.NEAREST)
    near = [
        all(abs(a - b) < 24 for a, b in zip(small.getpixel((x, y)), wanted, strict=True))  # type: ignore[arg-type]
        for x in range(100)
        for y in range(100)
    ]
    return sum(near) / len(near)


async def test_pictures_bear_the_house_s_colours_logo_and_letters(service: Service) -> None:
    logo, font = [(await upload(service, data)).json() for data in (mark(), HEBREW)]
    assert (logo["width"], logo["height"]) == (320, 60)
    assert (font["media_type"], font["width"]) == ("font/ttf", None)
    brand = {"primary": RED, "ground": "#fff4e5", "logo": logo["sha256"], "font": font["sha256"]}
    asked = {"languages": ["he"], "placements": ["meta_feed", "linkedin_ad"], "approval": "none"}
    ours = await service.create(asked)
    theirs = await service.create(asked, brand=brand)
    plain, branded = [(await _ended(service, one["id"]))["creatives"] for one in (ours, theirs)]
    for before, after in zip(plain, branded, strict=True):
        assert after["asset"]["sha256"] != before["asset"]["sha256"]
        assert after["checks"]["glyphs"]
        was, now_is = await picture(service, before), await picture(service, after)
        assert share(was, RED) == 0 < share(now_is, RED), "the button"
        left_out = any("logo is left out" in remark for remark in after["remarks"])
        assert (share(now_is, "#0a7d32") > share(was, "#0a7d32") == 0) != left_out, (
            "the logo, or why there is none"
        )
    assert any(not after["remarks"] for after in branded)


async def _ended(service: Service, campaign_id: str) -> Any:
    ended = await service.still(campaign_id)
    assert ended["status"] == "completed", ended
    return await service.content(campaign_id)


async def test_fonts_are_downloaded_and_never_shown(service: Service) -> None:
    kept = (await upload(service, HEBREW)).json()
    answer = await service.http.get(f"/v1/assets/{kept['sha256']}")
    assert answer.content == HEBREW
    assert answer.headers["content-type"] == "font/ttf"
    assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"wOF2" + HEBREW[4:], "TTF or OTF"),
        (HEBREW[:3000], "cut short"),
        (mark((12, 12)), "16"),
        (mark((2000, 40)), "24 to 1"),
        (b"neither", "not a picture"),
    ],
    ids=["web font", "cut font", "tiny", "line", "text"],
)
async def test_what_is_neither_picture_nor_font_is_refused(service: Service, data: bytes, said: str) -> None:
    answer = await upload(service, data)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert said in answer.json()["detail"]


async def test_a_logo_is_no_photo(service: Service) -> None:
    small = (await upload(service, mark())).json()["sha256"]
    answer = await service.http.post("/v1/campaigns", json={**AURORA, "image": small})
    assert answer.status_code == 422
    assert "no side may be under 64" in answer.json()["detail"]


async def test_a_brand_that_cannot_be_used_is_refused_with_a_sentence(service: Service) -> None:
    font, photo = [(await upload(service, data)).json()["sha256"] for data in (HEBREW, PHOTO.read_bytes())]
    wrong: list[tuple[Any, str]] = [
        ({"logo": "0" * 64}, "is not stored; upload it"),
        ({"logo": font}, "is font/ttf, not a picture"),
        ({"bold_font": photo}, "is image/jpeg, not a font"),
        ({"primary": "red"}, "primary"),
        ({"slogan": "Hi"}, "slogan"),
    ]
    for brand, said in wrong:
        answer = await service.post({**AURORA, "brand": brand})
        assert answer.status_code == 422, brand
        assert said in json.dumps(answer.json()), brand
    for focus, said in (
        ({"vine": PART}, "vine, which is neither"),
        ({"all": {**PART, "right": 0.05}}, "left < right"),
        ({"all": {**PART, "right": 1.5}}, "less than or equal to 1"),
    ):
        answer = await service.post({**AURORA, "focus": focus})
        assert answer.status_code == 422, focus
        assert said in json.dumps(answer.json()), focus


async def test_a_focus_holds_for_its_placement_and_a_reviewer_moves_it(service: Service) -> None:
    campaign = await service.create(languages=[], focus={"x_post": PART})
    await service.still(campaign["id"])
    assert (await service.approve(campaign["id"]))["status"] == "awaiting_creative_approval"
    before = await service.content(campaign["id"])
    assert before["focus"] == {"all": None, "instagram_post": None, "x_post": PART}
    assert _methods(before) == {"instagram_post": {"border"}, "x_post": {"given"}}

    answer = await service.decide(campaign["id"], "edit", edits={"/focus/x_post": None, "/focus/all": PART})
    assert answer.status_code == 202, answer.text
    again = await service.still(campaign["id"])
    assert again["status"] == "awaiting_creative_approval", "without languages, too"
    after = await service.content(campaign["id"])
    assert after["focus"] == {"all": PART, "instagram_post": None, "x_post": None}
    assert _methods(after) == {"instagram_post": {"given"}, "x_post": {"given"}}
    assert _shas(after, "instagram_post") != _shas(before, "instagram_post")
    assert _shas(after, "x_post") == _shas(before, "x_post")
    assert after["creatives"][0]["focus"]["box"] == PART
    assert (await service.approve(campaign["id"]))["status"] == "completed"


def _methods(content: Any) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in content["creatives"]:
        found.setdefault(one["placement"], set()).add(one["focus"]["method"])
    return found


def _shas(content: Any, placement: str) -> list[str]:
    return [one["asset"]["sha256"] for one in content["creatives"] if one["placement"] == placement]


async def test_a_focus_and_a_text_are_edited_at_once(service: Service) -> None:
    campaign = await service.create()
    await service.still(campaign["id"])
    await service.approve(campaign["id"])
    edits = {"/focus/all": PART, "/translations/de/subline": "Flach gefaltet"}
    assert (await service.decide(campaign["id"], "edit", edits=edits)).status_code == 202
    assert (await service.still(campaign["id"]))["status"] == "awaiting_creative_approval"
    content = await service.content(campaign["id"])
    assert content["translations"]["de"]["subline"] == "Flach gefaltet"
    assert _methods(content) == {"instagram_post": {"given"}, "x_post": {"given"}}


async def test_a_focus_that_is_none_is_refused_and_changes_nothing(service: Service) -> None:
    campaign = await service.create(languages=[])
    await service.still(campaign["id"])
    early = await service.decide(campaign["id"], "edit", edits={"/focus/all": PART})
    assert early.status_code == 422, "at the first gate there is nothing to see yet"
    waiting = await service.approve(campaign["id"])
    for pointer, value in (
        ("/focus/vine", PART),
        ("/focus/all/left", "0.1"),
        ("/focus/all", "left"),
        ("/focus", PART),
        ("/focus/all", {**PART, "left": 0.9}),
        ("/focus/all", None),
    ):
        answer = await service.decide(campaign["id"], "edit", edits={pointer: value})
        assert answer.status_code == 422, (pointer, value)
    assert await service.get(f"/v1/campaigns/{campaign['id']}") == waiting


async def test_the_package_has_pictures_for_web_pages(service: Service) -> None:
    campaign = await service.create(approval="none", placements=["linkedin_post", "google_display_upload"])
    await service.still(campaign["id"])
    data = (await service.http.get(f"/v1/campaigns/{campaign['id']}/package.zip")).content
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        page = archive.read("responsive.html").decode()
        for language in ("en", "de"):
            for kind, suffix in (("AVIF", "avif"), ("WEBP", "webp"), ("JPEG", "jpg")):
                for width in (1200, 600, 300):
                    path = f"responsive/{language}/hero-{width}w.{suffix}"
                    with Image.open(io.BytesIO(archive.read(path))) as image:
                        assert (image.format, image.width) == (kind, width)
                    assert f"{path} {width}w" in page
        assert page.count("<picture>") == page.count("&lt;picture&gt;") == 2
