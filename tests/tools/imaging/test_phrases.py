"""Where lines may break, language by language."""

import time
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.imaging.phrases import JOINER, TIE, bound, phrases
from tools.imaging.thai import thai_words

# Each text with | where a line may break; anywhere else it must not.
BREAKS: list[tuple[str, str]] = [
    ("en", "Meet |the quiet |hours |of |day"),
    ("en", "Play |for |40 h |on |a charge"),
    ("en", "From |$ 199 |today"),
    ("de", "Stille |für |die ganze |Reise – |40 h |Akku"),
    ("de", "Im Alltag |der beste |Klang"),
    ("fr", "Le silence, |partout |avec |vous !"),
    ("fr", "Écoutez |« Aurora » |dès |199 €"),
    ("es", "¿Buscas |el silencio?"),
    ("pl", "Cisza |w każdej |chwili"),
    ("cs", "Ticho |s vámi |všude"),
    ("ru", "Тишина |в каждом |дне |и с вами"),
    ("el", "Ησυχία |για |την ημέρα"),
    ("ar", "سماعات |مع 40 ساعة"),
    ("he", "שקט |לכל |מקום"),
    ("hi", "जहाँ |भी |जाएँ, |40 घंटे"),
    ("th", "ความ|เงียบ|ที่|ไป|กับ|คุณ|ทุกที่"),
    ("th", "แบตเตอรี่|อยู่|ได้|นาน |40 ชั่วโมง"),
    ("ja", "どこに|いても、|静けさと|一緒に。"),
    ("ja", "最大40時間再生できる|ワイヤレスヘッドホン|「Aurora」|登場！"),
    ("ja", "Aurora |Pro で、|いつでも|静けさを。"),
    ("ja", "Aurora。|細部という|美学"),
    ("ko", "어디서나 |고요함을, |40시간 |재생"),
    ("zh-Hans", "全新|降噪|耳机，|40小时"),
    ("zh-Hant", "全新|降噪|耳機，|立即|選購！"),
]


@pytest.mark.parametrize(("language", "marked"), BREAKS)
def test_lines_break_where_the_language_does(language: str, marked: str) -> None:
    assert phrases(marked.replace("|", ""), language) == marked.split("|")


def test_a_name_stays_whole_and_does_not_take_the_next_word_for_its_unit() -> None:
    text = "Meet the aurora Studio Pro 2 with 40 h"
    assert phrases(text, "en", names=("Aurora Studio Pro 2",)) == [
        "Meet ",
        "the aurora Studio Pro 2 ",
        "with ",
        "40 h",
    ]
    assert "aurora " in " ".join(phrases(text, "en", names=("Aurora Studio Pro 2",), fine=True))


def test_a_fine_break_still_keeps_what_must_not_be_parted() -> None:
    assert phrases("「最大」40時間、ヘッドホン。", "ja", fine=True) == [
        "「最",
        "大」",
        "40時間、",
        "ヘッ",
        "ド",
        "ホ",
        "ン。",
    ]
    assert phrases("Noise-cancelling USB-C", "en", fine=True) == ["Noise-", "cancelling ", "USB-C"]


def test_a_bound_phrase_has_no_place_to_break() -> None:
    assert bound(" 40 h ") == f"40{TIE}h"
    assert bound("静けさ。") == JOINER.join("静けさ。")
    assert bound("ความเงียบ") == "ความเงียบ"


@pytest.mark.parametrize(
    "words", ["หูฟัง|ไร้สาย|ออโรร่า|โปร", "เสียง|ดีขึ้น|ใน|ทุกวัน|ของ|คุณ", "ฟังเพลง|โปรด|ได้|ทั้งวัน", "สั่งซื้อ|วันนี้"]
)
def test_thai_is_parted_by_words(words: str) -> None:
    assert thai_words(words.replace("|", "")) == words.split("|")


@given(
    st.text(alphabet="กขงเแโใะาิีุู่้์ๆฯ40 ab直静けヘッ、。「」!-", max_size=60),
    st.sampled_from(["en", "th", "ja", "zh", "ko"]),
)
def test_nothing_is_lost_and_no_cluster_is_parted(text: str, language: str) -> None:
    text = " ".join(text.split())
    for fine in (False, True):
        parts = phrases(text, language, fine=fine)
        assert "".join(parts) == text
        ends = list(accumulate(map(len, parts)))[:-1]
        assert not any(text[at] in "าิีุู่้์" and not text[at - 1].isspace() for at in ends)


@pytest.mark.parametrize("text", ["a " * 50_000, "直" * 100_000, "ก" * 100_000, "1 " * 50_000, "« " * 50_000])
def test_a_hostile_text_is_parted_in_time(text: str) -> None:
    began = time.process_time()
    for language in ("fr", "ja", "th"):
        assert phrases(text, language, names=("a a b",))
    assert time.process_time() - began < 10
