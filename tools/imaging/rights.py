"""Reads what a picture's metadata says of rights in it, in words that a reviewer can act on.

Metadata is written by strangers: nothing here raises, follows a reference or expands an entity, and what is
quoted is short and clean.
"""

import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal
from xml.parsers import expat

import regex  # type: ignore[import-untyped]  # it ships no stubs
from cryptography import x509
from cryptography.x509.oid import NameOID

from tools.imaging import exif
from tools.imaging.boxes import Malformed
from tools.imaging.container import Container, TooManyParts, take_apart

What = Literal["copyright", "credit", "terms", "marked", "mining", "credentials"]

LONGEST: Final = 300
"""Characters of one quotation."""
MOST: Final = 12
"""Statements of one picture."""
OURS: Final = "Fanfare"
"""What the content credentials that we write ourselves are said to be made by."""


@dataclass(frozen=True)
class Statement:
    """One thing that a picture says: of what kind, in its own words, and in which of its fields."""

    what: What
    says: str
    where: str

    def __str__(self) -> str:
        return f"{_SENTENCES[self.what].format(self.says)} ({self.where})."


@dataclass(frozen=True)
class Reservation:
    """Everything by which a picture's owner reserves rights in it; each statement reads as a sentence."""

    statements: tuple[Statement, ...]

    @property
    def notice(self) -> str | None:
        """The copyright notice."""
        return next((one.says for one in self.statements if one.what == "copyright"), None)

    @property
    def forbids_mining(self) -> bool:
        """Whether it is kept from data mining or the training of models."""
        return any(one.what == "mining" for one in self.statements)

    def __str__(self) -> str:
        return " ".join(map(str, self.statements))


def reserved(picture: bytes | Container) -> Reservation | None:
    """What a picture reserves; None when it says nothing, or is no picture."""
    container = _container(picture) if isinstance(picture, bytes) else picture
    if container is None:
        return None
    found: dict[tuple[What, str], Statement] = {}
    for what, says, where in _claims(container):
        words = _clean(says)
        if words and len(found) < MOST:
            found.setdefault((what, words), Statement(what, words, where))
    return Reservation(tuple(found.values())) if found else None


def notice(picture: bytes | Container) -> str | None:
    """The copyright notice of a picture, as it is to be carried along."""
    reservation = reserved(picture)
    return reservation.notice if reservation else None


def _container(data: bytes) -> Container | None:
    try:
        return take_apart(data)
    except (Malformed, TooManyParts):
        return None


_Claim = tuple[What, str, str]


def _claims(container: Container) -> Iterator[_Claim]:
    yield from _xmp_claims(container)
    yield from _iptc_claims(container)
    tags = exif.tags(container)
    if isinstance(owner := tags.get(exif.COPYRIGHT), bytes):
        # Photographer and editor are apart by a NUL.
        yield "copyright", ", ".join(part.strip() for part in _text(owner).split("\0") if part.strip()), "EXIF"
    for body in container.payloads("tEXt", b"Copyright\0"):
        yield "copyright", _text(body), "PNG text"
    yield from _credential_claims(container)


def _xmp_claims(container: Container) -> Iterator[_Claim]:
    for packet in _packets(container):
        for space, name, value in _properties(packet):
            if known := _XMP.get((space, name)):
                yield known, value, f"XMP {name}"
            elif (space, name) == (_MARKED_SPACE, "Marked") and value.strip().lower() == "true":
                yield "marked", "protected", "XMP Marked"
            elif name == "DataMining" and "useplus" in space and "PROHIBITED" in value.upper():
                code = value.strip().upper().rpartition("DMI-")[2]
                yield "mining", _MINING.get(code, _MINING["PROHIBITED"]), "XMP DataMining"
            elif "tdm" in space and name.removeprefix("tdm-") == "reservation" and value.strip() == "1":
                yield "mining", "text and data mining", "XMP tdm-reservation"


def _packets(container: Container) -> Iterator[bytes]:
    yield from container.payloads("APP1", b"http://ns.adobe.com/xap/1.0/\0")
    yield from container.payloads("XMP ")
    for body in container.payloads("iTXt", b"XML:com.adobe.xmp\0"):
        yield _inflated(body)
    if container.kind in ("HEIF", "AVIF"):
        start = container.data.find(b"<x:xmpmeta")
        end = container.data.find(b"</x:xmpmeta>", start) if start >= 0 else -1
        if end >= 0:
            yield container.data[start : end + 12]


def _inflated(body: bytes) -> bytes:
    """The text of an iTXt chunk, behind its two flags, its language and its translated keyword."""
    text = body[2:].split(b"\0", 2)[-1]
    if body[:1] != b"\1":
        return text
    try:
        return zlib.decompressobj().decompress(text, _LARGEST)
    except zlib.error:
        return b""


def _properties(packet: bytes) -> list[tuple[str, str, str]]:
    """Every property of an XMP packet as namespace, name, value, as far as it can be read."""
    reader = _XmpReader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.characters
    try:
        parser.Parse(packet[:_LARGEST].strip(b"\0 \r\n\t"), True)
    except (expat.ExpatError, ValueError, LookupError):
        return reader.found
    return reader.found


class _XmpReader:
    """Collects properties, whether they are written as elements, as lists or as attributes."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str, str]] = []
        self._open: tuple[str, str] | None = None
        self._text: list[str] = []
        self._depth = 0

    def refuse(self, *_: object) -> None:
        raise ValueError("An XMP packet declares no document type.")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST or len(self.found) > _MOST_PROPERTIES:
            raise ValueError("No XMP packet is as deep or as long.")
        space, _, local = name.rpartition(" ")
        if space != _RDF and local != "xmpmeta":
            self._open, self._text = (space, local), []
            if resource := attributes.get(f"{_RDF} resource"):
                self.found.append((space, local, resource))
        for full, value in attributes.items():
            owner, _, attribute = full.rpartition(" ")
            if owner not in ("", _RDF):
                self.found.append((owner, attribute, value))

    def end(self, name: str) -> None:
        self._depth -= 1
        if self._open and name in (" ".join(self._open), f"{_RDF} li"):
            if text := "".join(self._text).strip():
                self.found.append((*self._open, text))
            self._text = []
            if name != f"{_RDF} li":
                self._open = None

    def characters(self, text: str) -> None:
        if self._open and len(self._text) < _MOST_PROPERTIES:
            self._text.append(text[: 2 * LONGEST])


def _iptc_claims(container: Container) -> Iterator[_Claim]:
    for block in container.payloads("APP13", b"Photoshop 3.0\0"):
        for number, body in _datasets(_resource(block)):
            if number in _IPTC:
                yield _IPTC[number], _text(body), "IPTC"


def _resource(block: bytes) -> bytes:
    """The IPTC record among Photoshop's resources."""
    at = 0
    while block[at : at + 4] == b"8BIM":
        number, name = int.from_bytes(block[at + 4 : at + 6], "big"), block[at + 6 : at + 7]
        at += 7 + (name[0] if name else 0)
        at += at & 1
        length = int.from_bytes(block[at : at + 4], "big")
        if number == _IPTC_RESOURCE:
            return block[at + 4 : at + 4 + length]
        at += 4 + length + (length & 1)
    return b""


def _datasets(record: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while record[at : at + 1] == b"\x1c" and at + 5 <= len(record):
        section, number, length = record[at + 1], record[at + 2], int.from_bytes(record[at + 3 : at + 5], "big")
        if section == _APPLICATION_RECORD:
            yield number, record[at + 5 : at + 5 + length]
        at += 5 + length


def _credential_claims(container: Container) -> Iterator[_Claim]:
    manifest = _manifest(container)
    if not manifest:
        return
    for use in _USES.finditer(manifest):
        if use[2] != b"allowed":
            yield "mining", _ENTRIES[use[1]], "C2PA training and data mining"
    maker = _text(named[1]) if (named := _MAKER.search(manifest)) else ""
    signer = _signer(manifest)
    if not maker.startswith(OURS):
        yield "credentials", " with ".join(filter(None, (signer, maker))) or "somebody unknown", "C2PA"


def _manifest(container: Container) -> bytes:
    """The JUMBF store of C2PA, joined from wherever each format keeps it; empty when there is none."""
    kept = [body[8 if at == 0 else 16 :] for at, body in enumerate(container.payloads("APP11", b"JP"))]
    kept += container.payloads("caBX")
    kept += container.payloads("C2PA")
    kept += container.payloads("uuid", _C2PA_UUID)
    store = b"".join(kept)[:_LARGEST]
    return store if b"c2pa" in store else b""


def _signer(manifest: bytes) -> str:
    """The organisation or person in the first certificate of a manifest."""
    for start in list(_CERTIFICATE.finditer(manifest))[:4]:
        length = 4 + int.from_bytes(start[1], "big")
        try:
            subject = x509.load_der_x509_certificate(manifest[start.start() : start.start() + length]).subject
        except ValueError:
            continue
        for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
            if names := subject.get_attributes_for_oid(oid):
                return _text(names[0].value)
    return ""


def _text(raw: bytes | str) -> str:
    if isinstance(raw, str):
        return raw
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _clean(words: str) -> str:
    """One short line without characters that steer or hide."""
    shown = "".join(_visible(words[: 4 * LONGEST]))
    line = " ".join(shown.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"


def _visible(words: Iterable[str]) -> Iterator[str]:
    for letter in words:
        if letter.isspace():
            yield " "
        elif unicodedata.category(letter)[0] != "C":
            yield letter


_SENTENCES: dict[What, str] = {
    "copyright": "It is under copyright: “{}”",
    "credit": "It asks to be credited to “{}”",
    "terms": "It names terms of use: “{}”",
    "marked": "It is marked as {}",
    "mining": "It may not be used for {}",
    "credentials": "It carries content credentials of {}",
}
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_MARKED_SPACE = "http://ns.adobe.com/xap/1.0/rights/"
_XMP: dict[tuple[str, str], What] = {
    ("http://purl.org/dc/elements/1.1/", "rights"): "copyright",
    ("http://ns.adobe.com/photoshop/1.0/", "Credit"): "credit",
    (_MARKED_SPACE, "UsageTerms"): "terms",
    (_MARKED_SPACE, "WebStatement"): "terms",
    ("http://www.w3.org/ns/tdmrep/", "policy"): "terms",
}
# The vocabulary of PLUS, "Data Mining"; what it prohibits except for search engines it prohibits for us.
_MINING = {
    "PROHIBITED": "data mining",
    "PROHIBITED-AIMLTRAINING": "the training of AI models",
    "PROHIBITED-GENAIMLTRAINING": "the training of generative AI models",
    "PROHIBITED-EXCEPTSEARCHENGINEINDEXING": "data mining other than search",
}
_IPTC: dict[int, What] = {116: "copyright", 110: "credit"}
_IPTC_RESOURCE = 0x0404
_APPLICATION_RECORD = 2
_C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_ENTRIES = {
    b"data_mining": "data mining",
    b"ai_training": "the training of AI models",
    b"ai_generative_training": "the training of generative AI models",
    b"ai_inference": "inference by AI models",
}
_USES = regex.compile(
    rb"(?:c2pa|cawg)\.(data_mining|ai_training|ai_generative_training|ai_inference).{1,60}?cuse."
    rb"(notAllowed|constrained|allowed)",
    regex.DOTALL,
)
# CBOR: the key, then a text of up to 23 bytes, or of one further byte's length.
_MAKER = regex.compile(
    rb"claim_generator(?:_info)?(?:\x81?[\xa1-\xa9]dname)?(?:[\x60-\x77]|x.)([ -~]{1,120})", regex.DOTALL
)
_CERTIFICATE = regex.compile(rb"\x30\x82(..)\x30\x82", regex.DOTALL)
_LARGEST = 4_000_000
_DEEPEST = 40
_MOST_PROPERTIES = 2_000
