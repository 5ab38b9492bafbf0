"""What every command shares: consoles, exit codes, common options, and the way to the service."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from enum import IntEnum
from typing import Annotated, Any, NoReturn, TypeVar

import httpx2
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service.client import Client, Refused, connect
from service.embedded import DataFolderInUse
from service.server import Unavailable, log_to_stderr
from service.settings import Settings

T = TypeVar("T")

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)


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


def go(
    work: Callable[[Client], Coroutine[Any, Any, int]],
    server: str | None,
    key: str | None,
    command: str,
    *,
    recover: bool = True,
) -> None:
    """Do `work` with the service at `server`, or with one of this process; ends with its exit code."""
    settings = settings_or_stop()
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
        stop(Exit.INPUT if wrong_input else Exit.REFUSED, str(error))
    except (DataFolderInUse, Unavailable) as error:
        stop(Exit.UNAVAILABLE, str(error))
    except httpx2.TransportError as error:
        stop(Exit.UNAVAILABLE, f"The service at {server} cannot be reached ({type(error).__name__}).")
    except OSError as error:
        stop(Exit.UNAVAILABLE, f"{error} Run `fanfare doctor` to see what is missing.")
    raise typer.Exit(code)


def upkept(work: Coroutine[Any, Any, T]) -> T:
    """What an operator's work on the stores comes to."""
    log_to_stderr("warning")
    try:
        return asyncio.run(work)
    except DataFolderInUse as error:
        stop(Exit.UNAVAILABLE, str(error))
    except (Unavailable, OSError) as error:
        stop(Exit.UNAVAILABLE, f"{error} Run `fanfare doctor` to see what is missing.")


def settings_or_stop() -> Settings:
    """The settings; what is wrong with them is told in a sentence."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        told = f"{first['msg'].removeprefix('Value error, ')}."
        if not first["loc"]:  # several settings together, which the sentence names
            stop(Exit.INPUT, told)
        name = str(first["loc"][0]).upper()
        known = name if name.startswith(("OPENAI_", "LANGSMITH_")) else f"FANFARE_{name}"
        stop(Exit.INPUT, f"{known}: {told}")


def stop(code: Exit, message: str) -> NoReturn:
    """End with a sentence on standard error."""
    err.print(f"[red]{escape(message)}[/red]", highlight=False)
    raise typer.Exit(code)


def show_result(as_json: bool, data: Any, told: Any) -> None:  # noqa: FBT001 - the option of that name
    """Print `data` for programs, or what is `told` to people."""
    if as_json:
        out.print_json(data=data)
    else:
        out.print(told)


def listed(items: list[dict[str, Any]], columns: dict[str, str], nothing: str) -> Table | str:
    """A table of `items` with a column for each field."""
    if not items:
        return nothing
    table = Table(box=None)
    for name, field in columns.items():
        table.add_column(name, no_wrap=True, min_width=36 if field == "id" else None)
    for one in items:
        table.add_row(*("" if one[field] is None else escape(str(one[field])) for field in columns.values()))
    return table
