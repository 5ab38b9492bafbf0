"""Creatives, judged by their pixels and bytes."""

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Literal

import pytest
from PIL import Image, ImageChops, ImageFilter

from tools.imaging.brand import Brand
from tools.imaging.colour import contrast, luminance, tones
from tools.imaging.encode import Format
from tools.imaging.focus import Focus, find_focus
from tools.imaging.render import Creative, CreativeSpec, SafeZone, render
from tools.imaging.source import SourcePicture

SIZES = [(1080, 1080), (1080, 1350), (1080, 1920), (1200, 628), (300, 250), (728, 90), (160, 600), (970, 250)]
TEXTS: dict[str, tuple[str, str, Literal["ltr", "rtl"]]] = {
    "en": ("Silence, wherever you are", "Listen now", "ltr"),
    "ar": ("هدوء يرافقك أينما كنت", "استمع الآن", "rtl"),
    "ja": ("どこにいても、静けさと一緒に。", "今すぐ聴く", "ltr"),
}
STORY = SafeZone(top=14, bottom=35, left=6, right=6)


def creative(source: SourcePicture, size: tuple[int, int], language: str | None = "en", **more: Any) -> Creative:
    headline, call, direction = TEXTS[language] if language else (None, None, "ltr")
    told: dict[str, Any] = {"headline": headline, "call_to_action": call, "direction": direction}
    told |= {"language": language or "en", **more}
    return render(source, CreativeSpec(width=size[0], height=size[1], focus=find_focus(source), **told))


def pixels(made: Creative) -> Image.Image:
    return Image.open(io.BytesIO(made.data)).convert("RGB")


def reds(image: Image.Image) -> tuple[int, int, int, int] | None:
    """The box of all clearly red pixels."""
    red, green, _ = image.split()
    return ImageChops.subtract(red, green).point([255 if level > 90 else 0 for level in range(256)]).getbbox()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", list(TEXTS))
def test_every_check_is_green(studio: SourcePicture, size: tuple[int, int], language: str) -> None:
    made = creative(studio, size, language, max_bytes=150_000, safe_zone=STORY if size[1] == 1920 else SafeZone())
    assert pixels(made).size == size == (made.width, made.height)
    assert made.checks["safe_zone"]
    assert made.checks["text_fit"]
    assert made.checks["bytes"]
    assert made.checks["product_kept"] >= 0.95
    assert made.checks["contrast"] is not None
    assert made.checks["contrast"] >= 4.5


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["en", None])
def test_the_product_stays_whole(studio: SourcePicture, size: tuple[int, int], language: str | None) -> None:
    box = reds(pixels(creative(studio, size, language, call_to_action=None)))
    assert box is not None
    wide, high = box[2] - box[0], box[3] - box[1]
    assert wide / high == pytest.approx(360 / 540, rel=0.12 if min(size) < 100 else 0.05)
    assert box[0] > 0
    assert box[2] < size[0]


@pytest.mark.parametrize("size", [(1080, 1080), (1200, 628), (300, 250)])
def test_contrast_holds_in_the_pixels(confetti: SourcePicture, size: tuple[int, int]) -> None:
    image = pixels(creative(confetti, size, formats=("png",), call_to_action=None))
    ink = max((tone.ink for tone in tones(())), key=lambda colour: _exactly(image, colour).histogram()[255])
    letters = _exactly(image, ink)
    box = letters.getbbox()
    assert box is not None
    near = letters.filter(ImageFilter.MaxFilter(5)).crop(box).tobytes()
    behind = image.crop(box).tobytes()
    ratios = sorted(
        contrast(luminance((behind[3 * at], behind[3 * at + 1], behind[3 * at + 2])), luminance(ink))
        for at, covered in enumerate(near)
        if not covered
    )
    assert ratios[len(ratios) // 40] >= 4.5


def _exactly(image: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    apart = ImageChops.difference(image, Image.new("RGB", image.size, colour)).split()
    most = ImageChops.lighter(ImageChops.lighter(apart[0], apart[1]), apart[2])
    return most.point([255 if level == 0 else 0 for level in range(256)])


@pytest.mark.parametrize("language", list(TEXTS))
def test_nothing_is_written_outside_the_safe_zone(studio: SourcePicture, language: str) -> None:
    """The photo has no pixel of the ink's colour, so that the ink shows where words are."""
    told = pixels(creative(studio, (540, 960), language, formats=("png",), safe_zone=STORY, call_to_action=None))
    ink = _exactly(told, tones(())[0].ink).getbbox()
    assert ink is not None
    assert ink[0] >= 540 * 0.06 - 1
    assert ink[1] >= 960 * 0.14 - 1
    assert ink[2] <= 540 * 0.94 + 1
    assert ink[3] <= 960 * 0.65 + 1


def test_a_light_background_needs_no_veil(studio: SourcePicture) -> None:
    """The text is dark, and the wall beside it is as bright as without text."""
    told = pixels(creative(studio, (1200, 628), formats=("png",), call_to_action=None))
    assert _exactly(told, tones(())[0].ink).getbbox() is not None
    assert told.convert("L").crop((0, 0, 20, 628)).getextrema()[0] >= 198  # type: ignore[operator]


def test_a_byte_budget_is_kept(confetti: SourcePicture) -> None:
    made = creative(confetti, (1080, 1080), max_bytes=90_000)
    assert len(made.data) <= 90_000
    assert made.checks["bytes"]


def test_what_cannot_be_done_is_said(confetti: SourcePicture) -> None:
    made = creative(confetti, (300, 250), headline="한국어 " + "unbreakable" * 8, max_bytes=100)
    assert not made.checks["text_fit"]
    assert not made.checks["bytes"]


def test_without_words_there_is_no_contrast_to_measure(studio: SourcePicture) -> None:
    made = creative(studio, (600, 600), None)
    assert made.checks["contrast"] is None
    assert made.checks["safe_zone"]
    assert made.template == "whole"
    assert creative(studio, (600, 600), None, headline=" \u200b").data == made.data


@pytest.mark.parametrize(
    ("kind", "media_type"), [("jpeg", "image/jpeg"), ("png", "image/png"), ("webp", "image/webp")]
)
def test_each_format_is_what_it_says(studio: SourcePicture, kind: Format, media_type: str) -> None:
    made = creative(studio, (320, 180), formats=(kind,))
    assert made.media_type == media_type == Image.open(io.BytesIO(made.data)).get_format_mimetype()


def test_threads_and_repetition_change_nothing(studio: SourcePicture, confetti: SourcePicture) -> None:
    jobs = [(source, size, language) for source in (studio, confetti) for size in SIZES[3:7] for language in TEXTS]
    alone = [creative(*job).data for job in jobs]
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(creative, *job) for job in jobs]
        together = [done.result().data for done in waiting]
    assert together == alone


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1)])
def test_the_oddest_sources_still_render(size: tuple[int, int], studio: SourcePicture) -> None:
    odd = SourcePicture(studio.info, Image.new("RGB", size, (90, 90, 90)), None)
    assert pixels(creative(odd, (300, 250))).size == (300, 250)


def test_a_house_s_colour_surrounds_a_photo_that_is_too_small(confetti: SourcePicture) -> None:
    """No crop of a landscape holds a product that is as wide as it, and a crowd cannot be drawn out."""
    focus, brand = Focus.given(0.02, 0.1, 0.98, 0.9), Brand(ground="#fff4e5")
    spec = CreativeSpec(width=540, height=960, focus=focus, formats=("png",))
    blurred, ours = render(confetti, spec), render(confetti, replace(spec, brand=brand))
    assert blurred.extended
    assert ours.extended
    assert pixels(ours).getpixel((5, 5)) == pixels(ours).getpixel((535, 955)) == (255, 244, 229)
    assert pixels(blurred).getpixel((5, 5)) != (255, 244, 229)
    assert ours.checks["product_kept"] >= 0.95
