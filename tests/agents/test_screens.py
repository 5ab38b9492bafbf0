"""Moderation endpoints: where warning ends and blocking begins, what is sent, and how each failure is told."""

import asyncio
import base64
import contextlib
import io
import json
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydantic import SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from agents.model import (
    Flag,
    ModelBusy,
    ModelError,
    ModelGarbled,
    ModelQuotaSpent,
    ModelRefused,
    ModelRejected,
    ModelUnavailable,
)
from agents.offline import rehearsal
from agents.screens import AzureContentSafety, Bounds, NoScreen, OpenAIScreen, Screen, pieces
from service.doctor import Examined, examine
from service.server import serving
from service.settings import Settings
from service.wiring import open_screen

Which = Literal["openai", "azure"]
Reply = Callable[[Request], Awaitable[Response]]

KEY = "sk-very-secret"
BOTH: tuple[Which, ...] = ("openai", "azure")
both = pytest.mark.parametrize("which", BOTH)


def screen_of(which: Which, http: httpx2.AsyncClient, url: str, **options: Any) -> Screen:
    key = options.pop("key", SecretStr(KEY))
    if which == "openai":
        return OpenAIScreen(http, base_url=f"{url}/v1", key=key, **options)
    return AzureContentSafety(http, endpoint=url, key=key, **options)


@contextlib.asynccontextmanager
async def asking(which: Which, app: ASGIApp, **options: Any) -> AsyncGenerator[Screen]:
    """The screen of a server in this process."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app)) as http:
        yield screen_of(which, http, "http://server", **options)


@contextlib.asynccontextmanager
async def calling(which: Which, app: ASGIApp, **options: Any) -> AsyncGenerator[Screen]:
    """The same over a port."""
    async with serving(app) as url, httpx2.AsyncClient() as http:
        yield screen_of(which, http, url, **options)


def saying(reply: Reply) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (await reply(Request(scope, receive)))(scope, receive, send)

    return app


def always(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> ASGIApp:
    async def reply(_: Request) -> Response:
        if isinstance(body, bytes):
            return Response(body, status, headers, "application/json")
        return JSONResponse(body, status, headers)

    return saying(reply)


def result(scores: dict[str, Any], hits: Sequence[str] = (), *, flagged: bool | None = None) -> dict[str, Any]:
    """One of OpenAI's results."""
    return {
        "flagged": bool(hits) if flagged is None else flagged,
        "categories": {name: name in hits for name in scores},
        "category_scores": scores,
    }


def analysis(**severities: Any) -> dict[str, Any]:
    """Azure's answer."""
    found = {"Hate": 0, "SelfHarm": 0, "Sexual": 0, "Violence": 0} | severities
    return {
        "blocklistsMatch": [],
        "categoriesAnalysis": [{"category": name, "severity": severity} for name, severity in found.items()],
    }


def photo(
    size: tuple[int, int] = (90, 60), colour: tuple[int, int, int] = (240, 238, 230), mark: str = ""
) -> bytes:
    notes = PngInfo()
    if mark:
        notes.add_text("Comment", mark)
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG", pnginfo=notes)
    return buffer.getvalue()


def severities(flags: list[Flag]) -> list[tuple[int, str, str]]:
    return [(flag.index, flag.category, flag.severity) for flag in flags]


# Where warning ends and blocking begins


@pytest.mark.parametrize(
    ("score", "severity"),
    [(0.0, None), (0.399999, None), (0.4, "warn"), (0.699999, "warn"), (0.7, "block"), (1.0, "block")],
)
async def test_a_score_at_or_above_its_bound_counts(score: float, severity: str | None) -> None:
    told = {"results": [result({"violence": score})]}
    async with asking("openai", always(told), bounds=Bounds(0.4, 0.7)) as screen:
        for flags in (await screen.texts(["a"]), await screen.picture(photo(), "image/png")):
            assert flags == ([Flag(0, "violence", score, severity)] if severity else [])  # type: ignore[arg-type]


async def test_what_the_provider_flags_is_blocked_whatever_its_score() -> None:
    told = {"results": [result({"hate": 0.01, "violence": 0.45}, ["hate"])]}
    async with asking("openai", always(told), bounds=Bounds(0.4, 0.7)) as screen:
        assert await screen.texts(["a"]) == [Flag(0, "hate", 0.01, "block"), Flag(0, "violence", 0.45, "warn")]


@pytest.mark.parametrize(
    "told",
    [
        {"flagged": False, "categories": {}, "category_scores": {}},
        {"flagged": False, "categories": {"illicit": None}, "category_scores": {"illicit": None}},
    ],
)
async def test_an_answer_that_says_nothing_is_not_taken_for_a_clean_one(told: dict[str, Any]) -> None:
    async with asking("openai", always(told)) as screen:
        with pytest.raises(ModelGarbled):
            await screen.texts(["a"])


@pytest.mark.parametrize(
    ("told", "seen"),
    [
        (result({"hate": 0.2, "violence": 0.3}, flagged=True), Flag(0, "violence", 0.3, "block")),
        (result({}, flagged=True), Flag(0, "unnamed", 1.0, "block")),
        (
            {"flagged": True, "categories": {"illicit": True}, "category_scores": {}},
            Flag(0, "illicit", 1, "block"),
        ),
        (
            {"flagged": True, "categories": {"illicit": True}, "category_scores": {"illicit": None}},
            Flag(0, "illicit", 1, "block"),
        ),
        (result({"hate": 1.0000001}), Flag(0, "hate", 1.0, "block")),
        (result({"hate": -1e-9}), None),
    ],
)
async def test_an_incomplete_result_is_read_to_the_safe_side(told: dict[str, Any], seen: Flag | None) -> None:
    async with asking("openai", always({"results": [told]})) as screen:
        assert await screen.texts(["a"]) == ([seen] if seen else [])


@pytest.mark.parametrize(("severity", "seen"), [(0, None), (2, "warn"), (4, "block"), (6, "block")])
async def test_a_severity_above_two_blocks_and_two_warns(severity: int, seen: Any) -> None:
    async with asking("azure", always(analysis(SelfHarm=severity))) as screen:
        for flags in (await screen.texts(["a"]), await screen.picture(photo(), "image/png")):
            assert flags == ([Flag(0, "self-harm", severity / 6, seen)] if seen else [])


@pytest.mark.parametrize(
    ("bounds", "seen"),
    [
        (Bounds(0, 0), {2: "block", 4: "block", 6: "block"}),
        (Bounds(0, 4), {2: "warn", 4: "warn", 6: "block"}),
        (Bounds(2, 4), {4: "warn", 6: "block"}),
        (Bounds(0, 6), {2: "warn", 4: "warn", 6: "warn"}),
    ],
)
async def test_azures_bounds_are_settings(bounds: Bounds, seen: dict[int, str]) -> None:
    found: dict[int, str] = {}
    for severity in (0, 2, 4, 6):
        async with asking("azure", always(analysis(Hate=severity)), bounds=bounds) as screen:
            for flag in await screen.texts(["a"]):
                found[severity] = flag.severity
    assert found == seen


# What is sent, and in which order it comes back


async def test_openai_is_asked_once_for_all_texts_and_once_for_a_picture() -> None:
    heard: list[Any] = []

    async def reply(request: Request) -> Response:
        body = await request.json()
        heard.append((request.url.path, request.headers["authorization"], body))
        return JSONResponse({"results": [result({"hate": 0.9}, ["hate"]) for _ in body["input"]]})

    async with asking("openai", saying(reply)) as screen:
        assert severities(await screen.texts(["a", " \n", "", "b"])) == [
            (0, "hate", "block"),
            (3, "hate", "block"),
        ]
        assert severities(await screen.picture(b"\x00\xff", "image/webp")) == [(0, "hate", "block")]
        assert await screen.texts(["", "\u2003"]) == []
    picture = {"type": "image_url", "image_url": {"url": "data:image/webp;base64,AP8="}}
    assert heard == [
        ("/v1/moderations", f"Bearer {KEY}", {"model": "omni-moderation-latest", "input": ["a", "b"]}),
        ("/v1/moderations", f"Bearer {KEY}", {"model": "omni-moderation-latest", "input": [picture]}),
    ]


async def test_azure_is_asked_as_its_documentation_says() -> None:
    heard: list[Any] = []

    async def reply(request: Request) -> Response:
        heard.append((request.url.path, request.url.query, await request.json()))
        assert request.headers["ocp-apim-subscription-key"] == KEY
        return JSONResponse(analysis())

    shown = photo()
    async with asking("azure", saying(reply)) as screen:
        assert await screen.texts(["I love you", ""]) == []
        assert await screen.picture(shown, "image/png") == []
    common = {"categories": ["Hate", "SelfHarm", "Sexual", "Violence"], "outputType": "FourSeverityLevels"}
    version = "api-version=2024-09-01"
    assert heard == [
        ("/contentsafety/text:analyze", version, {"text": "I love you", **common}),
        (
            "/contentsafety/image:analyze",
            version,
            {"image": {"content": base64.b64encode(shown).decode()}, **common},
        ),
    ]


async def test_texts_keep_their_order_however_the_answers_come() -> None:
    now = most = 0

    async def reply(request: Request) -> Response:
        nonlocal now, most
        number = int((await request.json())["text"].split()[-1])
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02 if number % 3 else 0.06)
        now -= 1
        return JSONResponse(analysis(Violence=4 if number % 5 == 0 else 0))

    async with asking("azure", saying(reply), at_once=4) as screen:
        flags = await screen.texts([f"text {number}" for number in range(23)])
    assert [flag.index for flag in flags] == [0, 5, 10, 15, 20]
    assert most == 4


async def test_the_first_failure_ends_the_calls_beside_it() -> None:
    ended = 0

    async def reply(request: Request) -> Response:
        nonlocal ended
        if (await request.json())["text"] == "bad":
            return JSONResponse({"error": {"code": "InvalidRequestBody", "message": "No."}}, 400)
        await asyncio.sleep(0.2)
        ended += 1
        return JSONResponse(analysis())

    async with asking("azure", saying(reply)) as screen:
        with pytest.raises(ModelRejected, match=r"does not accept our call: No\."):
            await screen.texts(["slow", "bad", "slow too"])
        await asyncio.sleep(0.3)
    assert ended == 0


# Long texts and large pictures


@given(st.text(alphabet="ab \n\u2003", max_size=300) | st.text(max_size=300))
def test_pieces_hold_the_whole_text_and_part_no_neighbours(text: str) -> None:
    found = list(pieces(text, longest=40, overlap=4))
    assert all(len(piece) <= 40 for piece in found)
    assert text.startswith(found[0])
    assert text.endswith(found[-1])
    assert all(any(text[at : at + 4] in piece for piece in found) for at in range(len(text)))


def test_a_text_of_just_the_longest_length_stays_whole() -> None:
    assert list(pieces("a" * 10_000)) == ["a" * 10_000]
    assert [len(piece) for piece in pieces("a" * 10_001)] == [10_000, 201]
    worded = list(pieces("word " * 4000))
    assert all(piece.startswith("word") and piece.endswith("word ") for piece in worded)
    assert [len(piece) for piece in pieces("😀" * 10_000)] == [10_000]


def test_cutting_takes_no_longer_than_the_text_asks_for() -> None:
    started = time.monotonic()
    assert len(list(pieces("x" * 5_000_000))) > 500
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("at", [0, 9_990, 10_000, 10_500, 14_000])
async def test_a_long_text_is_screened_to_its_end(at: int) -> None:
    mild = "a quiet word " * 2000
    text = f"{mild[:at]} I will kill you {mild[at:]}"
    async with asking("azure", rehearsal()) as screen:
        flags = await screen.texts(["Hello", text, mild])
    assert severities(flags) == [(1, "violence", "block")]


async def test_pieces_are_one_text_with_the_worst_severity() -> None:
    async def reply(request: Request) -> Response:
        text = (await request.json())["text"]
        return JSONResponse(analysis(Hate=6 if "worst" in text else 2))

    async with asking("azure", saying(reply)) as screen:
        assert await screen.texts(["bad " * 3000 + "worst " + "bad " * 3000]) == [Flag(0, "hate", 1.0, "block")]


@pytest.mark.parametrize(
    ("shown", "says"),
    [
        (photo((49, 200)), r"49 × 200 pixels and the moderation endpoint takes 50 to 7,200 a side"),
        (photo((200, 49)), r"200 × 49 pixels"),
        (photo((7201, 50)), r"7,201 × 50 pixels"),
        (b"\x89PNG" + b"\0" * (4 * 1024 * 1024), r"4,194,308 bytes and the moderation endpoint takes 4,194,304"),
        (photo()[:60], "damaged|too early"),
        (b"", "empty"),
        (b"no picture", "not a picture"),
    ],
)
async def test_a_picture_that_azure_does_not_take_is_refused_before_it_is_asked(shown: bytes, says: str) -> None:
    async with asking("azure", always({}, 500)) as screen:
        with pytest.raises(ModelRejected, match=says):
            await screen.picture(shown, "image/png")


@pytest.mark.parametrize("size", [(50, 50), (7200, 50), (50, 7200)])
async def test_a_picture_at_azures_limits_is_asked(size: tuple[int, int]) -> None:
    async with asking("azure", rehearsal()) as screen:
        assert await screen.picture(photo(size), "image/png") == []


async def test_openai_takes_pictures_of_twenty_megabytes() -> None:
    async with asking("openai", always({"results": [result({"hate": 0.0})]})) as screen:
        assert await screen.picture(b"x" * 20_000_000, "image/png") == []
        with pytest.raises(ModelRejected, match="20,000,001 bytes"):
            await screen.picture(b"x" * 20_000_001, "image/png")


# The rehearsal's endpoints


@both
async def test_the_rehearsal_flags_words_and_marked_pictures(which: Which) -> None:
    marked = photo(mark="rehearsal-moderation: violence")
    async with calling(which, rehearsal()) as screen:
        texts = ["Have a nice day", "I will kill you", "Meet Aurora", "hardcore porn"]
        assert severities(await screen.texts(texts)) == [(1, "violence", "block"), (3, "sexual", "block")]
        assert severities(await screen.picture(marked, "image/png")) == [(0, "violence", "block")]
        assert await screen.picture(photo(), "image/png") == []
        assert await screen.picture(photo(mark="rehearsal: violence"), "image/png") == []


@pytest.mark.parametrize(
    ("score", "openai", "azure"),
    [("0.1", [], []), ("0.3", [], ["warn"]), ("0.5", ["warn"], ["warn"]), ("0.6", ["warn"], ["block"]),
     ("0.8", ["block"], ["block"]), ("1", ["block"], ["block"])],
)  # fmt: skip
async def test_a_mark_may_have_a_score(score: str, openai: list[str], azure: list[str]) -> None:
    marked = photo(mark=f"rehearsal-moderation: hate/threatening {score}")
    for which, wanted in zip(BOTH, (openai, azure), strict=True):
        async with asking(which, rehearsal()) as screen:
            assert [flag.severity for flag in await screen.picture(marked, "image/png")] == wanted


@both
async def test_a_magenta_picture_is_flagged_even_when_encoded_anew(which: Which) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (768, 512), (250, 12, 240)).resize((300, 200)).save(buffer, "JPEG", quality=40)
    async with asking(which, rehearsal()) as screen:
        assert severities(await screen.picture(buffer.getvalue(), "image/jpeg")) == [(0, "violence", "block")]
        assert await screen.picture(photo(colour=(180, 0, 180)), "image/png") == []


async def test_the_rehearsal_refuses_what_azure_refuses() -> None:
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=rehearsal()), base_url="http://server"
    ) as http:
        keyed, version = {"Ocp-Apim-Subscription-Key": KEY}, "?api-version=2024-09-01"

        async def status(kind: str, body: Any, *, query: str = version, headers: Any = keyed) -> int:
            path = f"/contentsafety/{kind}:analyze{query}"
            return (await http.post(path, content=json.dumps(body).encode(), headers=headers)).status_code

        good = {"image": {"content": base64.b64encode(photo()).decode()}}
        assert [await status("text", {"text": "a" * 10_000}), await status("image", good)] == [200, 200]
        bad = ["", "a" * 10_001, 3, None]
        assert {await status("text", {"text": text}) for text in bad} == {400}
        worse: list[Any] = [{}, {"content": "%"}, {"content": ""}, {"content": "é"}, {"blobUrl": "https://x"}, 3]
        assert {await status("image", {"image": image}) for image in worse} == {400}
        assert await status("text", ["a"]) == 400
        assert await status("text", {"text": "a"}, query="") == 404
        assert await status("text", {"text": "a"}, headers={}) == 401


# Failures


FAULTS: dict[str, tuple[type[ModelError], str]] = {
    "429": (ModelBusy, "rate-limiting"),
    "429-after": (ModelBusy, "rate-limiting"),
    "quota": (ModelQuotaSpent, "add credit"),
    "500": (ModelUnavailable, "status 500"),
    "502": (ModelUnavailable, "status 502"),
    "503": (ModelUnavailable, "status 503"),
    "reset": (ModelUnavailable, "cannot be reached"),
    "torn": (ModelUnavailable, "cannot be reached"),
    "hang": (ModelUnavailable, "in time"),
    "drip": (ModelUnavailable, "in time"),
    "html": (ModelGarbled, "could not be read"),
    "prompt-filter": (ModelRefused, "content filter"),
}


@both
@pytest.mark.parametrize("reached", [asking, calling])
@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_is_told_as_what_it_is(fault: str, reached: Any, which: Which) -> None:
    kind, says = FAULTS[fault]
    async with reached(which, rehearsal(faults={fault: 1.0}), timeout=0.6) as screen:
        for call in (screen.texts(["Hi"]), screen.picture(photo(), "image/png")):
            with pytest.raises(ModelError, match=says) as caught:
                await call
            assert type(caught.value) is kind
            assert str(caught.value).endswith(".")


@both
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, ModelRejected), (400, ModelRejected), (401, ModelRejected), (403, ModelRejected),
        (404, ModelRejected), (405, ModelRejected), (408, ModelUnavailable), (409, ModelUnavailable),
        (413, ModelRejected), (422, ModelRejected), (425, ModelUnavailable), (429, ModelBusy),
        (500, ModelUnavailable), (501, ModelRejected), (503, ModelUnavailable), (529, ModelUnavailable),
    ],
)  # fmt: skip
async def test_each_status_has_its_error(status: int, kind: type[ModelError], which: Which) -> None:
    told = {"error": {"code": "Some", "message": f"Your key {KEY} is odd."}}
    async with asking(which, always(told, status, {"Retry-After": "7"})) as screen:
        with pytest.raises(ModelError) as caught:
            await screen.texts(["Hi"])
    assert type(caught.value) is kind
    assert KEY not in str(caught.value)
    if isinstance(caught.value, ModelBusy):
        assert caught.value.retry_after == 7


@pytest.mark.parametrize(
    ("which", "status", "says"),
    [
        ("openai", 401, "check OPENAI_API_KEY"),
        ("openai", 404, "FANFARE_SCREEN=azure or FANFARE_SCREEN=none"),
        ("openai", 405, "FANFARE_SCREEN=azure or FANFARE_SCREEN=none"),
        ("azure", 401, "check FANFARE_AZURE_CONTENT_SAFETY_KEY"),
        ("azure", 403, "check FANFARE_AZURE_CONTENT_SAFETY_KEY"),
        ("azure", 404, "check FANFARE_AZURE_CONTENT_SAFETY_ENDPOINT"),
    ],
)
async def test_a_refusal_names_the_setting_to_look_at(which: Which, status: int, says: str) -> None:
    async with asking(which, always({}, status)) as screen:
        with pytest.raises(ModelRejected, match=says):
            await screen.texts(["Hi"])


async def test_azures_free_quota_is_told_from_a_wrong_key() -> None:
    says = "Out of call volume quota for ContentSafety F0 pricing tier. Please retry after 9 days."
    async with asking("azure", always({"error": {"code": "403", "message": says}}, 403)) as screen:
        with pytest.raises(ModelQuotaSpent):
            await screen.texts(["Hi"])


@both
async def test_a_server_that_is_not_there_is_unavailable(which: Which) -> None:
    async with httpx2.AsyncClient() as http:
        with pytest.raises(
            ModelUnavailable, match=r"check (OPENAI_BASE_URL|FANFARE_AZURE_CONTENT_SAFETY_ENDPOINT)"
        ):
            await screen_of(which, http, "http://127.0.0.1:9").texts(["Hi"])


NONSENSE: list[Any] = [[], b"", b"<html></html>", b'{"results": [', b"[" * 100_000]
UNREADABLE: list[tuple[Which, Any]] = [
    ("openai", {}),
    ("openai", {"results": []}),
    ("openai", {"results": [result({}), result({})]}),
    ("openai", {"results": [{"flagged": False}]}),
    ("openai", {"results": [result({"hate": "much"})]}),
    ("openai", b'{"results": [{"flagged": false, "categories": {}, "category_scores": {"hate": NaN}}]}'),
    ("azure", {}),
    ("azure", {"categoriesAnalysis": []}),
    ("azure", {"categoriesAnalysis": analysis()["categoriesAnalysis"][:3]}),
    ("azure", analysis(Hate=None)),
    ("azure", analysis(Hate=8)),
    ("azure", analysis(Hate=-2)),
    ("azure", analysis(Hate=2.5)),
    *((which, body) for which in BOTH for body in NONSENSE),
]


@pytest.mark.parametrize(("which", "told"), UNREADABLE)
async def test_an_answer_that_says_too_little_is_none(which: Which, told: Any) -> None:
    async with asking(which, always(told)) as screen:
        for call in (screen.texts(["Hi"]), screen.picture(photo(), "image/png")):
            with pytest.raises(ModelGarbled, match="could not be read"):
                await call


@both
@pytest.mark.parametrize("key", [f"{KEY}\n", f"{KEY}é"])
async def test_a_key_that_cannot_be_sent_is_not_told(which: Which, key: str) -> None:
    async with calling(which, rehearsal(), key=SecretStr(key)) as screen:
        with pytest.raises(ModelRejected, match="cannot be sent; check") as caught:
            await screen.texts(["Hi"])
    assert KEY not in repr(caught.value)
    assert caught.value.__suppress_context__


@both
async def test_no_key_gets_into_a_log_or_an_identity(which: Which, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with calling(which, rehearsal(faults={"500": 0.5}), at_once=2) as screen:
        for _ in range(6):
            with contextlib.suppress(ModelUnavailable):
                await screen.texts(["Hi", "Ho"])
        assert KEY not in repr(screen) + screen.identity
    assert caplog.text
    assert KEY not in caplog.text


async def test_an_identity_tells_what_differs() -> None:
    async with httpx2.AsyncClient() as http:
        made: list[Screen] = [
            NoScreen(),
            OpenAIScreen(http, base_url="https://me:pass@host/v1/"),
            OpenAIScreen(http, base_url="https://host/v1", bounds=Bounds(0.5, 0.9)),
            OpenAIScreen(http, base_url="https://other/v1"),
            AzureContentSafety(http, endpoint="https://host/", key=SecretStr(KEY)),
            AzureContentSafety(http, endpoint="https://host", key=SecretStr(KEY), bounds=Bounds(0, 4)),
        ]
    identities = [screen.identity for screen in made]
    assert len(set(identities)) == len(made)
    assert "pass" not in "".join(identities)
    assert identities[:2] == ["none", "https://host:/v1 omni-moderation-latest 0.5 0.8"]


# The settings


def test_the_screen_is_chosen_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFARE_SCREEN", "azure")
    with pytest.raises(ValidationError, match="needs FANFARE_AZURE_CONTENT_SAFETY_ENDPOINT and"):
        Settings()
    monkeypatch.setenv("FANFARE_AZURE_CONTENT_SAFETY_ENDPOINT", "host")
    monkeypatch.setenv("FANFARE_AZURE_CONTENT_SAFETY_KEY", KEY)
    with pytest.raises(ValidationError, match="must be an address"):
        Settings()
    monkeypatch.setenv("FANFARE_AZURE_CONTENT_SAFETY_ENDPOINT", "https://host")
    monkeypatch.setenv("FANFARE_AZURE_BLOCK_ABOVE", "4")
    settings = Settings()
    assert (settings.screen, settings.azure_warn_above, settings.azure_block_above) == ("azure", 0, 4)
    assert KEY not in repr(settings)


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"screen_warn": 0.9}, "FANFARE_SCREEN_WARN must not be above"),
        ({"azure_warn_above": 4}, "FANFARE_AZURE_WARN_ABOVE must not be above"),
        ({"screen_warn": 0}, "greater than 0"),
        ({"screen_block": 1.1}, "less than or equal to 1"),
        ({"azure_block_above": 7}, "less than or equal to 6"),
        ({"screen": "perspective"}, "'openai', 'azure' or 'none'"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(chosen: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Settings(**chosen)


async def test_the_screen_of_the_settings_has_their_bounds() -> None:
    mark = photo(mark="rehearsal-moderation: hate 0.6")
    async with open_screen(Settings(screen_warn=0.3, screen_block=0.6)) as screen:
        assert [flag.severity for flag in await screen.picture(mark, "image/png")] == ["block"]
    async with open_screen(Settings(screen="none")) as screen:
        assert screen.identity == "none"
    async with serving(rehearsal()) as url:
        chosen = Settings(
            screen="azure", azure_content_safety_endpoint=url, azure_content_safety_key=SecretStr(KEY),
            azure_block_above=4,
        )  # fmt: skip
        async with open_screen(chosen) as screen:
            assert [flag.severity for flag in await screen.picture(mark, "image/png")] == ["warn"]


async def test_the_doctor_has_one_word_screened(tmp_path: Path) -> None:
    async def examined(**chosen: Any) -> Examined:
        settings = Settings(data_dir=tmp_path, redis_url="redis://127.0.0.1:9", **chosen)
        (found,) = [found for found in await examine(settings) if found.what == "Screen"]
        assert KEY not in found.says
        return found

    key = SecretStr(KEY)
    assert (await examined()).level == "ok"
    assert (await examined(screen="none")).level == "note"
    away = await examined(openai_api_key=key, openai_base_url="http://127.0.0.1:9/v1")
    assert (away.level, "OPENAI_BASE_URL" in away.says) == ("bad", True)
    azure = {"screen": "azure", "azure_content_safety_key": key}
    async with serving(rehearsal()) as url, serving(always({}, 401)) as strict:
        told = [await examined(**azure, azure_content_safety_endpoint=there) for there in (url, strict)]
    assert [found.level for found in told] == ["ok", "bad"]
    assert told[0].says == "Azure AI Content Safety; blocks above severity 2, warns above 0"
