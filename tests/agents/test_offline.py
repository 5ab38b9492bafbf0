"""The rehearsal model, reached as the agents reach any model: through ChatOpenAI, over ASGI."""

import asyncio
import base64
import io
import json
import unicodedata
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import httpx2
import openai
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_openai import ChatOpenAI
from openai.types.chat import ChatCompletionMessageParam
from PIL import Image, ImageDraw, ImageFilter
from pydantic import HttpUrl

from agents import briefing, copywriter, moderator, resizer, translator
from agents.briefing import Brief
from agents.chat import ChatModel, Endpoint, own_screen
from agents.copywriter import CAMPAIGN, Draft, Rework, assignment
from agents.model import (
    ModelError,
    ModelGarbled,
    ModelQuotaSpent,
    ModelRefused,
    ModelRejected,
    ModelUnavailable,
)
from agents.moderator import Text
from agents.offline import LANGUAGES, parse_faults, rehearsal
from agents.offline.faults import FAULTS, FEATURES, TRANSPORT
from agents.offline.phrases import SLOT, SPOKEN, TONES, kinds, phrases
from agents.offline.reading import read_text, say
from agents.offline.words import Words, fill, sentence
from agents.product import Product
from agents.translator import Translation
from service.server import serving
from tools.languages import language
from tools.lint import lint
from tools.placements import PLACEMENTS, Placement

AURORA = Product(name="Aurora", features=["40 h battery", "Noise cancelling", "Folds flat"])
WRITTEN = [placement for placement in PLACEMENTS.values() if placement.slots]
HOME = "http://rehearsal/v1"

PRODUCTS = {
    "plain": AURORA,
    "long": Product(
        name=("Meridian Cordless Mountain Walking Companion " * 5)[:200].strip(),
        features=[("keeps going when everything else has long gone home " * 4)[:200], "b" * 200, "c d" * 66],
        description="Something to take along on long walks. It has straps.",
    ),
    "unbroken": Product(name="Z" * 200, features=["é" * 200, "x" * 30, "y" * 31]),
    "japanese": Product(
        name="オーロラ・ヘッドホン",
        features=["四十時間バッテリー", "騒音を消す", "平らにたためる", "軽い", "静か"],
    ),
    "arabic": Product(name="سماعات أورورا", features=["بطارية طويلة", "إلغاء الضجيج", "قابلة للطي"]),
    "hindi": Product(name="अरोरा हेडफ़ोन", features=["लंबी बैटरी", "शोर नहीं", "मुड़ता है"]),
    "quotes": Product(
        name='Fish & Chips <"Deluxe"> {name}', features=["crisp & hot", '"crunchy"', "served in <60 s"]
    ),
    "emoji": Product(
        name="🚀 Rocket 👩‍👩‍👧‍👦!!", features=["50% more!!", "#1 best, guaranteed", "SHOUTING LOUD", "Fine"]
    ),
    "only emoji": Product(name="🔥🔥🔥", features=["🔥", "🌶️", "🧯"]),
    "stops": Product(
        name="Acme Inc.", features=["Really?", "Yes!", "It folds."], url=HttpUrl("https://www.acme.example/x")
    ),
    "single": Product(name="A", features=["A", "a", "B"]),
}


@dataclass(frozen=True)
class Stage:
    """The rehearsal model and two ways to reach it."""

    model: ChatModel
    http: httpx2.AsyncClient
    openai: openai.AsyncOpenAI
    chat: ChatOpenAI

    async def calls(self) -> list[dict[str, Any]]:
        """The list of calls served."""
        told: list[dict[str, Any]] = (await self.http.get("/rehearsal/calls")).json()
        return told


@asynccontextmanager
async def staged(**options: Any) -> AsyncGenerator[Stage]:
    transport = httpx2.ASGITransport(app=rehearsal(**options))
    async with httpx2.AsyncClient(transport=transport, base_url="http://rehearsal") as http:
        client = openai.AsyncOpenAI(api_key="none", base_url=HOME, http_client=http, max_retries=0)
        chat = ChatOpenAI(
            model="rehearsal", api_key=lambda: "none", base_url=HOME, http_async_client=http, max_retries=0
        )
        endpoint = Endpoint(model="rehearsal", base_url=HOME)
        yield Stage(ChatModel(endpoint, http, own_screen(endpoint, http)), http, client, chat)


@pytest.fixture
async def stage() -> AsyncGenerator[Stage]:
    async with staged() as made:
        yield made


async def _brief(stage: Stage, product: Product = AURORA, **changed: Any) -> Brief:
    asked: dict[str, Any] = {"tone": "premium", "audience": "commuters", "language": "en"} | changed
    return (await briefing.write_brief(stage.model, product, placements=["X post"], **asked)).output


async def _draft(stage: Stage, product: Product = AURORA, **changed: Any) -> Draft:
    usual: dict[str, Any] = {"tone": "premium", "language": "en", "placements": [*WRITTEN, CAMPAIGN]}
    asked = usual | _gathered(changed)
    brief = await _brief(stage, product, language=asked["language"], tone=asked["tone"])
    return (await copywriter.write_copy(stage.model, product, brief=brief, **asked)).output


async def _translation(
    stage: Stage, product: Product, copy: Mapping[str, Mapping[str, Sequence[str]]], target: str, **changed: Any
) -> Translation:
    asked: dict[str, Any] = {"tone": "premium", "source": language("en")} | _gathered(changed)
    placements = [_spoken(name) for name in copy]
    answer = await translator.translate(
        stage.model, product, target=language(target), copy=copy, placements=placements, **asked
    )
    return answer.output


def _gathered(changed: Mapping[str, Any]) -> dict[str, Any]:
    """`changed`, with what comes with texts that were sent back in the one object that agents take."""
    sent_back = {name: changed[name] for name in ("previous", "feedback", "comment") if name in changed}
    return {name: value for name, value in changed.items() if name not in sent_back} | {
        "rework": Rework(**sent_back)
    }


def _spoken(name: str) -> Placement:
    return translator.CAMPAIGN if name == CAMPAIGN.id else PLACEMENTS[name]


def _copy(draft: Draft | Translation) -> dict[str, dict[str, list[str]]]:
    return {
        one.placement: {slot.slot: slot.texts for slot in one.slots} | {"hashtags": one.hashtags}
        for one in draft.placements
    }


def _texts(draft: Draft | Translation) -> list[str]:
    return [text for one in draft.placements for slot in one.slots for text in slot.texts]


def _length(text: str, rule: str) -> int:
    """A count of our own; of X's weights an upper bound, since an emoji sequence counts by its parts."""
    normal = unicodedata.normalize("NFC", text)
    match rule:
        case "utf8_bytes":
            return len(normal.encode())
        case "display_width":
            return sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in normal)
        case "x_weighted_v3":
            light = (range(4352), range(8192, 8206), range(8208, 8224), range(8242, 8248))
            return sum(1 if any(ord(char) in part for part in light) else 2 for char in normal)
        case _:
            return len(normal)


def _check_limits(draft: Draft | Translation, counts: Mapping[tuple[str, str], int]) -> None:
    for one in draft.placements:
        for made in one.slots:
            slot = _spoken(one.placement).slot(made.slot)
            assert slot is not None
            assert len(made.texts) == counts[one.placement, made.slot]
            for text in made.texts:
                assert text.strip() == text != ""
                size = _length(text, slot.rule)
                assert slot.hard is None or size <= slot.hard, (one.placement, made.slot, text)


def _check_rules(draft: Draft | Translation, product: Product, spoken: str) -> None:
    for one in draft.placements:
        texts = {slot.slot: slot.texts for slot in one.slots}
        found = lint(_spoken(one.placement), texts, one.hashtags, language=spoken, product=product.facts())
        serious = [finding for finding in found if finding.severity != "info"]
        assert not serious, (spoken, serious[0])


def _wanted(placements: Sequence[Placement]) -> dict[tuple[str, str], int]:
    return {(one.id, slot.name): slot.wanted for one in placements for slot in one.slots if slot.wanted}


Drafts = dict[tuple[str, str], Draft]


@pytest.fixture(scope="module")
def drafts() -> Drafts:
    """Copy for every placement by product and language, as far as a test has asked for it."""
    return {}


async def _bold(stage: Stage, drafts: Drafts, name: str, spoken: str) -> Draft:
    if (name, spoken) not in drafts:
        drafts[name, spoken] = await _draft(stage, PRODUCTS[name], language=spoken, tone="bold")
    return drafts[name, spoken]


def _products(spoken: str) -> dict[str, Product]:
    """The plain product and a third of the odd ones: any three languages in a row have them all."""
    turn = sorted(SPOKEN).index(spoken) % 3
    return {name: product for at, (name, product) in enumerate(PRODUCTS.items()) if not at or at % 3 == turn}


@pytest.mark.parametrize("spoken", sorted(SPOKEN))
async def test_copy_for_every_placement_is_inside_limits_and_rules(
    stage: Stage, drafts: Drafts, spoken: str
) -> None:
    for name, product in _products(spoken).items():
        draft = await _bold(stage, drafts, name, spoken)
        _check_limits(draft, _wanted([*WRITTEN, CAMPAIGN]))
        _check_rules(draft, product, spoken)
        for one in draft.placements:
            texts = [
                text for slot in one.slots for text in slot.texts if slot.slot not in ("business_name", "brand")
            ]
            assert len(texts) == len(set(texts)), (spoken, product.name, one)


@pytest.mark.parametrize("spoken", sorted(SPOKEN))
async def test_translations_are_inside_limits_and_rules(stage: Stage, drafts: Drafts, spoken: str) -> None:
    source = "de" if spoken == "en" else "en"
    for name, product in _products(spoken).items():
        draft = await _bold(stage, drafts, name, source)
        made = await _translation(stage, product, _copy(draft), spoken, source=language(source))
        _check_limits(made, _wanted([*WRITTEN, CAMPAIGN]))
        _check_rules(made, product, spoken)
        for one, other in zip(draft.placements, made.placements, strict=True):
            assert [slot.slot for slot in one.slots] == [slot.slot for slot in other.slots]


async def test_translations_say_the_same_with_the_product_s_own_words(stage: Stage) -> None:
    draft = await _draft(stage, placements=[PLACEMENTS["x_post"], PLACEMENTS["linkedin_post"], CAMPAIGN])
    said = set(_texts(draft))
    for spoken in sorted(SPOKEN - {"en"}):
        made = await _translation(stage, AURORA, _copy(draft), spoken)
        for one, other in zip(draft.placements, made.placements, strict=True):
            for slot, told in zip(one.slots, other.slots, strict=True):
                assert told.back_translations == slot.texts
                for text, translated in zip(slot.texts, told.texts, strict=True):
                    assert translated not in said
                    assert ("Aurora" in text) == ("Aurora" in translated)
                    assert text.count("\n") == translated.count("\n")
                    for feature in AURORA.features:
                        assert text.count(feature) == translated.count(feature)


async def test_a_known_audience_is_translated_and_an_unknown_one_kept(stage: Stage) -> None:
    brief = await _brief(stage, audience="people who sing off key")
    draft = await copywriter.write_copy(
        stage.model, AURORA, brief=brief, tone="bold", language="en", placements=[PLACEMENTS["linkedin_post"]]
    )
    body = draft.output.placements[0].slots[0].texts[0]
    assert "For people who sing off key." in body
    made = await _translation(stage, AURORA, _copy(draft.output), "de")
    assert "Für people who sing off key." in made.placements[0].slots[0].texts[0]
    known = {"linkedin_post": {"body": [body.replace("people who sing off key", "commuters")]}}
    made = await _translation(stage, AURORA, known, "ja")
    assert "通勤する人へ。" in made.placements[0].slots[0].texts[0]
    greetings = {
        "pl": "Dojeżdżający do pracy, to dla was.",
        "sv": "För pendlare.",
        "da": "Til pendlere.",
        "tr": "Her gün yolda olanlar için.",
        "ru": "Спешащие на работу, это для вас.",
        "uk": "Щоденні пасажири, це для вас.",
        "el": "Για όσους μετακινούνται καθημερινά.",
        "he": "נוסעים קבועים, זה בשבילכם.",
        "hi": "रोज़ सफ़र करने वालों के लिए।",
    }
    for target, greeting in greetings.items():
        made = await _translation(stage, AURORA, known, target)
        assert greeting in made.placements[0].slots[0].texts[0].split("\n")


async def test_products_tones_and_placements_sound_different(stage: Stage) -> None:
    other = Product(name="Brisk", features=["Leak-proof lid", "Keeps coffee hot", "Fits any cup holder"])
    texts: dict[tuple[str, str], set[str]] = {}
    for product in (AURORA, other):
        for tone in (*TONES, "warm and a little nostalgic"):
            draft = await _draft(stage, product, tone=tone)
            own = [text.replace(product.name, "") for text in _texts(draft)]
            texts[product.name, tone] = {text for text in own if len(text) > 10}
    for one, two in combinations(texts, 2):
        shared = texts[one] & texts[two]
        kin = one[0] == two[0] and not {one[1], two[1]} <= set(TONES)
        assert len(shared) <= len(texts[one]) / (2 if kin else 3), (one, two, shared)


async def test_the_same_question_has_the_same_answer(stage: Stage) -> None:
    first = await _draft(stage)
    async with staged(latency=0.001, jitter=0.001, seed=7) as another:
        assert await _draft(another) == first


async def test_a_caption_opens_before_the_fold_and_lists_the_features(stage: Stage) -> None:
    copy = _copy(await _draft(stage, tone="friendly"))
    caption = copy["instagram_post"]["caption"][0]
    assert len(caption.split("\n")[0]) <= 125
    assert [line for line in caption.split("\n") if line.startswith("• ")] == [f"• {f}" for f in AURORA.features]
    assert copy["linkedin_post"]["body"][0].count("\n\n") >= 3
    assert "\n\n\n" not in copy["linkedin_post"]["body"][0]
    assert len(copy["linkedin_post"]["body"][0]) > 1.5 * len(copy["x_post"]["body"][0])
    assert copy["google_rda"]["business_name"] == ["Aurora"]
    assert copy["google_rsa"]["path"][0] == "aurora"
    assert 0 < len(copy["instagram_post"]["hashtags"]) <= 5
    assert copy["meta_feed"]["hashtags"] == []


async def test_names_are_shortened_between_words(stage: Stage) -> None:
    long = PRODUCTS["long"]
    copy = _copy(await _draft(stage, long))
    assert copy["google_rda"]["business_name"] == ["Meridian Cordless"]
    assert copy["snapchat"]["brand"] == ["Meridian Cordless"]


async def test_a_brief_says_tone_audience_and_features(stage: Stage) -> None:
    for spoken in sorted(SPOKEN):
        brief = await _brief(stage, tone="dry, with a smile", language=spoken, audience="night owls")
        assert "dry, with a smile" in brief.summary
        assert "dry, with a smile" in brief.voice
        assert "night owls" in brief.audience
        assert all(
            feature in message for feature, message in zip(AURORA.features, brief.key_messages, strict=True)
        )
        assert len(brief.promise.split()) <= 12
    for product in PRODUCTS.values():
        assert len((await _brief(stage, product, audience=None)).promise.split()) <= 12


async def test_feedback_changes_what_it_quotes_and_nothing_else(stage: Stage) -> None:
    draft = await _draft(stage)
    before = _copy(draft)
    blamed = {"placement": "google_rda", "field": "headline", "index": 1, "quote": "Aurora", "message": "Weak."}
    after = _copy(await _draft(stage, previous=before, feedback=[blamed]))
    changed = [
        (name, slot, at)
        for name, slots in before.items()
        for slot, texts in slots.items()
        for at, text in enumerate(texts)
        if after[name][slot][at] != text
    ]
    assert changed == [("google_rda", "headline", 1)]
    assert after["google_rda"]["headline"][1] not in before["google_rda"]["headline"]
    quote = before["x_post"]["body"][0]
    again = _copy(await _draft(stage, previous=before, feedback=[{"quote": quote, "message": "No."}]))
    assert again["x_post"]["body"] != before["x_post"]["body"]
    assert again["linkedin_post"] == before["linkedin_post"]
    assert _copy(await _draft(stage, previous=before)) == before


async def test_a_comment_brings_other_copy(stage: Stage) -> None:
    before = _copy(await _draft(stage))
    placements = [PLACEMENTS["x_post"], PLACEMENTS["linkedin_post"], CAMPAIGN]
    seen = [before["x_post"]["body"][0]]
    for comment in ("Not quite.", "Shorter, please.", "More playful, and start with the battery."):
        after = _copy(await _draft(stage, previous=before, comment=comment, placements=placements))
        for name, slots in after.items():
            for slot in set(slots) - {"hashtags"}:
                assert not set(slots[slot]) & set(before[name][slot]), (comment, name, slot)
        seen.append(after["x_post"]["body"][0])
    assert len(set(seen)) == len(seen)
    assert "40 h battery" in seen[-1]


async def test_a_careless_promise_is_made_once_blocked_and_mended(stage: Stage) -> None:
    product = AURORA.model_copy(update={"description": "For guaranteed results, every day."})
    first = await _draft(stage, product)
    careless = [text for text in _texts(first) if "guaranteed results" in text.casefold()]
    assert len(careless) == 1
    copy = _copy(first)
    texts = [Text(p, f, i, t) for p, slots in copy.items() for f, ts in slots.items() for i, t in enumerate(ts)]
    judged = await moderator.judge(stage.model, product, tone="premium", language="en", texts=texts)
    found = moderator.findings(judged.output, texts)
    assert [(one.rule, one.severity) for one in found] == [("judge-promise", "block")]
    assert found[0].span is not None
    assert found[0].suggestion
    feedback = [finding.as_json() for finding in found]
    mended = await _draft(stage, product, previous=copy, feedback=feedback)
    assert not [text for text in _texts(mended) if "guaranteed results" in text.casefold()]


@pytest.mark.parametrize("target", sorted(SPOKEN - {"en"}))
async def test_an_edit_always_changes_the_translation(stage: Stage, target: str) -> None:
    before = _copy(await _draft(stage, placements=[PLACEMENTS["google_rda"], PLACEMENTS["linkedin_post"]]))
    body = before["linkedin_post"]["body"][0]
    edits = {
        ("google_rda", "headline"): ["Silence, folded flat", *before["google_rda"]["headline"][1:]],
        ("google_rda", "description"): ["x" * 90, *before["google_rda"]["description"][1:]],
        ("linkedin_post", "body"): [body.replace("Aurora", "Our Aurora", 1)],
    }
    plain = _copy(await _translation(stage, AURORA, before, target))
    for (placement, slot), texts in edits.items():
        edited = {**before, placement: {**before[placement], slot: texts}}
        made = await _translation(stage, AURORA, edited, target)
        assert _copy(made)[placement][slot] != plain[placement][slot]
        _check_limits(made, _wanted([PLACEMENTS["google_rda"], PLACEMENTS["linkedin_post"]]))
        if slot != "body":
            assert texts[0] in _copy(made)[placement][slot][0]


async def test_a_refused_translation_is_said_in_another_way(stage: Stage) -> None:
    copy = _copy(await _draft(stage, placements=[PLACEMENTS["google_rda"]]))
    first = _copy(await _translation(stage, AURORA, copy, "fr"))["google_rda"]
    blamed = {"placement": "google_rda", "field": "headline", "index": 0, "quote": first["headline"][0]}
    again = _copy(await _translation(stage, AURORA, copy, "fr", feedback=[blamed]))["google_rda"]
    assert again["headline"][0] not in first["headline"]
    assert again["headline"][1:] == first["headline"][1:]
    assert again["description"] == first["description"]
    asked = _copy(await _translation(stage, AURORA, copy, "fr", comment="Livelier."))["google_rda"]
    assert asked["description"] != first["description"]


async def test_hashtags_of_a_tone_are_translated_and_those_of_the_product_kept(stage: Stage) -> None:
    copy = {"instagram_post": {"caption": ["Meet Aurora."], "hashtags": ["Aurora", "LessIsMore", "Elegance"]}}
    made = await _translation(stage, AURORA, copy, "de")
    assert made.placements[0].hashtags == ["Aurora", "WenigerIstMehr", "Eleganz"]


def _photo(*, light: bool, blur: float = 0, size: tuple[int, int] = (900, 600)) -> bytes:
    image = Image.new("RGB", size, (240, 238, 230) if light else (18, 18, 22))
    w, h = size
    ImageDraw.Draw(image).rectangle((w // 3, h // 3, 2 * w // 3, 2 * h // 3), fill=(200, 30, 30))
    image = image.filter(ImageFilter.GaussianBlur(blur)) if blur else image
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


async def _study(stage: Stage, picture: bytes, spoken: str = "en", product: Product = AURORA) -> resizer.Study:
    answer = await resizer.study_picture(
        stage.model, product, picture=picture, media_type="image/png", language=spoken
    )
    return answer.output


async def test_a_study_tells_what_is_in_the_picture(stage: Stage) -> None:
    study = await _study(stage, _photo(light=True))
    assert study.alt_text == "Aurora: photographed on a light background, mostly red."
    assert study.box is not None
    corners = (study.box.left, study.box.top, study.box.right, study.box.bottom)
    assert corners == pytest.approx((1 / 3, 1 / 3, 2 / 3, 2 / 3), abs=0.02)
    assert study.concerns == []
    dark = await _study(stage, _photo(light=False))
    assert "dark background" in dark.subject
    assert dark.concerns == ["The photo is dark."]
    poor = await _study(stage, _photo(light=True, blur=30, size=(280, 200)), "de")
    assert poor.concerns == ["Das Foto ist klein: 280 × 200 Pixel.", "Das Foto wirkt unscharf."]


async def test_alt_texts_are_short_in_every_language_and_translate(stage: Stage) -> None:
    photo = _photo(light=True, size=(480, 320))
    for product in PRODUCTS.values():
        studied = await _study(stage, photo, product=product)
        for spoken in sorted(SPOKEN):
            study = await _study(stage, photo, spoken, product)
            assert len(study.alt_text) <= 125
            if spoken != "en":
                lines = {CAMPAIGN.id: {"alt_text": [studied.alt_text]}}
                made = await _translation(stage, product, lines, spoken)
                assert made.placements[0].slots[0].texts == [study.alt_text]
                assert made.placements[0].slots[0].back_translations == [studied.alt_text]


async def test_the_judge_blocks_what_is_plainly_wrong_and_nothing_else(stage: Stage) -> None:
    said = ["Buy followers here", "This will cure you", "KILL YOURSELF", "A killer deal on procured cured ham"]
    texts = [Text("x_post", "body", at, text) for at, text in enumerate(said)]
    judged = (await moderator.judge(stage.model, AURORA, tone="bold", language="en", texts=texts)).output
    assert [(one.index, one.quote, one.severity) for one in judged.findings] == [
        (0, "Buy followers", "block"),
        (1, "cure", "block"),
        (2, "KILL YOURSELF", "block"),
    ]


async def test_moderations_have_the_full_shape(stage: Stage) -> None:
    answer = await stage.openai.moderations.create(input=["Have a nice day", "I will kill you"])
    assert [result.flagged for result in answer.results] == [False, True]
    bad = answer.results[1]
    assert (bad.categories.violence, bad.categories.hate) == (True, False)
    assert bad.category_scores.violence > 0.9
    assert bad.category_scores.sexual_minors < 0.01
    assert bad.category_applied_input_types.violence == ["text"]
    flags = await moderator.screen(stage.model, [Text("x_post", "body", 0, "I will kill you")])
    assert [flag.rule for flag in flags] == ["screen-violence"]
    parts: Any = [
        {"type": "text", "text": "Hello"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    with_picture = await stage.openai.moderations.create(input=parts)
    assert len(with_picture.results) == 1
    assert await stage.openai.moderations.create(input=["Have a nice day", "I will kill you"]) == answer


async def test_every_answer_says_that_it_is_a_rehearsal(stage: Stage) -> None:
    answer = await briefing.write_brief(
        stage.model, AURORA, tone="bold", audience=None, language="en", placements=[]
    )
    assert answer.usage.model == "rehearsal"
    assert answer.usage.input_tokens > 200
    assert answer.usage.output_tokens > 50
    assert answer.usage.cached_tokens == 0
    raw = (await stage.http.post("/v1/chat/completions", json={"messages": [_user("Hello")]})).json()
    assert (raw["rehearsal"], raw["model"]) == (True, "rehearsal")
    assert "rehearsal" in raw["system_fingerprint"]
    assert "rehearsal" in raw["choices"][0]["message"]["content"]
    assert [model.id async for model in await stage.openai.models.list()] == ["rehearsal"]


def _user(text: str) -> ChatCompletionMessageParam:
    return {"role": "user", "content": text}


HELLO = {"messages": [_user("Hi")]}


def _form(schema: str) -> dict[str, object]:
    return {"type": "json_schema", "json_schema": {"name": schema, "schema": {}}}


def _brief_prompt() -> list[Any]:
    return briefing.PROMPT.render(
        {
            "product": AURORA.model_dump(mode="json"),
            "tone": "bold",
            "audience": None,
            "language": "en",
            "placements": [],
        }
    ).messages


async def test_answers_can_be_streamed(stage: Stage) -> None:
    whole = await stage.chat.ainvoke(_brief_prompt())
    pieces = [piece async for piece in stage.chat.astream(_brief_prompt())]
    assert "".join(str(piece.content) for piece in pieces) == whole.content
    form: Any = {"type": "json_schema", "json_schema": {"name": "Brief", "schema": Brief.model_json_schema()}}
    messages: Any = [{"role": "user", "content": _brief_prompt()[-1].content}]
    stream = await stage.openai.chat.completions.create(
        model="any", messages=messages, response_format=form, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    told = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert Brief.model_validate_json(told).promise == "Aurora: 40 h battery"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 50
    raw = await stage.http.post("/v1/chat/completions", json={"messages": [_user("Hi")], "stream": True})
    assert raw.text.endswith("data: [DONE]\n\n")


async def test_tools_are_called_with_arguments_that_fit(stage: Stage) -> None:
    by_tool = cast("Any", stage.chat.with_structured_output(Brief, method="function_calling"))
    assert isinstance(await by_tool.ainvoke(_brief_prompt()), Brief)
    called = await stage.chat.bind_tools([Brief]).ainvoke(_brief_prompt())
    assert called.tool_calls[0]["name"] == "Brief"
    assert called.response_metadata["finish_reason"] == "tool_calls"
    streamed = [piece async for piece in stage.chat.bind_tools([Brief]).astream(_brief_prompt())]
    assert len(streamed) > 3
    unknown: Any = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]
    plain = await stage.chat.bind_tools(unknown).ainvoke("How is the weather?")
    assert plain.tool_calls == []
    with pytest.raises(openai.BadRequestError, match="weather"):
        await stage.chat.bind_tools(unknown, tool_choice="weather").ainvoke("How is the weather?")


async def test_a_language_without_a_table_is_refused_by_name(stage: Stage) -> None:
    with pytest.raises(ModelRejected, match=r"does not speak 'fi'; it speaks ar, da, de, el, en"):
        await _translation(stage, AURORA, {"x_post": {"body": ["Meet Aurora"]}}, "fi")
    made = await _translation(stage, AURORA, {"x_post": {"body": ["Meet Aurora"]}}, "pt-BR")
    assert made.placements[0].slots[0].texts == ["Conheça Aurora"]
    assert {"en", "de", "fr", "es", "it", "pt", "pt-BR", "nl", "ja", "ar"} <= LANGUAGES
    assert {"pl", "sv", "da", "tr", "ru", "uk", "el", "he", "hi"} <= LANGUAGES
    assert "fi" not in LANGUAGES


BAD_BODIES: list[bytes] = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"\xff\xfe",
    b"[" * 100_000,
    b"{}",
    b'{"messages": []}',
    b'{"messages": "hello"}',
    b'{"messages": [1]}',
    b'{"messages": [{"role": "nobody", "content": "x"}]}',
    b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
    b'{"messages": [{"role": "user", "content": "x"}], "response_format": 1}',
    b'{"messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_schema"}}',
    b'{"messages": [{"role": "user", "content": "x"}], "tools": 3}',
    b'{"messages": [{"role": "user", "content": "x"}], "tools": [{}]}',
    b'{"messages": [{"role": "user", "content": "x"}], "tool_choice": []}',
]


@pytest.mark.parametrize("body", BAD_BODIES)
async def test_a_bad_request_is_answered_with_400(stage: Stage, body: bytes) -> None:
    answer = await stage.http.post("/v1/chat/completions", content=body)
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert answer.json()["error"]["message"]
    assert (await stage.http.post("/v1/moderations", content=body)).status_code == 400


@pytest.mark.parametrize("schema", ["Brief", "Draft", "Judgement", "Translation", "Study", "Poem"])
@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "no data",
        [],
        [7],
        [{"type": "image_url", "image_url": 3}],
        '<data name="product">\n{\n</data>',
        '<data name="product">\n3\n</data>',
        '<data name="product">\n"\\ud800"\n</data>',
        '<data name="texts">\n[{"placement": 1}]\n</data>',
    ],
)
async def test_data_that_cannot_be_used_is_answered_with_400(stage: Stage, schema: str, content: object) -> None:
    form = _form(schema)
    body = {"messages": [{"role": "user", "content": content}], "response_format": form}
    answer = await stage.http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400, answer.text
    if schema == "Poem":
        assert "Brief, Draft, Judgement, Translation, Study" in answer.json()["error"]["message"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["product", "tone", "language", "placements", "brief", "previous", "feedback", "comment", "texts"]
)
AN_ORDER = {
    "product": AURORA.model_dump(mode="json"),
    "tone": "bold",
    "language": "en",
    "audience": "x",
    "brief": {"audience": "It speaks to x."},
    "placements": [assignment(PLACEMENTS["instagram_post"]), assignment(PLACEMENTS["google_rda"])],
    "previous": None,
    "feedback": [],
    "comment": None,
    "texts": [],
    "source_language": {"code": "en"},
    "target_language": {"code": "de"},
}


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    schema=st.sampled_from(["Brief", "Draft", "Judgement", "Translation", "Study"]),
    changed=st.dictionaries(FIELDS, JSON_VALUES, max_size=3),
)
def test_no_data_makes_it_fail(schema: str, changed: dict[str, Any]) -> None:
    fenced = "\n".join(
        f'<data name="{name}">\n{json.dumps(value)}\n</data>' for name, value in {**AN_ORDER, **changed}.items()
    )
    form = _form(schema)
    body = {"messages": [{"role": "user", "content": fenced}], "response_format": form}

    async def ask() -> int:
        async with staged() as stage:
            return (await stage.http.post("/v1/chat/completions", json=body)).status_code

    assert asyncio.run(ask()) in (200, 400)


async def test_unknown_addresses_and_methods_are_told_in_the_same_shape(stage: Stage) -> None:
    missing = await stage.http.get("/v1/embeddings")
    wrong = await stage.http.get("/v1/chat/completions")
    assert (missing.status_code, wrong.status_code) == (404, 405)
    assert missing.json()["error"]["code"] == "unknown_url"


FAILURES: dict[str, type[ModelError]] = {
    "429": ModelUnavailable,
    "429-after": ModelUnavailable,
    "quota": ModelQuotaSpent,
    "prompt-filter": ModelRefused,
    "500": ModelUnavailable,
    "502": ModelUnavailable,
    "503": ModelUnavailable,
    "reset": ModelUnavailable,
    "torn": ModelUnavailable,
    "malformed": ModelGarbled,
    "null": ModelGarbled,
    "broken-off": ModelGarbled,
    "length": ModelGarbled,
    "schema": ModelGarbled,
    "filter": ModelRefused,
    "html": ModelGarbled,
    "empty": ModelGarbled,
    "refusal": ModelRefused,
}


UNANSWERED = frozenset(TRANSPORT)


@pytest.mark.parametrize("fault", FAILURES)
async def test_each_fault_reaches_the_agent_as_the_error_it_is(fault: str) -> None:
    async with staged(faults={fault: 1.0}) as stage:
        with pytest.raises(FAILURES[fault]):
            await _brief(stage)
        calls = await stage.calls()
    assert len(calls) == 1
    assert calls[0]["committed"] is (fault not in UNANSWERED)


async def test_odd_answers_are_sent_as_they_come() -> None:
    async def told(fault: str) -> httpx2.Response:
        async with staged(faults={fault: 1.0}) as stage:
            return await stage.http.post("/v1/chat/completions", json={"messages": [_user("Hi")]})

    page, empty, refusal = await told("html"), await told("empty"), await told("refusal")
    free, absurd, broken = await told("no-usage"), await told("absurd-usage"), await told("broken-off")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert empty.json()["choices"] == []
    assert "usage" not in free.json()
    assert absurd.json()["usage"]["prompt_tokens"] < 0
    assert broken.json()["choices"][0]["finish_reason"] is None
    assert refusal.json()["choices"][0]["message"]["content"] is None
    assert refusal.json()["choices"][0]["message"]["refusal"]


async def test_patience_can_be_asked_for() -> None:
    async with staged(faults={"429-after": 1.0}) as stage:
        answer = await stage.http.post("/v1/chat/completions", json={"messages": [_user("Hi")]})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"


async def test_a_hanging_call_is_seen_to_arrive_and_never_answered() -> None:
    async with staged(faults={"hang": 1.0}) as stage:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_brief(stage), 0.2)
        assert [(call["status"], call["committed"]) for call in await stage.calls()] == [(None, False)]


async def test_a_dripping_call_never_ends_although_something_always_comes() -> None:
    async with (
        serving(rehearsal(faults={"drip": 1.0})) as url,
        httpx2.AsyncClient(base_url=url, timeout=0.5) as http,
    ):
        drops: list[bytes] = []

        async def collect() -> None:
            async with http.stream("POST", "/v1/chat/completions", json=HELLO) as answer:
                async for piece in answer.aiter_bytes():
                    drops.append(piece)  # noqa: PERF401 - a list of them would never be finished

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(collect(), 1.2)
        calls = (await http.get("/rehearsal/calls")).json()
    assert 2 < len(drops) < 10
    assert set(drops) == {b" "}
    assert [(call["status"], call["committed"]) for call in calls] == [(None, False)]


@pytest.mark.parametrize(
    ("missing", "asked"),
    [
        ("json_schema", {"response_format": _form("Brief")}),
        ("tools", {"tools": [{"type": "function", "function": {"name": "Brief"}}]}),
        ("json_object", {"response_format": {"type": "json_object"}}),
    ],
)
async def test_it_can_go_without_what_others_lack(missing: str, asked: dict[str, Any]) -> None:
    body = {"messages": [_user(_brief_prompt()[-1].content)], **asked}
    async with staged(without=[missing]) as stage:
        refused = await stage.http.post("/v1/chat/completions", json=body)
        plain = await stage.http.post("/v1/chat/completions", json=HELLO)
        calls = await stage.calls()
    assert (refused.status_code, refused.json()["error"]["code"], plain.status_code) == (400, "unsupported", 200)
    assert [(call["status"], call["committed"]) for call in calls] == [(400, False), (200, True)]
    async with staged(without=set(FEATURES) - {missing}) as stage:
        assert (await stage.http.post("/v1/chat/completions", json=body)).status_code == 200


async def test_a_text_can_be_sent_over_its_limit() -> None:
    async with staged(faults={"limit": 1.0}) as stage:
        brief = await _brief(stage)
        draft = await copywriter.write_copy(
            stage.model, AURORA, brief=brief, tone="bold", language="en", placements=[PLACEMENTS["x_post"]]
        )
        assert len(draft.output.placements[0].slots[0].texts[0]) > 5000
        assert len((await _study(stage, _photo(light=True))).alt_text) > 125


async def test_it_can_be_served_on_a_port_and_a_reset_closes_the_connection() -> None:
    config = uvicorn.Config(rehearsal(faults={"reset": 0.5}, seed=1), port=0, ws="none", log_level="critical")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has no event to wait for
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    body = {"messages": [_user("Hi")]}
    broken = 0
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        for _ in range(12):
            try:
                assert (await http.post("/v1/chat/completions", json=body)).json()["rehearsal"]
            except httpx2.RemoteProtocolError:
                broken += 1
        calls = (await http.get("/rehearsal/calls")).json()
    server.should_exit = True
    await serving
    assert 0 < broken < 12
    assert [call["committed"] for call in calls].count(False) == broken


async def test_faults_and_latency_come_by_seed_and_count() -> None:
    async def statuses(seed: int) -> list[int]:
        async with staged(faults={"429": 0.3, "500": 0.2}, seed=seed) as stage:
            body = {"messages": [_user("Hi")]}
            return [(await stage.http.post("/v1/chat/completions", json=body)).status_code for _ in range(60)]

    first = await statuses(1)
    assert first == await statuses(1) != await statuses(2)
    assert {200, 429, 500} == set(first)
    async with staged(latency=0.05) as stage:
        before = asyncio.get_running_loop().time()
        await stage.http.post("/v1/chat/completions", json={"messages": [_user("Hi")]})
        assert asyncio.get_running_loop().time() - before >= 0.05


def test_fault_rates_are_read_and_refused_with_a_sentence() -> None:
    assert parse_faults(" 429=0.02, 500=.01,") == {"429": 0.02, "500": 0.01}
    assert parse_faults("") == {}
    refusals: Iterator[tuple[str, str]] = iter(
        [
            ("418=0.1", "there are 429, 429-after"),
            ("429", "write for example"),
            ("429=often", "must be a number"),
            ("429=1.5", "from 0 to 1"),
            ("429=nan", "from 0 to 1"),
            ("429=0.7,500=0.7", "add up to 1.4"),
        ]
    )
    for text, says in refusals:
        with pytest.raises(ValueError, match=says):
            parse_faults(text)
    with pytest.raises(ValueError, match="there are"):
        rehearsal(faults={"418": 0.1})
    with pytest.raises(ValueError, match="seconds"):
        rehearsal(latency=-1)
    with pytest.raises(ValueError, match="there are json_schema, tools, json_object"):
        rehearsal(without=["patience"])
    assert {*FAILURES, "hang", "drip", "left-out", "limit", "no-usage", "absurd-usage"} == set(FAULTS)


async def test_calls_are_counted_and_outlive_the_process(tmp_path: Path) -> None:
    ledger = tmp_path / "calls.jsonl"
    async with staged(ledger=ledger) as stage:
        await _brief(stage)
        await stage.model.screen(["Hello"])
        await stage.http.post("/v1/chat/completions", content=b"{")
        first = await stage.calls()
    told = [(call["n"], call["agent"], call["schema"], call["status"], call["committed"]) for call in first]
    assert told == [
        (1, "briefing", "Brief", 200, True),
        (2, "moderation", None, 200, True),
        (3, None, None, 400, False),
    ]
    ledger.write_text(ledger.read_text() + '{"event": "arri')
    async with staged(ledger=ledger) as stage:
        assert await stage.calls() == first
        await _brief(stage)
        again = await stage.calls()
        assert again[-1]["n"] == 4
        assert again[-1]["key"] == first[0]["key"]
        assert (await stage.http.post("/rehearsal/reset")).status_code == 204
        assert await stage.calls() == []


def test_every_phrase_is_there_in_every_language_with_the_same_slots() -> None:
    for kind in kinds():
        for phrase in phrases(kind):
            assert {spoken for spoken, _ in phrase.texts} == SPOKEN, phrase.id
            assert phrase.tones <= set(TONES), phrase.id
            used = {frozenset(SLOT.findall(text)) for spoken in SPOKEN for text in phrase.variants(spoken)}
            assert len(used) == 1, (phrase.id, used)


@pytest.mark.parametrize("spoken", sorted(SPOKEN))
def test_every_phrase_is_understood_again(spoken: str) -> None:
    words = Words.of(AURORA)
    values = words.values(0)
    for kind in ("headline", "line", "plain", "close", "tag", "button", "path", "item"):
        for phrase in phrases(kind):
            said, meant = (fill(phrase.variants(one)[0], values) for one in (spoken, "en"))
            assert said
            assert say(read_text(said, words, spoken), "en") == meant


@pytest.mark.parametrize("spoken", sorted(SPOKEN))
def test_every_tone_s_hashtags_are_one_word_each_and_differ(spoken: str) -> None:
    tags = [phrase.variants(spoken)[0] for phrase in phrases("hashtag")]
    assert len({tag.casefold() for tag in tags}) == len(tags)
    for tag in tags:
        found = lint(PLACEMENTS["instagram_post"], {"caption": ["Aurora"]}, [tag], language=spoken)
        assert not found, (tag, found)


@pytest.mark.parametrize(
    ("spoken", "text", "ended"),
    [
        ("en", "Aurora is here", "Aurora is here."),
        ("ja", "ここにあります", "ここにあります。"),
        ("hi", "यह रहा", "यह रहा।"),
        ("hi", "जिज्ञासा जागी?", "जिज्ञासा जागी?"),
        ("el", "Εδώ είναι", "Εδώ είναι."),
        ("el", "Σας τρώει η περιέργεια;", "Σας τρώει η περιέργεια;"),
        ("he", "הנה זה", "הנה זה."),
    ],
)
def test_a_sentence_ends_as_its_language_writes(spoken: str, text: str, ended: str) -> None:
    assert sentence(text, spoken) == ended == sentence(ended, spoken)


def test_a_stop_of_the_product_s_own_is_not_doubled_in_hindi() -> None:
    words = Words.of(Product(name="Acme Inc.", features=["शोर नहीं।", "Really?", "हल्का"]))
    assert words.features == ("शोर नहीं", "Really?", "हल्का")
    assert fill("{f1}। {f2}। {name}।", words.values(0)) == "शोर नहीं। Really? Acme Inc."


def test_no_two_phrases_of_an_advertisement_read_the_same() -> None:
    for spoken in sorted(SPOKEN):
        told = [
            text
            for kind in ("headline", "tag", "line", "plain", "close", "button", "path", "audience")
            for phrase in phrases(kind)
            for text in phrase.variants(spoken)
        ]
        assert len(told) == len(set(told)), [text for text in told if told.count(text) > 1]


def test_phrases_keep_to_what_their_tables_promise() -> None:
    limits = {"headline": 30, "tag": 30, "line": 90, "plain": 90, "button": 16, "path": 15}
    short = {"name": "Aurora", "feature": "Folds", "f1": "Folds", "f2": "Flat", "f3": "Red"}
    for kind, limit in limits.items():
        for phrase in phrases(kind):
            for spoken in SPOKEN:
                text = phrase.variants(spoken)[-1].format(**short)
                assert _length(text, "display_width") <= limit, (phrase.id, spoken, text)


def test_a_picture_given_otherwise_is_refused() -> None:
    async def ask(url: str) -> dict[str, Any]:
        data = {"product": AURORA.model_dump(mode="json"), "language": "en"}
        rendered = resizer.PROMPT.render(data, picture=url).messages[-1]
        form = _form("Study")
        body = {"messages": [{"role": "user", "content": rendered.content}], "response_format": form}
        async with staged() as stage:
            answer = await stage.http.post("/v1/chat/completions", json=body)
            assert answer.status_code == 400
            told: dict[str, Any] = answer.json()["error"]
            return told

    text = base64.b64encode(b"not a picture").decode()
    for url in ("https://example.com/a.png", "data:image/png;base64,!!", f"data:image/png;base64,{text}"):
        assert asyncio.run(ask(url))["message"]
