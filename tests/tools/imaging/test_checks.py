"""A check sees what is wrong in the finished pixels, whatever was planned."""

import io
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from tools.imaging.box import Box
from tools.imaging.checks import Proof, measure, remarks
from tools.imaging.compose import KEEP, Placing
from tools.imaging.focus import Focus
from tools.imaging.lettering import Placed
from tools.imaging.render import CreativeSpec, SafeZone, render
from tools.imaging.source import PictureInfo, SourcePicture
from tools.imaging.typeset import Setting, set_text

SIZE = (600, 450)
SIZES = [
    (1080, 1080),
    (1200, 628),
    (1080, 1920),
    (300, 250),
    (728, 90),
    (160, 600),
    (320, 50),
    (120, 60),
    (970, 250),
]


def encoded(image: Image.Image, quality: int = 90) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def proof(
    studio: SourcePicture, ink: tuple[int, int, int] = (10, 10, 20), at: tuple[int, int] = (30, 40)
) -> Proof:
    """The studio's photo at half its size, a word on it."""
    bare = studio.image.resize(SIZE)
    block = set_text("Hush", Setting(weight="Bold"), size=48)
    told = bare.copy()
    told.paste(ink, at, block.mask)
    product = Box(0.55 * 600, 0.2 * 450, 0.85 * 600, 0.8 * 450)
    whole = Box(0, 0, *SIZE)
    word = Placed(block, Box(at[0], at[1], at[0] + block.width, at[1] + block.height))
    return Proof(
        source=studio,
        data=encoded(told),
        size=SIZE,
        max_bytes=None,
        safe=whole.grown(-20, -20),
        bare=bare,
        told=told,
        texts=[word],
        fits=True,
        missing=frozenset(),
        frame=whole,
        placing=Placing(whole, whole, product, "crop", 1.0),
    )


def test_a_good_creative_has_nothing_to_remark(studio: SourcePicture) -> None:
    checks = measure(proof(studio))
    assert checks["contrast"] is not None
    assert checks["contrast"] > 9
    assert checks["product_kept"] == 1
    assert checks["sharpness"] > 0.95
    assert remarks(checks, proof(studio), unsure=False) == ()


def test_pale_ink_is_noticed(studio: SourcePicture) -> None:
    ratio = measure(proof(studio, ink=(150, 150, 150)))["contrast"]
    assert ratio is not None
    assert 1.2 < ratio < 3


def test_one_unreadable_letter_is_enough(studio: SourcePicture) -> None:
    """The ink is right on most of the ground; a dark patch behind the last letter spoils it."""
    told = proof(studio)
    spoiled = told.bare.copy()
    word = told.texts[0]
    ImageDraw.Draw(spoiled).rectangle((word.box.right - 30, 20, word.box.right + 30, 120), fill=(40, 40, 50))
    spoiled.paste((10, 10, 20), (30, 40), word.block.mask)
    ratio = measure(replace(told, data=encoded(spoiled)))["contrast"]
    assert ratio is not None
    assert ratio < 2


def test_a_word_at_the_edge_is_outside(studio: SourcePicture) -> None:
    assert not measure(proof(studio, at=(4, 40)))["safe_zone"]


def test_a_word_on_the_product_is_seen(studio: SourcePicture) -> None:
    told = proof(studio, ink=(255, 255, 255), at=(360, 200))
    checks = measure(told)
    assert checks["product_clear"] is False
    assert "stand on the product" in remarks(checks, told, unsure=False)[0]
    assert "say where it is" in remarks(checks, told, unsure=True)[0]


def test_a_veiled_product_is_not_kept(studio: SourcePicture) -> None:
    told = proof(studio)
    veiled = Image.blend(told.told, Image.new("RGB", SIZE, (255, 255, 255)), 0.6)
    assert measure(replace(told, data=encoded(veiled)))["product_kept"] < 0.5


def test_another_picture_is_no_product_at_all(studio: SourcePicture) -> None:
    grey = Image.new("RGB", SIZE, (90, 200, 90))
    assert measure(replace(proof(studio), data=encoded(grey)))["product_kept"] == 0


def test_a_smudge_is_not_sharp(confetti: SourcePicture) -> None:
    whole = Box(0, 0, 600, 400)
    placing = Placing(whole, whole, Box(100, 100, 500, 300), "crop", 1.0)
    bare = confetti.image.resize((600, 400))
    told = Proof(
        confetti, encoded(bare), (600, 400), None, whole, bare, bare, [], True, frozenset(), whole, placing
    )  # fmt: skip
    blurred = replace(told, data=encoded(bare.filter(ImageFilter.GaussianBlur(4))))
    assert measure(told)["sharpness"] > 0.9
    assert measure(blurred)["sharpness"] < 0.6


def test_what_is_wrong_with_the_file_is_said(studio: SourcePicture) -> None:
    told = replace(proof(studio), size=(601, 450), max_bytes=10, missing=frozenset({"한"}), fits=False)
    checks = measure(told)
    said = " ".join(remarks(checks, told, unsure=False))
    assert not checks["size"]
    assert not checks["bytes"]
    for words in ("does not have the size", "more than the limit of 10", "No font can draw 한", "do not fit"):
        assert words in said


@pytest.mark.parametrize("size", [(1080, 1080), (1920, 1080)])
def test_a_small_photo_is_reported(size: tuple[int, int]) -> None:
    small = Image.effect_noise((300, 300), 60).convert("RGB")
    source = SourcePicture(PictureInfo("image/png", 300, 300, 1), small, None)
    focus = Focus.given(0.1, 0.1, 0.9, 0.9)
    made = render(source, CreativeSpec(width=size[0], height=size[1], focus=focus))
    assert made.checks["sharpness"] < 0.5
    assert any("enlarged" in remark for remark in made.remarks)


spans = st.tuples(st.floats(0.02, 0.8), st.floats(0.06, 0.9)).map(lambda s: (s[0], min(0.98, s[0] + s[1])))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(across=spans, down=spans, size=st.sampled_from(SIZES), rtl=st.booleans(), plain=st.booleans())
def test_wherever_the_product_is(
    studio: SourcePicture,
    across: tuple[float, float],
    down: tuple[float, float],
    size: tuple[int, int],
    *,
    rtl: bool,
    plain: bool,
) -> None:
    """It stays whole and clear of words, and these stay inside the safe zone."""
    focus = replace(
        Focus.given(across[0], down[0], across[1], down[1]),
        plain=("left", "right", "up", "down") if plain else (),
    )
    headline, language = ("هدوء يرافقك", "ar") if rtl else ("Silence, anywhere", "en")
    made = render(
        studio,
        CreativeSpec(
            width=size[0],
            height=size[1],
            focus=focus,
            headline=headline,
            call_to_action="OK",
            language=language,
            direction="rtl" if rtl else "ltr",
            safe_zone=SafeZone(top=5, bottom=12, left=3, right=2),
        ),
    )
    assert made.checks["product_clear"] is not False
    assert made.checks["safe_zone"]
    assert made.checks["product_kept"] >= KEEP - 0.05, "the end of a veil may touch it"
    assert made.checks["contrast"] is None or made.checks["contrast"] >= 4.5
