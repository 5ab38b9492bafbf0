"""Content credentials, read back by the C2PA library with nothing trusted but our own authority."""

import io
import json
import stat
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from tools.imaging import certificate, xmp
from tools.imaging.certificate import CertificateExists, Chain, make_test_chain
from tools.imaging.encode import Format, fitted
from tools.imaging.provenance import VOCABULARY, Operation, Record
from tools.imaging.rights import reserved
from tools.imaging.signing import ROOM, Signer, SigningFailed, UnusableCertificate
from tools.imaging.source import SourcePicture, decode

c2pa: Any = pytest.importorskip("c2pa", reason="the extra `c2pa` is not installed")

RECORD = Record(
    source_sha256="ab" * 32,
    operations=tuple(Operation(name) for name in ("crop", "resize", "extend", "shade", "text", "logo", "convert")),
    source_says="digitalCapture",
    notice="© Studio Nord",
)
LIFE = timedelta(hours=1, seconds=4)
"""Of a certificate that is valid since an hour ago."""
FORMATS: tuple[Format, ...] = ("jpeg", "png", "webp", "avif")


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return make_test_chain(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def signer(chain: Chain) -> Signer:
    return Signer.open(chain.certificate, chain.key)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_signed_picture_tells_what_was_done_to_it(
    studio: SourcePicture, chain: Chain, signer: Signer, kind: Format
) -> None:
    bare = xmp.embed(fitted(studio.image, (kind,)).data, RECORD.xmp())
    signed = signer.sign(bare, RECORD)
    state, manifest = _read(signed, f"image/{kind}", chain)
    assert state == "Trusted"
    assert manifest["claim_generator_info"][0]["name"] == "Fanfare"
    assert manifest["ingredients"][0]["instance_id"] == f"sha256:{RECORD.source_sha256}"
    actions = next(one for one in manifest["assertions"] if one["label"] == "c2pa.actions.v2")["data"]["actions"]
    assert [(one["action"], one.get("digitalSourceType", "").removeprefix(VOCABULARY)) for one in actions] == [
        ("c2pa.opened", "digitalCapture"),
        ("c2pa.cropped", ""),
        ("c2pa.resized", ""),
        ("c2pa.edited", "algorithmicallyEnhanced"),
        ("c2pa.adjustedColor", "algorithmicallyEnhanced"),
        ("c2pa.addedText", "composite"),
        ("c2pa.edited", "composite"),
        ("c2pa.transcoded", ""),
    ]
    assert "thumbnail" not in manifest
    assert len(signed) - len(bare) <= signer.room <= ROOM
    assert Image.open(io.BytesIO(signed)).info["xmp"] == RECORD.xmp()


def test_our_own_credentials_reserve_nothing_when_a_creative_comes_back(
    studio: SourcePicture, signer: Signer
) -> None:
    for kind in FORMATS:
        signed = signer.sign(fitted(studio.image, (kind,)).data, RECORD)
        assert reserved(signed) is None
        assert decode(signed).image.size == studio.image.size


def test_a_changed_picture_is_found_out(studio: SourcePicture, chain: Chain, signer: Signer) -> None:
    signed = bytearray(signer.sign(fitted(studio.image, ("jpeg",)).data, RECORD))
    signed[-100] ^= 1
    assert _read(bytes(signed), "image/jpeg", chain)[0] == "Invalid"


def test_another_authority_does_not_vouch_for_it(studio: SourcePicture, signer: Signer, tmp_path: Path) -> None:
    signed = signer.sign(fitted(studio.image, ("jpeg",)).data, RECORD)
    assert _read(signed, "image/jpeg", make_test_chain(tmp_path))[0] != "Trusted"


def test_many_threads_sign_with_one_signer(studio: SourcePicture, chain: Chain, signer: Signer) -> None:
    data = fitted(studio.image, ("jpeg",)).data
    with ThreadPoolExecutor(4) as pool:
        signed = list(pool.map(signer.sign, [data] * 40, [RECORD] * 40))
    assert {_read(one, "image/jpeg", chain)[0] for one in signed} == {"Trusted"}


def test_signing_takes_next_to_no_time(studio: SourcePicture, signer: Signer) -> None:
    """About 1 ms on an idle machine; the bound leaves room for a busy one, and none for a thumbnail (55 ms)."""
    data, took = fitted(studio.image, ("jpeg",)).data, list[float]()
    for _ in range(15):
        began = time.process_time()
        signer.sign(data, RECORD)
        took.append(time.process_time() - began)
    assert statistics.median(took) < 0.02


def test_a_key_of_somebody_else_is_refused(chain: Chain, tmp_path: Path) -> None:
    other = make_test_chain(tmp_path / "other")
    with pytest.raises(UnusableCertificate, match="not that of the first certificate"):
        Signer.open(chain.certificate, other.key)


def test_files_that_are_none_are_refused(chain: Chain, tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    with pytest.raises(UnusableCertificate, match=r"absent.pem: No such file"):
        Signer.open(tmp_path / "absent.pem", chain.key)
    with pytest.raises(UnusableCertificate, match="cannot be read as PEM"):
        Signer.open(nonsense, chain.key)
    with pytest.raises(UnusableCertificate, match="cannot be read as PEM"):
        Signer.open(chain.certificate, nonsense)


@pytest.mark.parametrize("fault", ["purpose", "expired"])
def test_a_certificate_that_readers_would_refuse_is_refused_at_once(tmp_path: Path, fault: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Studio Nord")])
    since = datetime.now(UTC) - timedelta(days=30)
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if fault == "purpose" else ExtendedKeyUsageOID.EMAIL_PROTECTION
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 7)
        .not_valid_before(since)
        .not_valid_after(since + timedelta(days=60 if fault == "purpose" else 10))
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(UnusableCertificate, match=r"refuse|cannot sign"):
        Signer.open(tmp_path / "certificate.pem", tmp_path / "key.pem")


def test_what_cannot_be_signed_is_said_in_a_sentence(signer: Signer) -> None:
    with pytest.raises(SigningFailed, match=r"could not be signed.*fanfare doctor"):
        signer.sign(b"\xff\xd8\xff\xe0broken", RECORD)


def test_a_certificate_that_expires_meanwhile_signs_nothing_any_more(
    studio: SourcePicture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate, "DAYS", LIFE.total_seconds() / 86400)
    short = make_test_chain(tmp_path / "short")
    signer = Signer.open(short.certificate, short.key)
    ends = x509.load_pem_x509_certificate(short.certificate.read_bytes()).not_valid_after_utc
    time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()) + 1)
    with pytest.raises(SigningFailed, match="not valid at time of signing"):
        signer.sign(fitted(studio.image, ("jpeg",)).data, RECORD)


def test_only_pictures_are_signed(signer: Signer) -> None:
    with pytest.raises(ValueError, match="Only pictures"):
        signer.sign(b"text", RECORD)


def test_a_test_chain_is_private_plain_and_never_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    made = make_test_chain(folder)
    assert {path.name for path in folder.iterdir()} == {"certificate.pem", "key.pem", "anchor.pem"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    certificate = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    assert "not to be trusted" in certificate.subject.rfc4514_string()
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(made.anchor.read_bytes()))
    before = made.key.read_bytes()
    with pytest.raises(CertificateExists, match="exists already"):
        make_test_chain(folder)
    assert made.key.read_bytes() == before


def _read(data: bytes, media_type: str, chain: Chain) -> tuple[str, dict[str, Any]]:
    settings = {
        "version": 1,
        "trust": {"trust_anchors": chain.anchor.read_text()},
        "verify": {"verify_trust": True, "remote_manifest_fetch": False},
    }
    context = c2pa.Context(settings=c2pa.Settings.from_dict(settings))
    with c2pa.Reader(media_type, io.BytesIO(data), context=context) as reader:
        told = json.loads(reader.json())
        return reader.get_validation_state(), told["manifests"][told["active_manifest"]]
