"""The commands of an operator: certificates, webhooks, keys, privacy, the database and kept pictures."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.table import Table

from service import migrations, upkeep
from service.api.keys import KeyBody, KeyRequest
from service.client import Client
from service.identity import ROLES, TENANT, TENANT_PATTERN
from service.keys import Keys, ended
from service.outages import DatabaseUnavailable
from service.problems import sentence
from service.server import Unavailable, log_to_stderr
from service.settings import Settings
from service.terminal import (
    Exit,
    Json,
    Key,
    Server,
    err,
    go,
    listed,
    out,
    settings_or_stop,
    show_result,
    stop,
    upkept,
)
from tools.imaging.certificate import CertificateExists, make_test_chain

c2pa_app = typer.Typer(
    help="Content credentials (C2PA) in finished pictures.",
    epilog="Example: fanfare c2pa init --out credentials",
    no_args_is_help=True,
)
webhooks_app = typer.Typer(
    help="Who hears of campaigns, and what was sent to them; docs/webhooks.md says how to add one.",
    epilog="Example: fanfare webhooks deliveries --status dead",
    no_args_is_help=True,
)
keys_app = typer.Typer(
    help="API keys, straight in the database: also while the service runs, and before anybody has one.",
    epilog="Example: fanfare keys create --name 'Ada Lovelace' --role approver",
    no_args_is_help=True,
)
privacy_app = typer.Typer(
    help="What is kept of a campaign, a person or the tenant: as an archive, or erased.",
    epilog="Examples: fanfare privacy export --person 'Ada Lovelace' · … erase --campaign 0199a1b2-…",
    no_args_is_help=True,
)
db_app = typer.Typer(
    help="The database's tables. Exit codes: 0 as wanted · 1 at another revision · 6 not to be had.",
    epilog="Examples: fanfare db check · fanfare db upgrade",
    no_args_is_help=True,
)
assets_app = typer.Typer(
    help="The pictures and packages that are kept: what nobody needs, and what is missing.",
    epilog="Example: fanfare assets check",
    no_args_is_help=True,
)
GROUPS = {
    "c2pa": c2pa_app,
    "webhooks": webhooks_app,
    "keys": keys_app,
    "privacy": privacy_app,
    "db": db_app,
    "assets": assets_app,
}
"""Each group of commands by its name."""

Whom = Annotated[str | None, typer.Option(help="A person, as histories call them.")]
Which = Annotated[str | None, typer.Option(help="A campaign's id.")]


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
        stop(Exit.INPUT, str(error))
    except OSError as error:
        stop(Exit.INPUT, f"{error.filename}: {error.strerror}")
    show_result(
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
        show_result(
            as_json, page, listed(page["items"], columns, "No webhooks yet. Add one with POST /v1/webhooks.")
        )
        return Exit.DONE

    go(work, server, key, "fanfare webhooks list", recover=False)


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
        show_result(as_json, page, listed(page["items"], columns, "No deliveries."))
        return Exit.DONE

    go(work, server, key, "fanfare webhooks deliveries", recover=False)


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
        show_result(as_json, again, f"{again['type']} is sent to {escape(again['url'])} again.")
        return Exit.DONE

    go(work, server, key, "fanfare webhooks replay", recover=False)


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
        stop(Exit.INPUT, sentence([{**one} for one in error.errors(include_url=False)]))
    if not re.fullmatch(TENANT_PATTERN, tenant):
        stop(Exit.INPUT, "A tenant's name has 1 to 64 letters, digits, - or _.")

    async def work(keys: Keys) -> int:
        row, key = await keys.create(
            tenant, name=asked.name, roles=asked.roles, by="local", seconds=asked.expires_in
        )
        told = {**KeyBody.of(row).model_dump(), "tenant": tenant, "key": key}
        show_result(as_json, told, f"{key}\nKeep it now: only its hash is stored. Its id is {row.id}.")
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
        show_result(as_json, {"items": listed, "next_cursor": None}, table if rows else "No keys yet.")
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
            stop(Exit.INPUT, f"There is no key {key_id}.")
        show_result(as_json, {"id": key_id, "revoked": True}, f"Key {key_id} opens nothing any more.")
        return Exit.DONE

    _with_keys(work)


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

    go(work, server, key, "fanfare privacy export", recover=False)


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
        show_result(as_json, gone, escape("\n".join(lines) or "There was nothing."))
        return Exit.DONE

    go(work, server, key, "fanfare privacy erase", recover=False)


def _about(
    campaign: str | None, person: str | None, *, tenant: bool, action: str, confirm: str | None
) -> tuple[str, str, dict[str, str] | None]:
    """The call that is about the one thing named."""
    if (campaign is not None) + (person is not None) + tenant != 1:
        stop(Exit.INPUT, "Name one of --campaign, --person and --tenant.")
    if campaign is not None:
        here = f"/v1/campaigns/{campaign}"
        return ("GET", f"{here}/export", None) if action == "export" else ("DELETE", here, None)
    if person is not None:
        return "POST", f"/v1/people/{action}", {"person": person}
    if action == "export":
        return "GET", "/v1/tenant/export", None
    return "POST", "/v1/tenant/erase", {"confirm": confirm or ""}


@db_app.command("upgrade", epilog="Example: FANFARE_DATABASE_URL=postgresql://… fanfare db upgrade")
def upgrade_database(as_json: Json = False) -> None:
    """Bring the tables to this version; several at once are safe, and what is done is not done again."""
    settings = settings_or_stop()
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        stop(Exit.INPUT, f"{error.filename}: {error.strerror}")
    _tell_schema(migrations.upgrade(settings.records_url), settings, as_json=as_json)


@db_app.command("reseal", epilog="Example: FANFARE_FIELD_KEYS=new:…,old:… fanfare db reseal")
def reseal_database(as_json: Json = False) -> None:
    """Encrypt what people wrote anew under the first of FANFARE_FIELD_KEYS; then the other keys can go."""
    settings = settings_or_stop()
    if settings.field_keys is None:
        stop(Exit.INPUT, "Set FANFARE_FIELD_KEYS first: name:key, the key from `openssl rand -base64 32`.")
    with err.status("Writing every encrypted field anew …"):
        rows = upkept(upkeep.resealed(settings))
    show_result(as_json, rows, "\n".join(f"{name}: {number} rows" for name, number in rows.items()))


@db_app.command("check", epilog="Example: fanfare db check --json || fanfare db upgrade")
def check_database(as_json: Json = False) -> None:
    """Say which revision the tables are at and which one this version wants; nothing is changed."""
    _tell_schema(None, settings_or_stop(), as_json=as_json)


@assets_app.command("sweep", epilog="Example: fanfare assets sweep --dry-run")
def sweep_assets(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: Json = False,
) -> None:
    """Forget what no campaign has needed for as long as FANFARE_ASSETS_GRACE_SECONDS says."""
    found = upkept(upkeep.swept(settings_or_stop(), dry_run=dry_run))
    lines = [f"{one.tenant}  {one.sha256}  kept {one.kept_at}" for one in found]
    told = f"{len(found)} {'would go' if dry_run else 'gone'}."
    show_result(as_json, [one.as_json() for one in found], "\n".join((*lines, told)))


@assets_app.command("check", epilog="Example: fanfare assets check --read. Exits with 1 when something is lost.")
def check_assets(
    read: Annotated[bool, typer.Option("--read", help="Read every byte, to find what is damaged too.")] = False,
    as_json: Json = False,
) -> None:
    """Look whether the bytes of everything that a campaign needs are there."""
    lost = upkept(upkeep.lost(settings_or_stop(), read=read))
    lines = [f"{one.what}  {one.tenant}  {one.sha256}  needed by {', '.join(one.owners)}" for one in lost]
    told = escape("\n".join(lines)) or "Everything that is needed is there."
    show_result(as_json, [one.as_json() for one in lost], told)
    raise typer.Exit(Exit.FAILED if lost else Exit.DONE)


def _with_keys(work: Callable[[Keys], Coroutine[Any, Any, int]]) -> NoReturn:
    settings = settings_or_stop()
    log_to_stderr("warning")

    async def opened() -> int:
        async with upkeep.keys(settings) as keys:
            return await work(keys)

    try:
        code = asyncio.run(opened())
    except Unavailable as error:
        stop(Exit.UNAVAILABLE, f"{error} Run `fanfare doctor` to see what is missing.")
    raise typer.Exit(code)


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
        stop(Exit.UNAVAILABLE, f"{error} Check FANFARE_DATABASE_URL.")
    told = {"found": schema.found, "wanted": schema.wanted, "current": schema.current, "says": str(schema)}
    show_result(as_json, told, escape(str(schema)))
    raise typer.Exit(Exit.DONE if schema.current else Exit.FAILED)


_LEFT = {
    "still_open": "May hold a comment; ask again once completed or rejected, or erase them:",
    "named_in": "Campaigns whose product text names them:",
    "elsewhere": "Copies that are not ours to erase:",
}
