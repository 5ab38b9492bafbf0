"""Where bytes are kept: by their own hash, apart by tenant, so that a name is never a path."""

import asyncio
import hashlib
import os
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TENANT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SUFFIXES = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/avif": ".avif",
    "image/heic": ".heic",
    "application/zip": ".zip",
}


class AssetNotFound(LookupError):
    """No such bytes are kept for this tenant."""


@dataclass(frozen=True)
class AssetRef:
    """What is known of kept bytes."""

    sha256: str
    media_type: str
    bytes: int

    def as_json(self) -> dict[str, Any]:
        """As channels and the API carry it."""
        return asdict(self)


def sha256_of(data: bytes) -> str:
    """The name that bytes are kept under."""
    return hashlib.sha256(data).hexdigest()


class AssetStore(Protocol):
    """Keeps bytes under their SHA-256; the same bytes twice are kept once."""

    async def put(self, data: bytes, media_type: str, *, tenant: str) -> AssetRef:
        """Keep `data`; returns when it would survive a crash. Raises ValueError for an unknown media type."""
        ...

    async def get(self, sha256: str, *, tenant: str) -> bytes:
        """The bytes; raises `AssetNotFound`."""
        ...

    async def find(self, sha256: str, *, tenant: str) -> AssetRef:
        """What is known of the bytes; raises `AssetNotFound`."""
        ...


class LocalAssets:
    """An `AssetStore` in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, data: bytes, media_type: str, *, tenant: str) -> AssetRef:
        """See `AssetStore.put`."""
        if media_type not in _SUFFIXES:
            raise ValueError(f"{media_type} is not kept here; known: {', '.join(_SUFFIXES)}.")
        ref = AssetRef(sha256_of(data), media_type, len(data))
        await asyncio.to_thread(_write, self._folder(ref.sha256, tenant) / _name(ref), data)
        return ref

    async def get(self, sha256: str, *, tenant: str) -> bytes:
        """See `AssetStore.get`."""
        path, _ = await asyncio.to_thread(self._path, sha256, tenant)
        return await asyncio.to_thread(path.read_bytes)

    async def find(self, sha256: str, *, tenant: str) -> AssetRef:
        """See `AssetStore.find`."""
        path, media_type = await asyncio.to_thread(self._path, sha256, tenant)
        return AssetRef(sha256, media_type, path.stat().st_size)

    def _path(self, sha256: str, tenant: str) -> tuple[Path, str]:
        if _SHA256.fullmatch(sha256):
            for media_type, suffix in _SUFFIXES.items():
                path = self._folder(sha256, tenant) / f"{sha256}{suffix}"
                if path.is_file():
                    return path, media_type
        raise AssetNotFound(f"No asset {sha256[:64]} is kept here.")

    def _folder(self, sha256: str, tenant: str) -> Path:
        if not _TENANT.fullmatch(tenant):
            raise ValueError(f"{tenant!r} cannot name a tenant.")
        return self._root / tenant / sha256[:2]


def _name(ref: AssetRef) -> str:
    return f"{ref.sha256}{_SUFFIXES[ref.media_type]}"


def _write(path: Path, data: bytes) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
