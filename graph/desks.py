"""Desks: where texts lie in the channels of copy. A desk is a placement, or a further variant of one."""

from agents import translator
from agents.copywriter import CAMPAIGN
from tools.placements import PLACEMENTS, Placement

VARIANTS = ("a", "b")
"""The variants of an A/B test; the first is the campaign itself."""

_SIGN = "@"


def desk(placement: str, variant: str = VARIANTS[0]) -> str:
    """The desk of a placement's variant: `x_post`, and `x_post@b` for the second."""
    return placement if variant == VARIANTS[0] else f"{placement}{_SIGN}{variant}"


def placement_of(name: str) -> str:
    """The placement that the desk is for."""
    return name.partition(_SIGN)[0]


def variant_of(name: str) -> str:
    """The variant that the desk is for."""
    return name.partition(_SIGN)[2] or VARIANTS[0]


def written_for(name: str) -> Placement:
    """What is written at the desk."""
    placement = placement_of(name)
    return CAMPAIGN if placement == CAMPAIGN.id else PLACEMENTS[placement]


def spoken_for(name: str) -> Placement:
    """What is translated at the desk: the campaign's own lines gain the alt text."""
    placement = placement_of(name)
    return translator.CAMPAIGN if placement == CAMPAIGN.id else PLACEMENTS[placement]
