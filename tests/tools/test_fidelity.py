"""Translations that hold and translations that slip, told apart without a model."""

import time
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.fidelity import MOST_FIGURES, Slip, compare
from tools.languages import LANGUAGES

SPOKEN: dict[str, list[str]] = tomllib.loads(Path(__file__).with_name("spoken.toml").read_text("utf-8"))
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80) | st.text(
    "0123456789.,:'% €$#@{}<>/hkpm年月万ab\u202e\u200d👍🏽", max_size=60
)


def slips(source: str, target: str, languages: str = "en de", **more: Any) -> list[Slip]:
    ours, theirs = languages.split()
    return compare(source, target, source_language=ours, target_language=theirs, **more)


def kinds(source: str, target: str, languages: str = "en de", **more: Any) -> list[tuple[str, str]]:
    """What blocks, as kind and quote."""
    return [
        (slip.kind, slip.quote) for slip in slips(source, target, languages, **more) if slip.severity == "block"
    ]


@pytest.mark.parametrize(
    ("languages", "source", "target"),
    [
        ("en de", "1,000 songs in 1.5 kg", "1.000 Lieder in 1,5 kg"),
        ("en fr", "1,000 songs", "1\u202f000 chansons"),
        ("en sv", "Two million users: 2 million", "Två miljoner användare: 2 miljoner"),
        ("en pl", "2 million users", "2 miliony użytkowników"),
        ("en ja", "120,000 readers", "読者12万人"),
        ("en ja", "12,500 yen off", "1万2500円引き"),
        ("en hi", "100,000 readers", "1 लाख पाठक"),
        ("en hi", "40 hours", "४० घंटे"),
        ("en ar", "40 hours at 20% less", "٤٠ ساعة وأقل بنسبة ٢٠٪"),
        ("en zh-Hans", "20% off everything", "全场8折"),
        ("en de", "Open at 5 pm", "Ab 17 Uhr geöffnet"),
        ("en fr", "From 9:30 am to 5:30 pm", "De 9 h 30 à 17 h 30"),
        ("en ja", "Opens at 5 pm", "午後5時オープン"),
        ("en da", "Doors open at 19:30", "Dørene åbner kl. 19.30"),
        ("fr en", "Ouvert dès 8 h et jusqu'à 20 h", "Open from 8 am to 8 pm"),
        ("en de", "On May 12, 2026", "Am 12.05.2026"),
        ("en ja", "On May 12, 2026", "2026年5月12日に"),
        ("de en", "Am 12.05.2026", "On 12 May 2026"),
        ("en de", "Help 24/7", "Hilfe rund um die Uhr"),
        ("en de", "Forty hours of quiet", "40 Stunden Ruhe"),
        ("en de", "Two years of warranty", "2 Jahre Garantie"),
        ("en de", "40-hour battery, 30-day trial", "Akku für 40 Std., 30 Tage Probe"),
        ("en es", "30-day trial", "30 días de prueba"),
        ("en it", "40 hours", "40 ore"),
        ("en ko", "40 hours", "40시간"),
        ("en de", "For €5 a month", "Für 5 € im Monat"),
        ("en fr", "From $1,299.50", "Dès 1 299,50 $"),
        ("en de", "Costs 5 dollars", "Kostet 5 $"),
        ("en pt-BR", "R$1,999", "R$ 1.999"),
        ("en de", "MP3 and B2B", "MP3 und Geschäftskunden"),
        ("en de", "4K at 60 Hz", "4K mit 60 Hz"),
        ("en de", "On 5 colours at 5 pm", "Am Abend 5 Farben ab 17 Uhr"),
        ("en tr", "20% off", "%20 indirim"),
        ("en eu", "5 hours, 20%", "5 ordu, % 20"),
    ],
)
def test_a_figure_may_be_written_as_its_language_writes_it(languages: str, source: str, target: str) -> None:
    assert kinds(source, target, languages) == []


@pytest.mark.parametrize(
    ("languages", "source", "target", "slip"),
    [
        ("en de", "40 hours", "50 Stunden", ("number", "50")),
        ("en de", "40 hours", "viele Stunden", ("number", "")),
        ("en de", "Many hours", "40 Stunden", ("number", "40")),
        ("en de", "1,000 songs", "1,000 Lieder", ("number", "1,000")),
        ("en de", "1.5 kg", "15 kg", ("number", "15")),
        ("en ja", "120,000 readers", "読者12人", ("number", "12")),
        ("en de", "5 colours", "bunte Farben", ("number", "")),
        ("en de", "Open at 5 pm", "Ab 18 Uhr geöffnet", ("number", "18")),
        ("en de", "On May 12, 2026", "Am 13.05.2026", ("number", "13.05.2026")),
        ("en de", "40 hours", "40 Tage", ("unit", "40 Tage")),
        ("en ja", "40 hours", "40日間", ("unit", "40日間")),
        ("en de", "1 kg", "1000 g", ("unit", "1000")),
        ("en de", "5 miles", "8 Kilometer", ("unit", "8")),
        ("en de", "20% less", "20 weniger", ("unit", "20")),
        ("en de", "For €5", "Für 5 $", ("price", "5 $")),
        ("en ru", "For €5", "За $5", ("price", "$5")),
        ("en de", "For €5", "Für 6 €", ("price", "6")),
        ("en de", "For €5", "Für 5", ("price", "5")),
        ("en de", "Save 20", "20 € sparen", ("price", "20 €")),
    ],
)
def test_another_figure_is_a_slip(languages: str, source: str, target: str, slip: tuple[str, str]) -> None:
    assert kinds(source, target, languages) == [slip]


def test_a_number_in_words_is_worth_a_look_only() -> None:
    (slip,) = slips("5 colours", "fünf Farben")
    assert (slip.kind, slip.severity, slip.span) == ("number", "warn", None)
    (unsure,) = slips("5 colours", "bost kolore", "en eu")
    assert unsure.severity == "warn"


def test_a_wrong_number_comes_with_the_right_one() -> None:
    (slip,) = slips("40 hours of quiet", "Ruhe für 50 Stunden")
    assert (slip.span, slip.suggestion) == ((9, 11), "40")


@pytest.mark.parametrize(
    ("source", "target", "slip"),
    [
        ("See https://a.com/x.", "https://a.com/de ansehen", ("url", "https://a.com/de")),
        ("See https://a.com/x", "Jetzt ansehen", ("url", "")),
        ("See a.com/x", "Auf b.com/x", ("url", "b.com/x")),
        ("Write to me@a.com", "Schreib an ich@a.com", ("url", "ich@a.com")),
        ("By @aurora", "Von @Aurora", ("url", "@Aurora")),
        ("Hi {name}", "Hallo {Name}", ("placeholder", "{Name}")),
        ("Hi {{name}}, {{name}}", "Hallo {{name}}", ("placeholder", "")),
        ("%s left", "übrig", ("placeholder", "")),
        ("%(count)d left", "noch %(anzahl)d", ("placeholder", "%(anzahl)d")),
        ("For ${name}", "Für {name}", ("placeholder", "{name}")),
        ("<b>Now</b>", "<b>Jetzt", ("placeholder", "")),
        ("{KeyWord:Shoes} here", "{KeyWord:Schuhe} hier", ("placeholder", "{KeyWord:Schuhe}")),
        ("Now #quiet", "Jetzt", ("hashtag", "")),
        ("Now", "Jetzt #leise", ("hashtag", "#leise")),
        ("Now 🎉🎉", "Jetzt 🎉", ("emoji", "")),
        ("Yes 👍🏽", "Ja 👍🏿", ("emoji", "👍🏿")),
        ("Now", "Jetzt 🎉", ("emoji", "🎉")),
    ],
)
def test_what_is_copied_is_copied_to_the_letter(source: str, target: str, slip: tuple[str, str]) -> None:
    assert kinds(source, target) == [slip]


@pytest.mark.parametrize(
    ("languages", "source", "target"),
    [
        ("en de", "See https://a.com/x.", "Mehr auf https://a.com/x!"),
        ("en ja", "See https://a.com/x.", "https://a.com/xをご覧ください。"),
        ("en de", "Hi {name}, 100% sure", "Hallo {name}, 100 % sicher"),
        ("en de", "Now #quiet", "Jetzt #leise"),
        ("en de", "Love ❤️ it ™", "Lieb ❤ es"),
        ("en de", "1️⃣ first", "1️⃣ zuerst"),
    ],
)
def test_what_is_copied_may_move(languages: str, source: str, target: str) -> None:
    assert kinds(source, target, languages) == []


@pytest.mark.parametrize(
    ("languages", "target"),
    [
        ("en de", "Aurora Beats kennenlernen"),
        ("en de", "Der Klang des Aurora Beats’"),
        ("en fi", "Tutustu Aurora Beatsiin"),
        ("en tr", "Aurora Beats'in sesi"),
        ("en he", "הכירו את ה-Aurora Beats היום"),
        ("en ar", "تعرّف على \u2068Aurora Beats\u2069 اليوم"),
        ("en ja", "Aurora Beatsが登場"),
        ("en fr", "Voici Aurora\u00a0Beats"),
    ],
)
def test_a_kept_term_may_take_an_ending(languages: str, target: str) -> None:
    assert kinds("Meet Aurora Beats", target, languages, keep=["Aurora Beats", "Aurora"]) == []


def test_a_kept_term_is_not_translated() -> None:
    assert kinds("Meet Aurora Beats", "Der Nordlicht-Takt", keep=["Aurora Beats"]) == [("term", "")]
    (slip,) = slips("Meet Aurora", "Das ist aurora", keep=["Aurora"])
    assert (slip.kind, slip.quote, slip.suggestion) == ("term", "aurora", "Aurora")
    assert kinds("Model 3 is here", "Model 3 ist da", keep=["Model 3"]) == []
    assert kinds("Good morning", "Guten Morgen", keep=["Aurora"]) == []


@pytest.mark.parametrize(
    ("languages", "target", "holds"),
    [
        ("en de", "Ihre Rucksäcke warten", True),
        ("en de", "Ihr Reiserucksack wartet", True),
        ("en de", "Ihre Tasche wartet", False),
    ],
)
def test_a_glossary_is_kept_to(languages: str, target: str, *, holds: bool) -> None:
    found = kinds("Your Backpack awaits", target, languages, glossary={"backpack": "Rucksack"})
    assert found == ([] if holds else [("glossary", "")])


def test_a_glossary_binds_whole_words_only() -> None:
    assert kinds("Backpacking", "Wandern", glossary={"backpack": "Rucksack"}) == []
    assert kinds("New headphones", "Новых наушников нет", "en ru", glossary={"headphones": "наушники"}) == []
    assert kinds("New headphones", "新耳机", "en zh-Hans", glossary={"headphones": "耳机"}) == []


def test_the_source_repeated_is_no_translation() -> None:
    (slip,) = slips("Quiet that lasts all day 🎉", "Quiet that lasts all day 🎉")
    assert (slip.kind, slip.severity, slip.span) == ("untranslated", "warn", (0, 26))
    assert (
        slips("Aurora Beats Pro Max Ultra", "Aurora Beats Pro Max Ultra", keep=["Aurora Beats Pro Max Ultra"])
        == []
    )
    assert slips("Quiet that lasts all day", "Quiet that lasts all day", "en-GB en-US") == []


@pytest.mark.parametrize(
    ("target", "language", "kind"),
    [
        ("Quiet that lasts for long", "ar", "direction"),
        ("هدوء \u202eيدوم", "ar", "direction"),
        ("Ruhe \u202dbleibt", "de", "direction"),
        ("Quiet that lasts for long", "ru", "script"),
        ("Тишина на весь день", "de", "script"),
        ("Quiet that lasts for long", "ja", "script"),
        ("這個耳機讓您安靜", "zh-Hans", "script"),
        ("这个耳机让您安静", "zh-Hant", "script"),
        ("ヘッドホンでしずかなじかんを", "zh-Hans", "script"),
    ],
)
def test_another_script_is_a_slip(target: str, language: str, kind: str) -> None:
    assert [slip.kind for slip in slips("Some calm", target, f"en {language}")] == [kind]


@pytest.mark.parametrize(
    ("target", "language"),
    [
        ("Aurora Beats: тишина", "ru"),
        ("USB-Cで充電", "ja"),
        ("一日中静寂", "ja"),
        ("OK", "ar"),
        ("這個耳機讓您安靜", "zh-Hant"),
        ("Tišina celog dana", "sr-Latn"),
    ],
)
def test_foreign_words_may_stand_in_a_text(target: str, language: str) -> None:
    assert kinds("Some calm", target, f"en {language}", keep=["Aurora Beats"]) == []


@pytest.mark.parametrize("language", SPOKEN)
def test_right_translations_hold_whatever_the_languages(language: str) -> None:
    pairs = [
        (other, *pair)
        for other in ("en", "de", "ja")
        for pair in zip(SPOKEN[other], SPOKEN[language], strict=True)
    ]
    found = [slip for other, source, target in pairs for slip in slips(source, target, f"{other} {language}")]
    assert [slip for slip in found if slip.kind != "untranslated"] == []


@given(ANY_TEXT, ANY_TEXT, st.sampled_from(sorted(LANGUAGES)) | ANY_TEXT, st.lists(ANY_TEXT, max_size=3))
def test_no_text_makes_it_fail_and_spans_lie_inside(
    source: str, target: str, language: str, keep: list[str]
) -> None:
    terms = dict(pairwise(keep))
    for slip in compare(source, target, source_language="en", target_language=language, keep=keep, glossary=terms):
        start, end = slip.span or (0, 0)
        assert 0 <= start <= end <= len(target)
        assert slip.quote == target[start:end]
        assert slip.message.endswith(".")


@given(ANY_TEXT, st.sampled_from(sorted(LANGUAGES)))
def test_a_text_holds_beside_itself(text: str, language: str) -> None:
    found = compare(text, text, source_language=language, target_language=language)
    assert {slip.kind for slip in found} <= {"direction", "script"}


def test_of_too_many_figures_a_person_sees_to_the_rest() -> None:
    text = "1 " * (MOST_FIGURES + 1)
    (slip,) = slips(text, text)
    assert (slip.kind, slip.severity, slip.span) == ("number", "warn", (2 * MOST_FIGURES, len(text)))
    assert slips(text[2:], text[2:]) == []


def test_what_is_missing_is_told_in_the_order_of_the_source() -> None:
    missing = [slip.message.split()[2] for slip in slips("@b, @a, b.de, a.de and @c", "nichts")]
    assert missing == ["@b", "@a", "b.de", "a.de", "@c"]


def test_a_source_that_is_remembered_serves_every_language() -> None:
    source = "40 h for $99 at https://a.example {name} #calm 👍"
    assert slips(source, "40 Std. für 99 $ auf https://a.example {name} #ruhe 👍", "en de") == []
    assert kinds(source, "50 h", "en fr")[0] == ("number", "50")
    assert slips(source, "40 Std. für 99 $ auf https://a.example {name} #ruhe 👍", "en de") == []


@pytest.mark.parametrize(
    "part", ["1 ", "5 pm ", "12/12/", "a@", "{", "<a ", "1万", "👍\u200d", "#1", "a.", "$1-", "%(", "$1 ", "40 h "]
)
def test_a_hostile_text_takes_no_longer_than_its_length(part: str) -> None:
    def taken(size: int) -> float:
        text = part * (size // len(part))
        start = time.process_time()
        compare(text, text[::-1], source_language="en", target_language="de", keep=["a"], glossary={"a": "b"})
        return time.process_time() - start

    taken(1000)
    assert taken(40_000) < 40 * max(taken(4_000), 0.02)
