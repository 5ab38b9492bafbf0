"""Where the photo lies on a canvas."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.imaging.box import Box
from tools.imaging.compose import CLEAR, KEEP, compose, fitted, place
from tools.imaging.focus import Focus
from tools.imaging.templates import UnknownTemplate

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
    assert composition.product.share_inside(composition.text) <= CLEAR + 1e-9
    assert composition.placing.product_kept >= KEEP - 1e-9
    assert composition.text.overlap(safe).pixels() == composition.text.pixels()


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
    assert ltr.product.centre[0] > 600 > rtl.product.centre[0]


def test_a_busy_picture_is_framed_and_not_patched() -> None:
    """A tall photo whose edges nobody can continue does not fill a wide canvas: a panel takes what is left."""
    focus, safe = Focus.given(0.2, 0.1, 0.8, 0.9), Box(20, 20, 1180, 608)
    found = compose((1000, 1300), focus, (1200, 628), safe, rtl=False, has_text=True)
    assert found.template.name == "panel_side"
    assert found.panel is not None
    assert found.panel.area + found.frame.area == found.canvas.area
    assert found.text is not None
    assert found.text.share_inside(found.panel) == 1


def test_a_plain_background_is_continued_and_not_framed() -> None:
    focus = replace(Focus.given(0.2, 0.1, 0.8, 0.9), plain=("left", "right", "up", "down"))
    found = compose((1000, 1300), focus, (1200, 628), Box(20, 20, 1180, 608), rtl=False, has_text=True)
    assert found.template.name == "side"
    assert found.placing.mode == "extend"


def test_what_the_photo_cuts_is_never_shown_cut_elsewhere() -> None:
    """The lower edge goes through the product: no template may leave a bare strip below it."""
    focus = replace(Focus.given(0.2, 0.3, 0.8, 1.0), plain=("left", "right", "up"))
    for canvas in CANVASES:
        safe = Box(0, 0, *canvas).grown(-8, -8)
        found = compose((1500, 2000), focus, canvas, safe, rtl=False, has_text=True)
        assert "down" not in found.placing.bare


def test_the_photo_takes_the_room_that_words_leave() -> None:
    focus, safe, size = Focus.given(0.3, 0.2, 0.7, 0.8), Box(40, 40, 1040, 1040), (1000, 1000)
    loose = compose(size, focus, (1080, 1080), safe, rtl=False, has_text=True)
    tight = fitted(loose, Box(40, 900, 500, 1040), size, focus, safe)
    assert tight.text is not None
    assert tight.text.top == 900
    assert tight.product.height > loose.product.height


def test_a_template_may_be_forced() -> None:
    focus, safe = Focus.given(0.3, 0.2, 0.7, 0.8), Box(40, 40, 1040, 1040)
    found = compose((900, 900), focus, (1080, 1080), safe, rtl=False, has_text=True, forced="badge")
    assert found.template.name == "badge"
    with pytest.raises(UnknownTemplate, match="there is lower"):
        compose((900, 900), focus, (1080, 1080), safe, rtl=False, has_text=True, forced="lowr")


def test_a_frame_beside_words_is_no_wider_than_a_photo_that_would_be_patched() -> None:
    """Of a tall product in a crowd nothing can be cropped, and a blur beside it is no picture."""
    focus = Focus(Box(0.5, 0.15, 0.7, 0.92), (0.6, 0.5), "attention")
    for rtl in (False, True):
        found = compose((2000, 1500), focus, (970, 250), Box(30, 20, 940, 230), rtl=rtl, has_text=True)
        assert found.panel
        assert found.placing.product_kept >= KEEP
        assert not {"left", "right"} & set(found.placing.bare)
        assert found.frame.width + found.panel.width == 970
