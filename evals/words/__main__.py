"""`python -m evals.words`: measure the rules on ads written by hand, and fail when a gate is missed."""

import json
import time
from typing import Annotated

import typer
from rich.console import Console

from evals.words.measure import measure
from evals.words.report import Report, remarks, table, verdict
from evals.words.sets import load_ads, load_gates, load_sentences

out = Console(soft_wrap=True)

app = typer.Typer(
    help="Measure what the rules find and what they leave in peace, and fail when a gate is missed.",
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.command(
    epilog="Example: python -m evals.words --verbose · Exit codes: 0 every gate is met · 1 a gate is missed."
)
def main(
    verbose: Annotated[bool, typer.Option(help="Name each miss and each false alarm.")] = False,  # noqa: FBT002
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,  # noqa: FBT002
) -> None:
    """Hold every rule against the texts of moderation.toml and claims.toml."""
    report = evaluation()
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False, indent=1))
    else:
        _show(report, verbose=verbose)
    raise typer.Exit(0 if report.passed else 1)


def evaluation() -> Report:
    """The report on the project's own rules and sets."""
    began = time.perf_counter()
    outcomes = measure(load_ads(), load_sentences())
    return Report(outcomes, load_gates(), time.perf_counter() - began)


def _show(report: Report, *, verbose: bool) -> None:
    out.print(table(report))
    for line in remarks(report) if verbose else ():
        out.print(line)
    for line in verdict(report):
        out.print(line)


if __name__ == "__main__":
    app()
