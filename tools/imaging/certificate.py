"""Makes a certificate chain to try content credentials with; nobody but its maker trusts it."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS: Final = 365


class CertificateExists(FileExistsError):
    """A file of the chain is there already; nothing was written."""


@dataclass(frozen=True)
class Chain:
    """Where the parts stand: the signer's certificate, its key, and the authority that a reader must trust."""

    certificate: Path
    key: Path
    anchor: Path


def make_test_chain(folder: Path) -> Chain:
    """Make an ES256 certificate for signing and an authority for it, whose key is thrown away.

    Every file is readable by its owner alone. Raises CertificateExists.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    chain = Chain(folder / "certificate.pem", folder / "key.pem", folder / "anchor.pem")
    if there := [path for path in (chain.certificate, chain.key, chain.anchor) if path.exists()]:
        raise CertificateExists(f"{there[0]} exists already; remove it, or choose another folder.")
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    anchor = _authority(authority_key)
    certificate = _signer(key, anchor, authority_key)
    _write(chain.certificate, certificate.public_bytes(Encoding.PEM))
    _write(chain.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    _write(chain.anchor, anchor.public_bytes(Encoding.PEM))
    return chain


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name("Fanfare test authority")
    return (
        _builder(name, name, key, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _signer(
    key: ec.EllipticCurvePrivateKey, anchor: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    return (
        _builder(_name("Fanfare test signer"), anchor.subject, key, authority_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=True)
        .sign(authority_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    since = datetime.now(UTC) - timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + timedelta(days=DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test certificate, not to be trusted"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, data: bytes) -> None:
    """Write a file that was not there, closed to others from its first moment."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
