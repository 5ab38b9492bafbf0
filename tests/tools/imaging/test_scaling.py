"""Crop and resize, held against an exact Lanczos filter."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageStat
from structlog.testing import capture_logs

from tools.imaging import scaling
from tools.imaging.box import Box
from tools.imaging.lanczos import lanczos, likeness
from tools.imaging.scaling import (
    FAITHFUL,
    Reduce,
    Size,
    Window,
    by_cykooz,
    by_vips,
    passes,
    reducer,
    scaled,
    whole,
)

CASES: list[tuple[Size, Window]] = [
    ((60, 45), (0, 0, 240, 180)),
    ((60, 45), (3, 11, 183, 146)),
    ((100, 100), (20, 0, 200, 180)),
    ((31, 17), (1, 2, 238, 132)),
    ((9, 60), (100, 0, 127, 180)),
    ((239, 179), (0, 0, 239, 179)),
]


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """Discs of all sizes on a slope of light."""
    image = Image.merge("RGB", [Image.radial_gradient("L").resize((240, 180))] * 3)
    pen = ImageDraw.Draw(image)
    for at in range(40):
        x, y, reach = at * 61 % 240, at * 37 % 180, 2 + at * 7 % 19
        pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=(at * 6, 200 - at * 4, at * 97 % 256))
    return image.resize((480, 360), Image.Resampling.BICUBIC).resize((240, 180), Image.Resampling.LANCZOS)


@pytest.fixture(autouse=True)
def unchosen() -> None:
    """Let each test choose its library anew."""
    scaling.forget()


@pytest.mark.parametrize(("size", "window"), CASES)
@pytest.mark.parametrize("engine", [by_cykooz, by_vips])
def test_a_reduction_is_as_exact_as_promised(
    picture: Image.Image, engine: Reduce, size: Size, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine is by_cykooz:
        pytest.importorskip("cykooz_resizer", reason="the extra `fast` is not installed")
    monkeypatch.setattr(scaling, "_chosen", lambda: engine)
    made = scaled(picture, size, Box(*window))
    assert made.size == size
    enough = FAITHFUL if engine is by_cykooz else FAITHFUL - 5  # libvips repeats the edge pixels of a window
    assert likeness(made, lanczos(picture, size, whole(Box(*window), picture.size, size))) >= enough


@given(
    st.tuples(*[st.floats(-2, 242, allow_nan=False)] * 2), st.tuples(*[st.floats(-2, 182, allow_nan=False)] * 2),
    st.integers(1, 90), st.integers(1, 90),
)  # fmt: skip
def test_any_window_is_within_the_picture_and_near_what_was_asked(
    across: tuple[float, float], down: tuple[float, float], width: int, height: int
) -> None:
    asked = Box(min(across), min(down), max(across), max(down))
    left, top, right, bottom = whole(asked, (240, 180), (width, height))
    assert 0 <= left < right <= 240
    assert 0 <= top < bottom <= 180
    assert abs(left - min(max(asked.left, 0), 239)) <= 1
    assert abs(bottom - min(max(asked.bottom, 1), 180)) <= 2


@pytest.mark.parametrize(
    ("size", "box"), [((300, 200), (10.25, 4.5, 70.75, 44.8)), ((480, 360), (0.0, 0.0, 240.0, 180.0))]
)
def test_an_enlargement_counts_fractions(
    picture: Image.Image, size: Size, box: tuple[float, float, float, float]
) -> None:
    assert likeness(scaled(picture, size, Box(*box)), lanczos(picture, size, box)) >= FAITHFUL


def test_a_picture_in_several_blocks_of_memory_is_read_right() -> None:
    """Pillow stores more than 16 MB in pieces, and a library that reads its memory must know."""
    rows = Image.linear_gradient("L").resize((3000, 2600))
    image = Image.merge("RGB", [rows, rows.transpose(Image.Transpose.FLIP_TOP_BOTTOM), rows])
    made = scaled(image, (60, 52), Box(0, 0, 3000, 2600))
    plain = image.resize((60, 52), Image.Resampling.LANCZOS)
    assert max(high for _, high in ImageStat.Stat(ImageChops.difference(made, plain)).extrema) <= 1


def test_the_fast_library_is_chosen_where_it_is_installed() -> None:
    pytest.importorskip("cykooz_resizer", reason="the extra `fast` is not installed")
    assert passes(by_cykooz)
    assert reducer() is by_cykooz


def test_without_it_libvips_takes_over_and_says_so_once(
    picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cykooz_resizer", None)
    with capture_logs() as told:
        made = [scaled(picture, (60, 45), Box(0, 0, 240, 180)) for _ in range(3)]
    assert reducer() is by_vips
    assert likeness(made[0], lanczos(picture, (60, 45), (0, 0, 240, 180))) >= FAITHFUL
    assert [line["event"] for line in told] == ["resizer_missing"]


class Careless:
    """A resizer whose result is a little off: what a broken build would do."""

    def __init__(self, real: object, shift: int) -> None:
        self._real, self._shift = real, shift

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def Resizer(self) -> "Careless":  # noqa: N802 - as the library calls it
        return self

    def resize_pil(self, source: Image.Image, made: Image.Image, options: object) -> None:  # noqa: ARG002
        made.paste(
            source.resize(made.size, Image.Resampling.LANCZOS).point(
                [max(0, n - self._shift) for n in range(256)] * 3
            )
        )


def test_a_library_whose_pixels_are_wrong_is_not_used(
    picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = pytest.importorskip("cykooz_resizer", reason="the extra `fast` is not installed")
    monkeypatch.setitem(sys.modules, "cykooz_resizer", Careless(real, 9))
    with capture_logs() as told:
        scaled(picture, (60, 45), Box(0, 0, 240, 180))
        assert reducer() is by_vips
    assert [line["event"] for line in told] == ["resizer_refused"]


def test_threads_share_a_picture_and_agree(picture: Image.Image) -> None:
    large = picture.resize((1200, 900))
    jobs = [((40 + at, 30 + at), Box(at, at, 1100 - at, 800)) for at in range(24)]
    alone = [scaled(large, *job).tobytes() for job in jobs]
    with ThreadPoolExecutor(4) as threads:
        copied = [threads.submit(scaled, large.copy(), *job) for job in jobs]
        shared = [threads.submit(scaled, large, *job) for job in jobs]
    assert [made.result().tobytes() for made in copied] == alone
    assert [made.result().tobytes() for made in shared] == alone


def test_the_picture_itself_is_left_alone(picture: Image.Image) -> None:
    before = picture.tobytes()
    scaled(picture, (20, 20), Box(0, 0, 180, 180))
    assert picture.tobytes() == before
