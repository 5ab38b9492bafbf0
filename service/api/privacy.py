"""What the law asks for: a campaign, a person or a tenant as an archive, or erased; and the audit log."""

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask

from service import erasure, export
from service.api.deps import App, Cursor, Found, Limit, Manager, cut
from service.api.document import problems
from service.tables import AuditEntry

router = APIRouter(prefix="/v1", tags=["privacy"])
_ZIP: dict[int | str, dict[str, Any]] = {200: {"content": {"application/zip": {}}}}


class PersonRequest(BaseModel):
    """Somebody, as histories call them: `user:…`, `key:…`, or the name that a guest gave."""

    model_config = ConfigDict(extra="forbid")

    person: str = Field(min_length=1, max_length=255, examples=["Ada Lovelace"])


class TenantRequest(BaseModel):
    """Confirms that a whole tenant is to be erased."""

    model_config = ConfigDict(extra="forbid")

    confirm: str = Field(max_length=64, description="The tenant's name.", examples=["default"])


class ErasedBody(BaseModel):
    """What an erasure took away, by kind of thing."""

    campaigns: list[str] = Field(default_factory=list, description="Campaigns that are gone.")
    erased: dict[str, int]
    still_open: list[str] = Field(
        default_factory=list,
        description="Campaigns that are open, failed or cancelled, and may hold a comment of an erased person: "
        "erase again once they are completed or rejected, or erase the campaign.",
    )
    named_in: list[str] = Field(
        default_factory=list, description="Campaigns whose product text names the person; erase them if need be."
    )
    elsewhere: list[str] = Field(default_factory=list, description="Where else copies may be.")


class AuditBody(BaseModel):
    """One thing that was done; `actor` is a pseudonym."""

    id: str
    at: str
    actor: str
    action: str
    target: str | None
    facts: dict[str, Any]

    @classmethod
    def of(cls, entry: AuditEntry) -> "AuditBody":
        """The entry as admins see it."""
        return cls(
            id=entry.id, at=entry.at, actor=entry.actor, action=entry.action, target=entry.target,
            facts=entry.facts,
        )  # fmt: skip


class AuditPage(BaseModel):
    """A page of the audit log, newest first."""

    items: list[AuditBody]
    next_cursor: str | None


@router.delete("/campaigns/{campaign_id}", responses=problems(404, 503))
async def erase_campaign(campaign: Found, fanfare: App, caller: Manager) -> ErasedBody:
    """Erase record, checkpoints, files, remembered answers, events and deliveries, also while it runs."""
    return ErasedBody.model_validate(await erasure.erase_campaign(fanfare, caller, campaign))


@router.get("/campaigns/{campaign_id}/export", response_class=Response, responses={**problems(404, 503), **_ZIP})
async def export_campaign(campaign: Found, fanfare: App, _: Manager) -> Response:
    """Everything that is kept of a campaign, as JSON and files in one archive."""
    return await _archive(f"campaign-{campaign.id}", lambda path: export.export_campaign(fanfare, campaign, path))


@router.post("/people/export", response_class=Response, responses={**problems(422, 503), **_ZIP})
async def export_person(asked: PersonRequest, fanfare: App, caller: Manager) -> Response:
    """What a person decided, said, created and is named in."""
    return await _archive("person", lambda path: export.export_person(fanfare, caller, asked.person, path))


@router.post("/people/erase", responses=problems(422, 503))
async def erase_person(asked: PersonRequest, fanfare: App, caller: Manager) -> ErasedBody:
    """Take a person's name and comments out of every campaign; their decisions stay, as nobody's."""
    return ErasedBody.model_validate(await erasure.erase_person(fanfare, caller, asked.person))


@router.get("/tenant/export", response_class=Response, responses={**problems(503), **_ZIP})
async def export_tenant(fanfare: App, caller: Manager) -> Response:
    """Everything that is kept of the tenant."""
    return await _archive(f"tenant-{caller.tenant}", lambda path: export.export_tenant(fanfare, caller, path))


@router.post("/tenant/erase", responses=problems(409, 422, 503))
async def erase_tenant(asked: TenantRequest, fanfare: App, caller: Manager) -> ErasedBody:
    """Erase campaigns, files, keys, links, webhooks and sessions; the audit log stays, without a name."""
    return ErasedBody.model_validate(await erasure.erase_tenant(fanfare, caller, confirm=asked.confirm))


@router.get("/audit", responses=problems(422, 503))
async def list_audit(fanfare: App, caller: Manager, limit: Limit = 20, cursor: Cursor = None) -> AuditPage:
    """What was done in the tenant, newest first: actions, ids and numbers, under pseudonyms."""
    rows, last = cut(await fanfare.audit.page(caller.tenant, before=cursor, limit=limit + 1), limit)
    return AuditPage(items=[AuditBody.of(row) for row in rows], next_cursor=last and last.id)


async def _archive(name: str, write: Callable[[Path], Awaitable[None]]) -> Response:
    """What `write` writes into a file of ours, which is gone once it was sent."""
    folder = tempfile.TemporaryDirectory(prefix="fanfare-export-", ignore_cleanup_errors=True)
    path = Path(folder.name) / "export.zip"
    try:
        await write(path)
    except BaseException:
        folder.cleanup()
        raise
    return FileResponse(
        path, media_type="application/zip", filename=f"{name}.zip", background=BackgroundTask(folder.cleanup)
    )  # fmt: skip
