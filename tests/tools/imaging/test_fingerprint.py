"""Which pictures count as the same."""

import io
import random
import statistics
import time

import pytest
from PIL import Image, ImageDraw, ImageEnhance

from tools.imaging.fingerprint import NEAR, distance, fingerprint, is_near


def product(number: int) -> Image.Image:
    """One of many products on one kind of ground."""
    dice = random.Random(number)  # noqa: S311
    grey = Image.linear_gradient("L").resize((800, 600)).point(lambda level: 190 + level * 0.2)
    image = Image.merge("RGB", (grey, grey, grey))
    draw = ImageDraw.Draw(image)
    for _ in range(dice.randint(2, 6)):
        x, y = 400 + dice.uniform(-160, 160), 300 + dice.uniform(-100, 100)
        wide, high = dice.uniform(60, 240), dice.uniform(50, 180)
        colour = (dice.randrange(256), dice.randrange(256), dice.randrange(256))
        dice.choice([draw.ellipse, draw.rectangle])((x - wide, y - high, x + wide, y + high), fill=colour)
    return image


def again(image: Image.Image, kind: str, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, kind, quality=quality)
    return Image.open(file).convert("RGB")


def marked(image: Image.Image) -> Image.Image:
    """With a dark mark on a fiftieth of it, in a corner."""
    copied = image.copy()
    ImageDraw.Draw(copied).rectangle((680, 510, 790, 590), fill=(30, 30, 30))
    return copied


PRODUCTS = [product(number) for number in range(24)]


@pytest.mark.parametrize("number", range(len(PRODUCTS)))
def test_the_same_picture_is_near_whatever_was_done_to_its_file(number: int) -> None:
    image = PRODUCTS[number]
    whole = fingerprint(image)
    for changed in (
        again(image, "JPEG", 20),
        again(image, "WEBP", 30),
        image.resize((160, 120), Image.Resampling.LANCZOS),
        image.resize((1600, 1200)),
        ImageEnhance.Brightness(image).enhance(0.8),
        ImageEnhance.Brightness(image).enhance(1.15),
        ImageEnhance.Contrast(image).enhance(0.8),
        image.convert("L"),
    ):
        assert is_near(whole, fingerprint(changed)), distance(whole, fingerprint(changed))


def test_a_small_mark_seldom_hides_a_picture() -> None:
    """On a plain ground a hard dark mark is the strongest of all waves; a few products drown in it."""
    near = [is_near(fingerprint(image), fingerprint(marked(image))) for image in PRODUCTS]
    assert sum(near) >= 20


def test_different_products_are_far() -> None:
    prints = [fingerprint(image) for image in PRODUCTS]
    apart = [distance(one, other) for at, one in enumerate(prints) for other in prints[:at]]
    assert min(apart) > NEAR + 8
    assert not is_near(prints[0], fingerprint(PRODUCTS[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT)))


def test_a_fingerprint_is_short_steady_and_quick() -> None:
    image = PRODUCTS[0].resize((512, 384))
    taken: list[float] = []
    for _ in range(9):
        began = time.process_time()
        fingerprint(image)
        taken.append(time.process_time() - began)
    made = fingerprint(image)
    assert made == fingerprint(image.copy())
    assert len(made) == 64
    assert statistics.median(taken) < 0.02, "measured: 3 ms"


def test_a_plain_picture_has_one_too() -> None:
    assert len(fingerprint(Image.new("RGB", (70, 700), (3, 4, 5)))) == 64
