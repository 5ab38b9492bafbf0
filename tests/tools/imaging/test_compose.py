"""Where the photo lies on a canvas."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.imaging.box import Box
from tools.imaging.compose import KEEP, compose, place
from tools.imaging.focus import Focus

CANVASES = [(1080, 1080), (1080, 1350), (1080, 1920), (1200, 628), (728, 90), (160, 600), (300, 250)]

spans = st.tuples(st.floats(0, 0.9), st.floats(0.05, 1)).map(lambda s: (s[0], min(1.0, s[0] + s[1])))
focuses = st.tuples(spans, spans).map(lambda both: Focus.given(both[0][0], both[1][0], both[0][1], both[1][1]))
sides = st.integers(20, 6000)


@given(size=st.tuples(sides, sides), focus=focuses, canvas=st.sampled_from(CANVASES))
def test_the_product_is_always_kept(size: tuple[int, int], focus: Focus, canvas: tuple[int, int]) -> None:
    placing = place(size, focus, canvas)
    assert placing.product_kept >= KEEP - 1e-9
    window = placing.window(*size)
    assert window.left >= 0
    assert window.top >= 0
    assert window.right <= size[0]
    assert window.bottom <= size[1]


@given(size=st.tuples(sides, sides), focus=focuses, canvas=st.sampled_from(CANVASES), rtl=st.booleans())
def test_text_leaves_the_product_alone(
    size: tuple[int, int], focus: Focus, canvas: tuple[int, int], *, rtl: bool
) -> None:
    safe = Box(0, 0, *canvas).grown(-8, -8)
    composition = compose(size, focus, canvas, safe, rtl=rtl, has_text=True)
    assert composition.text is not None
    assert composition.placing.product.share_inside(composition.text) <= 0.02 + 1e-9
    assert composition.placing.product_kept >= KEEP - 1e-9


def test_a_crop_covers_the_canvas_and_follows_the_product() -> None:
    placing = place((3000, 2000), Focus.given(0.7, 0.4, 0.9, 0.6), (1080, 1080))
    assert placing.mode == "crop"
    assert placing.visible == placing.canvas
    assert placing.window(3000, 2000).right == pytest.approx(3000)


def test_what_no_crop_can_hold_is_extended() -> None:
    placing = place((2000, 1000), Focus.given(0.05, 0.2, 0.95, 0.8), (1080, 1920))
    assert placing.mode == "extend"
    assert placing.product_kept == 1.0


def test_right_to_left_mirrors_the_side() -> None:
    focus, safe = Focus.given(0.3, 0.2, 0.7, 0.8), Box(20, 20, 1180, 608)
    ltr = compose((1000, 1000), focus, (1200, 628), safe, rtl=False, has_text=True)
    rtl = compose((1000, 1000), focus, (1200, 628), safe, rtl=True, has_text=True)
    assert ltr.text is not None
    assert rtl.text is not None
    assert ltr.text.mirrored(1200).pixels() == rtl.text.pixels()
    assert ltr.placing.product.centre[0] > 600 > rtl.placing.product.centre[0]
