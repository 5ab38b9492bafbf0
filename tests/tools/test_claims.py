"""Every claim of a copy is found, and finds its ground however it is written."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.claims import MOST_FIGURES, Claim, Ground, trace
from tools.policy.rule import ProductFacts

AURORA = ProductFacts(
    name="Aurora 3",
    features=("40 h battery", "Weighs 250 g", "20 % recycled plastic", "$5 a month"),
    description="Two-year warranty, 1,000 charges, 2.5 m cable, IP67. In shops from 12 May 2026.",
    evidence=("Best in test, Hi-Fi 3/2026", "2x faster charging than Nova", "Lightest headphones of 2026"),
)
NAMELESS = ProductFacts("Aurora", ("Folds flat",))
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80) | st.lists(
    st.sampled_from(
        [
            "40 h",
            "$5",
            "€",
            "20",
            "%",
            " ",
            "the best ",
            "lighter than ",
            "Aurora",
            "#1",
            "12 May",
            "2x",
            "٢٠٪",
            "万",
            "-",
        ]
    ),
    max_size=12,
).map("".join)


def invented(text: str, language: str = "en", facts: ProductFacts = AURORA) -> list[tuple[str, str]]:
    return [(claim.kind, claim.quote) for claim in trace(text, facts, language=language) if claim.ground is None]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("40 hours, 40-hour, 40h, forty hours and 2400 minutes", "en"),
        ("40 Stunden, 40-Stunden-Akku, vierzig Stunden", "de"),
        ("1.000 Ladungen, 2,5 m Kabel, zweijährige Garantie", "de"),
        ("1 000 charges, quarante heures, 0,25 kg", "fr"),
        ("40 horas, dos años de garantía, 250 gramos", "es"),
        ("Quaranta ore, due anni, 250 cm", "it"),
        ("Quarenta horas, 2 anos, 24 meses", "pt"),
        ("Veertig uur, twee jaar garantie", "nl"),
        ("４０時間再生、四十時間、2年保証", "ja"),
        ("٤٠ ساعة، ٢٠٪", "ar"),
        ("20 percent, 20% and twenty percent", "en"),
        ("5 USD, 5 dollars, US$5", "en"),
        ("12.05.2026, 12. Mai, Mai 2026, 20 Prozent", "de"),
        ("Launches 2026-05-12: May 12, May 2026, 2026", "en"),
        ("2026年5月12日", "ja"),
        ("40 of them", "en"),
        ("Meet Aurora 3 and #Aurora3", "en"),
        ("Best in test. Twice as fast. Our lightest headphones", "en"),
        ("Testsieger. Doppelt so schnell.", "de"),
    ],
)
def test_a_claim_of_the_client_may_be_written_any_way(text: str, language: str) -> None:
    assert trace(text, AURORA, language=language)
    assert invented(text, language) == []


@pytest.mark.parametrize(
    ("text", "language", "kind", "quote"),
    [
        ("50 h battery", "en", "unit", "50 h"),
        ("40 days of music", "en", "unit", "40 days"),
        ("Fünf Jahre Garantie", "de", "unit", "Fünf Jahre"),
        ("50 heures d’écoute", "fr", "unit", "50 heures"),
        ("50時間再生", "ja", "unit", "50時間"),
        ("Loved by 40 million users", "en", "number", "40 million users"),
        ("Three colours", "en", "number", "Three colours"),
        ("50万人が愛用", "ja", "number", "50万人"),
        ("only $9.99", "en", "price", "$9.99"),
        ("€5 a month", "en", "price", "€5"),
        ("Nur 49,90 €", "de", "price", "49,90 €"),
        ("Save 30% now", "en", "percentage", "30%"),
        ("3割引", "ja", "percentage", "3割"),
        ("Until 1 June", "en", "date", "1 June"),
        ("Ab 13. Mai 2026", "de", "date", "13. Mai 2026"),
        ("IP68", "en", "number", "68"),
        ("SAVE30", "en", "number", "30"),
        ("Lighter than Sony", "en", "comparison", "Lighter than Sony"),
        ("3x faster", "en", "comparison", "3x faster"),
        ("Unlike other headphones", "en", "comparison", "Unlike other headphones"),
        ("Leiser als andere", "de", "comparison", "Leiser als andere"),
        ("Plus léger que les autres", "fr", "comparison", "Plus léger que les autres"),
        ("Más ligero que otros", "es", "comparison", "Más ligero que otros"),
        ("Più leggere delle altre", "it", "comparison", "Più leggere delle altre"),
        ("Mais leve do que outros", "pt", "comparison", "Mais leve do que outros"),
        ("Lichter dan andere", "nl", "comparison", "Lichter dan andere"),
        ("他社より軽い", "ja", "comparison", "他社より軽い"),
        ("We are #1", "en", "superlative", "#1"),
        ("The quietest headphones", "en", "superlative", "The quietest headphones"),
        ("Unbeatable sound", "en", "superlative", "Unbeatable"),
        ("The only headphones that listen", "en", "superlative", "The only headphones that"),
        ("Die leisesten Kopfhörer", "de", "superlative", "Die leisesten Kopfhörer"),
        ("Le casque le plus silencieux", "fr", "superlative", "le plus silencieux"),
        ("El auricular más silencioso", "es", "superlative", "El auricular más silencioso"),
        ("La cuffia più silenziosa", "it", "superlative", "La cuffia più silenziosa"),
        ("O fone mais silencioso", "pt", "superlative", "O fone mais silencioso"),
        ("De stilste koptelefoon", "nl", "superlative", "De stilste koptelefoon"),
        ("業界No.1", "ja", "superlative", "業界No.1"),
    ],
)
def test_an_invention_is_found_and_quoted(text: str, language: str, kind: str, quote: str) -> None:
    assert invented(text, language) == [(kind, quote)]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("24/7, 50/50, 4K, 5G, MP3, B2B, H2O and the '80s", "en"),
        ("You at your best. Do your best, best friends. Best before noon.", "en"),
        ("Last but not least, at least at most most people, most of your day", "en"),
        ("First thing in the morning. Better mornings, more time.", "en"),
        ("Rather than noise. Less is more. More than meets the eye. Better than ever.", "en"),
        ("The only thing you need. One for you, a first for us.", "en"),
        ("Call +49 30 1234567 or 555-123-4567, see www.example.com/99", "en"),
        ("Gib dein Bestes. Beste Freunde, am besten heute. Mehr als Musik.", "de"),
        ("Donnez le meilleur de vous-même. Plus que jamais.", "fr"),
        ("Da lo mejor de ti. Más que nunca.", "es"),
        ("Il meglio di te. Più che mai.", "it"),
        ("Dê o seu melhor. Mais do que nunca.", "pt"),
        ("Doe je best. Meer dan ooit.", "nl"),
        ("最高の一日を。いつもより早く。", "ja"),
    ],
)
def test_plain_speech_claims_nothing(text: str, language: str) -> None:
    assert trace(text, NAMELESS, language=language) == []


@pytest.mark.parametrize(
    ("text", "language", "quote"),
    [
        ("Baking since 1974.", "en", "1974"),
        ("Est. 1974", "en", "1974"),
        ("Seit 1889 gebraut", "de", "1889"),
        ("Gegründet im Jahr 1889", "de", "1889"),
        ("Fundada en 1920", "es", "1920"),
        ("Desde 1999", "es", "1999"),
        ("Depuis 1974", "fr", "1974"),
        ("Dal 1950", "it", "1950"),
        ("Fundado em 1920", "pt", "1920"),
        ("Sinds 1901", "nl", "1901"),
        ("1974年創業", "ja", "1974年"),
        ("始于1974年", "zh-Hans", "1974年"),
        ("1974년부터", "ko", "1974년"),
        ("С 1974 года", "ru", "1974 года"),
    ],
)
def test_a_word_of_time_makes_a_date_of_a_year(text: str, language: str, quote: str) -> None:
    assert invented(text, language) == [("date", quote)]
    assert invented(text, language, ProductFacts("Aurora", (f"In the trade since {quote[:4]}",))) == []


@pytest.mark.parametrize(
    ("text", "language", "kind"),
    [
        ("2027", "en", "number"),
        ("Desde 1999 €", "es", "price"),
        ("Depuis 1999 heures", "fr", "unit"),
        ("2000年の歴史", "ja", "unit"),
    ],
)
def test_a_year_without_such_a_word_or_with_a_unit_is_none(text: str, language: str, kind: str) -> None:
    assert [found for found, _ in invented(text, language)] == [kind]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("La Aurora más ligera del mercado", "es"),
        ("La mochila de viaje más ligera", "es"),
        ("El café más atrevido de la ciudad", "es"),
        ("Le sac le plus audacieux du marché", "fr"),
        ("L’Aurora più leggera", "it"),
        ("Lo zaino da viaggio più leggero", "it"),
        ("Il caffè più audace in commercio", "it"),
        ("A Aurora mais leve", "pt"),
        ("A mochila de viagem mais leve", "pt"),
        ("O café mais ousado à venda", "pt"),
    ],
)
def test_a_superlative_may_stand_after_its_noun(text: str, language: str) -> None:
    assert [kind for kind, _ in invented(text, language, NAMELESS)] == ["superlative"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("El mundo es más fácil", "es"),
        ("Una mochila más ligera", "es"),
        ("Il mondo è più semplice", "it"),
        ("O mundo fica mais leve", "pt"),
    ],
)
def test_a_thing_that_is_merely_more_so_is_no_superlative(text: str, language: str) -> None:
    assert trace(text, NAMELESS, language=language) == []


def test_of_too_many_figures_the_rest_is_one_claim() -> None:
    facts = ProductFacts("Aurora", ("40 h battery",))
    claims = trace("40 h, " * 1000, facts)
    assert len(claims) == MOST_FIGURES + 1
    assert [claim.ground is None for claim in claims] == [False] * MOST_FIGURES + [True]
    assert claims[-1].span == (MOST_FIGURES * 6, 6000)


@pytest.mark.parametrize(
    ("text", "language"), [("Dİx heures", "fr"), ("Aprİl 2026", "en"), ("SİX HOURS, sıx hours", "en")]
)
def test_a_dotted_or_dotless_i_is_not_stumbled_over(text: str, language: str) -> None:
    trace(text, ProductFacts("Aurora", (text,)), language=language)


def test_a_claim_tells_where_its_ground_is() -> None:
    (claim,) = trace("Now 40 hours", AURORA)
    assert claim == Claim("unit", (4, 12), "40 hours", Ground("features/0", "40 h"))
    assert json.loads(json.dumps(claim.as_json())) == {
        "kind": "unit", "span": [4, 12], "quote": "40 hours", "ground": {"where": "features/0", "quote": "40 h"},
    }  # fmt: skip


def test_each_end_of_a_range_is_a_claim() -> None:
    facts = ProductFacts("Aurora", ("Arrives in 2 days",))
    assert invented("Arrives in 2-3 days", facts=facts) == [("unit", "3 days")]


def test_an_ambiguous_number_is_read_in_the_language_of_the_copy() -> None:
    grams = ProductFacts("Aurora", ("Only 1000 g",))
    assert invented("1.000 g", "de", grams) == []
    assert invented("1.000 g", "en", grams) == [("unit", "1.000 g")]


def test_a_smaller_praise_does_not_bear_out_a_larger_one() -> None:
    facts = ProductFacts("Aurora", ("Our lightest headphones",))
    assert invented("The lightest headphones", facts=facts) == []
    assert invented("The world’s lightest", facts=facts)


@given(ANY_TEXT, ANY_TEXT, st.sampled_from(["en", "de", "fr", "es", "it", "pt", "nl", "ja", "ar", "", "x-none"]))
@settings(max_examples=200, deadline=None)
def test_no_text_makes_tracing_fail_and_claims_stand_apart(text: str, fact: str, language: str) -> None:
    claims = trace(text, ProductFacts(fact, (fact,), fact, (fact,)), language=language)
    ends = [0, *(claim.span[1] for claim in claims)]
    for claim, end in zip(claims, ends, strict=False):
        assert end <= claim.span[0] < claim.span[1] <= len(text)
        assert claim.quote == text[slice(*claim.span)]


FEATURES = st.builds(
    "{} {}{} {}".format,
    st.sampled_from(["Only", "Up to", "The lightest:", "2x faster than Nova,", "Costs $"]),
    st.integers(0, 99999) | st.decimals(0, 99, places=1),
    st.sampled_from([" h", " kg", "%", " €", " dollars", "-inch", " May 2026", "", " colours", "万"]),
    st.sampled_from(["battery", "of quiet", "the best in test", "and no more"]),
)


@given(FEATURES | ANY_TEXT, st.sampled_from(["en", "de", "ja", "es", "fi"]))
@settings(max_examples=200, deadline=None)
def test_the_client_s_own_sentence_is_grounded(feature: str, language: str) -> None:
    assert invented(feature, language, ProductFacts("Aurora", (feature,))) == []


@pytest.mark.parametrize(
    "piece",
    [
        "forty hours of the best music, $5 or 20% less. ",
        "lorem ipsum ",
        "1",
        "1 ",
        "$1 ",
        "40 h ",
        "1,000,",
        "a",
        "a.",
        "軽い",
    ],
)
def test_a_long_text_is_traced_at_once(piece: str) -> None:
    trace("40 h, the best", AURORA)
    text = (piece * 100_000)[:100_000]
    started = time.process_time()
    trace(text, AURORA)
    assert time.process_time() - started < 2
