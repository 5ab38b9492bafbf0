"""What every picture that leaves says of itself, read back by parsers that are not ours."""

import io
import json
from importlib.metadata import version
from typing import get_args
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops

from tools.imaging import xmp
from tools.imaging.encode import Format, fitted
from tools.imaging.provenance import (
    GENERATIVE,
    ROOM,
    VOCABULARY,
    Operation,
    OperationName,
    Record,
    SourceType,
    source_type,
    stated,
)
from tools.imaging.rights import reserved

FORMATS: tuple[Format, ...] = ("jpeg", "png", "webp", "avif")
_DESCRIPTION = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"
_TYPE = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
_TOOL = "{http://ns.adobe.com/xap/1.0/}CreatorTool"
_RIGHTS = "{http://purl.org/dc/elements/1.1/}rights"


def done(*names: OperationName) -> tuple[Operation, ...]:
    return tuple(Operation(name) for name in names)


@pytest.mark.parametrize(
    ("operations", "says", "wanted"),
    [
        (("crop", "resize", "convert"), None, "algorithmicallyEnhanced"),
        (("crop", "resize", "convert"), "digitalCapture", "digitalCapture"),
        (("crop", "resize", "extend"), "digitalCapture", "algorithmicallyEnhanced"),
        (("crop", "shade"), None, "algorithmicallyEnhanced"),
        (("crop", "shade", "text"), "digitalCapture", "composite"),
        (("crop", "logo"), None, "composite"),
        (("crop", "extend"), "composite", "composite"),
        (("crop", "resize"), "trainedAlgorithmicMedia", "trainedAlgorithmicMedia"),
        (("crop", "extend"), "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"),
        (("crop", "text"), "trainedAlgorithmicMedia", "compositeSynthetic"),
        (("crop", "shade"), "compositeSynthetic", "compositeSynthetic"),
        (("generate",), "digitalCapture", "compositeWithTrainedAlgorithmicMedia"),
        (("generate", "text"), None, "compositeSynthetic"),
    ],
)
def test_the_source_type_is_true_of_what_was_done(
    operations: tuple[OperationName, ...], says: SourceType | None, wanted: SourceType
) -> None:
    assert source_type(done(*operations), source_says=says) == wanted


@given(
    names=st.lists(st.sampled_from(get_args(OperationName))),
    says=st.sampled_from([None, *get_args(SourceType)]),
)
def test_generative_pixels_are_never_hushed_up_and_never_made_up(
    names: list[OperationName], says: SourceType | None
) -> None:
    generative = "generate" in names or says in GENERATIVE
    assert (source_type(done(*names), source_says=says) in GENERATIVE) is generative


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("size", [(301, 223), (64, 64)])
def test_a_picture_carries_its_provenance(kind: Format, size: tuple[int, int]) -> None:
    record = Record(
        source_sha256="0" * 64, operations=done("crop", "text"), notice='© 2026 Müller & Söhne "<Foto>"'
    )
    bare = fitted(Image.linear_gradient("L").resize(size).convert("RGB"), (kind,)).data
    data = xmp.embed(bare, record.xmp())
    description = _description(data)
    assert description.get(_TYPE) == "http://cv.iptc.org/newscodes/digitalsourcetype/composite"
    assert description.get(_TOOL) == f"Fanfare {version('fanfare')}"
    assert [one.strip() for one in description.itertext()] == ['© 2026 Müller & Söhne "<Foto>"']
    assert len(data) - len(bare) <= ROOM
    assert ImageChops.difference(_pixels(data), _pixels(bare)).getbbox() is None


@pytest.mark.parametrize("kind", ["png", "webp", "avif"])
def test_transparency_survives(kind: Format) -> None:
    image = Image.new("RGB", (80, 60), (200, 30, 40))
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    bare = fitted(image, (kind,)).data
    data = xmp.embed(bare, xmp.packet({"xmp:CreatorTool": "Fanfare"}))
    assert Image.open(io.BytesIO(data)).mode == "RGBA"
    assert Image.open(io.BytesIO(data)).tobytes() == Image.open(io.BytesIO(bare)).tobytes()


def test_a_lossless_webp_carries_it_too() -> None:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((99, 51)).convert("RGB").save(file, "WEBP", lossless=True)
    data = xmp.embed(file.getvalue(), xmp.packet({"xmp:CreatorTool": "Fanfare"}))
    assert _description(data).get(_TOOL) == "Fanfare"
    assert Image.open(io.BytesIO(data)).tobytes() == Image.open(file).tobytes()


def test_the_notice_of_the_source_is_found_again_when_a_creative_comes_back() -> None:
    record = Record(source_sha256="0" * 64, operations=done("text"), notice="© Studio Nord")
    for kind in FORMATS:
        data = xmp.embed(fitted(Image.new("RGB", (90, 70)), (kind,)).data, record.xmp())
        reservation = reserved(data)
        assert reservation
        assert reservation.notice == "© Studio Nord"
        assert stated(data) == "composite"


def test_a_picture_says_nothing_of_persons_or_dates() -> None:
    packet = Record(source_sha256="0" * 64, operations=done("text"), model="gpt-x", licence="bought").xmp()
    assert {key for key in _parsed(packet).attrib if "rdf-syntax" not in key} == {_TYPE, _TOOL}
    assert _parsed(packet).find(_RIGHTS) is None


@given(notice=st.text(max_size=2_000))
def test_any_notice_makes_a_short_packet_that_can_be_read(notice: str) -> None:
    packet = Record(source_sha256="0" * 64, operations=done("text"), notice=notice).xmp()
    assert len(packet) < ROOM - 150
    assert _parsed(packet).get(_TYPE) == VOCABULARY + "composite"


@given(notice=st.text(alphabet='&<>"é漢', min_size=500, max_size=2_000))
def test_a_long_notice_is_cut_to_the_room_there_is(notice: str) -> None:
    assert len(Record(source_sha256="0" * 64, operations=done("text"), notice=notice).xmp()) < ROOM - 150


def test_what_a_source_says_of_itself_is_found() -> None:
    plain = fitted(Image.new("RGB", (90, 70)), ("jpeg",)).data
    assert stated(plain) is None
    for named, found in {
        "trainedAlgorithmicMedia": "trainedAlgorithmicMedia",
        "minorHumanEdits": "humanEdits",
        "somethingNew": None,
    }.items():
        packet = xmp.packet({"Iptc4xmpExt:DigitalSourceType": VOCABULARY + named})
        assert stated(xmp.embed(plain, packet)) == found
    both = b" ".join((VOCABULARY + name).encode() for name in ("digitalCapture", "compositeSynthetic"))
    assert stated(both) == "compositeSynthetic"


def test_the_record_is_plain_json() -> None:
    record = Record(
        source_sha256="ab" * 32,
        operations=(Operation("crop", {"box": [0, 10, 600, 600]}), Operation("text", {"language": "de"})),
        source_says="digitalCapture",
        model="gpt-x",
        licence="Own photo",
        notice="© Studio Nord",
    )
    told = json.loads(json.dumps(record.as_json()))
    assert told["operations"] == [
        {"name": "crop", "parameters": {"box": [0, 10, 600, 600]}},
        {"name": "text", "parameters": {"language": "de"}},
    ]
    assert told["digital_source_type"] == VOCABULARY + "composite"
    assert told["source_says"] == VOCABULARY + "digitalCapture"
    assert (told["model"], told["licence"], told["notice"]) == ("gpt-x", "Own photo", "© Studio Nord")


def test_only_known_layouts_are_touched() -> None:
    packet = xmp.packet({"xmp:CreatorTool": "Fanfare"})
    avif = fitted(Image.new("RGB", (80, 60)), ("avif",)).data
    for strange in (b"GIF89a", b"", b"RIFF\0\0\0\0WEBPANIM", avif.replace(b"iloc", b"ilox"), avif[:40]):
        with pytest.raises(ValueError, match=r"\.$"):
            xmp.embed(strange, packet)


def _description(data: bytes) -> ET.Element:
    return _parsed(Image.open(io.BytesIO(data)).info["xmp"])


def _parsed(packet: bytes | str) -> ET.Element:
    found = ET.fromstring(packet).find(f".//{_DESCRIPTION}")  # noqa: S314 - we wrote it
    assert found is not None
    return found


def _pixels(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")
