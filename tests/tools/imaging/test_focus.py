"""Where the product is found, in which way."""

import io
import random
from dataclasses import asdict

import pytest
from PIL import Image, ImageDraw, ImageFilter

from tools.imaging.box import Box
from tools.imaging.focus import Focus, dominant_colours, find_focus
from tools.imaging.source import PictureInfo, SourcePicture, decode


def overlap(one: Box, other: Box) -> float:
    shared = one.overlap(other).area
    return shared / (one.area + other.area - shared)


def png(image: Image.Image) -> SourcePicture:
    file = io.BytesIO()
    image.save(file, "PNG")
    return decode(file.getvalue())


def test_a_cut_out_is_found_by_its_alpha() -> None:
    image = Image.new("RGBA", (500, 400), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((100, 40, 300, 360), fill=(250, 250, 250, 255))
    focus = find_focus(png(image))
    assert focus.method == "alpha"
    assert overlap(focus.box, Box(0.2, 0.1, 0.6, 0.9)) > 0.95
    assert focus.point == pytest.approx((0.4, 0.5), abs=0.01)


def test_a_product_on_a_gradient_is_found_by_its_border(studio: SourcePicture) -> None:
    focus = find_focus(studio)
    assert focus.method == "border"
    assert overlap(focus.box, Box(0.55, 0.2, 0.85, 0.8)) > 0.93


def test_a_soft_shadow_is_not_the_product() -> None:
    image = Image.new("RGB", (600, 600), (236, 236, 240))
    draw = ImageDraw.Draw(image)
    draw.ellipse((250, 380, 560, 460), fill=(200, 198, 206))
    draw.rectangle((200, 150, 400, 420), fill=(20, 24, 40))
    assert find_focus(png(image)).box.right < 0.7


def test_a_busy_picture_is_left_to_attention(confetti: SourcePicture) -> None:
    focus = find_focus(confetti)
    assert focus.method == "attention"
    assert focus.box.left <= focus.point[0] <= focus.box.right
    assert focus.box.top <= focus.point[1] <= focus.box.bottom


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (7, 7), (300, 300)])
def test_an_empty_picture_still_has_a_focus(size: tuple[int, int]) -> None:
    grey = Image.new("RGB", size, (128, 128, 128))
    box = find_focus(SourcePicture(PictureInfo("image/png", *size, 1), grey, None)).box
    assert 0 <= box.left < box.right <= 1.0001
    assert 0 <= box.top < box.bottom <= 1.0001


def test_a_lamp_at_night_is_found_with_its_stand() -> None:
    """What glows outshines its stand many times; the glow itself is soft, and no part of it."""
    image = Image.new("RGB", (900, 900), (14, 14, 22))
    glow = Image.new("L", image.size, 0)
    ImageDraw.Draw(glow).ellipse((300, 150, 600, 450), fill=150)
    image.paste((240, 160, 80), mask=glow.filter(ImageFilter.GaussianBlur(60)))
    draw = ImageDraw.Draw(image)
    draw.ellipse((350, 200, 550, 400), fill=(255, 220, 160))
    draw.rectangle((440, 400, 460, 700), fill=(90, 78, 68))
    assert overlap(find_focus(png(image)).box, Box(350 / 900, 200 / 900, 550 / 900, 700 / 900)) > 0.75


def test_of_a_person_whom_the_edge_cuts_the_head_counts() -> None:
    image = Image.new("RGB", (900, 1200), (200, 190, 180))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((100, 760, 800, 1400), 200, fill=(40, 70, 110))
    draw.ellipse((310, 260, 590, 700), fill=(80, 50, 40))
    focus = find_focus(png(image))
    assert focus.method == "border"
    assert focus.plain == ("left", "right", "up")
    assert overlap(focus.box, Box(310 / 900, 260 / 1200, 590 / 900, 700 / 1200)) > 0.8


def test_scenery_is_no_product() -> None:
    """Its edges are calm, and still the hills are not what is sold: the van is."""
    image = Image.new("RGB", (2100, 900), (150, 190, 220))
    draw = ImageDraw.Draw(image)
    draw.polygon([(0, 900), (0, 560), (700, 480), (1400, 590), (2100, 500), (2100, 900)], fill=(70, 110, 80))
    draw.rectangle((1350, 620, 1650, 760), fill=(200, 50, 40))
    focus = find_focus(png(image))
    assert focus.method == "attention"
    assert focus.box.left < 1500 / 2100 < focus.box.right


def test_a_large_thing_stands_out_from_a_crowd() -> None:
    dice, image = random.Random(3), Image.new("RGB", (1200, 900), (110, 110, 100))  # noqa: S311
    draw = ImageDraw.Draw(image)
    for _ in range(900):
        x, y = dice.randrange(1200), dice.randrange(900)
        draw.rectangle((x, y, x + 30, y + 24), fill=tuple(dice.randrange(40, 200) for _ in range(3)))
    draw.rectangle((700, 200, 900, 700), fill=(245, 245, 240))
    focus = find_focus(png(image))
    assert focus.method == "attention"
    assert overlap(focus.box, Box(700 / 1200, 200 / 900, 900 / 1200, 700 / 900)) > 0.6


@pytest.mark.parametrize(("seed", "blur", "at"), [(11, 7, (1080, 240)), (3, 5, (200, 300)), (8, 14, (900, 100))])
def test_what_is_sharp_before_a_blurred_crowd_is_the_product(seed: int, blur: int, at: tuple[int, int]) -> None:
    dice, image = random.Random(seed), Image.new("RGB", (1600, 1200), (96, 120, 118))  # noqa: S311
    draw = ImageDraw.Draw(image)
    for _ in range(300):
        x, y, size = dice.randrange(1600), dice.randrange(1200), dice.randrange(60, 200)
        draw.ellipse((x, y, x + size, y + size), fill=tuple(dice.randrange(40, 240) for _ in range(3)))
    image = image.filter(ImageFilter.GaussianBlur(blur))
    ImageDraw.Draw(image).rectangle((*at, at[0] + 300, at[1] + 800), fill=(236, 232, 222))
    focus = find_focus(png(image))
    truth = Box(at[0] / 1600, at[1] / 1200, (at[0] + 300) / 1600, (at[1] + 800) / 1200)
    assert focus.method == "attention"
    assert overlap(focus.box, truth) > 0.85


def test_a_person_may_say_where_it_is() -> None:
    focus = Focus.given(0.1, 0.2, 0.5, 0.8)
    assert focus.method == "given"
    assert focus.point == pytest.approx((0.3, 0.5))
    with pytest.raises(ValueError, match="between 0 and 1"):
        Focus.given(0.5, 0.2, 0.1, 0.8)


def test_a_focus_survives_json(studio: SourcePicture) -> None:
    focus = find_focus(studio)
    assert Focus.from_json(asdict(focus)) == focus


def test_the_common_colours_are_named(studio: SourcePicture) -> None:
    first, second = dominant_colours(studio, 2)
    assert first[1:3] == first[3:5] == first[5:7]  # the grey wall
    assert int(second[1:3], 16) > 150 > int(second[3:5], 16)  # the red product
