"""The OpenAPI document: what FastAPI makes of the routes, and what it cannot know of them."""

from collections.abc import Callable
from typing import Any, cast

from fastapi import FastAPI

from service.api.models import CampaignRequest
from service.wiring import Fanfare

SAYS = """\
Campaigns from a product's description and one photo: copy, checks, translations and pictures, with a person's \
approval before anything is packed. Refusals are problems (RFC 9457) whose `detail` says what to do. Every answer \
carries `X-Correlation-ID`, which the log repeats. Times are RFC 3339 in UTC, money is a decimal string in dollars.
"""
TAGS = [
    {"name": "campaigns", "description": "Create campaigns, follow them, and fetch what came of them."},
    {"name": "approval", "description": "Look at what waits at a gate, and decide on it."},
    {"name": "assets", "description": "Keep photos, logos and fonts, and fetch pictures."},
    {"name": "lint", "description": "Check texts of your own by the rules, without a campaign or a model."},
    {"name": "tables", "description": "The placements and languages that a campaign can name."},
    {"name": "webhooks", "description": "Be told what happens, in signed requests."},
    {"name": "keys", "description": "API keys of the tenant: made, listed, revoked."},
    {"name": "links", "description": "Links for reviewers who have no account."},
    {"name": "privacy", "description": "Export and erase what is kept of a campaign, a person or the tenant."},
    {"name": "health", "description": "For load balancers and Prometheus."},
]

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
_SAYS_OF_STATUS = {
    401: "Nobody knows who calls.",
    403: "The caller may not do this.",
    404: "There is no such thing here, or it is another tenant's.",
    408: "The body did not come in time.",
    409: "It is not in a state for this; `code` says why.",
    413: "Too large.",
    415: "Neither JSON nor a form.",
    422: "The request is wrong; `errors` names the fields.",
    429: "Too many calls, or too many failed logins; `Retry-After` says when to come back.",
    503: "A store cannot be reached at the moment; try again.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a call."""
    return {status: {"description": _SAYS_OF_STATUS[status], "content": _PROBLEM} for status in statuses}


def links(operations: tuple[str, ...], **parameters: str) -> dict[str, Any]:
    """OpenAPI links: which calls take what this answer gives, by parameter."""
    return {name: {"operationId": name, "parameters": parameters} for name in operations}


def document(app: FastAPI, make: Callable[[FastAPI], dict[str, Any]]) -> dict[str, Any]:
    """What `make` tells of the app, which makes it once, completed."""
    told = make(app)
    schemas = told["components"]["schemas"]
    if "CampaignRequest" not in schemas:
        made = CampaignRequest.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= made.pop("$defs", {}) | {"CampaignRequest": made}
        fanfare = cast("Fanfare | None", getattr(app.state, "fanfare", None))
        required = fanfare is None or fanfare.authentication.required
        for call in (call for methods in told["paths"].values() for call in methods.values()):
            _complete(call, required=required)
        for webhook in told["webhooks"].values():  # FastAPI's 422 is what it would answer itself
            webhook["post"]["responses"].pop("422")
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
    return told


def _complete(call: dict[str, Any], *, required: bool) -> None:
    """Tell what a call refuses as we refuse it; without a login, nobody is asked for one."""
    answers = call["responses"]
    if "422" in answers:
        answers["422"] = problems(422)[422]
    security = call.get("security", [])
    if any("login" in scheme for scheme in security):
        for status, told in problems(401, 403, 429).items():
            answers.setdefault(str(status), told)
    if security and not required:
        security.append({})
