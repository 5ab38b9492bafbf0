"""How light the pixels of a picture are, as WCAG measures it, at the percentiles that matter for reading."""

from bisect import bisect_left, bisect_right
from functools import cache
from itertools import accumulate

from PIL import Image, ImageMath

from tools.imaging.colour import coded, linear


def lightness(image: Image.Image) -> Image.Image:
    """Give an RGB picture's relative luminance as mode L, on the sRGB curve, which keeps dark steps apart."""
    red, green, blue = (
        channel.point(table, "I") for channel, table in zip(image.split(), _weighted(), strict=True)
    )
    total: Image.Image = ImageMath.lambda_eval(
        lambda args: args["r"] + args["g"] + args["b"], r=red, g=green, b=blue
    )
    light = Image.new("L", image.size)
    # `total.point` would round each of the table's 65,536 entries again, for every picture.
    light.im.paste(total.im.point(_codes(), "L"), (0, 0, *image.size))
    return light


def percentiles(
    light: Image.Image, low: float, high: float, mask: Image.Image | None = None
) -> tuple[float, float]:
    """Read the relative luminance, 0 to 1, at two percentiles of what `lightness` gave, or of a mask's part."""
    darker = list(accumulate(light.histogram(mask)))
    return _at(darker, darker[-1] * low / 100), _at(darker, darker[-1] * high / 100)


def luminance_percentiles(
    image: Image.Image, low: float, high: float, mask: Image.Image | None = None
) -> tuple[float, float]:
    """Measure relative luminance, 0 to 1, at two percentiles of an RGB picture's pixels, or of a mask's."""
    return percentiles(lightness(image), low, high, mask)


def _at(darker: list[int], rank: float) -> float:
    level = bisect_left(darker, rank) if rank else bisect_right(darker, 0)
    return linear(level / 255) if level < len(darker) else 1.0


@cache
def _weighted() -> tuple[list[int], ...]:
    """Each channel's share of the luminance at each of its levels, 65,535 in all."""
    return tuple(
        [round(65535 * weight * linear(level / 255)) for level in range(256)]
        for weight in (0.2126, 0.7152, 0.0722)
    )


@cache
def _codes() -> list[int]:
    return [round(255 * coded(min(1.0, level / 65535))) for level in range(65536)]
