"""What is kept of an uploaded photo: every pixel that was upright, every colour, and nothing of anybody."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, ImageChops

from tests.tools.imaging.corpus import ACCEPTED, P3, REFUSED, box, chunk, flag, heic, jpeg, png, profile, saved
from tools.imaging.cleaning import cleaned
from tools.imaging.source import decode

NAMES = ("Nora Canary", "SN-4711-CANARY", "canary comment", "52.5163", "canary editor", "canary thumbnail")
COPIED = [name for name in ACCEPTED if name.startswith(("jpeg", "png", "webp"))]


def exif(orientation: int = 1) -> bytes:
    """What a telephone writes: who, with what, where, and a small picture of it all."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010F], tags[0x013B], tags[0x8298] = "Canary Cameras", NAMES[0], "(c) Canary Press"
    tags[0x9C9D] = NAMES[0].encode("utf-16-le")
    tags.get_ifd(0x8769).update({0xA431: NAMES[1], 0xA430: NAMES[0], 0x9286: b"ASCII\0\0\0" + NAMES[2].encode()})
    tags.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 58.68), 3: "E", 4: (13.0, 22.0, 39.72), 29: NAMES[3]})
    return tags.tobytes() + NAMES[5].encode()


def personal_profile() -> bytes:
    """A screen's profile, which says whose screen it is."""
    made = profile(*P3)
    return made.replace("test".encode("utf-16-be"), "Nora".encode("utf-16-be"))


def packet() -> bytes:
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:creator="{NAMES[4]}" '
        f'xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" xmpRights:UsageTerms="Ask the canary"/>'
        f"</rdf:RDF></x:xmpmeta>"
    ).encode()


def segment(code: int, body: bytes) -> bytes:
    return bytes((0xFF, code)) + struct.pack(">H", len(body) + 2) + body


def full_jpeg(orientation: int = 1, **options: Any) -> bytes:
    """A JPEG with everything that JPEGs carry of people, some of it between and behind its scans."""
    made = jpeg(exif=exif(orientation), icc_profile=personal_profile(), comment=NAMES[2], **options)
    iptc = b"\x1c\x02\x50" + struct.pack(">H", len(NAMES[0])) + NAMES[0].encode()
    extra = (
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet())
        + segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc)
        + segment(0xE0, b"JFXX\0\x13" + NAMES[5].encode())
        + segment(0xE5, NAMES[1].encode())
        + segment(0xEB, b"JP" + NAMES[4].encode())
    )
    scan = made.rindex(b"\xff\xda")
    between = segment(0xFE, NAMES[2].encode())
    return made[:2] + extra + made[2:scan] + between + made[scan:] + NAMES[5].encode()


def full_png() -> bytes:
    made = png(exif=exif(), icc_profile=personal_profile())
    extra = (
        chunk(b"tEXt", b"Author\0" + NAMES[0].encode())
        + chunk(b"zTXt", b"Comment\0\0" + zlib.compress(NAMES[2].encode()))
        + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet())
        + chunk(b"tIME", struct.pack(">HBBBBB", 2026, 11, 27, 1, 2, 3))
        + chunk(b"caBX", NAMES[4].encode())
        + chunk(b"prVt", NAMES[1].encode())
    )
    return made[:33] + extra + made[33:] + NAMES[5].encode()


PERSONAL: dict[str, Callable[[], bytes]] = {
    "jpeg": full_jpeg,
    "jpeg, progressive": lambda: full_jpeg(progressive=True),
    "jpeg, turned": lambda: full_jpeg(6),
    "png": full_png,
    "webp": lambda: saved(
        flag(), "WEBP", exif=exif(), xmp=packet(), icc_profile=personal_profile(), lossless=True
    ),
    "webp, animated": lambda: saved(
        flag(), "WEBP", save_all=True, append_images=[Image.new("RGB", flag().size)], exif=exif(), xmp=packet()
    ),
    "avif": lambda: saved(flag(), "AVIF", exif=exif(), xmp=packet(), speed=10) + box(b"free", NAMES[5].encode()),
    "heic": lambda: heic(exif=exif(), xmp=packet(), icc_profile=personal_profile()),
}


def _spoken(data: bytes) -> bytes:
    """The bytes, and whatever is packed in them, as anybody could search them."""
    texts = [data]
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        texts += [str(value).encode() for value in picture.info.values()]
        texts += [value for value in picture.info.values() if isinstance(value, bytes)]
    return b"\n".join(texts)


@pytest.mark.parametrize("name", PERSONAL)
def test_nothing_of_a_person_is_kept(name: str) -> None:
    sent = PERSONAL[name]()
    kept = cleaned(sent)
    before, after = _spoken(sent), _spoken(kept.data)
    canaries = [canary for name in NAMES for canary in (name.encode(), name.encode("utf-16-le"))]
    canaries += [b"Nora", "Nora".encode("utf-16-be"), b"Canary", b"canary", b"Exif", b"xmpmeta", b"8BIM"]
    assert any(canary in before for canary in canaries), "the test would see it"
    assert [canary for canary in canaries if canary in after] == []
    with Image.open(io.BytesIO(kept.data)) as picture:
        assert len(picture.getexif()) == 0
        assert getattr(picture, "n_frames", 1) == 1
    assert kept.reserved is not None
    assert kept.reserved.notice == "(c) Canary Press", "the copyright notice goes with the order"


@pytest.mark.parametrize("name", COPIED)
def test_what_stands_upright_keeps_every_pixel(name: str) -> None:
    sent = ACCEPTED[name].make()
    kept, turned = cleaned(sent), "orientation" in name and "orientation 1" not in name
    before, after = decode(sent), decode(kept.data)
    difference: Any = ImageChops.difference(before.image, after.image).getextrema()
    most = 2 if turned or name == "webp, animated" else 0
    assert max(band[1] for band in difference) <= most
    assert (before.alpha and before.alpha.tobytes()) == (after.alpha and after.alpha.tobytes())
    assert kept.info.width == before.image.width


@pytest.mark.parametrize("name", ACCEPTED)
def test_cleaning_is_the_same_each_time_and_done_once(name: str) -> None:
    sent = ACCEPTED[name].make()
    kept = cleaned(sent)
    assert cleaned(sent).data == kept.data
    assert cleaned(kept.data).data == kept.data
    assert kept.info == cleaned(kept.data).info


def test_colours_of_a_wide_screen_stay_what_they_are() -> None:
    sent = jpeg(icc_profile=personal_profile())
    kept = cleaned(sent).data
    assert decode(kept).image.tobytes() == decode(sent).image.tobytes()
    assert len(kept) < len(sent)


def test_what_comes_behind_a_picture_is_dropped() -> None:
    for data in (jpeg(), png(), saved(flag(), "WEBP")):
        assert cleaned(data + b"\xa5" * 5000).data == data


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_hostile_is_refused_as_it_is_everywhere(name: str) -> None:
    case = REFUSED[name]
    with pytest.raises(case.error) as refused:
        cleaned(case.make())
    assert case.says in str(refused.value)
