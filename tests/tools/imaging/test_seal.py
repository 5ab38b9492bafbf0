"""What a rendered picture says of itself, held against what was seen to be done to it."""

import io
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from tools.imaging import xmp
from tools.imaging.certificate import make_test_chain
from tools.imaging.encode import Format, fitted
from tools.imaging.focus import find_focus
from tools.imaging.provenance import Operation, Origin, stated
from tools.imaging.render import Creative, CreativeSpec, render
from tools.imaging.rights import notice
from tools.imaging.seal import Seal
from tools.imaging.signing import Signer
from tools.imaging.source import SourcePicture, decode

ORIGIN = Origin("ab" * 32, notice="© Studio Nord")
SEAL = Seal(ORIGIN)
FORMATS: tuple[Format, ...] = ("jpeg", "png", "webp", "avif")


def rendered(source: SourcePicture, size: tuple[int, int], seal: Seal | None = SEAL, **more: Any) -> Creative:
    return render(source, CreativeSpec(width=size[0], height=size[1], focus=find_focus(source), **more), seal)


def done(made: Creative) -> dict[str, dict[str, Any]]:
    return {operation.name: dict(operation.parameters) for operation in made.operations}


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_a_bare_crop_says_what_part_and_claims_no_more(studio: SourcePicture) -> None:
    made = rendered(studio, (600, 600))
    assert set(done(made)) == {"crop", "resize", "convert"}
    left, top, right, bottom = done(made)["crop"]["box"]
    assert (top, bottom) == (0, 900)
    assert right - left in (900, 901, 902)
    assert left <= 660
    assert right >= 1019
    assert done(made)["resize"] == {"size": [600, 600]}
    assert stated(made.data) == "algorithmicallyEnhanced"


def test_the_whole_photo_at_its_own_size_is_only_converted(studio: SourcePicture) -> None:
    made = rendered(studio, (1200, 900))
    assert done(made) == {"convert": {"colour_space": "sRGB", "format": "jpeg"}}


def test_what_its_source_says_is_true_of_a_crop_as_well(studio: SourcePicture) -> None:
    made = rendered(studio, (600, 600), Seal(Origin("ab" * 32, "digitalCapture")))
    assert stated(made.data) == "digitalCapture"


def test_a_long_strip_is_extended_and_says_on_which_sides(studio: SourcePicture) -> None:
    made = rendered(studio, (1500, 300))
    assert made.extended
    assert done(made)["extend"]["sides"]
    assert stated(made.data) == "algorithmicallyEnhanced"


def test_words_are_told_and_shade_only_where_there_is_some(confetti: SourcePicture) -> None:
    told: dict[str, Any] = {
        "headline": "Silence",
        "call_to_action": "Listen",
        "language": "de",
        "template": "lower",
    }
    shaded = rendered(confetti, (1080, 1080), **told)
    assert 0 < done(shaded)["shade"]["opacity"] <= 1
    assert done(shaded)["text"] == {"parts": ["headline", "call_to_action"], "language": "de", "ground": "photo"}
    assert stated(shaded.data) == "composite"
    night = Image.new("RGB", (1200, 900), (4, 4, 8))
    ImageDraw.Draw(night).rectangle((500, 100, 700, 400), fill=(200, 30, 40))
    plain = rendered(decode(png(night)), (1080, 1080), **told)
    assert "text" in done(plain)
    assert "shade" not in done(plain)


def test_a_logo_alone_makes_a_composite(studio: SourcePicture) -> None:
    mark = Image.new("RGBA", (300, 120))
    ImageDraw.Draw(mark).rectangle((20, 20, 280, 100), fill=(10, 60, 160, 255))
    made = rendered(studio, (1080, 1080), logo=decode(png(mark), any_shape=True))
    assert "logo" in done(made)
    assert "text" not in done(made)
    assert stated(made.data) == "composite"


def test_what_stands_behind_a_cut_out_is_told() -> None:
    cut_out = Image.new("RGBA", (800, 800))
    ImageDraw.Draw(cut_out).ellipse((250, 250, 550, 550), fill=(160, 40, 40, 255))
    made = rendered(decode(png(cut_out)), (400, 400))
    assert done(made)["extend"] == {"behind": "colour"}
    assert stated(made.data) == "algorithmicallyEnhanced"


@pytest.mark.parametrize("kind", FORMATS)
def test_it_stays_within_the_room_that_it_asks_for(studio: SourcePicture, tmp_path: Path, kind: Format) -> None:
    pytest.importorskip("c2pa", reason="the extra `c2pa` is not installed")
    chain = make_test_chain(tmp_path / "certificates")
    operations = [Operation("crop"), Operation("text")]
    bare = fitted(studio.image, (kind,)).data
    for seal in (Seal(ORIGIN), Seal(ORIGIN, Signer.open(chain.certificate, chain.key))):
        record = seal.record(operations)
        data = seal.put(bare, record)
        assert len(record.xmp()) < len(data) - len(bare) <= seal.room(record)
        assert Image.open(io.BytesIO(data)).size == studio.image.size
        assert notice(data) == "© Studio Nord"


def test_a_packet_is_wrapped_in_no_more_than_that() -> None:
    dice, sizes = random.Random(3), ((64, 64), (301, 223))  # noqa: S311
    for kind in FORMATS:
        for size in sizes:
            bare = fitted(Image.effect_noise(size, 80).convert("RGB"), (kind,)).data
            packet = xmp.packet({"xmp:CreatorTool": "x" * dice.randrange(1, 300)})
            assert len(xmp.embed(bare, packet)) - len(bare) - len(packet) <= xmp.WRAPPING


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_the_budget_holds_with_all_that_is_embedded(confetti: SourcePicture, kind: Format) -> None:
    free = rendered(confetti, (600, 500), formats=(kind,), headline="Silence")
    budget = round(len(free.data) * 0.8)
    made = rendered(confetti, (600, 500), formats=(kind,), headline="Silence", max_bytes=budget)
    assert len(made.data) <= budget
    assert made.checks["bytes"]
    assert stated(made.data) == "composite"


def test_a_budget_that_nothing_fits_into_is_missed_in_the_open(confetti: SourcePicture) -> None:
    least = len(rendered(confetti, (300, 250), None, max_bytes=100).data)
    made = rendered(confetti, (300, 250), max_bytes=least + 50)
    assert len(made.data) > least + 50
    assert not made.checks["bytes"]
    assert any("bytes, more than the limit" in remark for remark in made.remarks)
