"""How bare canvas is filled."""

import io

import pytest
from PIL import Image, ImageChops, ImageDraw

from tools.imaging.compose import Placing, place
from tools.imaging.extend import Extend, fill
from tools.imaging.focus import Focus, find_focus
from tools.imaging.source import SourcePicture, decode

WIDE = (900, 300)


def laid(source: SourcePicture) -> Placing:
    """All of the photo is its product, so that no crop will do."""
    return place(source.image.size, Focus.given(0, 0, 1, 1), WIDE)


def cut_out() -> SourcePicture:
    image = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((60, 60, 340, 340), fill=(200, 60, 40, 255))
    ImageDraw.Draw(image).rectangle((60, 180, 340, 220), fill=(40, 60, 200, 128))
    file = io.BytesIO()
    image.save(file, "PNG")
    return decode(file.getvalue())


def test_a_plain_background_runs_on(studio: SourcePicture) -> None:
    made = fill(studio, laid(studio), plain=())
    assert made.size == WIDE
    for y in (10, 150, 290):
        beside, inside = made.getpixel((20, y)), made.getpixel((300, y))
        assert isinstance(beside, tuple)
        assert isinstance(inside, tuple)
        assert abs(beside[0] - inside[0]) < 14


def test_a_crowd_is_blurred(confetti: SourcePicture) -> None:
    made = fill(confetti, laid(confetti), plain=())
    far, near = made.crop((0, 0, 60, 300)), made.crop((400, 0, 460, 300))
    assert _detail(far) < _detail(near) / 4


def test_a_mirror_continues_at_the_edge(confetti: SourcePicture) -> None:
    placing = laid(confetti)
    made, (left, _, _, _) = fill(confetti, placing, plain=(), how="mirror"), placing.visible.pixels()
    outside, inside = made.crop((left - 40, 0, left, 300)), made.crop((left, 0, left + 40, 300))
    assert not ImageChops.difference(outside, inside.transpose(Image.Transpose.FLIP_LEFT_RIGHT)).getbbox()


def test_a_colour_takes_over_softly(confetti: SourcePicture) -> None:
    made = fill(confetti, laid(confetti), plain=(), how="colour", colour=(10, 200, 30))
    assert made.getpixel((3, 150)) == (10, 200, 30)
    assert made.getpixel((450, 150)) != (10, 200, 30)


def test_a_cut_out_stands_on_the_colour_without_a_white_rim() -> None:
    source, colour = cut_out(), (20, 30, 40)
    made = fill(source, place((400, 400), find_focus(source), (300, 300)), plain=(), colour=colour)
    assert made.getpixel((2, 2)) == colour
    assert made.getpixel((150, 90)) == (200, 60, 40)
    lightest = max(made.convert("L").crop((0, 100, 150, 130)).tobytes())
    assert lightest <= Image.new("RGB", (1, 1), (200, 60, 40)).convert("L").tobytes()[0] + 6


@pytest.mark.parametrize("how", ["auto", "blur", "mirror", "colour"])
def test_every_way_fills_all(confetti: SourcePicture, studio: SourcePicture, how: Extend) -> None:
    for source in (confetti, studio):
        assert fill(source, laid(source), plain=("left", "right"), how=how).size == WIDE


def _detail(image: Image.Image) -> float:
    grey = image.convert("L")
    apart = ImageChops.difference(grey, ImageChops.offset(grey, 2, 0)).crop((2, 0, grey.width, grey.height))
    return sum(level * count for level, count in enumerate(apart.histogram())) / (apart.width * apart.height)
