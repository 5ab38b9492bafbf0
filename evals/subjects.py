"""Six kinds of product photo, drawn by arithmetic: what layouts find easy, and what they find hard."""

import io
import random
from collections.abc import Callable, Mapping
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from tools.imaging.colour import RGB

Xy = tuple[float, float]


def on_white() -> bytes:
    """A bottle on white paper, with its soft shadow."""
    image = Image.new("RGB", (1800, 1800), (255, 255, 255))
    _shade(image, (760, 1500, 1260, 1580), (120, 124, 130), 34)
    _bottle(image, (700, 330), 1220, (28, 110, 96))
    return _jpeg(image)


def cut_out() -> bytes:
    """The same bottle in another colour, on nothing at all."""
    large = Image.new("RGB", (1200, 1700), (255, 255, 255))
    mask = Image.new("L", large.size, 0)
    _bottle(large, (400, 220), 1260, (214, 84, 44), mask)
    large.putalpha(mask)
    file = io.BytesIO()
    large.save(file, "PNG", compress_level=1)
    return file.getvalue()


def in_the_dark() -> bytes:
    """A lamp at night: the picture is nearly black, and its product shines."""
    image = _gradient((2000, 1500), (10, 12, 22), (26, 24, 38))
    glow = Image.new("L", image.size, 0)
    ImageDraw.Draw(glow).ellipse((820, 320, 1380, 880), fill=150)
    image.paste((244, 166, 84), mask=glow.filter(ImageFilter.GaussianBlur(130)))
    draw = ImageDraw.Draw(image)
    draw.rectangle((1088, 860, 1112, 1240), fill=(92, 78, 66))
    draw.ellipse((980, 1216, 1220, 1264), fill=(74, 64, 58))
    ball = _ball(480, (255, 214, 150), (226, 132, 58))
    image.paste(ball[0], (860, 400), ball[1])
    return _jpeg(image)


def in_a_crowd() -> bytes:
    """A bottle before a market of colours: nothing behind it is calm."""
    dice, image = random.Random(11), _gradient((2000, 1500), (96, 120, 118), (150, 104, 72))  # noqa: S311
    draw = ImageDraw.Draw(image)
    for _ in range(300):
        x, y, size = dice.randrange(2000), dice.randrange(1500), dice.randrange(60, 240)
        colour = (dice.randrange(40, 250), dice.randrange(40, 240), dice.randrange(30, 220))
        shape = draw.ellipse if dice.random() < _HALF else draw.rectangle
        shape((x, y, x + size, y + size * dice.uniform(0.5, 1.3)), fill=colour)
    image = image.filter(ImageFilter.GaussianBlur(7))
    _bottle(image, (1080, 240), 1120, (236, 232, 222))
    return _jpeg(image)


def portrait() -> bytes:
    """A person before a wall, cut by the lower edge of the picture."""
    image = _gradient((1500, 2000), (206, 190, 172), (172, 150, 132))
    draw = ImageDraw.Draw(image)
    draw.ellipse((420, 330, 1080, 1210), fill=(52, 34, 28))
    draw.rounded_rectangle((180, 1330, 1320, 2300), 330, fill=(44, 78, 112))
    draw.polygon([(610, 1100), (890, 1100), (930, 1400), (750, 1530), (570, 1400)], fill=(196, 138, 108))
    draw.ellipse((510, 440, 990, 1150), fill=(220, 164, 132))
    draw.pieslice((480, 340, 1020, 900), 180, 360, fill=(52, 34, 28))
    for eye in (650, 850):
        draw.ellipse((eye - 26, 742, eye + 26, 776), fill=(250, 246, 240))
        draw.ellipse((eye - 15, 742, eye + 15, 774), fill=(48, 34, 30))
        draw.arc((eye - 56, 676, eye + 56, 760), 205, 335, fill=(60, 40, 34), width=12)
    draw.line([(750, 770), (728, 890), (760, 900)], fill=(186, 128, 100), width=9)
    draw.chord((650, 930, 850, 1040), 8, 172, fill=(186, 66, 66))
    return _jpeg(image.filter(ImageFilter.GaussianBlur(2.2)))


def panorama() -> bytes:
    """A valley in 21:9, with a small red van in it."""
    image = _gradient((2520, 1080), (120, 172, 214), (244, 216, 180))
    draw = ImageDraw.Draw(image)
    draw.ellipse((420, 260, 600, 440), fill=(255, 244, 214))
    for base, high, colour, seed in (
        (640, 240, (142, 160, 178), 3),
        (760, 180, (92, 128, 120), 5),
        (880, 110, (66, 104, 74), 8),
    ):
        draw.polygon([(0, 1080), *_ridge(base, high, seed), (2520, 1080)], fill=colour)
    draw.rounded_rectangle((1610, 760, 2010, 930), 44, fill=(198, 52, 44))
    draw.rounded_rectangle((1640, 785, 1980, 850), 22, fill=(226, 238, 242))
    for wheel in (1700, 1920):
        draw.ellipse((wheel - 44, 890, wheel + 44, 978), fill=(30, 30, 34))
        draw.ellipse((wheel - 18, 916, wheel + 18, 952), fill=(190, 190, 194))
    return _jpeg(image.filter(ImageFilter.GaussianBlur(1.4)))


def emblem() -> bytes:
    """A logo with a transparent ground: a ring with a bar, and two letters' worth of lines."""
    image = Image.new("RGBA", (900, 300), (0, 0, 0, 0))
    draw, ink = ImageDraw.Draw(image), (24, 40, 66, 255)
    draw.ellipse((10, 10, 290, 290), outline=ink, width=44)
    draw.rectangle((128, 80, 172, 220), fill=ink)
    for at, height in enumerate((200, 140, 200, 140)):
        left = 360 + at * 132
        draw.rounded_rectangle((left, 270 - height, left + 96, 270), 40, fill=ink)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _bottle(
    image: Image.Image, at: tuple[int, int], height: int, colour: RGB, mask: Image.Image | None = None
) -> None:
    """Paint a round bottle with a lid, lit from the left; the mask takes its outline too."""
    width = round(height * 0.32)
    shape = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(shape)
    draw.rounded_rectangle((0, height * 0.2, width - 1, height - 1), width * 0.16, fill=255)
    draw.rounded_rectangle((width * 0.24, height * 0.1, width * 0.76, height * 0.26), width * 0.1, fill=255)
    lid = Image.new("L", shape.size, 0)
    ImageDraw.Draw(lid).rounded_rectangle((width * 0.2, 0, width * 0.8, height * 0.14), width * 0.08, fill=255)
    body = _rounded(shape.size, colour)
    body.paste(_rounded(shape.size, (52, 54, 60)), mask=lid)
    label = ImageDraw.Draw(body)
    label.rectangle((width * 0.16, height * 0.5, width * 0.62, height * 0.515), fill=(246, 242, 232))
    label.rectangle((width * 0.16, height * 0.54, width * 0.46, height * 0.55), fill=(246, 242, 232))
    outline = ImageChops.lighter(shape, lid).filter(ImageFilter.GaussianBlur(1.2))
    image.paste(body, at, outline)
    if mask:
        mask.paste(outline, at)


def _rounded(size: tuple[int, int], colour: RGB) -> Image.Image:
    """Shade a colour as on a cylinder."""
    line = Image.new("RGB", (size[0], 1))
    for x in range(size[0]):
        turn = x / size[0]
        light = 0.72 + 0.62 * max(0.0, 1 - abs(turn - 0.28) * 3.2) - 0.3 * max(0.0, turn - 0.55) * 2.2
        line.putpixel((x, 0), tuple(min(255, round(level * light)) for level in colour))
    return line.resize(size)


def _ball(side: int, light: RGB, dark: RGB) -> tuple[Image.Image, Image.Image]:
    mask = Image.new("L", (side, side), 0)
    ImageDraw.Draw(mask).ellipse((2, 2, side - 3, side - 3), fill=255)
    shade = Image.radial_gradient("L").resize((side, side))
    ball = Image.composite(Image.new("RGB", mask.size, dark), Image.new("RGB", mask.size, light), shade)
    return ball, mask.filter(ImageFilter.GaussianBlur(1.5))


def _shade(image: Image.Image, box: tuple[int, int, int, int], colour: RGB, soft: int) -> None:
    mask = Image.new("L", image.size, 0)
    ImageDraw.Draw(mask).ellipse(box, fill=120)
    image.paste(colour, mask=mask.filter(ImageFilter.GaussianBlur(soft)))


def _gradient(size: tuple[int, int], top: RGB, bottom: RGB) -> Image.Image:
    ramp = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), ramp)


def _ridge(base: int, high: int, seed: int) -> list[Xy]:
    dice = random.Random(seed)  # noqa: S311
    return [(x, base - dice.random() * high) for x in range(0, 2521, 180)]


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=92)
    return file.getvalue()


_HALF = 0.5

KINDS: Final[Mapping[str, Callable[[], bytes]]] = {
    "white": on_white,
    "cut-out": cut_out,
    "dark": in_the_dark,
    "busy": in_a_crowd,
    "portrait": portrait,
    "panorama": panorama,
}
