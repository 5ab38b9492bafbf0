"""A proof: texts, tables and rules as a person reads them in a terminal, each finding marked where it stands."""

import unicodedata
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Group
from rich.table import Table
from rich.text import Text

from service.api.models import FindingBody, LintBody, LintRequest, MeasureBody
from tools.placements import ImageSize, Placement, Slot, Source
from tools.policy.rule import HOUSE, Rule


def proof(asked: LintRequest, answer: LintBody) -> Group:
    """Every text's length, then every finding, then the decision in a sentence."""
    lengths = [
        _length(f"{name} {number}", one)
        for name, measures in answer.measures.items()
        for number, one in enumerate(measures, 1)
    ]
    found = [line for finding in answer.findings for line in _finding(asked, finding)]
    return Group(*lengths, *found, Text(""), _decision(answer))


def rules(listed: Iterable[Rule]) -> Group:
    """Every rule: what it is called and how bad it is, where it holds, what it asks, who says so."""
    return Group(*(line for rule in listed for line in _rule(rule)))


def rule_as_json(rule: Rule) -> dict[str, object]:
    """A rule for programs; no platforms or languages means all of them."""
    return {
        "id": rule.id,
        "severity": rule.severity,
        "platforms": sorted(rule.platforms),
        "blocks_on": sorted(rule.blocks_on),
        "languages": sorted(rule.languages),
        "about": rule.about,
        "source": rule.source,
    }


def scope(rule: Rule) -> str:
    """Where a rule holds, in words: severity, platforms and languages."""
    blocks = f"block on {', '.join(sorted(rule.blocks_on))}" if rule.blocks_on else ""
    platforms = f"on {', '.join(sorted(rule.platforms))}" if rule.platforms else ""
    languages = f"in {', '.join(sorted(rule.languages))}" if rule.languages else ""
    return " · ".join(part for part in (rule.severity, blocks, platforms, languages) if part)


def placements(listed: Iterable[Placement]) -> Table:
    """The placement table in short."""
    table = Table(box=None)
    for name in ("Id", "Title", "Texts", "Hashtags", "Pictures"):
        table.add_column(name, no_wrap=name == "Id")
    for one in listed:
        slots = ", ".join(slot.name for slot in one.slots)
        table.add_row(one.id, one.title, slots, str(one.max_hashtags or ""), str(len(one.images) or ""))
    return table


def placement(one: Placement) -> Group:
    """One placement: every slot, the hashtags and every picture, each with its source."""
    lines = [
        Text.assemble((one.title, "bold"), f"  {one.id} · {one.platform} · {'paid' if one.paid else 'organic'}")
    ]
    lines += [line for slot in one.slots for line in _sourced(_slot(slot), slot.source, slot.note)]
    if one.hashtags:
        most = f"hashtags  at most {one.hashtags.max}, published with {one.hashtags.slot}"
        lines += _sourced(most, one.hashtags.source, one.hashtags.note)
    lines += [line for image in one.images for line in _sourced(_image(image), image.source, image.note)]
    return Group(*lines)


def _length(label: str, one: MeasureBody) -> Text:
    limit = one.hard or one.soft
    over = one.hard is not None and one.length > one.hard
    taken = f"{one.length} / {limit}" if limit else str(one.length)
    shown = f", {one.soft} shown" if one.soft and one.hard else ""
    return Text.assemble((label, "bold"), "   ", (taken, "red" if over else "green"), f" ({one.rule}{shown})")


def _finding(asked: LintRequest, finding: FindingBody) -> list[Text]:
    colour = _COLOURS[finding.severity]
    where = finding.field if finding.index is None else f"{finding.field} {finding.index + 1}"
    lines = [Text(""), Text.assemble((finding.severity, f"bold {colour}"), f"  {finding.rule}  {_plain(where)}")]
    text = _text_of(asked, finding)
    if finding.span and text:
        lines += [Text("  ") + line for line in _marked(text, finding.span, colour)]
    lines.append(Text(f"  {_plain(finding.message)}"))
    if finding.suggestion is not None:
        lines.append(Text(f"  Instead: {_plain(finding.suggestion)}" if finding.suggestion else "  Take it out."))
    return [*lines, Text(f"  Source: {_said_by(finding.source)}", "dim")]


def _text_of(asked: LintRequest, finding: FindingBody) -> str | None:
    """The text that a finding is about; hashtags may be listed or stand among the texts."""
    listed: Sequence[str] = asked.texts.get(finding.field, ())
    texts = (*asked.hashtags, *listed) if finding.field == "hashtags" else listed
    index = finding.index
    return texts[index] if index is not None and index < len(texts) else None


def _marked(text: str, span: tuple[int, int], colour: str) -> list[Text]:
    """The line that a span begins in, cut around it, and a line of marks under the span."""
    start, end = span
    line = (text.rfind("\n", 0, start) + 1, _end_of_line(text, start))
    first, stop = max(line[0], start - _AROUND), min(end, line[1], start + _LONGEST)
    last = min(line[1], stop + _AROUND) if stop == end else stop
    before = "…" * (first > line[0]) + _plain(text[first:start])
    quote = _plain(text[start:stop])
    after = _plain(text[stop:last]) + "…" * (last < line[1] or stop < end)
    shown = Text.assemble(before, (quote, f"bold {colour}"), after)
    if any(unicodedata.bidirectional(char) in ("R", "AL") for char in shown.plain):
        return [shown, Text(f"^ {quote}", colour)]  # a terminal puts such a line in an order of its own
    return [shown, Text(" " * cell_len(before) + "^" * max(1, cell_len(quote)), colour)]


def _end_of_line(text: str, start: int) -> int:
    """Where the line ends that goes on at `start`, be that a line break itself."""
    found = text.find("\n", start + 1)
    return len(text) if found < 0 else found


def _plain(text: str) -> str:
    """The text with a stand-in for what would steer a terminal, one for one."""
    return "".join("\ufffd" if unicodedata.category(char) in _STEERING or char in _BIDI else char for char in text)


def _decision(answer: LintBody) -> Text:
    count = len(answer.findings)
    blocking = sum(finding.severity == "block" for finding in answer.findings)
    if not count:
        return Text("Nothing found.", "green")
    told = f"{count} finding{'s' * (count > 1)}, {blocking or 'none'} of severity block."
    return Text(told, "red" if blocking else "yellow")


def _rule(rule: Rule) -> list[Text]:
    return [
        Text.assemble((rule.id, "bold"), f"  {scope(rule)}"),
        Text(f"  {rule.about}"),
        Text(f"  Source: {_said_by(rule.source)}", "dim"),
    ]


def _slot(slot: Slot) -> str:
    limits = (f"at most {slot.hard}" if slot.hard else "", f"{slot.soft} shown" if slot.soft else "")
    length = ", ".join(filter(None, limits)) or "no limit"
    texts = f"{slot.min}–{slot.max} texts" if slot.min < slot.max else f"{slot.min} text{'s' * (slot.min > 1)}"
    return f"{slot.name}  {texts}, {length} ({slot.rule})"


def _image(image: ImageSize) -> str:
    size = f"{image.name}  {image.width}×{image.height} {'/'.join(image.formats)}"
    budget = f", at most {image.max_kb} KiB" if image.max_kb else ""
    return f"{size}{budget}{', logo' if image.role == 'logo' else ''}"


def _sourced(line: str, source: Source, note: str) -> list[Text]:
    noted = [Text(f"    {note}", "dim")] if note else []
    return [Text(f"  {line}"), *noted, Text(f"    Source: {_said_by(source.url or source.id)}", "dim")]


def _said_by(source: str) -> str:
    return "our own" if source == HOUSE else source


_COLOURS = {"info": "cyan", "warn": "yellow", "block": "red"}
_STEERING = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_AROUND = 40
_LONGEST = 60
