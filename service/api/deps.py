"""What routes depend on, each named once."""

from typing import Annotated, cast

from fastapi import Depends, Request, Security
from fastapi.security import SecurityScopes

from service import campaigns
from service.identity import LOCAL, Caller, Permission
from service.tables import Campaign
from service.wiring import Fanfare


def _fanfare(request: Request) -> Fanfare:
    return cast("Fanfare", request.app.state.fanfare)


App = Annotated[Fanfare, Depends(_fanfare)]


async def _caller(scopes: SecurityScopes) -> Caller:
    """Who calls, once it is known that they may do what the route's scopes say."""
    for permission in scopes.scopes:
        LOCAL.require(cast("Permission", permission))
    return LOCAL


Reader = Annotated[Caller, Security(_caller, scopes=["read"])]
Writer = Annotated[Caller, Security(_caller, scopes=["write"])]
Decider = Annotated[Caller, Security(_caller, scopes=["decide"])]
Manager = Annotated[Caller, Security(_caller, scopes=["manage"])]


async def _campaign(campaign_id: str, fanfare: App, caller: Reader) -> Campaign:
    return await campaigns.get(fanfare, caller, campaign_id)


Found = Annotated[Campaign, Depends(_campaign)]
"""The campaign in the path, if it is the caller's."""
