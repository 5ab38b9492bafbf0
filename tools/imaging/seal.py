"""Puts into a finished picture what it says of itself: XMP always, content credentials where somebody signs."""

from collections.abc import Sequence
from dataclasses import dataclass

from tools.imaging import xmp
from tools.imaging.provenance import Operation, Origin, Record
from tools.imaging.signing import Signer


@dataclass(frozen=True)
class Seal:
    """What is put into every picture made from one source, and who signs it; from any thread."""

    origin: Origin
    signer: Signer | None = None

    def record(self, operations: Sequence[Operation]) -> Record:
        """Say how a picture came about by these operations."""
        source = self.origin
        return Record(
            source_sha256=source.sha256,
            operations=tuple(operations),
            source_says=source.says,
            notice=source.notice,
        )

    def room(self, record: Record) -> int:
        """Give the bytes that `put` adds at most, to be kept free in the picture's budget."""
        return len(record.xmp()) + xmp.WRAPPING + (self.signer.room if self.signer else 0)

    def put(self, data: bytes, record: Record) -> bytes:
        """Put it into a picture that has none; signed, the bytes are others each time. Raises SigningFailed."""
        told = xmp.embed(data, record.xmp())
        return self.signer.sign(told, record) if self.signer else told
