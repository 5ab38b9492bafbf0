"""What a picture's metadata reserves, said for a reviewer, whoever wrote it."""

import datetime as dt
import io
import random
import struct
import time
import zlib
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from PIL import Image

from tests.tools.imaging.corpus import box, chunk, flag, heic, jpeg, png, saved
from tools.imaging.rights import LONGEST, MOST, reserved
from tools.imaging.source import decode

XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/"'
    ' xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
    ' xmlns:tdm="http://www.w3.org/ns/tdmrep/"{attributes}>{elements}</rdf:Description></rdf:RDF></x:xmpmeta>'
)


def xmp(elements: str = "", attributes: str = "") -> bytes:
    return XMP.format(elements=elements, attributes=attributes).encode()


def with_segment(code: int, body: bytes) -> bytes:
    made = jpeg()
    return made[:2] + bytes((0xFF, code)) + struct.pack(">H", len(body) + 2) + body + made[2:]


def with_xmp(packet: bytes) -> bytes:
    return with_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)


def said(data: bytes) -> list[tuple[str, str, str]]:
    found = reserved(data)
    return [(one.what, one.says, one.where) for one in found.statements] if found else []


def test_a_picture_that_says_nothing_reserves_nothing() -> None:
    assert reserved(jpeg()) is None
    assert reserved(png()) is None
    assert reserved(b"no picture") is None
    assert decode(jpeg()).info.notice is None


@pytest.mark.parametrize(
    ("elements", "attributes", "wanted"),
    [
        ('<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© 2026 A. Maker</rdf:li></rdf:Alt></dc:rights>', "",
         ("copyright", "© 2026 A. Maker", "XMP rights")),
        ("", ' photoshop:Credit="A. Maker / Agency"', ("credit", "A. Maker / Agency", "XMP Credit")),
        ("<xmpRights:UsageTerms><rdf:Alt><rdf:li>One year, web.</rdf:li></rdf:Alt></xmpRights:UsageTerms>", "",
         ("terms", "One year, web.", "XMP UsageTerms")),
        ("", ' xmpRights:WebStatement="https://example.com/terms"',
         ("terms", "https://example.com/terms", "XMP WebStatement")),
        ("<xmpRights:Marked>True</xmpRights:Marked>", "", ("marked", "protected", "XMP Marked")),
        ('<plus:DataMining rdf:resource="http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-AIMLTRAINING"/>', "",
         ("mining", "the training of AI models", "XMP DataMining")),
        ("<plus:DataMining>http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED</plus:DataMining>", "",
         ("mining", "data mining", "XMP DataMining")),
        ("", ' tdm:reservation="1"', ("mining", "text and data mining", "XMP tdm-reservation")),
    ],
)  # fmt: skip
def test_xmp_is_read_however_it_is_written(elements: str, attributes: str, wanted: Any) -> None:
    assert said(with_xmp(xmp(elements, attributes))) == [wanted]


@pytest.mark.parametrize(
    "attributes",
    [
        ' xmpRights:Marked="False"',
        ' tdm:reservation="0"',
        ' plus:DataMining="DMI-ALLOWED"',
        ' photoshop:Credit=" "',
    ],
)
def test_what_is_free_is_not_reserved(attributes: str) -> None:
    assert reserved(with_xmp(xmp(attributes=attributes))) is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "PNG, squeezed", "WEBP", "AVIF", "HEIF"])
def test_every_format_has_its_place_for_it(kind: str) -> None:
    packet = xmp(attributes=' photoshop:Credit="A. Maker"')
    body = b"XML:com.adobe.xmp\0\0\0\0\0" + packet
    if kind == "PNG, squeezed":
        body = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)
    data = {
        "JPEG": lambda: with_xmp(packet),
        "WEBP": lambda: saved(flag(), "WEBP", xmp=packet),
        "AVIF": lambda: saved(flag(), "AVIF", speed=10, xmp=packet),
        "HEIF": lambda: heic(xmp=packet),
    }.get(kind, lambda: png()[:33] + chunk(b"iTXt", body) + png()[33:])()
    assert said(data) == [("credit", "A. Maker", "XMP Credit")]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_the_copyright_notice_of_a_camera_is_kept(kind: str) -> None:
    exif = Image.Exif()
    exif[0x8298] = "© 2026 A. Maker".encode()
    data = saved(flag(), kind, exif=exif)
    assert said(data) == [("copyright", "© 2026 A. Maker", "EXIF")]
    assert decode(data).info.notice == "© 2026 A. Maker"


def test_a_blank_notice_is_none() -> None:
    exif = Image.Exif()
    exif[0x8298] = " " * 20
    assert reserved(jpeg(exif=exif)) is None


def test_iptc_is_read() -> None:
    record = b"".join(
        b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(text)) + text
        for number, text in ((5, b"A title"), (110, b"Agency"), (116, "© Größe".encode("latin-1")))
    )
    other = b"8BIM\x03\xed\0\0" + struct.pack(">I", 3) + b"abc\0"
    block = other + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record
    assert said(with_segment(0xED, b"Photoshop 3.0\0" + block)) == [
        ("credit", "Agency", "IPTC"),
        ("copyright", "© Größe", "IPTC"),
    ]


def certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "A Camera Maker" * 12)])
    day = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 7, day, day + dt.timedelta(days=9))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def manifest(maker: bytes, use: bytes) -> bytes:
    """The parts of a C2PA store that are looked for, as CBOR writes them."""
    mining = b"\xa1gentries\xa1\x70c2pa.ai_training\xa1cuse" + bytes([0x60 + len(use)]) + use
    claim = b"\xa1oclaim_generator" + bytes([0x60 + len(maker)]) + maker
    return box(b"jumb", b"jumdc2pa\0", b"c2pa.training-mining", mining, claim, certificate())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_content_credentials_are_noticed(kind: str) -> None:
    store = manifest(b"Camera/1.0", b"notAllowed")
    webp, avif = saved(flag(), "WEBP"), saved(flag(), "AVIF", speed=10)
    body = webp[8:] + b"C2PA" + struct.pack("<I", len(store)) + store + bytes(len(store) & 1)
    data = {
        "JPEG": with_segment(0xEB, b"JP\0\1\0\0\0\1" + store),
        "PNG": png()[:33] + chunk(b"caBX", store) + png()[33:],
        "WEBP": b"RIFF" + struct.pack("<I", len(body)) + body,
        "AVIF": avif + box(b"uuid", bytes.fromhex("d8fec3d61b0e483c92975828877ec481"), store),
    }[kind]
    found = reserved(data)
    assert found is not None
    assert found.forbids_mining
    assert [one.what for one in found.statements] == ["mining", "credentials"]
    assert "A Camera Maker" in str(found)
    assert "Camera/1.0" in str(found)
    assert str(found).startswith(
        "It may not be used for the training of AI models (C2PA training and data mining)."
    )


def test_our_own_credentials_are_no_reservation() -> None:
    assert reserved(with_segment(0xEB, b"JP\0\1\0\0\0\1" + manifest(b"Fanfare/0.1", b"allowed"))) is None


def test_what_is_quoted_is_short_clean_and_little() -> None:
    nasty = "A\u202eB\x07\n  C " + "word " * 400
    exif = Image.Exif()
    exif[0x8298] = nasty.encode()
    (what, words, _), *rest = said(jpeg(exif=exif))
    assert (what, rest) == ("copyright", [])
    assert words.startswith("AB C word word")
    assert len(words) <= LONGEST
    assert words.endswith("…")
    many = "".join(f"<dc:rights>{number}</dc:rights>" for number in range(100))
    assert len(said(with_xmp(xmp(many)))) == MOST


def test_an_entity_is_never_expanded() -> None:
    laughs = "".join(f'<!ENTITY l{at} "{f"&l{at - 1};" * 10}">' for at in range(1, 10))
    bomb = f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]>'.encode() + xmp("<dc:rights>&l9;</dc:rights>")
    outside = b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]>' + xmp("<dc:rights>&f;</dc:rights>")
    assert reserved(with_xmp(bomb)) is None
    assert reserved(with_xmp(outside)) is None


def test_hostile_metadata_costs_little() -> None:
    deep = b"<a>" * 15_000
    for packet in (deep, b"\xff" * 60_000, xmp("<dc:rights>" * 4000), xmp("x" * 60_000), b"<" * 60_000):
        began = time.process_time()
        reserved(with_xmp(packet))
        assert time.process_time() - began < 0.5
    began = time.process_time()
    reserved(png()[:33] + chunk(b"caBX", b"c2pa.ai_training" * 200_000) + png()[33:])
    reserved(png()[:33] + chunk(b"caBX", b"c2pa" + b"\x30\x82\1\0" * 800_000) + png()[33:])
    assert time.process_time() - began < 3


def test_nothing_that_is_damaged_raises() -> None:
    exif = Image.Exif()
    exif[0x8298], exif[0x0112] = "© A. Maker".encode(), 6
    whole = with_segment(0xEB, b"JP\0\1\0\0\0\1" + manifest(b"Camera", b"constrained"))
    packet = b"http://ns.adobe.com/xap/1.0/\0" + xmp(attributes=' photoshop:Credit="A"')
    files = [whole, with_xmp(packet), jpeg(exif=exif), heic(), saved(flag(), "AVIF", speed=10), png(exif=exif)]
    dice = random.Random(11)  # noqa: S311
    for _ in range(400):
        data = bytearray(dice.choice(files))
        for _ in range(dice.randrange(1, 12)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        found = reserved(bytes(data[: dice.randrange(12, len(data))] if dice.random() < 0.3 else data))
        assert found is None or io.StringIO(str(found)).read()
