"""What rules find in the sets, beside what they should have found."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from evals.words.sets import Ad, Ads, Gates, Sentence, Sentences
from tools.lint import RULES, lint
from tools.placements import placement
from tools.policy.rule import Finding, Rule, Span

SetName = Literal["moderation", "claims"]
SETS: tuple[SetName, ...] = ("moderation", "claims")


@dataclass(frozen=True)
class Expectation:
    """Something that should be found, and whether it was; `blocks` says whether it is to hold the item up."""

    rule: str
    quote: str
    blocks: bool
    found: bool


@dataclass(frozen=True)
class Outcome:
    """One item, and what became of each expectation; alarms are findings that nobody expected."""

    set: SetName
    item: str
    why: str
    expected: Sequence[Expectation]
    alarms: Sequence[Finding]

    @property
    def harmless(self) -> bool:
        """Whether nothing should be found."""
        return not self.expected

    def expects(self, rule: str) -> bool:
        """Whether the rule should find something."""
        return any(expected.rule == rule for expected in self.expected)

    def alarmed_by(self, rule: str) -> bool:
        """Whether the rule found something that nobody expected."""
        return any(alarm.rule == rule for alarm in self.alarms)

    @property
    def blocked(self) -> bool:
        """Whether an alarm holds the item up."""
        return any(alarm.severity == "block" for alarm in self.alarms)


@dataclass(frozen=True)
class Tally:
    """How one rule did: expectations and those found; alarms, over the items that do not expect the rule."""

    rule: str
    expected: int
    found: int
    alarms: int
    quiet: int

    @property
    def recall(self) -> float | None:
        """The share of what should be found that is; None when nothing should be."""
        return self.found / self.expected if self.expected else None

    @property
    def alarm_rate(self) -> float:
        """The share of the items without such an expectation that raise an alarm."""
        return self.alarms / self.quiet if self.quiet else 0.0


@dataclass(frozen=True)
class Blocks:
    """How the rules that block did together on one set."""

    set: SetName
    due: int
    blocked: int
    harmless: int
    false: int

    @property
    def recall(self) -> float:
        """The share of what should be blocked that is; 1 when nothing should be."""
        return self.blocked / self.due if self.due else 1.0

    @property
    def false_rate(self) -> float:
        """The share of harmless items that a rule blocks."""
        return self.false / self.harmless if self.harmless else 0.0

    def meets(self, gates: Gates) -> bool:
        """Whether both gates are met."""
        return self.recall >= gates.block_recall - 1e-9 and self.false_rate <= gates.false_blocks + 1e-9


def measure(ads: Ads, sentences: Sentences, rules: Sequence[Rule] = RULES) -> list[Outcome]:
    """Judge every item by all rules; an expected id that no rule has is missed."""
    outcomes = [_judge_ad(ad, ads, rules) for ad in ads.items]
    return outcomes + [_judge_sentence(sentence, rules) for sentence in sentences.items]


def tallies(outcomes: Sequence[Outcome], rules: Sequence[Rule] = RULES) -> list[Tally]:
    """One tally for each rule, then one for each expected id that no rule has."""
    ids = dict.fromkeys([rule.id for rule in rules])
    ids |= dict.fromkeys(expected.rule for outcome in outcomes for expected in outcome.expected)
    return [_tally(rule, outcomes) for rule in ids]


def blocks(outcomes: Sequence[Outcome]) -> list[Blocks]:
    """One line for each set that has outcomes."""
    return [
        _blocks(name, judged)
        for name in SETS
        if (judged := [outcome for outcome in outcomes if outcome.set == name])
    ]


def unknown(outcomes: Iterable[Outcome], rules: Sequence[Rule] = RULES) -> list[str]:
    """Expected ids that no rule has."""
    known = {rule.id for rule in rules}
    expected = (expectation.rule for outcome in outcomes for expectation in outcome.expected)
    return [rule for rule in dict.fromkeys(expected) if rule not in known]


def _judge_ad(ad: Ad, ads: Ads, rules: Sequence[Rule]) -> Outcome:
    facts = (ad.product or ads.product).facts
    findings = lint(ad.where, ad.lines, ad.hashtags, language=ad.language, product=facts, rules=rules)
    found = {finding.rule for finding in findings}
    expected = [
        Expectation(rule, "", _blocks_on(rule, ad.where.platform, findings, rules), rule in found)
        for rule in ad.expect
    ]
    alarms = [finding for finding in findings if finding.rule not in {*ad.expect, *ad.may}]
    return Outcome("moderation", ad.id, ad.why, expected, alarms)


def _judge_sentence(sentence: Sentence, rules: Sequence[Rule]) -> Outcome:
    """Hear the claim rules alone, in a post that has room for everything."""
    findings = _claims(sentence, rules)
    due = [(invention, invention.span(sentence.text)) for invention in sentence.invented]
    expected = [
        Expectation(
            invention.rule,
            invention.quote,
            _blocks_on(invention.rule, "linkedin", findings, rules),
            any(_answers(finding, invention.rule, span) for finding in findings),
        )
        for invention, span in due
    ]
    alarms = [
        finding
        for finding in findings
        if not any(_answers(finding, invention.rule, span) for invention, span in due)
    ]
    return Outcome("claims", sentence.id, sentence.why, expected, alarms)


def _claims(sentence: Sentence, rules: Sequence[Rule]) -> list[Finding]:
    post, texts, facts = placement("linkedin_post"), {"body": [sentence.text]}, sentence.product.facts
    about_claims = [rule for rule in rules if rule.id.startswith("claim-")]
    return lint(post, texts, language=sentence.language, product=facts, rules=about_claims)


def _answers(finding: Finding, rule: str, span: Span) -> bool:
    """Whether a finding is of the rule and touches the span."""
    return finding.rule == rule and finding.span is not None and _overlap(finding.span, span)


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _blocks_on(rule: str, platform: str, findings: Sequence[Finding], rules: Sequence[Rule]) -> bool:
    """Whether the rule blocks there, as it did if it was found; one that does not exist counts as blocking."""
    seen = [finding.severity for finding in findings if finding.rule == rule]
    named = seen or [known.severity_on(platform) for known in rules if known.id == rule]
    return "block" in named or not named


def _tally(rule: str, outcomes: Sequence[Outcome]) -> Tally:
    """Count; a stray finding beside an expected one makes its item one of the others, too."""
    expected = [one for outcome in outcomes for one in outcome.expected if one.rule == rule]
    return Tally(
        rule=rule,
        expected=len(expected),
        found=sum(one.found for one in expected),
        alarms=sum(outcome.alarmed_by(rule) for outcome in outcomes),
        quiet=sum(not outcome.expects(rule) or outcome.alarmed_by(rule) for outcome in outcomes),
    )


def _blocks(name: SetName, outcomes: Sequence[Outcome]) -> Blocks:
    due = [expected for outcome in outcomes for expected in outcome.expected if expected.blocks]
    harmless = [outcome for outcome in outcomes if outcome.harmless]
    return Blocks(
        set=name,
        due=len(due),
        blocked=sum(expected.found for expected in due),
        harmless=len(harmless),
        false=sum(outcome.blocked for outcome in harmless),
    )
