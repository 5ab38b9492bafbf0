"""The pages: campaigns, a new one, and one campaign with its open gate."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from service import campaigns, uploads
from service.api.deps import App, Creator, Reader, Writer
from service.api.models import TONES, CampaignBody, CampaignRequest, DecisionRequest, RetryRequest
from service.console.boxes import percents, read_percents
from service.identity import Caller
from service.problems import Problem, invalid
from service.tables import Campaign
from service.uploads import Upload
from service.wiring import Fanfare, model_languages
from tools.inspection import report
from tools.languages import LANGUAGES
from tools.placements import DEFAULT_PLACEMENTS, PLACEMENTS

M = TypeVar("M", bound=BaseModel)

router = APIRouter(include_in_schema=False)
_templates = Jinja2Templates(Path(__file__).parent / "templates")
_globals = cast("dict[str, Any]", _templates.env.globals)
_globals |= {"LANGUAGES": LANGUAGES, "PLACEMENTS": PLACEMENTS, "report": report, "percents": percents}
_PAGE = 50
_INDEX_DIGITS = 5
_FOCUS = "/focus/"
_COLOURS = ("primary", "secondary", "ink", "ground")
_BRAND_FILES = ("logo", "font", "bold_font")


@router.get("/")
async def index(
    request: Request, fanfare: App, caller: Reader, q: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """The newest campaigns."""
    rows = await fanfare.records.page(caller.tenant, status=None, query=q, after=None, limit=_PAGE)
    return page(request, "index.html", campaigns=[CampaignBody.of(row) for row in rows], q=q)


@router.get("/new")
async def new(request: Request, fanfare: App, _: Writer) -> Response:
    """The form for a new campaign."""
    return _new(request, fanfare, {}, None)


@router.post("/new")
async def create(request: Request, fanfare: App, caller: Creator) -> Response:
    """Create what the form says, and show it."""
    async with request.form(max_files=4, max_part_size=1 << 20) as form:
        try:
            asked = _request(form, await _brand(fanfare, caller, form))
            campaign = await campaigns.create(fanfare, caller, asked, await _file(form, "image"))
        except Problem as problem:
            return _new(request, fanfare, _typed(form), problem)
    return RedirectResponse(f"/campaigns/{campaign.id}", status_code=303)


@router.get("/campaigns/{campaign_id}")
async def show(request: Request, campaign_id: str, fanfare: App, caller: Reader) -> Response:
    """One campaign: what is made so far, and the open gate."""
    return await _show(request, fanfare, await campaigns.get(fanfare, campaign_id, tenant=caller.tenant), None)


@router.post("/campaigns/{campaign_id}")
async def decide(request: Request, campaign_id: str, fanfare: App, caller: Reader) -> Response:
    """Decide at the open gate, or cancel or retry, as the form's button says."""
    campaign = await campaigns.get(fanfare, campaign_id, tenant=caller.tenant)
    async with request.form(max_files=0, max_fields=2000) as form:
        caller.require("write" if form.get("action") in ("cancel", "retry") else "decide")
        try:
            await _act(fanfare, caller, campaign, form)
        except Problem as problem:
            now_is = await campaigns.get(fanfare, campaign_id, tenant=caller.tenant)
            return await _show(request, fanfare, now_is, problem, _typed_texts(form))
    return RedirectResponse(f"/campaigns/{campaign_id}", status_code=303)


async def _act(fanfare: Fanfare, caller: Caller, campaign: Campaign, form: FormData) -> None:
    match form.get("action"):
        case "cancel":
            await campaigns.cancel(fanfare, campaign)
        case "retry":
            budget = {"budget_usd": form.get("budget_usd") or None}
            await campaigns.retry(fanfare, campaign, _validated(RetryRequest, budget))
        case action:
            edits = await _edits(fanfare, campaign, form) if action in ("edit", "approve") else {}
            if action == "edit" and not edits:
                detail = "Nothing was changed. Change a text or a focus and save your edits, or approve."
                raise invalid(detail, [{"loc": ["edits"], "msg": detail}])
            action = "edit" if edits else action  # approving a page with changed texts means those texts
            decision = {
                "gate": form.get("gate"),
                "revision": form.get("revision"),
                "type": action,
                "comment": form.get("comment") or None,
                "edits": edits,
            }
            await campaigns.decide(fanfare, caller, campaign, _validated(DecisionRequest, decision))


def _validated(kind: type[M], typed: dict[str, Any]) -> M:
    try:
        return kind.model_validate(typed)
    except ValidationError as error:
        raise campaigns.refusal(error) from None


async def _edits(fanfare: Fanfare, campaign: Campaign, form: FormData) -> dict[str, Any]:
    shown = (await campaigns.approval(fanfare, campaign))["content"]
    typed = {key: value for key, value in _typed_texts(form).items() if value != _as_typed(_at(shown, key), key)}
    return {key: read_percents(value) if key.startswith(_FOCUS) else value for key, value in typed.items()}


def _as_typed(value: object, key: str) -> object:
    """What the form has for a value that nobody has touched."""
    return percents(cast("Mapping[str, float] | None", value)) if key.startswith(_FOCUS) else value


def _typed_texts(form: FormData) -> dict[str, str]:
    return {key: str(value).replace("\r\n", "\n") for key, value in form.items() if key.startswith("/")}


def _at(content: Any, pointer: str) -> object:
    for part in pointer.split("/")[1:]:
        if isinstance(content, Mapping):
            content = cast("Mapping[str, Any]", content).get(part)
        elif isinstance(content, list) and part.isdecimal() and len(part) < _INDEX_DIGITS:
            lines = cast("Sequence[Any]", content)
            content = lines[int(part)] if int(part) < len(lines) else None
    return cast("object", content)


async def _show(
    request: Request,
    fanfare: Fanfare,
    campaign: Campaign,
    problem: Problem | None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    return page(
        request,
        "campaign.html",
        status=problem.status if problem else 200,
        problem=problem,
        campaign=CampaignBody.of(campaign),
        order=campaign.order,
        rehearsal=campaign.cost.get("rehearsal", False),
        content=await campaigns.content_of(fanfare, campaign),
        gate=campaigns.gate_of(campaign),
        final=campaign.ended,
        typed=typed or {},
        may=request.state.caller.may,
    )


def _new(request: Request, fanfare: Fanfare, typed: Mapping[str, Any], problem: Problem | None) -> Response:
    return page(
        request,
        "new.html",
        status=problem.status if problem else 200,
        problem=problem,
        typed=typed,
        tones=TONES,
        languages=sorted(model_languages(fanfare.settings) or LANGUAGES),
        default_placements=DEFAULT_PLACEMENTS,
    )


def _typed(form: FormData) -> dict[str, Any]:
    several = {name: form.getlist(name) for name in ("languages", "placements")}
    return {key: value for key, value in form.items() if isinstance(value, str)} | several


async def _brand(fanfare: Fanfare, caller: Caller, form: FormData) -> dict[str, Any] | None:
    """The house's look as the form has it, its files kept; None where it says nothing of one."""
    colours = {name: str(form.get(name)) for name in _COLOURS if form.get(name)}
    data = {name: found for name in _BRAND_FILES if (found := await _file(form, name))}
    kept = {name: (await uploads.keep_any(fanfare, caller, found))["sha256"] for name, found in data.items()}
    return colours | kept or None


async def _file(form: FormData, name: str) -> Upload | None:
    """The file that was chosen; a browser sends an empty one where none was."""
    file = form.get(name)
    if not isinstance(file, UploadFile) or not (data := await file.read()):
        return None
    return Upload(data, file.content_type, file.filename)


def _request(form: FormData, brand: dict[str, Any] | None) -> CampaignRequest:
    box = read_percents(str(form.get("focus", "")))
    asked: dict[str, Any] = {
        "product": {
            "name": form.get("name", ""),
            "features": _lines_of(form, "features"),
            "description": form.get("description") or None,
        },
        "tone": form.get("tone", ""),
        "audience": form.get("audience") or None,
        "languages": form.getlist("languages"),
        "placements": form.getlist("placements"),
        "keep": _lines_of(form, "keep"),
        "variants": form.get("variants") or 1,
        "image_licence": form.get("image_licence") or None,
        "brand": brand,
        "focus": {"all": box} if box else {},
    }
    try:
        return CampaignRequest.model_validate(asked)
    except ValidationError as error:
        raise campaigns.refusal(error) from None


def _lines_of(form: FormData, name: str) -> list[str]:
    return [line.strip() for line in str(form.get(name, "")).splitlines() if line.strip()]


def refused(request: Request, problem: Problem) -> Response:
    """The refusal as a page; to somebody unknown, the way to the login."""
    if problem.status == HTTPStatus.UNAUTHORIZED:
        address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?{urlencode({'next': address})}", status_code=303)
    return page(request, "problem.html", status=problem.status, problem=problem)


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> Response:
    """A template as an answer; a problem brings its headers."""
    problem: Problem | None = context.get("problem")
    headers = dict(problem.headers) if problem else {}
    return _templates.TemplateResponse(request, template, context, status_code=status, headers=headers)
