"""How light pixels are, by WCAG's own formula."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tools.imaging.colour import RGB, coded, linear, luminance
from tools.imaging.light import lightness, luminance_percentiles, percentiles

levels = st.integers(0, 255)


@settings(deadline=None)  # the first call makes the tables
@given(st.tuples(levels, levels, levels))
def test_lightness_is_the_luminance_on_the_srgb_curve(colour: RGB) -> None:
    light = lightness(Image.new("RGB", (3, 2), colour))
    assert (light.mode, light.size) == ("L", (3, 2))
    assert light.tobytes() == bytes([light.tobytes()[0]]) * 6
    assert light.tobytes()[0] == pytest.approx(255 * coded(luminance(colour)), abs=0.6)


@settings(deadline=None)
@given(st.lists(levels, min_size=1, max_size=40), st.integers(0, 100))
def test_a_percentile_is_the_first_level_that_so_many_do_not_exceed(found: list[int], percent: int) -> None:
    row = Image.frombytes("L", (len(found), 1), bytes(found))
    _, high = percentiles(row, 0, percent)
    enough = percent * len(found) / 100
    reached = min(level for level in found if sum(each <= level for each in found) >= enough)
    assert high == linear(reached / 255)


def test_only_what_a_mask_shows_is_counted() -> None:
    dice = Random(5)  # noqa: S311
    row = Image.frombytes("L", (200, 1), bytes(dice.randrange(100, 200) for _ in range(200)))
    row.paste(10, (0, 0, 50, 1))
    mask = Image.new("L", row.size, 0)
    mask.paste(255, (0, 0, 50, 1))
    assert percentiles(row, 0, 100, mask) == (linear(10 / 255), linear(10 / 255))
    assert percentiles(row, 2, 98, Image.new("L", row.size, 0)) == (1.0, 1.0)


def test_a_picture_half_black_half_white_has_both_ends() -> None:
    image = Image.new("RGB", (10, 10), (0, 0, 0))
    image.paste((255, 255, 255), (5, 0, 10, 10))
    assert luminance_percentiles(image, 2, 98) == (0.0, 1.0)
