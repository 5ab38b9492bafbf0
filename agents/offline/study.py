"""The rehearsal art director: a real look at the picture, said in a few plain words."""

import asyncio
import base64
import binascii
import colorsys
from dataclasses import dataclass
from functools import cached_property

from PIL import Image, ImageFilter, ImageStat

from agents.offline.orders import StudyOrder
from agents.offline.phrases import phrases, spoken, wording
from agents.offline.words import Words, fill
from agents.resizer import Box, Study
from tools.imaging.focus import Focus, dominant_colours, find_focus
from tools.imaging.source import SourcePicture, decode

ALT_LIMIT = 125

_PROXY = 384  # pixels on the longer side of what sharpness is measured on
_SMALL = 300  # pixels on the shorter side
_DARK = 55  # mean level, of 255
_SOFT = 40  # the strongest edge of a picture that is out of focus, of 255
_LIGHT = 128  # level from which a background is called light
_EDGE_SHARE = 0.001
_APART = 60  # levels by which a product's colour differs from its background


async def look(order: StudyOrder, url: str | None) -> Study:
    """What the picture at the data URL `url` shows; raises ValueError when there is no picture to be read."""
    return await asyncio.to_thread(_study, order, url)


def _study(order: StudyOrder, url: str | None) -> Study:
    language, words = spoken(order.language), Words.of(order.product)
    seen = _Look(decode(_bytes(url), any_shape=True))
    sentence = _alt_text(seen, words, language)
    box = seen.focus.box
    return Study(
        subject=sentence.rstrip(".。।"),
        alt_text=sentence,
        box=Box(left=_share(box.left), top=_share(box.top), right=_share(box.right), bottom=_share(box.bottom))
        if seen.focus.method != "attention"
        else None,
        concerns=seen.concerns(language),
    )


@dataclass(frozen=True)
class _Look:
    """What can be measured in a picture."""

    source: SourcePicture

    @cached_property
    def focus(self) -> Focus:
        return find_focus(self.source)

    @cached_property
    def background(self) -> tuple[float, float, float]:
        """The mean colour of the four edges."""
        image = self.source.image.resize((16, 16), Image.Resampling.BOX)
        inner = Image.new("L", (14, 14), 0)
        mask = Image.new("L", (16, 16), 255)
        mask.paste(inner, (1, 1))
        red, green, blue = ImageStat.Stat(image, mask).mean
        return red, green, blue

    @cached_property
    def place(self) -> str:
        """The phrase for where the product stands."""
        if self.focus.method == "attention":
            return "in_a_scene"
        return "on_light" if sum(self.background) / 3 >= _LIGHT else "on_dark"

    @cached_property
    def colour(self) -> str:
        """The name of the product's main colour, or the picture's where the product cannot be told apart."""
        whole = self.place == "in_a_scene"
        found = [_rgb(code) for code in dominant_colours(self.source, 5)]
        apart = [one for one in found if _distance(one, self.background) > _APART]
        return colour_name(*(found if whole or not apart else apart)[0])

    def concerns(self, language: str) -> list[str]:
        """What a reviewer should know: a dark, small or blurred photo."""
        info, grey = self.source.info, self.source.image.convert("L")
        said: list[str] = []
        if ImageStat.Stat(grey).mean[0] < _DARK:
            said.append(wording("dark", "poor_light", language))
        if min(info.width, info.height) < _SMALL:
            size = f"{info.width} × {info.height}"
            said.append(fill(wording("small", "few_pixels", language), {"size": size}) or "")
        if _strongest_edge(grey) < _SOFT:
            said.append(wording("blurred", "soft_focus", language))
        return said


def colour_name(red: int, green: int, blue: int) -> str:
    """The simple name of a colour, a key of the colour table."""
    hue, lightness, saturation = colorsys.rgb_to_hls(red / 255, green / 255, blue / 255)
    if lightness < (0.25 if saturation < 0.25 else 0.12):  # noqa: PLR2004 - everyday colour names
        return "black"
    if lightness > 0.93:  # noqa: PLR2004
        return "white"
    if saturation < 0.12 or max(red, green, blue) - min(red, green, blue) < 16:  # noqa: PLR2004
        return "grey"
    name = next(name for limit, name in _HUES if hue * 360 < limit)
    if name in ("orange", "yellow", "red") and lightness > 0.65 and saturation < 0.65:  # noqa: PLR2004
        return "pink" if name == "red" else "beige"
    return "brown" if name == "orange" and lightness < 0.42 else name  # noqa: PLR2004


_HUES = (
    (15, "red"), (45, "orange"), (68, "yellow"), (165, "green"),
    (255, "blue"), (290, "purple"), (345, "pink"), (361, "red"),
)  # fmt: skip


def _alt_text(seen: _Look, words: Words, language: str) -> str:
    """One sentence of at most `ALT_LIMIT` characters, with as much of the name as it holds."""
    template = wording("alt", seen.place, language)
    colour = wording("colour", next(c.id for c in phrases("colour") if c.id == seen.colour), language)
    made = [fill(template, own.values(0) | {"colour": colour}) or "" for own in (words, words.shortened())]
    return next((text for text in made if len(text) <= ALT_LIMIT), made[-1][:ALT_LIMIT])


def _bytes(url: str | None) -> bytes:
    head, comma, body = (url or "").partition(",")
    if not (head.startswith("data:image/") and head.endswith(";base64") and comma):
        raise ValueError("The rehearsal model looks at one picture, given as a base64 data URL.")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise ValueError("The picture's data URL is not base64.") from error


def _strongest_edge(grey: Image.Image) -> int:
    """The level that one pixel in a thousand reaches on the edge map."""
    proxy = grey.copy()
    proxy.thumbnail((_PROXY, _PROXY), Image.Resampling.BOX)
    histogram = proxy.filter(ImageFilter.FIND_EDGES).crop((1, 1, proxy.width - 1, proxy.height - 1)).histogram()
    left = max(1, sum(histogram) * _EDGE_SHARE)
    for level in range(255, 0, -1):
        left -= histogram[level]
        if left <= 0:
            return level
    return 0


def _rgb(code: str) -> tuple[int, int, int]:
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


def _distance(one: tuple[int, int, int], other: tuple[float, float, float]) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _share(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 4)
