"""Finds the product: by its alpha, by its distance from a plain background, or by where the eye goes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from PIL import Image, ImageChops, ImageFilter

from tools.imaging.box import Box
from tools.imaging.colour import RGB
from tools.imaging.fading import Side
from tools.imaging.source import SourcePicture
from tools.imaging.vips import attention_point

Method = Literal["alpha", "border", "attention", "given"]

PROXY: Final = 192  # pixels on the longer side of the map
ATTENTION_SPAN: Final = 0.46  # share of the shorter side that a point of attention stands for
PLAIN: Final = 5.0  # mean deviation of a plain border from its own blur, of 255
DISTANCE: Final = 26  # levels by which a product differs from its background, at least
SHADOW: Final = 0.33  # share of the strongest difference that its shadow stays below
EDGE_DUST: Final = 0.004  # share of a row or column that may be noise
SMALLEST: Final = 16  # pixels of a map whose border says anything
LIKELY: Final = (0.004, 0.92)  # share of the picture that a product on a plain background takes
APART: Final = 100  # summed difference of channels between colours worth naming
SOLID: Final = 24  # alpha above which a pixel belongs to the product
CRISP: Final = 30  # edge strength that glows and soft shadows do not have
NEAR_CUT: Final = 0.52  # share of what an edge cuts, at its far end, that stands for all of it
SCENERY: Final = 0.9  # share of a side from which on it is no product
SIDES: Final[tuple[Side, ...]] = ("left", "right", "up", "down")
COARSE: Final = 7  # pixels of blur that leave of a crowd its large things
LARGE: Final = (0.01, 0.45)  # share of the picture that a product takes which stands out from a crowd
DETAIL: Final = 768  # pixels on the longer side at which sharp and soft edges differ
SOFT: Final = 1.5  # pixels of blur that take a sharp edge away
FAINT: Final = 12  # levels that are no edge


@dataclass(frozen=True)
class Focus:
    """Where the product is, as shares of width and height; "attention" only guesses its extent.

    Plain are the sides of the photo whose background can be continued unnoticed.
    """

    box: Box
    point: tuple[float, float]
    method: Method
    plain: tuple[Side, ...] = ()

    @classmethod
    def given(cls, left: float, top: float, right: float, bottom: float) -> "Focus":
        """Take a person's word for it; raises ValueError unless 0 <= left < right <= 1, and so down."""
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise ValueError("A focus box has left < right and top < bottom, all between 0 and 1.")
        box = Box(left, top, right, bottom)
        return cls(box, box.centre, "given")

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Focus":
        """Read back what dataclasses.asdict wrote."""
        x, y = value["point"]
        return cls(Box(**value["box"]), (x, y), value["method"], tuple(value.get("plain", ())))


def find_focus(source: SourcePicture) -> Focus:
    """Find the product in a decoded photo; always answers, at worst with the eye's first guess."""
    proxy = _reduced(source.image)
    plain = plain_sides(proxy)
    found = _from_alpha(source) or _from_border(proxy, plain)
    if not found and len(plain) < len(SIDES):
        found = _from_sharpness(source.image)
    found = found or _from_attention(proxy)
    return replace(found, plain=plain)


def plain_sides(proxy: Image.Image) -> tuple[Side, ...]:
    """Name the edges of a small picture that are one colour or a soft run of colours."""
    if min(proxy.size) < SMALLEST:
        return ()
    return tuple(side for side, edge in zip(SIDES, _edges(proxy), strict=True) if _is_plain(edge))


def dominant_colours(source: SourcePicture, n: int = 3) -> tuple[str, ...]:
    """Name up to n clearly different colours of a photo, the most common first, as #rrggbb."""
    proxy = _reduced(source.image)
    palette = proxy.quantize(max(8, n * 4), method=Image.Quantize.MEDIANCUT)
    levels = palette.getpalette() or []
    entries = sorted(((count, at) for at, count in enumerate(palette.histogram()) if count), reverse=True)
    colours = _grouped((count, (levels[3 * at], levels[3 * at + 1], levels[3 * at + 2])) for count, at in entries)
    return tuple(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in colours[:n])


def _reduced(image: Image.Image, longer: int = PROXY) -> Image.Image:
    share = min(1.0, longer / max(image.size))
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(size, Image.Resampling.BOX, reducing_gap=2)


def _from_alpha(source: SourcePicture) -> Focus | None:
    if source.alpha is None:
        return None
    solid = _reduced(source.alpha).point(_steps(SOLID))
    return _around(solid, "alpha")


def _from_border(proxy: Image.Image, plain: tuple[Side, ...]) -> Focus | None:
    """Compare every pixel with what the plain edges let expect there; one edge may cut the product."""
    cut: list[Side] = [side for side in SIDES if side not in plain]
    if not plain or len(cut) > 1:
        return None
    mask = _apart_from(proxy, _expected(proxy, cut))
    if cut:
        whole = _around(mask, "border")
        return None if whole is None or _spans(whole.box) else _around(_far_end(mask, cut[0]), "border")
    focus = _around(mask, "border")
    return focus if focus and LIKELY[0] < focus.box.area < LIKELY[1] and not _spans(focus.box) else None


def _from_sharpness(image: Image.Image) -> Focus | None:
    """Take what is sharp before a background that is not, as a lens shows a product in a crowd."""
    grey = _reduced(image, DETAIL).convert("L")
    lost = ImageChops.difference(grey, grey.filter(ImageFilter.GaussianBlur(SOFT)))
    focus = _around(lost.point(_steps(max(FAINT, 0.5 * _percentile(lost, 0.999)))), "attention")
    return focus if focus and LARGE[0] < focus.box.area < LARGE[1] and not _spans(focus.box) else None


def _from_attention(proxy: Image.Image) -> Focus:
    """Take what stands out from the whole of a crowd, else the point where the eye goes first."""
    coarse = proxy.filter(ImageFilter.GaussianBlur(COARSE))
    if min(proxy.size) >= SMALLEST and len(plain_sides(coarse)) == len(SIDES):
        focus = _around(_strongest(ImageChops.difference(coarse, _expected(coarse, []))), "attention")
        if focus and LARGE[0] < focus.box.area < LARGE[1]:
            return focus
    x, y = attention_point(proxy)
    span = ATTENTION_SPAN * min(proxy.size)
    across, down = min(1.0, span / proxy.width), min(1.0, span / proxy.height)
    left = min(max(x - across / 2, 0.0), 1 - across)
    top = min(max(y - down / 2, 0.0), 1 - down)
    return Focus(Box(left, top, left + across, top + down), (x, y), "attention")


def _apart_from(proxy: Image.Image, expected: Image.Image) -> Image.Image:
    """Mask what differs clearly; brighter things with crisp edges differ soonest, for no shadow is like that."""
    farthest = _channels_most(ImageChops.difference(proxy, expected))
    cut = max(DISTANCE, SHADOW * _percentile(farthest, 0.99))
    clear = farthest.filter(ImageFilter.MedianFilter(3)).point(_steps(cut))
    brighter = _channels_most(ImageChops.subtract(proxy, expected)).point(_steps(DISTANCE))
    crisp = proxy.convert("L").filter(ImageFilter.FIND_EDGES).point(_steps(CRISP))
    return ImageChops.lighter(clear, ImageChops.multiply(brighter, _without_rim(crisp)))


def _strongest(apart: Image.Image) -> Image.Image:
    farthest = _channels_most(apart)
    return farthest.point(_steps(max(DISTANCE, 0.55 * _percentile(farthest, 0.995))))


def _channels_most(apart: Image.Image) -> Image.Image:
    red, green, blue = apart.split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def _without_rim(mask: Image.Image) -> Image.Image:
    """Blacken the outermost pixels, of which an edge filter knows nothing."""
    inner = Image.new("L", mask.size, 0)
    inner.paste(mask.crop((1, 1, mask.width - 1, mask.height - 1)), (1, 1))
    return inner


def _far_end(mask: Image.Image, cut: Side) -> Image.Image:
    """Keep of a cut thing the part away from the cut: of a person, the head."""
    box = mask.getbbox()
    if box is None:
        return mask
    left, top, right, bottom = box
    deep, wide = round((bottom - top) * NEAR_CUT), round((right - left) * NEAR_CUT)
    kept = {
        "down": (left, top, right, top + deep),
        "up": (left, bottom - deep, right, bottom),
        "right": (left, top, left + wide, bottom),
        "left": (right - wide, top, right, bottom),
    }[cut]
    part = Image.new("L", mask.size, 0)
    part.paste(mask.crop(kept), kept[:2])
    return part


def _spans(box: Box) -> bool:
    """Whether a box goes nearly from edge to edge: that is scenery, however plain the edges are."""
    return max(box.width, box.height) > SCENERY


def _edges(image: Image.Image) -> tuple[Image.Image, Image.Image, Image.Image, Image.Image]:
    """Cut the left and right columns and the top and bottom rows, two pixels deep, averaged to one."""
    w, h = image.size
    left, right = image.crop((0, 0, 2, h)), image.crop((w - 2, 0, w, h))
    top, bottom = image.crop((0, 0, w, 2)), image.crop((0, h - 2, w, h))
    columns = [side.resize((1, h), Image.Resampling.BOX) for side in (left, right)]
    rows = [side.resize((w, 1), Image.Resampling.BOX) for side in (top, bottom)]
    return columns[0], columns[1], rows[0], rows[1]


def _is_plain(edge: Image.Image) -> bool:
    spread = edge.resize((edge.width if edge.width > 1 else 9, edge.height if edge.height > 1 else 9))
    apart = ImageChops.difference(spread, spread.filter(ImageFilter.GaussianBlur(6))).convert("L")
    histogram = apart.histogram()
    return sum(level * count for level, count in enumerate(histogram)) / sum(histogram) < PLAIN


def _expected(image: Image.Image, cut: Sequence[Side]) -> Image.Image:
    """Blend from edge to edge, only between edges that are not cut: one colour, or a smooth gradient."""
    left, right, top, bottom = _edges(image)
    across, down = Image.new("RGB", (2, image.height)), Image.new("RGB", (image.width, 2))
    across.paste(left, (0, 0))
    across.paste(right, (1, 0))
    down.paste(top, (0, 0))
    down.paste(bottom, (0, 1))
    horizontal = across.resize(image.size, Image.Resampling.BILINEAR, box=(0.5, 0, 1.5, image.height))
    vertical = down.resize(image.size, Image.Resampling.BILINEAR, box=(0, 0.5, image.width, 1.5))
    share = 0.5 if not cut else (0.0 if cut[0] in ("up", "down") else 1.0)
    return Image.blend(horizontal, vertical, share)


def _around(mask: Image.Image, method: Method) -> Focus | None:
    """Put a box around a mask's mass, leaving out specks; None when there is none."""
    columns = _bytes(mask.resize((mask.width, 1), Image.Resampling.BOX))
    rows = _bytes(mask.resize((1, mask.height), Image.Resampling.BOX))
    across, down = _extent(columns), _extent(rows)
    if across is None or down is None:
        return None
    box = Box(across[0] / mask.width, down[0] / mask.height, across[1] / mask.width, down[1] / mask.height)
    return Focus(box, (_middle(columns), _middle(rows)), method)


def _extent(levels: Sequence[int]) -> tuple[int, int] | None:
    filled = [at for at, level in enumerate(levels) if level > max(1, 255 * EDGE_DUST)]
    return (filled[0], filled[-1] + 1) if filled else None


def _middle(levels: Sequence[int]) -> float:
    return sum((at + 0.5) * level for at, level in enumerate(levels)) / (sum(levels) * len(levels))


def _steps(cut: float) -> list[int]:
    """A table that makes levels above the cut white, and the others black."""
    return [255 if level > cut else 0 for level in range(256)]


def _percentile(image: Image.Image, share: float) -> int:
    """Find the level below which this share of a greyscale image's pixels lies."""
    left = share * image.width * image.height
    for level, count in enumerate(image.histogram()):
        left -= count
        if left <= 0:
            return level
    return 255


def _bytes(image: Image.Image) -> bytes:
    return image.convert("L").tobytes()


def _grouped(counted: Iterable[tuple[int, RGB]]) -> list[RGB]:
    """Count shades of one colour together, under the most common of them; the largest group first."""
    groups: dict[RGB, int] = {}
    for count, colour in counted:
        home = next((known for known in groups if _apart(known, colour) <= APART), colour)
        groups[home] = groups.get(home, 0) + count
    return sorted(groups, key=lambda colour: -groups[colour])


def _apart(one: RGB, other: RGB) -> int:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))
