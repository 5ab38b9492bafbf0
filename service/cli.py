"""The command line: the same calls as the REST contract, for people and for scripts."""

import asyncio
import contextlib
import io
import json
import re
import shutil
import sys
import time
import zipfile
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from pydantic import ValidationError
from rich.markup import escape
from rich.table import Table

from agents import offline
from agents.offline.faults import FAULTS, FEATURES
from service import doctor as examination
from service import proof
from service.api.models import LintRequest
from service.client import Client
from service.embedded import DataFolderInUse
from service.lint import checked
from service.operating import GROUPS
from service.problems import sentence
from service.progress import Progress
from service.server import AddressRefused, NotLoopback, Unavailable, require_loopback
from service.server import serve as serve_http
from service.terminal import Exit, Json, Key, Server, err, go, out, settings_or_stop, show_result, stop
from tools.imaging.signing import UnusableCertificate
from tools.lint import RULES
from tools.package import CONTACT_SHEET
from tools.placements import PLACEMENTS, UnknownPlacement, placement

EPILOG = (
    "Exit codes: 0 done · 1 the campaign failed, lint blocks, or db differs · 2 wrong input · "
    "3 it waits for a person · 4 rejected or cancelled · 5 refused by the service · "
    "6 service, store or data folder not to be had."
)
app = typer.Typer(
    help="From a product to an approved, translated campaign, ready for upload.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for name, group in GROUPS.items():
    app.add_typer(group, name=name)


Id = Annotated[str, typer.Argument(help="The campaign's id, as `fanfare list` shows it.")]
_STATUS_EXITS = {
    "completed": Exit.DONE,
    "failed": Exit.FAILED,
    "rejected": Exit.ENDED,
    "cancelled": Exit.ENDED,
    "awaiting_copy_approval": Exit.WAITING,
    "awaiting_creative_approval": Exit.WAITING,
}
_MARKS = {"ok": "[green]✓", "note": "[yellow]·", "bad": "[red]✗"}
_MOVING = ("queued", "running")
_GATES = {"awaiting_copy_approval": "copy", "awaiting_creative_approval": "creatives"}


def main() -> None:
    """The console script."""
    app()


@app.command(
    epilog="Example: fanfare run examples/aurora.json --yes --output build/demo",
)
def run(
    file: Annotated[Path, typer.Argument(help="The campaign as JSON; its `image` is a path beside the file.")],
    image: Annotated[Path | None, typer.Option(help="The photo, instead of the one that the file names.")] = None,
    output: Annotated[Path, typer.Option(help="Where the finished package goes.")] = Path("packages"),
    yes: Annotated[bool, typer.Option("--yes", help="Approve both gates without asking.")] = False,
    wait: Annotated[bool, typer.Option(help="Follow the campaign to its end, or only create it.")] = True,
    server: Server = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Run a campaign from brief to package, asking at both gates."""
    asked, photo = _read_campaign(file, image)

    async def work(client: Client) -> int:
        campaign = await _create(client, asked, photo)
        if not wait:
            show_result(as_json, campaign, f"Campaign {campaign['id']} is {campaign['status']}.")
            return Exit.DONE
        return await _follow(client, campaign, output, yes=yes, as_json=as_json)

    go(work, server, key, "fanfare run")


@app.command(epilog="Example: fanfare serve --port 8000")
def serve(
    host: Annotated[str, typer.Option(help="An address of this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
) -> None:
    """Serve the REST API and the review pages."""
    try:
        settings = settings_or_stop()
        require_loopback(settings, host)
        err.print(f"Review pages: [link]http://{host}:{port}/[/link]   API: http://{host}:{port}/docs")
        serve_http(settings, host=host, port=port)
    except NotLoopback as error:
        stop(Exit.INPUT, str(error))
    except (AddressRefused, DataFolderInUse, Unavailable, UnusableCertificate) as error:
        stop(Exit.UNAVAILABLE, str(error))


@app.command("list", epilog="Example: fanfare list --status completed --json")
def list_campaigns(
    status: Annotated[str | None, typer.Option(help="Only campaigns with this status.")] = None,
    query: Annotated[str | None, typer.Option(help="Only products whose name contains this.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    server: Server = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """List campaigns, newest first."""
    wanted = {"status": status, "q": query, "limit": limit}

    async def work(client: Client) -> int:
        page = await client.call(
            "GET", "/v1/campaigns", params={key: value for key, value in wanted.items() if value is not None}
        )
        show_result(as_json, page, _table(page["items"]))
        return Exit.DONE

    go(work, server, key, "fanfare list", recover=False)


@app.command(epilog="Example: fanfare show 0199a1b2-… --json")
def show(campaign_id: Id, server: Server = None, key: Key = None, as_json: Json = False) -> None:
    """Show a campaign and its content as far as it has come."""

    async def work(client: Client) -> int:
        campaign = await client.call("GET", f"/v1/campaigns/{campaign_id}")
        content = await client.call("GET", f"/v1/campaigns/{campaign_id}/content")
        show_result(as_json, {**campaign, "content": content}, _told(campaign))
        if not as_json:
            _show_content(content)
        return Exit.DONE

    go(work, server, key, "fanfare show", recover=False)


@app.command(epilog="Example: fanfare approve 0199a1b2-… --comment 'Good to go'")
def approve(
    campaign_id: Id,
    comment: Annotated[str | None, typer.Option(help="Kept for the team.")] = None,
    server: Server = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Approve what waits at the open gate, and follow the campaign to the next."""
    _decide(campaign_id, "approve", comment, server, key, as_json)


@app.command(epilog="Example: fanfare reject 0199a1b2-… --comment 'Wrong product'")
def reject(
    campaign_id: Id,
    comment: Annotated[str | None, typer.Option(help="Why; kept for the team.")] = None,
    server: Server = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Reject what waits at the open gate; the campaign ends."""
    _decide(campaign_id, "reject", comment, server, key, as_json)


@app.command(epilog="Examples: fanfare retry 0199a1b2-… · fanfare retry 0199a1b2-… --budget 0.80")
def retry(
    campaign_id: Id,
    budget: Annotated[
        str | None, typer.Option(help="What its model calls may cost from now on in all, in $.")
    ] = None,
    server: Server = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Let a failed campaign go on from where it stopped, with a new budget if one is given."""

    async def work(client: Client) -> int:
        await client.call("POST", f"/v1/campaigns/{campaign_id}/retry", json={"budget_usd": budget})
        return await _settled(client, campaign_id, as_json=as_json)

    go(work, server, key, "fanfare retry")


@app.command(epilog="Example: fanfare cancel 0199a1b2-…")
def cancel(campaign_id: Id, server: Server = None, key: Key = None, as_json: Json = False) -> None:
    """Stop a campaign for good."""

    async def work(client: Client) -> int:
        campaign = await client.call("POST", f"/v1/campaigns/{campaign_id}/cancel")
        show_result(as_json, campaign, _told(campaign))
        return Exit.DONE

    go(work, server, key, "fanfare cancel")


@app.command(epilog="Example: fanfare export 0199a1b2-… --output packages")
def export(
    campaign_id: Id,
    output: Annotated[Path, typer.Option(help="Where the package goes.")] = Path("packages"),
    server: Server = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Fetch a finished campaign's package, and unpack it."""

    async def work(client: Client) -> int:
        campaign = await client.call("GET", f"/v1/campaigns/{campaign_id}")
        paths = await _fetch(client, campaign, output)
        show_result(as_json, paths, _where(paths))
        return Exit.DONE

    go(work, server, key, "fanfare export", recover=False)


@app.command(
    epilog="Examples: fanfare lint copy.json · fanfare lint --placement x_post --text 'Buy now!!' "
    "--product examples/aurora.json · fanfare lint --rules. Exits with 1 when a finding blocks.",
)
def lint(
    file: Annotated[
        Path | None, typer.Argument(help="What POST /v1/lint takes, as JSON; - is standard input.")
    ] = None,
    place: Annotated[str | None, typer.Option("--placement", help="As `fanfare placements` lists it.")] = None,
    text: Annotated[list[str] | None, typer.Option(help="A text instead of a file; may be repeated.")] = None,
    slot: Annotated[str | None, typer.Option(help="What the text is for; the placement's first slot.")] = None,
    language: Annotated[str | None, typer.Option(help="BCP 47; what the text is written in, or en.")] = None,
    product: Annotated[Path | None, typer.Option(help="A campaign or product as JSON, to check claims.")] = None,
    rules: Annotated[bool, typer.Option("--rules", help="List every rule instead.")] = False,
    as_json: Json = False,
) -> None:
    """Check texts by the rules alone: offline, without a campaign and without a model."""
    if rules:
        show_result(as_json, [proof.rule_as_json(rule) for rule in RULES], proof.rules(RULES))
        return
    if file is not None and not (place or text or slot or language or product):
        asked = _lint_request(_read(file))
    elif file is None and place and text:
        asked = _lint_request(_asked_for(place, slot, text, language or "en", product))
    else:
        stop(Exit.INPUT, "Give a file, or --placement with --text; see `fanfare lint --help`.")
    answer = checked(asked, whole=file is not None)
    show_result(as_json, answer.model_dump(mode="json"), proof.proof(asked, answer))
    raise typer.Exit(Exit.FAILED if answer.decision == "block" else Exit.DONE)


@app.command("placements", epilog="Examples: fanfare placements · fanfare placements google_rda --json")
def show_placements(
    placement_id: Annotated[str | None, typer.Argument(help="One of them, with its limits and sources.")] = None,
    as_json: Json = False,
) -> None:
    """Show where a campaign can appear: texts, limits and pictures."""
    if placement_id is None:
        table = {"items": [one.as_json() for one in PLACEMENTS.values()], "next_cursor": None}
        show_result(as_json, table, proof.placements(PLACEMENTS.values()))
        return
    try:
        one = placement(placement_id)
    except UnknownPlacement as error:
        stop(Exit.INPUT, str(error))
    show_result(as_json, one.as_json(), proof.placement(one))


@app.command(epilog="Example: fanfare doctor --json")
def doctor(as_json: Json = False) -> None:
    """Say what is configured, what can be reached, and what is missing."""
    findings = asyncio.run(examination.examine(settings_or_stop()))
    if as_json:
        out.print_json(data=[finding.as_json() for finding in findings])
    else:
        table = Table("", "What", "Finding", box=None)
        for finding in findings:
            table.add_row(_MARKS[finding.level], finding.what, escape(finding.says))
        out.print(table)
    raise typer.Exit(Exit.UNAVAILABLE if any(finding.level == "bad" for finding in findings) else Exit.DONE)


@app.command(epilog="Example: fanfare rehearsal --port 8001 --latency 1.5 --faults 429=0.02,500=0.01")
def rehearsal(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8001,
    latency: Annotated[float, typer.Option(min=0, help="Seconds before each answer.")] = 0.0,
    jitter: Annotated[float, typer.Option(min=0, help="Seconds more or less, at random.")] = 0.0,
    faults: Annotated[
        str, typer.Option(help=f"Faults and their rates: 429=0.02,reset=0.01; there are {', '.join(FAULTS)}.")
    ] = "",
    seed: Annotated[int, typer.Option(help="The same seed gives the same faults.")] = 0,
    without: Annotated[
        list[str] | None, typer.Option(help=f"What the server shall not know: {', '.join(FEATURES)}.")
    ] = None,
) -> None:
    """Serve the rehearsal model as an OpenAI-compatible server, with latency and faults for load tests."""
    try:
        rates = offline.parse_faults(faults)
        model = offline.rehearsal(latency=latency, jitter=jitter, faults=rates, seed=seed, without=without or ())
    except ValueError as error:
        stop(Exit.INPUT, str(error))
    err.print(f"OPENAI_BASE_URL=http://127.0.0.1:{port}/v1 OPENAI_API_KEY=rehearsal")
    uvicorn.run(model, host="127.0.0.1", port=port, log_level="warning")


def _read(file: Path) -> bytes:
    """The file's bytes; `-` is standard input."""
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        stop(Exit.INPUT, f"{error.filename}: {error.strerror}")


def _asked_for(place: str, slot: str | None, texts: list[str], language: str, product: Path | None) -> bytes:
    """A lint request for the texts of one slot, which is the placement's first when nobody says."""
    slots = PLACEMENTS[place].slots if place in PLACEMENTS else ()
    name = slot or next((one.name for one in slots), "body")
    asked = {"placement": place, "language": language, "texts": {name: texts}, "product": _product(product)}
    return json.dumps(asked).encode()


def _product(file: Path | None) -> Any:
    """The product in a file that holds one, or a campaign with one."""
    if file is None:
        return None
    try:
        held: Any = json.loads(_read(file))
        return held.get("product", held)
    except (ValueError, AttributeError) as error:
        stop(Exit.INPUT, f"{file} is no product in JSON: {error}")


def _lint_request(body: bytes) -> LintRequest:
    try:
        return LintRequest.model_validate_json(body)
    except ValidationError as error:
        stop(Exit.INPUT, "\n".join(sentence([{**one}]) for one in error.errors(include_url=False)))


def _read_campaign(file: Path, image: Path | None) -> tuple[dict[str, Any], bytes]:
    try:
        asked = json.loads(file.read_text(encoding="utf-8"))
        named = asked.pop("image", None)
        photo = image or (file.parent / named if named else None)
        if photo is None:
            stop(Exit.INPUT, f"{file} names no image; add one, or use --image.")
        return asked, photo.read_bytes()
    except OSError as error:
        stop(Exit.INPUT, f"{error.filename}: {error.strerror}")
    except (ValueError, AttributeError, TypeError) as error:
        stop(Exit.INPUT, f"{file} is not a campaign in JSON: {error}")


async def _create(client: Client, asked: dict[str, Any], photo: bytes) -> dict[str, Any]:
    parts = {
        "campaign": (None, json.dumps(asked).encode(), "application/json"),
        "image": ("photo", photo, "application/octet-stream"),
    }
    created: dict[str, Any] = await client.call("POST", "/v1/campaigns", files=parts)
    return created


def _decide(
    campaign_id: str, kind: str, comment: str | None, server: str | None, key: str | None, as_json: bool
) -> None:
    async def work(client: Client) -> int:
        await _send(client, campaign_id, kind, comment)
        return await _settled(client, campaign_id, as_json=as_json)

    go(work, server, key, f"fanfare {kind}")


async def _settled(client: Client, campaign_id: str, *, as_json: bool) -> int:
    """Follow the campaign to its next rest, and tell; only a failure is an error."""
    with Progress(err, quiet=as_json) as progress:
        campaign = await _until_still(client, campaign_id, progress)
    show_result(as_json, campaign, _told(campaign))
    return Exit.FAILED if campaign["status"] == "failed" else Exit.DONE


async def _send(client: Client, campaign_id: str, kind: str, comment: str | None = None) -> None:
    open_gate = await client.call("GET", f"/v1/campaigns/{campaign_id}/approval")
    decision = {
        "gate": open_gate["gate"],
        "revision": open_gate["revision"],
        "type": kind,
        "comment": comment,
    }
    await client.call("POST", f"/v1/campaigns/{campaign_id}/decisions", json=decision)


async def _follow(client: Client, campaign: dict[str, Any], output: Path, *, yes: bool, as_json: bool) -> int:
    began = time.monotonic()
    with Progress(err, quiet=as_json) as progress:
        while True:
            campaign = await _until_still(client, campaign["id"], progress)
            if campaign["status"] not in _GATES:
                break
            with progress.paused() if not yes else contextlib.nullcontext():
                decision = await _ask(client, campaign, yes=yes, as_json=as_json)
            if decision is None:
                break
            await _send(client, campaign["id"], *decision)
    return await _conclude(client, campaign, output, time.monotonic() - began, as_json=as_json)


async def _until_still(client: Client, campaign_id: str, progress: Progress) -> dict[str, Any]:
    """Follow the campaign until it waits for a person or has ended; the campaign then."""
    while True:
        campaign: dict[str, Any] = await client.call("GET", f"/v1/campaigns/{campaign_id}")
        if campaign["status"] not in _MOVING:
            return campaign
        async with contextlib.aclosing(client.follow(campaign_id, after=progress.seen)) as events:
            async for told in events:
                progress.see(told)
                if told.type == "status" and told.data["status"] not in _MOVING:
                    break


async def _ask(
    client: Client, campaign: dict[str, Any], *, yes: bool, as_json: bool
) -> tuple[str, str | None] | None:
    if yes:
        return "approve", None
    if as_json or not (sys.stdin.isatty() and err.is_terminal):
        return None
    _show_content(await client.call("GET", f"/v1/campaigns/{campaign['id']}/content"))
    answer = typer.prompt("Approve (a), send back with a comment (s), reject (r), or leave it for later (l)?", "a")
    match answer.strip().lower()[:1]:
        case "a":
            return "approve", None
        case "s":
            return "respond", typer.prompt("What should change?")
        case "r":
            return "reject", typer.prompt("Why?")
        case _:
            return None


async def _conclude(
    client: Client, campaign: dict[str, Any], output: Path, seconds: float, *, as_json: bool
) -> int:
    paths: dict[str, str] = {}
    if campaign["status"] == "completed":
        paths = await _fetch(client, campaign, output)
    if as_json:
        out.print_json(data={**campaign, **paths, "seconds": round(seconds, 2)})
    elif paths:
        cost = campaign["cost"]
        out.print(_where(paths))
        out.print(f"[bold]Cost[/bold]           ${cost['usd']} for {cost['calls']} model calls")
        out.print(f"[bold]Time[/bold]           {seconds:.1f} s")
    else:
        out.print(_told(campaign))
        if campaign["status"] in _GATES:
            out.print(f"Decide with: fanfare approve {campaign['id']}   or in the review pages: fanfare serve")
    return _STATUS_EXITS.get(campaign["status"], Exit.FAILED)


async def _fetch(client: Client, campaign: dict[str, Any], output: Path) -> dict[str, str]:
    data = await client.download(f"/v1/campaigns/{campaign['id']}/package.zip")
    name = f"{_slug(campaign['product']['name'])}-{campaign['id'][-8:]}"
    folder = (output / name).absolute()
    await asyncio.to_thread(_unpack, data, folder)
    return {
        "package": str(folder.with_suffix(".zip")),
        "page": str(folder / "index.html"),
        "contact_sheet": str(folder / CONTACT_SHEET),
    }


def _unpack(data: bytes, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.with_suffix(".zip").write_bytes(data)
    if (folder / "manifest.json").is_file():
        shutil.rmtree(folder)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(folder)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "campaign"


def _told(campaign: dict[str, Any]) -> str:
    status = campaign["status"].replace("_", " ")
    lines = [f"[bold]{escape(campaign['product']['name'])}[/bold]  {campaign['id']}  {status}"]
    if campaign["error"]:
        lines.append(f"[red]{escape(campaign['error']['detail'])}[/red] Then: fanfare retry {campaign['id']}")
    return "\n".join(lines)


def _where(paths: dict[str, str]) -> str:
    return (
        f"[bold]Package[/bold]        {paths['package']}\n"
        f"[bold]Contact sheet[/bold]  {paths['contact_sheet']}\n"
        f"[bold]Page[/bold]           {paths['page']}"
    )


def _table(campaigns: list[dict[str, Any]]) -> Table | str:
    if not campaigns:
        return "No campaigns yet. Start one with: fanfare run examples/aurora.json"
    table = Table(box=None)
    table.add_column("Id", no_wrap=True, min_width=36)
    for name in ("Product", "Status", "Languages", "Cost", "Created"):
        table.add_column(name)
    for one in campaigns:
        table.add_row(
            one["id"], escape(one["product"]["name"]), one["status"].replace("_", " "), " ".join(one["languages"]),
            f"${one['cost']['usd']}", one["created_at"][:16].replace("T", " "),
        )  # fmt: skip
    return table


def _show_content(content: dict[str, Any]) -> None:
    """All that the gate approves: every text of every variant, what was found in it, and what is missing."""
    for language, copy in {"copy": content["copy"], **content["translations"]}.items():
        if not copy:
            continue
        for variant, said in {"a": copy, **copy.get("variants", {})}.items():
            title = f"{language}, variant {variant.upper()}" if "variants" in copy else language
            out.print(_texts_table(title, said))
        verdict: dict[str, Any] = (content if language == "copy" else copy).get("verdict") or {"findings": []}
        found: list[dict[str, Any]] = verdict["findings"]
        for finding in found:
            where = f"{finding['placement']} {finding['field']}"
            out.print(f"  [yellow]{finding['severity']}[/yellow] {escape(where)}: {escape(finding['message'])}")
    for language, failure in content.get("failures", {}).items():
        out.print(f"  [red]{language} is missing[/red]: {escape(failure['detail'])}")


def _texts_table(title: str, copy: dict[str, Any]) -> Table:
    table = Table("Placement", "Slot", "Text", title=title, title_justify="left", show_lines=True)
    for number, line in enumerate(copy["headlines"], 1):
        table.add_row("campaign", f"headline {number}", escape(line))
    for slot in ("subline", "call_to_action", "alt_text"):
        if copy.get(slot):
            table.add_row("campaign", slot, escape(copy[slot]))
    for name, slots in copy["placements"].items():
        for slot, lines in slots.items():
            table.add_row(name, slot, escape("\n".join(lines)))
    return table


if __name__ == "__main__":
    main()
