"""What the measurement says: a table and remarks for people, JSON for programs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from evals.words.measure import Blocks, Outcome, Tally, blocks, tallies, unknown
from evals.words.sets import Gates
from tools.lint import RULES
from tools.policy.rule import Rule


@dataclass(frozen=True)
class Report:
    """All outcomes of one measurement, and what had to be reached."""

    outcomes: Sequence[Outcome]
    gates: Gates
    seconds: float
    rules: Sequence[Rule] = RULES

    @cached_property
    def tallies(self) -> list[Tally]:
        """How each rule did."""
        return tallies(self.outcomes, self.rules)

    @cached_property
    def blocks(self) -> list[Blocks]:
        """How the rules that block did together, by set."""
        return blocks(self.outcomes)

    @cached_property
    def unknown(self) -> list[str]:
        """Expected ids that no rule has."""
        return unknown(self.outcomes, self.rules)

    @property
    def passed(self) -> bool:
        """Whether every gate was met on every set."""
        return all(block.meets(self.gates) for block in self.blocks)

    def as_json(self) -> dict[str, Any]:
        """The whole report as plain JSON."""
        rules = [{**asdict(t), "recall": t.recall, "alarm_rate": t.alarm_rate} for t in self.tallies]
        sets = [
            {**asdict(b), "recall": b.recall, "false_rate": b.false_rate, "met": b.meets(self.gates)}
            for b in self.blocks
        ]
        return {
            "passed": self.passed,
            "seconds": round(self.seconds, 3),
            "gates": self.gates.model_dump(),
            "sets": sets,
            "rules": rules,
            "unknown": self.unknown,
            "disagreements": disagreements(self.outcomes),
        }


def disagreements(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Every miss and every false alarm, in the sets' order."""
    told: list[dict[str, Any]] = []
    for outcome in outcomes:
        item = {"set": outcome.set, "item": outcome.item, "why": outcome.why}
        told += [
            {"what": "miss", **item, "rule": expected.rule, "quote": expected.quote}
            for expected in outcome.expected
            if not expected.found
        ]
        told += [
            {"what": "alarm", **item, "rule": alarm.rule, "severity": alarm.severity, "quote": alarm.quote}
            for alarm in outcome.alarms
        ]
    return told


def table(report: Report) -> Table:
    """A line for each rule, the worst figures in red."""
    title = f"{len(report.rules)} rules on {len(report.outcomes)} texts"
    shown = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False)
    shown.add_column("rule", no_wrap=True)
    for name in ("expected", "found", "recall", "false alarms", "of others"):
        shown.add_column(name, justify="right")
    for tally in report.tallies:
        shown.add_row(*_cells(tally, known=tally.rule not in report.unknown))
    return shown


def remarks(report: Report) -> list[str]:
    """A line for every miss and every false alarm, in rich markup."""
    return [
        f"{told['item']}  [yellow]{_what(told)} {told['rule']}[/yellow]  {escape(repr(told['quote']))}  "
        f"[dim]{escape(told['why'])}[/dim]"
        for told in disagreements(report.outcomes)
    ]


def verdict(report: Report) -> list[str]:
    """A line for each set, one for the ids that no rule has, and the gates, in rich markup."""
    lines = [_line(block, report.gates) for block in report.blocks]
    if report.unknown:
        lines.append(f"[yellow]No rule has the id {', '.join(report.unknown)}: each is a miss.[/yellow]")
    said = "[green]Every gate is met.[/green]" if report.passed else "[red]A gate is missed.[/red]"
    return [*lines, f"{said}  {len(report.outcomes)} texts, {report.seconds:.1f} s"]


def _cells(tally: Tally, *, known: bool) -> tuple[str, ...]:
    recall = "–" if tally.recall is None else _coloured(tally.recall, good=tally.recall >= 1)
    rate = _coloured(tally.alarm_rate, good=not tally.alarms)
    name = tally.rule if known else f"[yellow]{tally.rule} (no rule)[/yellow]"
    return name, str(tally.expected), str(tally.found), recall, str(tally.alarms), rate


def _line(block: Blocks, gates: Gates) -> str:
    recall = _coloured(block.recall, good=block.recall >= gates.block_recall)
    false = _coloured(block.false_rate, good=block.false_rate <= gates.false_blocks)
    return (
        f"{block.set}: blocks {block.blocked} of {block.due} that it should, {recall} (at least "
        f"{gates.block_recall:g}) · {block.false} of {block.harmless} harmless texts, {false} (at most "
        f"{gates.false_blocks:g})"
    )


def _what(told: dict[str, Any]) -> str:
    return "misses" if told["what"] == "miss" else f"false {told['severity']}"


def _coloured(share: float, *, good: bool) -> str:
    return f"{share:.3f}" if good else f"[red]{share:.3f}[/red]"
