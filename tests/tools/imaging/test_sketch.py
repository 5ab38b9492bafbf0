"""A photo is judged on a small copy as it would be in full."""

import pytest
from PIL import Image, ImageDraw, ImageStat

from tools.imaging.box import Box
from tools.imaging.compose import Placing, place
from tools.imaging.extend import fill
from tools.imaging.focus import find_focus
from tools.imaging.sketch import unrest
from tools.imaging.source import PictureInfo, SourcePicture

CANVAS = (1080, 1350)
WORDS = Box(90, 900, 990, 1150)
WHITE = (255, 255, 255)


def judged(source: SourcePicture, placing: Placing, *texts: Box) -> float:
    return unrest(source, placing, texts, plain=find_focus(source).plain, how="auto", colour=WHITE)


def in_full(source: SourcePicture, placing: Placing, words: Box) -> float:
    """The same, of the finished canvas."""
    canvas = fill(source, placing, plain=find_focus(source).plain, colour=WHITE)
    coarse = (48, round(48 * words.height / words.width))
    cells = canvas.crop(words.pixels()).convert("L").resize(coarse, Image.Resampling.BOX)
    return float(ImageStat.Stat(cells).stddev[0])


@pytest.mark.parametrize("canvas", [CANVAS, (1080, 1920), (1200, 628), (300, 250), (728, 90)])
def test_a_sketch_says_what_the_canvas_would(
    studio: SourcePicture, confetti: SourcePicture, canvas: tuple[int, int]
) -> None:
    words = Box(0.1, 0.55, 0.9, 0.85).scaled(*canvas)
    for source in (studio, confetti):
        placing = place(source.image.size, find_focus(source), canvas)
        assert judged(source, placing, words) == pytest.approx(in_full(source, placing, words), rel=0.12, abs=1.5)


def test_the_liveliest_words_count(confetti: SourcePicture) -> None:
    image = confetti.image.copy()
    ImageDraw.Draw(image).rectangle((0, 0, image.width, image.height // 2), fill=(120, 120, 120))
    half = SourcePicture(confetti.info, image, None)
    placing = place(image.size, find_focus(confetti), image.size)
    calm, lively = Box(100, 100, 1000, 300), Box(100, 500, 1000, 700)
    assert judged(half, placing, calm) < 1
    assert judged(half, placing, calm, lively) == judged(half, placing, lively) > 10


def test_large_photos_are_judged_on_a_copy_that_belongs_to_them() -> None:
    info = PictureInfo("image/jpeg", 3000, 3000, 1)
    plain = SourcePicture(info, Image.new("RGB", (3000, 3000), "grey"), None)
    noise = Image.effect_noise((300, 300), 120).resize((3000, 3000))
    busy = SourcePicture(info, Image.merge("RGB", [noise] * 3), None)
    placing = place((3000, 3000), find_focus(plain), CANVAS)
    assert judged(plain, placing, WORDS) == 0
    assert judged(busy, placing, WORDS) > 10


def test_words_outside_the_canvas_stand_on_nothing(confetti: SourcePicture) -> None:
    placing = place(confetti.image.size, find_focus(confetti), CANVAS)
    assert judged(confetti, placing, Box(0, 1400, 100, 1500)) == 0
    assert judged(confetti, placing) == 0
