"""What routes depend on, each named once."""

from typing import Annotated, cast

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer, SecurityScopes

from service import campaigns
from service.identity import PERMISSIONS, Caller, Permission
from service.tables import Campaign
from service.wiring import Fanfare


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


Reader = Annotated[Caller, Security(_caller, scopes=["read"])]
Writer = Annotated[Caller, Security(_caller, scopes=["write"])]
Decider = Annotated[Caller, Security(_caller, scopes=["decide"])]
Manager = Annotated[Caller, Security(_caller, scopes=["manage"])]


async def _campaign(campaign_id: str, fanfare: App, caller: Reader) -> Campaign:
    return await campaigns.get(fanfare, caller, campaign_id)


Found = Annotated[Campaign, Depends(_campaign)]
"""The campaign in the path, if it is the caller's."""
