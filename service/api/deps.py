"""What routes depend on, each named once."""

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar, cast

from fastapi import Depends, Query, Request, Security
from fastapi.security import HTTPBearer, SecurityScopes

from service import campaigns
from service.edge.peers import peer_of
from service.edge.rates import standings_of
from service.identity import PERMISSIONS, Caller, Permission
from service.limits import LimitName, too_often
from service.tables import Campaign
from service.wiring import Fanfare

R = TypeVar("R")


def _fanfare(request: Request) -> Fanfare:
    return cast("Fanfare", request.app.state.fanfare)


App = Annotated[Fanfare, Depends(_fanfare)]


async def identified(request: Request) -> Caller:
    """Who sent `request`, found out once; raises a 401 or 429 problem."""
    if not hasattr(request.state, "caller"):
        request.state.caller = await _fanfare(request).authentication.identify(request)
    return cast("Caller", request.state.caller)


_SCHEME = HTTPBearer(
    scheme_name="login",
    auto_error=False,
    description="An API key or a token of your login server. Its roles must grant what the call's scopes say: "
    + " ".join(f"{permission}: {says}" for permission, says in PERMISSIONS.items()),
)


async def _caller(scopes: SecurityScopes, request: Request, _: Annotated[object, Depends(_SCHEME)]) -> Caller:
    """Who calls, once it is known that they may do what the route's scopes say."""
    caller = await identified(request)
    for permission in scopes.scopes:
        caller.require(cast("Permission", permission))
    return caller


Known = Annotated[Caller, Depends(_caller)]


async def _admitted(request: Request, fanfare: App, caller: Known) -> Caller:
    """The caller, unless they or their tenant call too often; a request is counted once."""
    await _count(request, fanfare, caller, {"caller": caller.subject, "tenant": caller.tenant})
    return caller


async def _creating(request: Request, fanfare: App, caller: Known) -> Caller:
    """The caller, unless they create too often as well."""
    subject = caller.subject
    await _count(request, fanfare, caller, {"caller": subject, "tenant": caller.tenant, "create": subject})
    return caller


async def _count(request: Request, fanfare: App, caller: Caller, subjects: Mapping[LimitName, str]) -> None:
    if "tenant" in request.scope["state"]:
        return
    request.scope["state"]["tenant"] = caller.tenant
    standings = await fanfare.limits.hit(caller.tenant, subjects, here=peer_of(request.scope).local)
    request.scope["state"]["standings"] = [*standings_of(request.scope), *standings]
    if problem := too_often(standings):
        raise problem


Reader = Annotated[Caller, Security(_admitted, scopes=["read"])]
Writer = Annotated[Caller, Security(_admitted, scopes=["write"])]
Creator = Annotated[Caller, Security(_creating, scopes=["write"])]
Decider = Annotated[Caller, Security(_admitted, scopes=["decide"])]
Manager = Annotated[Caller, Security(_admitted, scopes=["manage"])]


async def _campaign(campaign_id: str, fanfare: App, caller: Reader) -> Campaign:
    return await campaigns.get(fanfare, campaign_id, tenant=caller.tenant)


Found = Annotated[Campaign, Depends(_campaign)]
"""The campaign in the path, if it is the caller's."""
Limit = Annotated[int, Query(ge=1, le=100)]
"""How many items a page has at most."""
Cursor = Annotated[str | None, Query(max_length=36, pattern=r"^[0-9a-f-]*$")]
"""The id of the last item of the page before; none for the first page."""


def cut(rows: Sequence[R], limit: int) -> tuple[Sequence[R], R | None]:
    """A page of `rows`, which were read one further than `limit`; and its last row, if there are more."""
    return rows[:limit], rows[limit - 1] if len(rows) > limit else None
