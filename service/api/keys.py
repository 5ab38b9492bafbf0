"""The calls that make, list and revoke API keys."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from service.api.deps import App, Cursor, Limit, Manager, cut
from service.api.document import links, problems
from service.identity import Role
from service.problems import not_found
from service.tables import ApiKey

router = APIRouter(prefix="/v1/keys", tags=["keys"])
_LONGEST_SECONDS = 10 * 366 * 86_400
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")
]


class KeyRequest(BaseModel):
    """Whom a key is for, and what it may do."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "Shop's nightly job", "roles": ["editor"], "expires_in": 7776000}]
        },
    )

    name: Name = Field(description="Whose it is, or what for: one key a person makes a history that tells.")
    roles: list[Role] = Field(min_length=1, max_length=4)
    expires_in: int | None = Field(
        default=None, gt=0, le=_LONGEST_SECONDS, description="Seconds; null lasts until it is revoked."
    )


class KeyBody(BaseModel):
    """A key, without its secret."""

    id: str
    name: str
    roles: list[str]
    created_by: str
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None

    @classmethod
    def of(cls, key: ApiKey) -> "KeyBody":
        """The record as admins see it."""
        return cls.model_validate(key, from_attributes=True)


class NewKeyBody(KeyBody):
    """A key with its text, shown this once."""

    key: str


class KeyPage(BaseModel):
    """A page of keys, newest first; `next_cursor` is null on the last."""

    items: list[KeyBody]
    next_cursor: str | None


@router.post(
    "",
    status_code=201,
    responses={**problems(422), 201: {"links": links(("revoke_key",), key_id="$response.body#/id")}},
)
async def create_key(asked: KeyRequest, response: Response, fanfare: App, caller: Manager) -> NewKeyBody:
    """Make a key for the caller's tenant; its text is in this answer and nowhere else."""
    response.headers["Cache-Control"] = "no-store"
    row, key = await fanfare.keys.create(
        caller.tenant, name=asked.name, roles=asked.roles, by=caller.subject, seconds=asked.expires_in
    )
    return NewKeyBody(**KeyBody.of(row).model_dump(), key=key)


@router.get("", responses=problems(422))
async def list_keys(fanfare: App, caller: Manager, limit: Limit = 20, cursor: Cursor = None) -> KeyPage:
    """The tenant's keys, alive or not, newest first."""
    rows, last = cut(await fanfare.keys.page(caller.tenant, before=cursor, limit=limit + 1), limit)
    return KeyPage(items=[KeyBody.of(row) for row in rows], next_cursor=last and last.id)


@router.delete("/{key_id}", status_code=204, responses=problems(404))
async def revoke_key(key_id: Annotated[str, Path(max_length=36)], fanfare: App, caller: Manager) -> None:
    """End a key at once, and every session that was begun with it; a second time changes nothing."""
    if not await fanfare.keys.revoke(key_id, tenant=caller.tenant):
        raise not_found("key")
