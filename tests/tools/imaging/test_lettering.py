"""Words, button, logo and colours, as a designer would place them."""

import io

import pytest
from PIL import Image, ImageDraw

from tools.imaging.box import Box
from tools.imaging.brand import Brand
from tools.imaging.colour import AIM, RGB, contrast, luminance, parse, readable
from tools.imaging.compose import compose
from tools.imaging.focus import Focus
from tools.imaging.lettering import HIERARCHY, Lettering, Words, arrange
from tools.imaging.logo import mark
from tools.imaging.render import Creative, CreativeSpec, render
from tools.imaging.source import SourcePicture, decode

SQUARE = (1080, 1080)
SAFE = Box(60, 60, 1020, 1020)
FOCUS = Focus.given(0.3, 0.2, 0.7, 0.7)
LINE = "Every line says what the product is made of"


def arranged(
    words: Words, size: tuple[int, int] = SQUARE, safe: Box = SAFE, forced: str | None = None
) -> Lettering:
    rtl = words.direction == "rtl"
    found = compose((1000, 1000), FOCUS, size, safe, rtl=rtl, has_text=True, forced=forced)
    return arrange(words, found, size)


def test_all_stand_on_one_edge_in_their_order_and_rank() -> None:
    made = arranged(Words("Silence, wherever you are", "Listen now", "en", "ltr", LINE))
    assert made.headline
    assert made.subline
    assert made.label
    assert made.pill
    assert made.headline.box.left == SAFE.left
    assert abs(made.subline.box.left - made.pill.left) <= 1
    assert made.headline.box.bottom < made.subline.box.top < made.subline.box.bottom < made.pill.top
    assert made.subline.block.size <= HIERARCHY * made.headline.block.size + 1
    assert made.fits


def test_they_are_aligned_by_their_stems() -> None:
    """The foot of an A reaches further out than a stem; what stands below is aligned with what the eye takes."""
    made = arranged(Words("Aurora\nDie Kunst", "Ansehen", "de", "ltr", "Einen Moment wert"))
    assert made.headline
    assert made.subline
    assert made.pill
    mask = made.headline.block.mask
    lower = mask.crop((0, mask.height // 2, mask.width, mask.height))
    box = lower.point([255 * (level > 127) for level in range(256)]).getbbox()
    assert box
    stem = made.headline.box.left + box[0]
    assert stem > made.headline.box.left + 2
    assert abs(made.subline.box.left - stem) <= 2
    assert abs(made.pill.left - stem) <= 2


def test_right_to_left_they_stand_on_the_other() -> None:
    made = arranged(Words("هدوء يرافقك أينما كنت", "استمع الآن", "ar", "rtl"))
    assert made.headline
    assert made.pill
    assert made.headline.box.right == made.pill.right == SAFE.right


def test_a_descender_moves_no_button() -> None:
    """The gap is measured from the baseline, whatever hangs below it."""
    plain, hanging = (arranged(Words(text, "Go", "en", "ltr"), forced="upper") for text in ("Hum one", "Hug one"))
    assert plain.headline
    assert hanging.headline
    assert plain.pill
    assert hanging.pill
    assert plain.headline.block.size == hanging.headline.block.size
    assert abs(plain.pill.top - hanging.pill.top) <= 1


def test_a_button_is_as_wide_as_its_label_wants() -> None:
    short, long = (arranged(Words("Silence", call, "en", "ltr")) for call in ("Go", "Find out much more"))
    for made in (short, long):
        assert made.pill
        assert made.label
        left, right = made.label.box.left - made.pill.left, made.pill.right - made.label.box.right
        assert abs(left - right) <= 1
        assert left >= made.label.block.size
    assert short.pill
    assert long.pill
    assert short.pill.height == pytest.approx(long.pill.height, abs=1)


def test_the_subline_goes_first_and_the_headline_never() -> None:
    made = arranged(
        Words("Silence, wherever you are and wherever you go", "Listen now", "en", "ltr", LINE * 2),
        (250, 250),
        Box(14, 14, 236, 236),
    )
    assert made.left_out == ("subline",)
    assert made.headline
    assert made.pill


def test_on_the_smallest_banner_one_thing_is_said() -> None:
    made = arranged(Words("Silence, wherever you are", "Listen now", "en", "ltr"), (120, 60), Box(4, 4, 116, 56))
    assert made.fits
    assert made.left_out
    assert made.headline or made.label


def test_a_plate_holds_all_of_it() -> None:
    made = arranged(Words("Silence", "Listen now", "en", "ltr", LINE), forced="badge")
    assert made.plate
    assert all(box.share_inside(made.plate) == 1 for box in made.boxes)
    assert made.plate.share_inside(SAFE) == 1


@pytest.mark.parametrize("colour", ["#d6542c", "#ffd000", "#777777", "#0a0a0a", "#e0f0ff"])
@pytest.mark.parametrize("ground", [(255, 255, 255), (20, 24, 30), (128, 128, 128), (214, 84, 44)])
def test_the_nearest_readable_tint_reads(colour: str, ground: RGB) -> None:
    tint = readable(parse(colour), ground, aim=4.5)
    assert contrast(luminance(tint), luminance(ground)) >= 4.5


def test_a_readable_colour_is_left_as_it_is() -> None:
    assert readable((10, 20, 90), (255, 255, 255)) == (10, 20, 90)


def test_a_house_is_recognised(confetti: SourcePicture) -> None:
    """Its ground is the panel's, its ink the words', its first colour the button's."""
    brand = Brand(primary="#1f4e79", ink="#10283f", ground="#f4efe6")
    made = creative(confetti, brand=brand, template="panel_lower")
    image = Image.open(io.BytesIO(made.data)).convert("RGB")
    found = {colour for _, colour in image.getcolors(1 << 20) or []}
    assert {parse("#1f4e79"), parse("#10283f"), parse("#f4efe6")} <= found
    assert made.checks["contrast"] is not None
    assert made.checks["contrast"] >= AIM - 0.6


def test_a_wrong_colour_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a colour"):
        Brand(primary="blueish")


def emblem(colour: tuple[int, int, int, int]) -> SourcePicture:
    image = Image.new("RGBA", (400, 160), (0, 0, 0, 0))
    ImageDraw.Draw(image).rounded_rectangle((10, 10, 390, 150), 40, fill=colour)
    file = io.BytesIO()
    image.save(file, "PNG")
    return decode(file.getvalue())


def test_a_logo_takes_the_first_free_corner() -> None:
    canvas = Image.new("RGB", SQUARE, (250, 250, 250))
    logo, taken = emblem((10, 20, 60, 255)), Box(0, 0, 500, 500)
    found = mark(logo, ("top_start", "top_end"), SAFE, [taken], canvas, rtl=False)
    assert found
    assert found.box.left > 540
    assert found.plate is None
    turned = mark(logo, ("top_start", "top_end"), SAFE, [], canvas, rtl=True)
    assert turned
    assert turned.box.left > 540


def test_a_logo_without_contrast_gets_a_plate() -> None:
    canvas = Image.new("RGB", SQUARE, (20, 24, 50))
    found = mark(emblem((10, 20, 60, 255)), ("top_start",), SAFE, [], canvas, rtl=False)
    assert found
    assert found.plate
    assert found.ground == (255, 255, 255)
    assert found.plate.share_inside(SAFE) == 1


def test_a_plate_keeps_its_distance_from_the_words() -> None:
    canvas = Image.new("RGB", (1200, 600), (250, 250, 250))
    source = emblem((240, 240, 240, 255))
    free = mark(source, ["top_start"], Box(40, 40, 1160, 560), [], canvas, rtl=False)
    assert free
    assert free.plate
    near = Box(40, free.plate.bottom + 2, 600, 400)
    assert near.overlap(free.box.grown(4, 4)).area == 0
    moved = mark(source, ["top_start", "top_end"], Box(40, 40, 1160, 560), [near], canvas, rtl=False)
    assert moved
    assert moved.box.left > 600


def test_a_logo_without_room_is_left_out_and_said(studio: SourcePicture) -> None:
    made = creative(studio, logo=emblem((10, 20, 60, 255)), width=320, height=50)
    assert "The logo is left out: 320 × 50 has no room for it." in made.remarks


def creative(source: SourcePicture, **more: object) -> Creative:
    told: dict[str, object] = {
        "width": 1080,
        "height": 1080,
        "focus": FOCUS,
        "headline": "Silence, wherever you are",
        "call_to_action": "Listen now",
        "formats": ("png",),
    }
    return render(source, CreativeSpec(**(told | more)))  # type: ignore[arg-type]
