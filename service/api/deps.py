"""What routes depend on, each named once."""

from typing import Annotated, cast

from fastapi import Depends, Request

from service import campaigns
from service.records import Campaign
from service.wiring import Fanfare


def _fanfare(request: Request) -> Fanfare:
    return cast("Fanfare", request.app.state.fanfare)


App = Annotated[Fanfare, Depends(_fanfare)]


async def _campaign(campaign_id: str, fanfare: App) -> Campaign:
    return await campaigns.get(fanfare, campaign_id)


Found = Annotated[Campaign, Depends(_campaign)]
