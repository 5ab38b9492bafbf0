"""What an evaluation says: totals, gates, a table for people and JSON for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from evals.evaluators import EVALUATORS
from evals.runner import Result


@dataclass(frozen=True)
class Gate:
    """What an evaluator's mean had to reach, and what it did; None when no case was scored by it."""

    evaluator: str
    least: float
    reached: float | None

    @property
    def met(self) -> bool:
        """Whether nothing that was scored is below the gate."""
        return self.reached is None or self.reached >= self.least - 1e-9


@dataclass(frozen=True)
class Report:
    """All results of one evaluation."""

    model: str
    results: Sequence[Result]
    least: Mapping[str, float]
    seconds: float

    @property
    def totals(self) -> dict[str, float]:
        """The mean of every evaluator over the cases that it scored."""
        return {name: sum(values) / len(values) for name in EVALUATORS if (values := self._values(name))}

    @property
    def gates(self) -> list[Gate]:
        """Every gate, and whether it was met."""
        totals = self.totals
        return [Gate(name, least, totals.get(name)) for name, least in self.least.items()]

    @property
    def passed(self) -> bool:
        """Whether every gate was met."""
        return all(gate.met for gate in self.gates)

    @property
    def usd(self) -> Decimal:
        """What all campaigns cost together."""
        return sum((Decimal(result.cost.get("usd", "0")) for result in self.results), Decimal(0))

    def _values(self, evaluator: str) -> list[float]:
        return [result.scores[evaluator].value for result in self.results if evaluator in result.scores]

    def as_json(self) -> dict[str, Any]:
        """The whole report as plain JSON."""
        return {
            "model": self.model,
            "passed": self.passed,
            "seconds": round(self.seconds, 3),
            "usd": str(self.usd),
            "totals": self.totals,
            "gates": [{**asdict(gate), "met": gate.met} for gate in self.gates],
            "cases": [asdict(result) for result in self.results],
        }


def table(report: Report, *, wide: bool = True) -> Table:
    """Cases by evaluators, with the means below; the evaluators' names are cut to four letters unless `wide`."""
    shown = Table(title=f"Evaluation with {report.model}", title_justify="left", box=SIMPLE_HEAD)
    shown.padding, shown.show_edge = 0, False
    shown.add_column("case", no_wrap=True)
    for name in EVALUATORS:
        shown.add_column(name if wide else name[:4], justify="right")
    shown.add_column("s", justify="right")
    for result in report.results:
        shown.add_row(result.case, *(_cell(result, name) for name in EVALUATORS), f"{result.seconds:.0f}")
    shown.add_section()
    means = (_mean(report, name) for name in EVALUATORS)
    shown.add_row("mean", *means, f"{report.seconds:.0f}", style="bold")
    return shown


def remarks(report: Report) -> list[str]:
    """A line for every failure and every score below 1, in rich markup."""
    lines = [f"[red]{r.case}[/red]  {escape(r.error)}" for r in report.results if r.error]
    lines += [
        f"{result.case}  [yellow]{name} {score.value:.2f}[/yellow]  {escape(score.comment)}"
        for result in report.results
        if not result.error
        for name, score in result.scores.items()
        if score.value < 1
    ]
    return lines


def verdict(report: Report) -> str:
    """One line in rich markup: gates, time and cost."""
    missed = [f"{gate.evaluator} {gate.reached:.3f} < {gate.least:g}" for gate in report.gates if not gate.met]
    said = f"[red]Gates missed: {', '.join(missed)}[/red]" if missed else "[green]Every gate is met.[/green]"
    return f"{said}  {len(report.results)} cases, {report.seconds:.1f} s, ${report.usd}"


def _cell(result: Result, evaluator: str) -> str:
    score = result.scores.get(evaluator)
    if score is None:
        return "[dim]–[/dim]"
    return _coloured(score.value, 1.0)


def _mean(report: Report, evaluator: str) -> str:
    reached = report.totals.get(evaluator)
    return "–" if reached is None else _coloured(reached, report.least.get(evaluator, 0.0))


def _coloured(value: float, least: float) -> str:
    shown = "1" if value >= 1 else f"{int(value * 100) / 100:.2f}"
    return shown if value >= least - 1e-9 else f"[red]{shown}[/red]"
