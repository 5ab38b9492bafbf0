"""Where bytes are kept: by their own hash, apart by tenant, so that a name is never a path."""

import asyncio
import contextlib
import hashlib
import os
import re
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

SUFFIXES: Final = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/avif": ".avif",
    "image/heic": ".heic",
    "font/ttf": ".ttf",
    "font/otf": ".otf",
    "application/zip": ".zip",
}
"""What is kept, and how a file of it is called."""
CHUNK: Final = 1 << 20
"""Bytes that a large asset is read in at a time."""


class AssetNotFound(LookupError):
    """No such bytes are kept for this tenant."""


class AssetDamaged(AssetNotFound):
    """What is kept under a hash has another one: it was cut short or changed, and is as good as lost."""


class AssetStoreUnavailable(RuntimeError):
    """The store cannot be reached, or does not do what it is asked; nothing was lost by asking."""


@dataclass(frozen=True)
class AssetRef:
    """What is known of kept bytes."""

    sha256: str
    media_type: str
    bytes: int

    def as_json(self) -> dict[str, Any]:
        """As channels and the API carry it."""
        return asdict(self)


@dataclass(frozen=True)
class Kept:
    """Bytes as a listing shows them; `at` is when they were last put."""

    tenant: str
    sha256: str
    bytes: int
    at: datetime


@dataclass(frozen=True)
class Opened:
    """An asset to be read piece by piece; the last piece comes only if all of them have the asset's hash."""

    ref: AssetRef
    chunks: AsyncGenerator[bytes]


class AssetStore(Protocol):
    """Keeps bytes under their SHA-256; the same bytes twice are kept once.

    Every call raises `AssetStoreUnavailable` when the store cannot do it, after a bounded time, and ValueError
    for what cannot name a tenant.
    """

    async def put(self, data: bytes, media_type: str, *, tenant: str, owner: str | None = None) -> AssetRef:
        """Keep `data` for `owner`; returns when it would survive a crash.

        Bytes that are there already are young again. Raises ValueError for an unknown media type.
        """
        ...

    async def get(self, sha256: str, *, tenant: str) -> bytes:
        """The bytes, which have that hash; raises `AssetNotFound`."""
        ...

    async def open(self, sha256: str, *, tenant: str) -> Opened:
        """The bytes piece by piece; raises `AssetNotFound` now, or `AssetDamaged` in place of the last piece."""
        ...

    async def find(self, sha256: str, *, tenant: str) -> AssetRef:
        """What is known of the bytes; raises `AssetNotFound`."""
        ...

    def kept(self) -> AsyncIterator[Kept]:
        """Everything that is kept, of every tenant, in no order."""
        ...

    async def delete(self, sha256: str, *, tenant: str) -> None:
        """Forget the bytes; no error when they are not there."""
        ...

    async def tidy(self, *, seconds: float) -> None:
        """Remove what puts left behind that were interrupted longer ago than that."""
        ...

    async def check(self) -> None:
        """Ask the store for a sign of life."""
        ...


def identified(data: bytes, media_type: str) -> AssetRef:
    """The reference that `data` has wherever it is kept; raises ValueError for an unknown media type."""
    if media_type not in SUFFIXES:
        raise ValueError(f"{media_type} is not kept here; known: {', '.join(SUFFIXES)}.")
    return AssetRef(hashlib.sha256(data).hexdigest(), media_type, len(data))


def folder_of(sha256: str, tenant: str) -> str:
    """Where a tenant's asset lies in every store; raises `AssetNotFound` for no hash, ValueError for no tenant."""
    if not _TENANT.fullmatch(tenant):
        raise ValueError(f"{tenant!r} cannot name a tenant.")
    if not _SHA256.fullmatch(sha256):
        raise not_kept(sha256)
    return f"{tenant}/{sha256[:2]}"


def named(place: str) -> tuple[str, str] | None:
    """The tenant and the hash of what lies at `place`; None for a file that is no asset."""
    found = _PLACE.fullmatch(place)
    return (found["tenant"], found["sha256"]) if found else None


def not_kept(sha256: str) -> AssetNotFound:
    """There is no such asset."""
    return AssetNotFound(f"No asset {sha256[:64]} is kept here.")


def whole(data: bytes, sha256: str) -> bytes:
    """`data` if it has that hash; raises `AssetDamaged`."""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise AssetDamaged(f"The asset {sha256} is damaged; its {len(data):,} bytes are not what was kept.")
    return data


async def proven(chunks: AsyncIterator[bytes], sha256: str) -> AsyncGenerator[bytes]:
    """Pass `chunks` on, the last one only when all have that hash; raises `AssetDamaged` in its place."""
    seen, held, length = hashlib.sha256(), b"", 0
    async for chunk in chunks:
        if held:
            yield held
        await asyncio.to_thread(seen.update, chunk)
        held, length = chunk, length + len(chunk)
    if seen.hexdigest() != sha256:
        raise AssetDamaged(f"The asset {sha256} is damaged; its {length:,} bytes are not what was kept.")
    yield held


class LocalAssets:
    """An `AssetStore` in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(
        self,
        data: bytes,
        media_type: str,
        *,
        tenant: str,
        owner: str | None = None,  # noqa: ARG002 - the folder knows no owners
    ) -> AssetRef:
        """See `AssetStore.put`."""
        ref = await asyncio.to_thread(identified, data, media_type)
        path = self._root / folder_of(ref.sha256, tenant) / f"{ref.sha256}{SUFFIXES[media_type]}"
        await _on_disk(_write, path, data)
        return ref

    async def get(self, sha256: str, *, tenant: str) -> bytes:
        """See `AssetStore.get`."""
        path, _ = await _on_disk(self._path, sha256, tenant)
        return await asyncio.to_thread(whole, await _on_disk(path.read_bytes), sha256)

    async def open(self, sha256: str, *, tenant: str) -> Opened:
        """See `AssetStore.open`."""
        path, ref = await _on_disk(self._path, sha256, tenant)
        return Opened(ref, proven(_read(path), sha256))

    async def find(self, sha256: str, *, tenant: str) -> AssetRef:
        """See `AssetStore.find`."""
        return (await _on_disk(self._path, sha256, tenant))[1]

    async def kept(self) -> AsyncGenerator[Kept]:
        """See `AssetStore.kept`."""
        files = await _on_disk(lambda: self._root.glob("*/??/*"))
        while page := await _on_disk(_page, files, self._root):
            for one in page:
                yield one

    async def delete(self, sha256: str, *, tenant: str) -> None:
        """See `AssetStore.delete`."""
        with contextlib.suppress(AssetNotFound):
            path, _ = await _on_disk(self._path, sha256, tenant)
            await _on_disk(lambda: path.unlink(missing_ok=True))

    async def tidy(self, *, seconds: float) -> None:
        """See `AssetStore.tidy`."""
        await _on_disk(_tidy, self._root, time.time() - seconds)

    async def check(self) -> None:
        """See `AssetStore.check`."""
        await _on_disk(lambda: self._root.mkdir(parents=True, exist_ok=True))

    def _path(self, sha256: str, tenant: str) -> tuple[Path, AssetRef]:
        folder = self._root / folder_of(sha256, tenant)
        for media_type, suffix in SUFFIXES.items():
            with contextlib.suppress(FileNotFoundError):
                path = folder / f"{sha256}{suffix}"
                return path, AssetRef(sha256, media_type, path.stat().st_size)
        raise not_kept(sha256)


async def _on_disk(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do it in a thread; what the disk refuses makes the store unavailable."""
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except FileNotFoundError as error:
        raise AssetNotFound(f"{error.filename} is not kept here any more.") from error
    except OSError as error:
        raise AssetStoreUnavailable(
            f"The folder of pictures cannot be used: {error.strerror or error}."
        ) from error


def _write(path: Path, data: bytes) -> None:
    """Put `data` at `path` in one stroke, and have the disk remember both file and name."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size == len(data):
            os.utime(path)
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=_PARTIAL, delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


async def _read(path: Path) -> AsyncGenerator[bytes]:
    file = await _on_disk(path.open, "rb")
    with file:
        while chunk := await _on_disk(file.read, CHUNK):
            yield chunk


def _page(files: Iterator[Path], root: Path) -> list[Kept]:
    """The next few assets among `files`; one that goes while it is looked at is left out."""
    page: list[Kept] = []
    for path in files:
        who = named(path.relative_to(root).as_posix())
        with contextlib.suppress(FileNotFoundError):
            if who:
                found = path.stat()
                page.append(Kept(*who, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC)))
        if len(page) == _PAGE:
            break
    return page


def _tidy(root: Path, before: float) -> None:
    for path in root.glob(f"*/??/{_PARTIAL}*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()


_PARTIAL = ".partial-"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TENANT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PLACE = re.compile(r"(?P<tenant>[A-Za-z0-9_-]{1,64})/[0-9a-f]{2}/(?P<sha256>[0-9a-f]{64})(?:\.[a-z]{3,4})?")
_PAGE = 500
