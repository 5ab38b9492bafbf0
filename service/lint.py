"""What the rules say of texts that belong to no campaign: without a model, a store or a server."""

from service.api.models import FindingBody, LintBody, LintRequest, MeasureBody
from tools import lint
from tools.counting import measure
from tools.placements import placement


def checked(asked: LintRequest, *, whole: bool = True) -> LintBody:
    """Every finding and every length; a part, which is not `whole`, may leave slots empty."""
    rules = [rule for rule in lint.RULES if whole or rule.id not in _OF_THE_WHOLE]
    facts = asked.product.facts() if asked.product else None
    found = lint.lint(
        placement(asked.placement),
        asked.texts,
        asked.hashtags,
        language=asked.language,
        product=facts,
        rules=rules,
    )
    return LintBody(
        findings=[FindingBody.model_validate(finding.as_json()) for finding in found],
        measures=_measures(asked),
        decision="block" if any(finding.severity == "block" for finding in found) else "pass",
    )


def _measures(asked: LintRequest) -> dict[str, list[MeasureBody]]:
    """How long each text of a known slot is, in the table's order."""
    return {
        slot.name: [
            MeasureBody(length=measure(text, slot.rule), rule=slot.rule, soft=slot.soft, hard=slot.hard)
            for text in asked.texts[slot.name]
        ]
        for slot in placement(asked.placement).slots
        if slot.name in asked.texts
    }


_OF_THE_WHOLE = frozenset({"too-few-texts"})
