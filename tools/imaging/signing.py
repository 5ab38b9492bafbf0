"""Signs finished pictures with content credentials (C2PA), by the operator's own certificate.

The library is the extra `c2pa`. A signature holds random salt, so signing the same picture twice gives different
bytes: sign once, and keep what was signed.
"""

import io
import json
import threading
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from PIL import Image

from tools.imaging.container import kind_of
from tools.imaging.provenance import VOCABULARY, Operation, OperationName, Record, creator, source_type
from tools.imaging.source import MEDIA_TYPES

ROOM: Final = 4096
"""Bytes that a signature by one short certificate stays under; `Signer.room` tells it of the real chain."""


class UnusableCertificate(ValueError):
    """A certificate or key that nothing can be signed with; the message tells the operator why."""


class SigningFailed(RuntimeError):
    """A picture could not be signed by a certificate that was good when it was read."""


@dataclass(frozen=True, eq=False)
class Signer:
    """Signs any number of pictures, from any thread; `room` is how many bytes a signature adds."""

    room: int
    _context: Any
    _library: Any

    @classmethod
    def open(cls, certificate_path: Path, key_path: Path) -> Self:
        """Read a chain in PEM and its key; signs one picture to prove them.

        The signer's own certificate comes first, then those between it and the root, which stays outside.
        Raises UnusableCertificate.
        """
        library = _library()
        try:
            chain, key = certificate_path.read_bytes(), key_path.read_bytes()
        except OSError as error:
            raise UnusableCertificate(f"{error.filename}: {error.strerror}.") from error
        algorithm = _algorithm(chain, key)
        try:
            signer = library.Signer.from_info(library.C2paSignerInfo(algorithm.encode(), chain, key, None))
            settings = library.Settings.from_dict(_SETTINGS)
            context = library.Context(settings=settings, signer=signer)
            return cls(_measured(cls(0, context, library), library), context, library)
        except (library.C2paError, SigningFailed) as error:
            raise UnusableCertificate(f"{certificate_path} cannot sign content credentials: {error}.") from error

    def sign(self, data: bytes, record: Record) -> bytes:
        """Give the picture with its credentials: what was opened, what was done to it, and by which program.

        Raises SigningFailed.
        """
        kind = kind_of(data)
        if kind is None:
            raise ValueError("Only pictures are signed.")
        signed = io.BytesIO()
        manifest = json.dumps(_manifest(record, MEDIA_TYPES[kind]))
        try:
            builder = self._library.Builder.from_json(manifest, self._context)
            builder.sign(MEDIA_TYPES[kind], io.BytesIO(data), signed)
        except self._library.C2paError as error:
            raise SigningFailed(
                f"A picture could not be signed ({error}). "
                "See with `fanfare doctor` whether the certificate is still valid; once it is, start Fanfare "
                "again, and retry."
            ) from error
        return signed.getvalue()


def _library() -> Any:
    try:
        with _loading:
            return import_module("c2pa")
    except ImportError as error:
        raise UnusableCertificate(
            "Content credentials need the extra `c2pa`; in the checkout: pip install --editable '.[c2pa]'."
        ) from error


def _measured(signer: Signer, library: Any) -> int:
    """Sign a small picture with all that a record can hold, and read it back; raises UnusableCertificate."""
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG")
    done = tuple(Operation(name) for name in _ACTIONS)
    record = Record(source_sha256="0" * 64, operations=done, source_says="compositeWithTrainedAlgorithmicMedia")
    signed = signer.sign(file.getvalue(), record)
    if failures := _failures(signed, library):
        raise UnusableCertificate(f"Readers would refuse this certificate: {'; '.join(failures)}.")
    return len(signed) - len(file.getvalue())


def _failures(signed: bytes, library: Any) -> list[str]:
    """Say what a reader finds wrong, but for trust, which is the reader's own affair."""
    context = library.Context(settings=library.Settings.from_dict(_READING))
    with library.Reader("image/jpeg", io.BytesIO(signed), context=context) as reader:
        found: dict[str, Any] = json.loads(reader.json())["validation_results"]["activeManifest"]
    return [one["explanation"] for one in found["failure"] if one["code"] != "signingCredential.untrusted"]


def _algorithm(chain: bytes, key: bytes) -> str:
    """Name how this key signs; raises UnusableCertificate when it is not the certificate's."""
    try:
        certificate, private = x509.load_pem_x509_certificate(chain), load_pem_private_key(key, None)
    except (ValueError, TypeError) as error:
        raise UnusableCertificate(f"The certificate or its key cannot be read as PEM: {error}") from error
    if certificate.public_key() != private.public_key():
        raise UnusableCertificate("The key is not that of the first certificate in the chain.")
    match private:
        case ec.EllipticCurvePrivateKey() if private.curve.name in _CURVES:
            return _CURVES[private.curve.name]
        case ed25519.Ed25519PrivateKey():
            return "ed25519"
        case rsa.RSAPrivateKey():
            return "ps256"
        case _:
            raise UnusableCertificate("Keys for content credentials are ECDSA (P-256 to P-521), Ed25519 or RSA.")


def _manifest(record: Record, media_type: str) -> dict[str, Any]:
    source = f"sha256:{record.source_sha256}"
    name, _, release = creator().partition(" ")
    opened: dict[str, Any] = {"action": "c2pa.opened", "parameters": {"ingredientIds": [source]}}
    if record.source_says:
        opened["digitalSourceType"] = VOCABULARY + record.source_says
    actions = [opened, *map(_action, record.operations)]
    return {
        "claim_generator_info": [{"name": name, "version": release}],
        "format": media_type,
        "ingredients": [{"title": "source", "relationship": "parentOf", "instance_id": source}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
    }


def _action(operation: Operation) -> dict[str, str]:
    """Tell one operation, and the source type of what it brought in; cropping and the like bring in nothing."""
    action = {"action": _ACTIONS[operation.name]}
    if operation.name in ("crop", "resize", "convert"):
        return action
    return {**action, "digitalSourceType": VOCABULARY + source_type((operation,))}


# Actions of the C2PA specification. A logo is no c2pa.placed, which needs the logo's own file as an ingredient.
_ACTIONS: dict[OperationName, str] = {
    "crop": "c2pa.cropped",
    "resize": "c2pa.resized",
    "convert": "c2pa.transcoded",
    "extend": "c2pa.edited",
    "shade": "c2pa.adjustedColor",
    "text": "c2pa.addedText",
    "logo": "c2pa.edited",
    "generate": "c2pa.edited",
}
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
# A thumbnail would add 64 KB. Nothing is fetched, and what was just signed is not read again.
_SETTINGS: dict[str, Any] = {
    "version": 1,
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"verify_after_sign": False, "remote_manifest_fetch": False, "ocsp_fetch": False},
}
_READING: dict[str, Any] = {
    "version": 1,
    "verify": {"verify_trust": False, "remote_manifest_fetch": False, "ocsp_fetch": False},
}
_loading = threading.Lock()
