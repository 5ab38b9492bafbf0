"""The command line: the same calls as the REST contract, for people and for scripts."""

import asyncio
import contextlib
import io
import json
import re
import shutil
import signal
import sys
import time
import zipfile
from collections.abc import Callable, Coroutine
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import httpx2
import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agents import offline
from agents.offline.faults import FAULTS, FEATURES
from service import doctor as examination
from service import migrations, proof, upkeep
from service.api.keys import KeyBody, KeyRequest
from service.api.models import LintRequest
from service.client import Client, Refused, connect
from service.embedded import DataFolderInUse
from service.identity import ROLES, TENANT, TENANT_PATTERN
from service.keys import Keys, ended
from service.lint import checked
from service.outages import DatabaseUnavailable
from service.problems import sentence
from service.progress import Progress
from service.server import AddressRefused, NotLoopback, Unavailable, log_to_stderr, require_loopback
from service.server import serve as serve_http
from service.settings import Settings
from tools.imaging.certificate import CertificateExists, make_test_chain
from tools.imaging.signing import UnusableCertificate
from tools.lint import RULES
from tools.package import CONTACT_SHEET
from tools.placements import PLACEMENTS, UnknownPlacement, placement

T = TypeVar("T")

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

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
c2pa_app = typer.Typer(
    help="Content credentials (C2PA) in finished pictures.",
    epilog="Example: fanfare c2pa init --out credentials",
    no_args_is_help=True,
)
app.add_typer(c2pa_app, name="c2pa")
webhooks_app = typer.Typer(
    help="Who hears of campaigns, and what was sent to them; docs/webhooks.md says how to add one.",
    epilog="Example: fanfare webhooks deliveries --status dead",
    no_args_is_help=True,
)
app.add_typer(webhooks_app, name="webhooks")
keys_app = typer.Typer(
    help="API keys, straight in the database: also while the service runs, and before anybody has one.",
    epilog="Example: fanfare keys create --name 'Ada Lovelace' --role approver",
    no_args_is_help=True,
)
app.add_typer(keys_app, name="keys")
privacy_app = typer.Typer(
    help="What is kept of a campaign, a person or the tenant: as an archive, or erased.",
    epilog="Examples: fanfare privacy export --person 'Ada Lovelace' · … erase --campaign 0199a1b2-…",
    no_args_is_help=True,
)
app.add_typer(privacy_app, name="privacy")
db_app = typer.Typer(
    help="The database's tables. Exit codes: 0 as wanted · 1 at another revision · 6 not to be had.",
    epilog="Examples: fanfare db check · fanfare db upgrade",
    no_args_is_help=True,
)
app.add_typer(db_app, name="db")
assets_app = typer.Typer(
    help="The pictures and packages that are kept: what nobody needs, and what is missing.",
    epilog="Example: fanfare assets check",
    no_args_is_help=True,
)
app.add_typer(assets_app, name="assets")


class Exit(IntEnum):
    """What a script can tell from the exit code."""

    DONE = 0
    FAILED = 1
    INPUT = 2
    WAITING = 3
    ENDED = 4
    REFUSED = 5
    UNAVAILABLE = 6


Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Server = Annotated[
    str | None,
    typer.Option(
        envvar="FANFARE_SERVER",
        help="The URL of a running service; without it this command opens the data folder.",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        envvar="FANFARE_KEY",
        show_envvar=True,
        help="The API key or token that the service asks for.",
        metavar="KEY",
    ),
]
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
            _print(as_json, campaign, f"Campaign {campaign['id']} is {campaign['status']}.")
            return Exit.DONE
        return await _follow(client, campaign, output, yes=yes, as_json=as_json)

    _go(work, server, key, "fanfare run")


@app.command(epilog="Example: fanfare serve --port 8000")
def serve(
    host: Annotated[str, typer.Option(help="An address of this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
) -> None:
    """Serve the REST API and the review pages."""
    try:
        settings = _settings()
        require_loopback(settings, host)
        err.print(f"Review pages: [link]http://{host}:{port}/[/link]   API: http://{host}:{port}/docs")
        serve_http(settings, host=host, port=port)
    except NotLoopback as error:
        _stop(Exit.INPUT, str(error))
    except (AddressRefused, DataFolderInUse, Unavailable, UnusableCertificate) as error:
        _stop(Exit.UNAVAILABLE, str(error))


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
        _print(as_json, page, _table(page["items"]))
        return Exit.DONE

    _go(work, server, key, "fanfare list", recover=False)


@app.command(epilog="Example: fanfare show 0199a1b2-… --json")
def show(campaign_id: Id, server: Server = None, key: Key = None, as_json: Json = False) -> None:
    """Show a campaign and its content as far as it has come."""

    async def work(client: Client) -> int:
        campaign = await client.call("GET", f"/v1/campaigns/{campaign_id}")
        content = await client.call("GET", f"/v1/campaigns/{campaign_id}/content")
        _print(as_json, {**campaign, "content": content}, _told(campaign))
        if not as_json:
            _show_content(content)
        return Exit.DONE

    _go(work, server, key, "fanfare show", recover=False)


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

    _go(work, server, key, "fanfare retry")


@app.command(epilog="Example: fanfare cancel 0199a1b2-…")
def cancel(campaign_id: Id, server: Server = None, key: Key = None, as_json: Json = False) -> None:
    """Stop a campaign for good."""

    async def work(client: Client) -> int:
        campaign = await client.call("POST", f"/v1/campaigns/{campaign_id}/cancel")
        _print(as_json, campaign, _told(campaign))
        return Exit.DONE

    _go(work, server, key, "fanfare cancel")


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
        _print(as_json, paths, _where(paths))
        return Exit.DONE

    _go(work, server, key, "fanfare export", recover=False)


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
        _print(as_json, [proof.rule_as_json(rule) for rule in RULES], proof.rules(RULES))
        return
    if file is not None and not (place or text or slot or language or product):
        asked = _lint_request(_read(file))
    elif file is None and place and text:
        asked = _lint_request(_asked_for(place, slot, text, language or "en", product))
    else:
        _stop(Exit.INPUT, "Give a file, or --placement with --text; see `fanfare lint --help`.")
    answer = checked(asked, whole=file is not None)
    _print(as_json, answer.model_dump(mode="json"), proof.proof(asked, answer))
    raise typer.Exit(Exit.FAILED if answer.decision == "block" else Exit.DONE)


@app.command("placements", epilog="Examples: fanfare placements · fanfare placements google_rda --json")
def show_placements(
    placement_id: Annotated[str | None, typer.Argument(help="One of them, with its limits and sources.")] = None,
    as_json: Json = False,
) -> None:
    """Show where a campaign can appear: texts, limits and pictures."""
    if placement_id is None:
        table = {"items": [one.as_json() for one in PLACEMENTS.values()], "next_cursor": None}
        _print(as_json, table, proof.placements(PLACEMENTS.values()))
        return
    try:
        one = placement(placement_id)
    except UnknownPlacement as error:
        _stop(Exit.INPUT, str(error))
    _print(as_json, one.as_json(), proof.placement(one))


@app.command(epilog="Example: fanfare doctor --json")
def doctor(as_json: Json = False) -> None:
    """Say what is configured, what can be reached, and what is missing."""
    findings = asyncio.run(examination.examine(_settings()))
    if as_json:
        out.print_json(data=[finding.as_json() for finding in findings])
    else:
        table = Table("", "What", "Finding", box=None)
        for finding in findings:
            table.add_row(_MARKS[finding.level], finding.what, escape(finding.says))
        out.print(table)
    raise typer.Exit(Exit.UNAVAILABLE if any(finding.level == "bad" for finding in findings) else Exit.DONE)


@c2pa_app.command("init", epilog="Example: fanfare c2pa init --out credentials")
def make_credentials(
    folder: Annotated[Path, typer.Option("--out", help="Where the files go; nothing is overwritten.")] = Path(
        "credentials"
    ),
    as_json: Json = False,
) -> None:
    """Make a test certificate and key to try content credentials with."""
    try:
        made = make_test_chain(folder)
    except CertificateExists as error:
        _stop(Exit.INPUT, str(error))
    except OSError as error:
        _stop(Exit.INPUT, f"{error.filename}: {error.strerror}")
    _print(
        as_json,
        {"certificate": str(made.certificate), "key": str(made.key), "anchor": str(made.anchor)},
        (
            f"[bold]Certificate[/bold]  {escape(str(made.certificate))}\n"
            f"[bold]Key[/bold]          {escape(str(made.key))}\n"
            f"[bold]Anchor[/bold]       {escape(str(made.anchor))}\n"
            "Set FANFARE_C2PA_CERTIFICATE and FANFARE_C2PA_KEY to these paths, and pictures are signed.\n"
            "This is a test certificate: nobody trusts it who was not given the anchor. For pictures that leave, "
            "use one from an authority on the C2PA trust list."
        ),
    )


@webhooks_app.command("list", epilog="Example: fanfare webhooks list --json")
def list_webhooks(server: Server = None, key: Key = None, as_json: Json = False) -> None:
    """List the webhooks, oldest first."""

    async def work(client: Client) -> int:
        page = await client.call("GET", "/v1/webhooks")
        columns = {"Id": "id", "Address": "url", "Created": "created_at", "Disabled": "disabled_at"}
        _print(as_json, page, _listed(page["items"], columns, "No webhooks yet. Add one with POST /v1/webhooks."))
        return Exit.DONE

    _go(work, server, key, "fanfare webhooks list", recover=False)


@webhooks_app.command("deliveries", epilog="Example: fanfare webhooks deliveries --status dead --json")
def list_deliveries(
    status: Annotated[str | None, typer.Option(help="Only pending, delivered or dead ones.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    server: Server = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """List what was sent to webhooks, or is on its way, newest first."""
    wanted = {"limit": limit} | ({"status": status} if status else {})

    async def work(client: Client) -> int:
        page = await client.call("GET", "/v1/webhooks/deliveries", params=wanted)
        columns = {
            "Id": "id", "Event": "type", "Address": "url", "Status": "status", "Attempts": "attempts",
            "Due": "due_at", "Last error": "last_error",
        }  # fmt: skip
        _print(as_json, page, _listed(page["items"], columns, "No deliveries."))
        return Exit.DONE

    _go(work, server, key, "fanfare webhooks deliveries", recover=False)


@webhooks_app.command("replay", epilog="Example: fanfare webhooks replay 0199a1b2-…")
def replay_delivery(
    delivery_id: Annotated[str, typer.Argument(help="As `fanfare webhooks deliveries` shows it.")],
    server: Server = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Let a running service send an event again that has arrived or was given up."""

    async def work(client: Client) -> int:
        again = await client.call("POST", f"/v1/webhooks/deliveries/{delivery_id}/replay")
        _print(as_json, again, f"{again['type']} is sent to {escape(again['url'])} again.")
        return Exit.DONE

    _go(work, server, key, "fanfare webhooks replay", recover=False)


@keys_app.command("create", epilog="Example: fanfare keys create --name 'Ada Lovelace' --role editor --days 90")
def create_key(
    name: Annotated[str, typer.Option(help="Whose it is, or what for.")],
    role: Annotated[list[str], typer.Option(help=f"One of {', '.join(ROLES)}; may be repeated.")],
    tenant: Annotated[str, typer.Option(help="Letters, digits, - and _.")] = TENANT,
    days: Annotated[float | None, typer.Option(min=0.001, max=3660, help="How long it lasts.")] = None,
    as_json: Json = False,
) -> None:
    """Make a key, and show it this once."""
    try:
        asked = KeyRequest.model_validate(
            {"name": name, "roles": role, "expires_in": None if days is None else max(1, int(days * 86_400))}
        )
    except ValidationError as error:
        _stop(Exit.INPUT, sentence([{**one} for one in error.errors(include_url=False)]))
    if not re.fullmatch(TENANT_PATTERN, tenant):
        _stop(Exit.INPUT, "A tenant's name has 1 to 64 letters, digits, - or _.")

    async def work(keys: Keys) -> int:
        row, key = await keys.create(
            tenant, name=asked.name, roles=asked.roles, by="local", seconds=asked.expires_in
        )
        told = {**KeyBody.of(row).model_dump(), "tenant": tenant, "key": key}
        _print(as_json, told, f"{key}\nKeep it now: only its hash is stored. Its id is {row.id}.")
        return Exit.DONE

    _with_keys(work)


@keys_app.command("list", epilog="Example: fanfare keys list --tenant acme --json")
def list_keys(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None, as_json: Json = False
) -> None:
    """List the newest hundred keys, alive or not, without their secrets."""

    async def work(keys: Keys) -> int:
        rows = await keys.page(tenant)
        listed = [{**KeyBody.of(row).model_dump(), "tenant": row.tenant} for row in rows]
        table = Table("Id", "Tenant", "Name", "Roles", "State", "Last used", box=None)
        for row in rows:
            state = "revoked" if row.revoked_at else "expired" if ended(row) else "alive"
            used = (row.last_used_at or "never")[:16].replace("T", " ")
            table.add_row(row.id, row.tenant, escape(row.name), " ".join(row.roles), state, used)
        _print(as_json, {"items": listed, "next_cursor": None}, table if rows else "No keys yet.")
        return Exit.DONE

    _with_keys(work)


@keys_app.command("revoke", epilog="Example: fanfare keys revoke 0199a1b2-…")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The key's id, as `fanfare keys list` shows it.")],
    as_json: Json = False,
) -> None:
    """End a key for good, with every session that was begun with it."""

    async def work(keys: Keys) -> int:
        if not await keys.revoke(key_id):
            _stop(Exit.INPUT, f"There is no key {key_id}.")
        _print(as_json, {"id": key_id, "revoked": True}, f"Key {key_id} opens nothing any more.")
        return Exit.DONE

    _with_keys(work)


Whom = Annotated[str | None, typer.Option(help="A person, as histories call them.")]
Which = Annotated[str | None, typer.Option(help="A campaign's id.")]


@privacy_app.command("export", epilog="Example: fanfare privacy export --campaign 0199a1b2-… --output aurora.zip")
def export_data(
    campaign: Which = None,
    person: Whom = None,
    tenant: Annotated[bool, typer.Option("--tenant", help="Everything of the caller's tenant.")] = False,
    output: Annotated[Path, typer.Option(help="The archive to write.")] = Path("export.zip"),
    server: Server = None,
    key: Key = None,
) -> None:
    """Write everything that is kept of one campaign, one person or the tenant into an archive."""
    method, path, body = _about(campaign, person, tenant=tenant, action="export", confirm=None)

    async def work(client: Client) -> int:
        data = await client.download(path, method=method, json=body)
        await asyncio.to_thread(output.write_bytes, data)
        out.print(f"{output}: {len(data):,} bytes")
        return Exit.DONE

    _go(work, server, key, "fanfare privacy export", recover=False)


@privacy_app.command("erase", epilog="Example: fanfare privacy erase --person 'Ada Lovelace'")
def erase_data(
    campaign: Which = None,
    person: Whom = None,
    tenant: Annotated[str | None, typer.Option(help="The caller's tenant, by its name: all of it.")] = None,
    server: Server = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Erase one campaign, one person or the tenant from every store for good, and say what is gone."""
    method, path, body = _about(campaign, person, tenant=tenant is not None, action="erase", confirm=tenant)

    async def work(client: Client) -> int:
        gone = await client.call(method, path, json=body)
        lines = [f"{number} {name}" for name, number in gone["erased"].items()]
        lines += [f"{_LEFT[name]} {', '.join(gone[name])}" for name in _LEFT if gone[name]]
        _print(as_json, gone, escape("\n".join(lines) or "There was nothing."))
        return Exit.DONE

    _go(work, server, key, "fanfare privacy erase", recover=False)


def _about(
    campaign: str | None, person: str | None, *, tenant: bool, action: str, confirm: str | None
) -> tuple[str, str, dict[str, str] | None]:
    """The call that is about the one thing named."""
    if (campaign is not None) + (person is not None) + tenant != 1:
        _stop(Exit.INPUT, "Name one of --campaign, --person and --tenant.")
    if campaign is not None:
        here = f"/v1/campaigns/{campaign}"
        return ("GET", f"{here}/export", None) if action == "export" else ("DELETE", here, None)
    if person is not None:
        return "POST", f"/v1/people/{action}", {"person": person}
    if action == "export":
        return "GET", "/v1/tenant/export", None
    return "POST", "/v1/tenant/erase", {"confirm": confirm or ""}


_LEFT = {
    "still_open": "Open campaigns that may hold a comment of theirs, to be asked again once they ended:",
    "named_in": "Campaigns whose product text names them:",
    "elsewhere": "Copies that are not ours to erase:",
}


@db_app.command("upgrade", epilog="Example: FANFARE_DATABASE_URL=postgresql://… fanfare db upgrade")
def upgrade_database(as_json: Json = False) -> None:
    """Bring the tables to this version; several at once are safe, and what is done is not done again."""
    settings = _settings()
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        _stop(Exit.INPUT, f"{error.filename}: {error.strerror}")
    _tell_schema(migrations.upgrade(settings.records_url), settings, as_json=as_json)


@db_app.command("reseal", epilog="Example: FANFARE_FIELD_KEYS=new:…,old:… fanfare db reseal")
def reseal_database(as_json: Json = False) -> None:
    """Encrypt what people wrote anew under the first of FANFARE_FIELD_KEYS; then the other keys can go."""
    settings = _settings()
    if settings.field_keys is None:
        _stop(Exit.INPUT, "Set FANFARE_FIELD_KEYS first: name:key, the key from `openssl rand -base64 32`.")
    with err.status("Writing every encrypted field anew …"):
        rows = _upkept(upkeep.resealed(settings))
    _print(as_json, rows, "\n".join(f"{name}: {number} rows" for name, number in rows.items()))


@db_app.command("check", epilog="Example: fanfare db check --json || fanfare db upgrade")
def check_database(as_json: Json = False) -> None:
    """Say which revision the tables are at and which one this version wants; nothing is changed."""
    _tell_schema(None, _settings(), as_json=as_json)


@assets_app.command("sweep", epilog="Example: fanfare assets sweep --dry-run")
def sweep_assets(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: Json = False,
) -> None:
    """Forget what no campaign has needed for as long as FANFARE_ASSETS_GRACE_SECONDS says."""
    found = _upkept(upkeep.swept(_settings(), dry_run=dry_run))
    lines = [f"{one.tenant}  {one.sha256}  kept {one.kept_at}" for one in found]
    told = f"{len(found)} {'would go' if dry_run else 'gone'}."
    _print(as_json, [one.as_json() for one in found], "\n".join((*lines, told)))


@assets_app.command("check", epilog="Example: fanfare assets check --read. Exits with 1 when something is lost.")
def check_assets(
    read: Annotated[bool, typer.Option("--read", help="Read every byte, to find what is damaged too.")] = False,
    as_json: Json = False,
) -> None:
    """Look whether the bytes of everything that a campaign needs are there."""
    lost = _upkept(upkeep.lost(_settings(), read=read))
    lines = [f"{one.what}  {one.tenant}  {one.sha256}  needed by {', '.join(one.owners)}" for one in lost]
    told = escape("\n".join(lines)) or "Everything that is needed is there."
    _print(as_json, [one.as_json() for one in lost], told)
    raise typer.Exit(Exit.FAILED if lost else Exit.DONE)


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
        _stop(Exit.INPUT, str(error))
    err.print(f"OPENAI_BASE_URL=http://127.0.0.1:{port}/v1 OPENAI_API_KEY=rehearsal")
    uvicorn.run(model, host="127.0.0.1", port=port, log_level="warning")


def _upkept(work: Coroutine[Any, Any, T]) -> T:
    """What an operator's work on the stores comes to."""
    log_to_stderr("warning")
    try:
        return asyncio.run(work)
    except DataFolderInUse as error:
        _stop(Exit.UNAVAILABLE, str(error))
    except (Unavailable, OSError) as error:
        _stop(Exit.UNAVAILABLE, f"{error} Run `fanfare doctor` to see what is missing.")


def _go(
    work: Callable[[Client], Coroutine[Any, Any, int]],
    server: str | None,
    key: str | None,
    command: str,
    *,
    recover: bool = True,
) -> None:
    settings = _settings()
    log_to_stderr("warning")

    async def connected() -> int:
        if this := asyncio.current_task():
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
        async with connect(settings, server, command=command, key=key, recover=recover) as client:
            return await work(client)

    try:
        code = asyncio.run(connected())
    except asyncio.CancelledError:
        raise typer.Exit(128 + signal.SIGTERM) from None
    except Refused as error:
        wrong_input = error.status in (413, 415, 422)
        _stop(Exit.INPUT if wrong_input else Exit.REFUSED, str(error))
    except (DataFolderInUse, Unavailable) as error:
        _stop(Exit.UNAVAILABLE, str(error))
    except httpx2.TransportError as error:
        _stop(Exit.UNAVAILABLE, f"The service at {server} cannot be reached ({type(error).__name__}).")
    except OSError as error:
        _stop(Exit.UNAVAILABLE, f"{error} Run `fanfare doctor` to see what is missing.")
    raise typer.Exit(code)


def _with_keys(work: Callable[[Keys], Coroutine[Any, Any, int]]) -> NoReturn:
    settings = _settings()
    log_to_stderr("warning")

    async def opened() -> int:
        async with upkeep.keys(settings) as keys:
            return await work(keys)

    try:
        code = asyncio.run(opened())
    except Unavailable as error:
        _stop(Exit.UNAVAILABLE, f"{error} Run `fanfare doctor` to see what is missing.")
    raise typer.Exit(code)


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        told = f"{first['msg'].removeprefix('Value error, ')}."
        if not first["loc"]:  # several settings together, which the sentence names
            _stop(Exit.INPUT, told)
        name = str(first["loc"][0]).upper()
        known = name if name.startswith(("OPENAI_", "LANGSMITH_")) else f"FANFARE_{name}"
        _stop(Exit.INPUT, f"{known}: {told}")


def _tell_schema(first: Coroutine[Any, Any, None] | None, settings: Settings, *, as_json: bool) -> NoReturn:
    """Do `first`, then say how the database stands, by exit code as well."""

    async def look() -> migrations.Schema:
        if first is not None:
            await first
        return await migrations.schema(settings.records_url)

    try:
        schema = asyncio.run(look())
    except migrations.SchemaMismatch as error:
        schema = error.schema
    except DatabaseUnavailable as error:
        _stop(Exit.UNAVAILABLE, f"{error} Check FANFARE_DATABASE_URL.")
    told = {"found": schema.found, "wanted": schema.wanted, "current": schema.current, "says": str(schema)}
    _print(as_json, told, escape(str(schema)))
    raise typer.Exit(Exit.DONE if schema.current else Exit.FAILED)


def _stop(code: Exit, message: str) -> NoReturn:
    err.print(f"[red]{escape(message)}[/red]", highlight=False)
    raise typer.Exit(code)


def _read(file: Path) -> bytes:
    """The file's bytes; `-` is standard input."""
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        _stop(Exit.INPUT, f"{error.filename}: {error.strerror}")


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
        _stop(Exit.INPUT, f"{file} is no product in JSON: {error}")


def _lint_request(body: bytes) -> LintRequest:
    try:
        return LintRequest.model_validate_json(body)
    except ValidationError as error:
        _stop(Exit.INPUT, "\n".join(sentence([{**one}]) for one in error.errors(include_url=False)))


def _read_campaign(file: Path, image: Path | None) -> tuple[dict[str, Any], bytes]:
    try:
        asked = json.loads(file.read_text(encoding="utf-8"))
        named = asked.pop("image", None)
        photo = image or (file.parent / named if named else None)
        if photo is None:
            _stop(Exit.INPUT, f"{file} names no image; add one, or use --image.")
        return asked, photo.read_bytes()
    except OSError as error:
        _stop(Exit.INPUT, f"{error.filename}: {error.strerror}")
    except (ValueError, AttributeError, TypeError) as error:
        _stop(Exit.INPUT, f"{file} is not a campaign in JSON: {error}")


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

    _go(work, server, key, f"fanfare {kind}")


async def _settled(client: Client, campaign_id: str, *, as_json: bool) -> int:
    """Follow the campaign to its next rest, and tell; only a failure is an error."""
    with Progress(err, quiet=as_json) as progress:
        campaign = await _until_still(client, campaign_id, progress)
    _print(as_json, campaign, _told(campaign))
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


def _print(as_json: bool, data: Any, told: Any) -> None:
    if as_json:
        out.print_json(data=data)
    else:
        out.print(told)


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


def _listed(items: list[dict[str, Any]], columns: dict[str, str], nothing: str) -> Table | str:
    """A table of `items` with a column for each field."""
    if not items:
        return nothing
    table = Table(box=None)
    for name, field in columns.items():
        table.add_column(name, no_wrap=True, min_width=36 if field == "id" else None)
    for one in items:
        table.add_row(*("" if one[field] is None else escape(str(one[field])) for field in columns.values()))
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
