"""Random secrets: shown once, kept as a hash, compared in the same time whether they are known or not."""

import hashlib
import hmac
import secrets

_BYTES = 32
_NOBODYS = "0" * 64


def new_secret() -> tuple[str, str]:
    """A secret of 256 bits, and what is kept of it: nobody guesses what only a slow hash would protect."""
    secret = secrets.token_hex(_BYTES)
    return secret, kept_of(secret)


def kept_of(secret: str) -> str:
    """The SHA-256 of `secret`."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def matches(secret: str, kept: str | None) -> bool:
    """Whether `kept` is of `secret`; None, for what is not there, takes as long and never is."""
    same = hmac.compare_digest(kept_of(secret), kept or _NOBODYS)
    return same and kept is not None
