"""Photos that the tests of pictures share, drawn here."""

import io
import random

import pytest
from PIL import Image, ImageDraw, ImageFilter

from tools.imaging.source import SourcePicture, decode

PRODUCT = (200, 30, 40)


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=92)
    return file.getvalue()


@pytest.fixture(scope="session")
def studio() -> SourcePicture:
    """A red block on a soft grey gradient; its box is 0.55–0.85 across and 0.2–0.8 down."""
    grey = Image.linear_gradient("L").resize((1200, 900)).point(lambda level: 200 + level * 0.15)
    image = Image.merge("RGB", (grey, grey, grey))
    ImageDraw.Draw(image).rectangle((660, 180, 1019, 719), fill=PRODUCT)
    return decode(_jpeg(image))


@pytest.fixture(scope="session")
def confetti() -> SourcePicture:
    """A picture without any calm place."""
    dice, image = random.Random(7), Image.new("RGB", (1200, 800), (90, 120, 140))  # noqa: S311
    draw = ImageDraw.Draw(image)
    for _ in range(700):
        x, y, size = dice.randrange(1200), dice.randrange(800), dice.randrange(10, 90)
        draw.ellipse(
            (x, y, x + size, y + size), fill=(dice.randrange(256), dice.randrange(256), dice.randrange(256))
        )
    return decode(_jpeg(image.filter(ImageFilter.GaussianBlur(1))))
