"""Assets in an object store: S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage.

The vendors' own variables say who we are (AWS_*, GOOGLE_*, AZURE_*), as `obstore` reads them.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Generator
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from tools.assets import (
    CHUNK,
    SUFFIXES,
    AssetDamaged,
    AssetRef,
    AssetStoreUnavailable,
    Kept,
    Opened,
    folder_of,
    identified,
    named,
    not_kept,
    proven,
    whole,
)

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, S3Store

    Remote = S3Store | GCSStore | AzureStore

SCHEMES: Final = ("s3", "gs", "az")
"""What the address of an object store begins with."""
_SECONDS = 60.0
"""No call takes longer, whatever is tried again meanwhile."""
_TRIES: Any = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=30),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=3), "base": 2},
}
_RANGE = 8 * CHUNK


def missing() -> str | None:
    """What to do when the library for object stores is not installed."""
    return None if find_spec("obstore") else "object stores need the extra `objects`: pip install -e '.[objects]'"


class ObjectAssets:
    """An `AssetStore` in a bucket or container, under a prefix of its own."""

    def __init__(self, store: "Remote", where: str, *, seconds: float = _SECONDS) -> None:
        self._store, self._where, self._seconds = store, where, seconds

    @classmethod
    def at(cls, url: str, *, endpoint: str | None = None, seconds: float = _SECONDS) -> "ObjectAssets":
        """The store at `url`, as s3://bucket/prefix; `endpoint` is an S3-compatible server's address.

        Raises ValueError for an address that makes no sense.
        """
        from obstore.exceptions import BaseError  # noqa: PLC0415 - an extra
        from obstore.store import AzureStore, GCSStore, S3Store  # noqa: PLC0415

        kinds: dict[str, Any] = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}
        plain = bool(endpoint and endpoint.startswith("http://"))
        options = {"timeout": timedelta(seconds=seconds), "connect_timeout": timedelta(seconds=5)}
        own = {"endpoint": endpoint} if endpoint and url.startswith("s3:") else {}
        try:
            store = kinds[url.partition(":")[0]].from_url(
                url, client_options=options | {"allow_http": plain}, retry_config=_TRIES, **own
            )
        except BaseError as error:
            raise ValueError(f"{url} cannot be used: {str(error).partition(chr(10))[0]}") from error
        return cls(store, f"{url} at {endpoint}" if own else url, seconds=seconds)

    async def put(
        self,
        data: bytes,
        media_type: str,
        *,
        tenant: str,
        owner: str | None = None,  # noqa: ARG002 - a bucket knows no owners
    ) -> AssetRef:
        """See `AssetStore.put`."""
        ref = await asyncio.to_thread(identified, data, media_type)
        async with self._asked():
            await self._store.put_async(
                _place(ref.sha256, tenant), data, attributes={"Content-Type": media_type}, use_multipart=False
            )
        return ref

    async def get(self, sha256: str, *, tenant: str) -> bytes:
        """See `AssetStore.get`."""
        async with self._asked(sha256):
            found = await self._store.get_async(_place(sha256, tenant))
            data = bytes(await found.bytes_async())
        return await asyncio.to_thread(whole, data, sha256)

    async def open(self, sha256: str, *, tenant: str) -> Opened:
        """See `AssetStore.open`."""
        ref = await self.find(sha256, tenant=tenant)
        return Opened(ref, proven(self._ranges(ref, tenant), sha256))

    async def find(self, sha256: str, *, tenant: str) -> AssetRef:
        """See `AssetStore.find`."""
        async with self._asked(sha256):
            found = await self._store.get_async(_place(sha256, tenant), options={"head": True})
        media_type = found.attributes.get("Content-Type", "")
        if media_type not in SUFFIXES:
            raise AssetDamaged(f"The asset {sha256} is damaged; it says that it is {media_type or 'nothing'}.")
        return AssetRef(sha256, media_type, found.meta["size"])

    async def kept(self) -> AsyncGenerator[Kept]:
        """See `AssetStore.kept`."""
        pages = self._store.list(chunk_size=1000)
        while True:
            async with self._asked():
                page = await anext(pages, None)
            if page is None:
                return
            for one in page:
                if who := named(one["path"]):
                    yield Kept(*who, one["size"], one["last_modified"])

    async def delete(self, sha256: str, *, tenant: str) -> None:
        """See `AssetStore.delete`."""
        async with self._asked():
            with contextlib.suppress(FileNotFoundError):
                await self._store.delete_async(_place(sha256, tenant))

    async def tidy(self, *, seconds: float) -> None:
        """See `AssetStore.tidy`; an object is put whole or not at all."""

    async def check(self) -> None:
        """See `AssetStore.check`."""
        async with self._asked():
            await anext(self._store.list(chunk_size=1), None)

    async def _ranges(self, ref: AssetRef, tenant: str) -> AsyncGenerator[bytes]:
        """Range by range, so that a slow reader keeps no connection to the store waiting."""
        for start in range(0, ref.bytes, _RANGE):
            async with self._asked(ref.sha256):
                length = min(_RANGE, ref.bytes - start)
                chunk = await self._store.get_range_async(_place(ref.sha256, tenant), start=start, length=length)
            yield bytes(chunk)

    @contextlib.asynccontextmanager
    async def _asked(self, sha256: str = "") -> AsyncGenerator[None]:
        """Within it the store is asked: within a bounded time, and its refusals are ours."""
        with self._refusals(sha256):
            async with asyncio.timeout(self._seconds):
                yield

    @contextlib.contextmanager
    def _refusals(self, sha256: str) -> Generator[None]:
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError  # noqa: PLC0415

        try:
            yield
        except FileNotFoundError as error:
            if sha256:
                raise not_kept(sha256) from error
            raise self._unavailable("is not there; make the bucket, or correct FANFARE_ASSETS_URL") from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise self._unavailable(
                "refuses our credentials, or does not let them read, write and list"
            ) from error
        except TimeoutError as error:
            raise self._unavailable(f"has not answered in {self._seconds:g} s") from error
        except (BaseError, OSError) as error:
            says = "is not there" if _NO_BUCKET in str(error) else "cannot be reached"
            raise self._unavailable(f"{says}; look at its address, its credentials and its state") from error

    def _unavailable(self, what: str) -> AssetStoreUnavailable:
        return AssetStoreUnavailable(f"The store of pictures, {self._where}, {what}.")


def _place(sha256: str, tenant: str) -> str:
    return f"{folder_of(sha256, tenant)}/{sha256}"


_NO_BUCKET = "NoSuchBucket"
