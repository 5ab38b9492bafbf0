"""`make evals`: run the cases, score the campaigns, and fail when a gate is missed."""

import asyncio
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evals.cases import Case, UnknownCase, chosen, load_cases, load_gates
from evals.report import Report, remarks, table, verdict
from evals.runner import Result, open_studio, run_cases
from service.settings import Settings

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)
_WIDE = 125  # columns that the evaluators' whole names need

app = typer.Typer(
    help="Score campaigns of very different products, and fail when a gate is missed.",
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.command(
    epilog="Example: python -m evals --case quotes --case units --json · Exit codes: 0 every gate is met · "
    "1 a gate is missed or a run failed · 2 wrong input."
)
def main(
    case: Annotated[list[str] | None, typer.Option(help="Only this case; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,  # noqa: FBT002
    at_once: Annotated[int, typer.Option(min=1, help="Campaigns that run side by side.")] = 2,
) -> None:
    """Run the evaluation cases with the rehearsal model, or with the model that the settings name."""
    try:
        cases = chosen(load_cases(), case or [])
    except UnknownCase as error:
        err.print(f"[red]{error}[/red]")
        raise typer.Exit(2) from None
    report = asyncio.run(evaluation(Settings(), cases, at_once=at_once))
    _show(report, as_json=as_json)
    raise typer.Exit(0 if report.passed and not any(result.error for result in report.results) else 1)


async def evaluation(settings: Settings, cases: Mapping[str, Case], *, at_once: int = 2) -> Report:
    """The report on `cases`; progress goes to standard error, and nothing is left on the disk."""
    began, ended = time.perf_counter(), 0

    def tell(result: Result) -> None:
        nonlocal ended
        ended += 1
        err.print(f"[dim]{ended}/{len(cases)}[/dim] {result.case} {result.seconds:.1f} s {result.error or ''}")

    model = "the rehearsal model" if settings.provider == "rehearsal" else settings.model
    err.print(f"{len(cases)} cases with {model}, {at_once} at once")
    with tempfile.TemporaryDirectory(prefix="fanfare-evals-") as folder:
        async with open_studio(settings, Path(folder)) as studio:
            results = await run_cases(studio, cases, at_once=at_once, tell=tell)
    return Report(model, results, load_gates(), time.perf_counter() - began)


def _show(report: Report, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False, indent=1))
        return
    out.print(table(report, wide=out.width >= _WIDE))
    for line in remarks(report):
        out.print(line)
    out.print(verdict(report))


if __name__ == "__main__":
    app()
