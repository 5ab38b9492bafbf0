"""Signatures of webhooks, as Standard Webhooks has them: https://www.standardwebhooks.com."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

_PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    """A secret as receivers configure it."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def signed(body: bytes, *, event_id: str, timestamp: int, keys: Sequence[str]) -> dict[str, str]:
    """The headers that sign `body` with each of `keys`: whoever holds any one of them can tell that it is ours."""
    content = f"{event_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{_signature(content, key)}" for key in keys),
    }


def _signature(content: bytes, key: str) -> str:
    raw = base64.b64decode(key.removeprefix(_PREFIX))
    return base64.b64encode(hmac.digest(raw, content, hashlib.sha256)).decode()
