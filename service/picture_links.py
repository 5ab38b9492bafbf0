"""Addresses that show one picture to whoever has them, for a while: a browser or an ad platform has no login."""

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

_PERIODS: Final = 4
"""Into how many an address's time is cut: within one of them it stays the same, so that browsers may cache."""


class PictureLinks:
    """Makes such addresses, and knows its own again: tenant, picture and end are signed (HMAC-SHA256)."""

    def __init__(self, key: bytes, *, seconds: float, clock: Callable[[], float] = time.time) -> None:
        self._key, self._seconds, self._clock = key, seconds, clock

    def to(self, sha256: str, *, tenant: str) -> str:
        """The path and query of a picture; it holds for `seconds`, and a quarter more at most."""
        period = self._seconds / _PERIODS
        expires = int((self._clock() // period + 1) * period + self._seconds) + 1
        signed = {"tenant": tenant, "expires": expires, "signature": self._signature(sha256, tenant, expires)}
        return f"/v1/assets/{sha256}/signed?{urlencode(signed)}"

    def left(self, sha256: str, *, tenant: str, expires: int, signature: str) -> int:
        """For how many seconds the address still holds; 0 when it is over, or not one of ours."""
        ours = self._signature(sha256, tenant, expires)
        if not hmac.compare_digest(ours.encode(), signature.encode()):
            return 0
        return max(0, int(expires - self._clock()))

    def _signature(self, sha256: str, tenant: str, expires: int) -> str:
        said = "\0".join(("fanfare picture 1", tenant, sha256, str(expires)))
        return hmac.new(self._key, said.encode(), hashlib.sha256).hexdigest()
