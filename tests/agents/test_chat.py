"""The adapter for model servers against servers that fail in every way: each time one attempt and one error."""

import asyncio
import contextlib
import email.utils
import io
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage, SystemMessage
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from agents import briefing, resizer, tokens
from agents.briefing import Brief
from agents.chat import ChatModel, Endpoint, open_chat
from agents.complaints import Complaint, wait
from agents.hygiene import LONGEST_ANSWER
from agents.model import (
    Answer,
    ModelBusy,
    ModelError,
    ModelGarbled,
    ModelQuotaSpent,
    ModelRefused,
    ModelRejected,
    ModelUnavailable,
)
from agents.offline import rehearsal
from agents.offline.cast import AGENTS
from agents.product import Product
from agents.prompts import Rendered
from agents.screens import NoScreen
from agents.ways import WAYS, Ladder, Way, found, unknown
from service.server import serving
from service.settings import Settings

AURORA = Product(name="Aurora", features=["40 h battery", "Noise cancelling", "Folds flat"])
ASKED = Rendered([SystemMessage("Be brief."), HumanMessage("What is it?")], "prompt@1")

Reply = Callable[[dict[str, Any]], Awaitable[Response]]


class Line(BaseModel):
    """A line."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=40_000)
    tags: list[str] = []


@contextlib.asynccontextmanager
async def asking(app: ASGIApp, **settings: Any) -> AsyncGenerator[ChatModel]:
    """A `ChatModel` of a server in this process."""
    endpoint = replace(Endpoint(model="rehearsal", base_url="http://model/v1"), **settings)
    async with open_chat(endpoint, transport=httpx2.ASGITransport(app=app)) as model:
        yield model


@contextlib.asynccontextmanager
async def calling(app: ASGIApp, **settings: Any) -> AsyncGenerator[ChatModel]:
    """The same over a port."""
    async with serving(app) as url:
        endpoint = replace(Endpoint(model="rehearsal", base_url=f"{url}/v1"), **settings)
        async with open_chat(endpoint) as model:
            yield model


def saying(reply: Reply) -> ASGIApp:
    """A server that answers every request with what `reply` makes of its JSON."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await reply(await Request(scope, receive).json())
        await response(scope, receive, send)

    return app


def always(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> ASGIApp:
    async def reply(_: dict[str, Any]) -> Response:
        if isinstance(body, bytes):
            return Response(body, status, headers, "application/json")
        return JSONResponse(body, status, headers)

    return saying(reply)


def completion(content: Any, *, finish: str | None = "stop", usage: Any = None, **message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": content, **message}
    told = {"model": "served", "choices": [{"index": 0, "message": said, "finish_reason": finish}]}
    return told | ({"usage": usage} if usage is not None else {})


USED = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
GOOD = completion('{"text": "Meet Aurora", "tags": []}', usage=USED)


async def line(model: ChatModel, agent: str = "copywriter", **kwargs: Any) -> Answer[Line]:
    return await model.answer(agent, ASKED, Line, **kwargs)


async def brief(model: ChatModel) -> Answer[Brief]:
    return await briefing.write_brief(
        model, AURORA, tone="bold", audience=None, language="en", placements=["X post"]
    )


async def failure(app: ASGIApp, **settings: Any) -> ModelError:
    async with asking(app, **settings) as model:
        with pytest.raises(ModelError) as caught:
            await line(model)
    return caught.value


# The rehearsal's faults: what the caller is told, what the model can mend, what it cost

FAULTS: dict[str, tuple[type[ModelError], str, str | None, bool]] = {
    "429": (ModelBusy, "rate-limiting", None, False),
    "429-after": (ModelBusy, "rate-limiting", None, False),
    "quota": (ModelQuotaSpent, "add credit", None, False),
    "500": (ModelUnavailable, "status 500", None, False),
    "502": (ModelUnavailable, "status 502", None, False),
    "503": (ModelUnavailable, "status 503", None, False),
    "reset": (ModelUnavailable, "cannot be reached", None, False),
    "torn": (ModelUnavailable, "cannot be reached", None, False),
    "hang": (ModelUnavailable, "in time", None, False),
    "drip": (ModelUnavailable, "in time", None, False),
    "html": (ModelGarbled, "could not be read", None, False),
    "prompt-filter": (ModelRefused, "content filter", None, False),
    "malformed": (ModelGarbled, "cannot be used", "it is not JSON.", True),
    "empty": (ModelGarbled, "nothing in it", None, True),
    "null": (ModelGarbled, "nothing in it", None, True),
    "broken-off": (ModelGarbled, "broke off", None, True),
    "length": (ModelGarbled, "cut off", "it was cut off at the length limit; be briefer.", True),
    "refusal": (ModelRefused, "The model declined: I can’t help with that.", None, True),
    "filter": (ModelRefused, "content filter", None, True),
    "schema": (ModelGarbled, "cannot be used", "summary: Field required; audience: Field required;", True),
}


@pytest.mark.parametrize("reached", [asking, calling])
@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_is_told_as_what_it_is(fault: str, reached: Any) -> None:
    kind, says, wrong, paid = FAULTS[fault]
    async with reached(rehearsal(faults={fault: 1.0}), timeout=0.6) as model:
        started = time.monotonic()
        with pytest.raises(ModelError, match=says) as caught:
            await brief(model)
        assert time.monotonic() - started < 5
    error = caught.value
    assert type(error) is kind
    assert str(error).endswith(".")
    assert (error.usage is not None) is paid
    if isinstance(error, ModelGarbled):
        assert (error.wrong or "").startswith(wrong or "")
        assert bool(error.wrong) is bool(wrong)
        assert bool(error.said) is bool(wrong)
        assert len(error.wrong or "") <= 300
    if paid and fault != "empty":
        assert error.usage
        assert error.usage.input_tokens > 200


async def test_answers_without_figures_are_counted_and_absurd_figures_never_make_them_cheap() -> None:
    async with asking(rehearsal()) as model:
        told = (await brief(model)).usage
    for fault in ("no-usage", "absurd-usage"):
        async with asking(rehearsal(faults={fault: 1.0})) as model:
            usage = (await brief(model)).usage
        assert usage.estimated
        assert not told.estimated
        assert 0.5 < usage.input_tokens / told.input_tokens < 2
        assert usage.cached_tokens <= usage.input_tokens
        assert usage.output_tokens >= 1
        assert usage.reasoning_tokens <= usage.output_tokens


# The way in which an object is asked for


def ways_of(asked: list[dict[str, Any]]) -> Counter[Way]:
    return Counter(_way(one) for one in asked)


def _way(asked: Mapping[str, Any]) -> Way:
    form = asked.get("response_format", {}).get("type")
    if form == "json_schema":
        return "json_schema"
    if "tools" in asked:
        return "function_calling"
    return "json_mode" if form == "json_object" else "words"


def listening(app: ASGIApp, heard: list[dict[str, Any]]) -> ASGIApp:
    """`app`, with all that is asked of it written down."""

    async def listen(scope: Scope, receive: Receive, send: Send) -> None:
        body = b""

        async def hear() -> Any:
            nonlocal body
            event = await receive()
            body += event.get("body", b"")
            if event["type"] == "http.request" and not event.get("more_body"):
                heard.append(json.loads(body))
            return event

        await app(scope, hear, send)

    return listen


LADDER: list[tuple[Way, list[str]]] = [
    ("json_schema", []),
    ("function_calling", ["json_schema"]),
    ("json_mode", ["json_schema", "tools"]),
    ("words", ["json_schema", "tools", "json_object"]),
]


@pytest.mark.parametrize(("way", "without"), LADDER)
async def test_the_way_is_found_once_for_everybody_and_kept(way: Way, without: list[str]) -> None:
    heard: list[dict[str, Any]] = []
    async with asking(listening(rehearsal(without=without, latency=0.01), heard)) as model:
        answers = await asyncio.gather(*(brief(model) for _ in range(20)))
        assert len({answer.output.model_dump_json() for answer in answers}) == 1
        found_by = ways_of(heard)
        assert found_by[way] == 20
        assert all(
            found_by[tried] == (20 if tried in WAYS[: WAYS.index(way)] else 0) for tried in WAYS if tried != way
        )
        await asyncio.gather(*(brief(model) for _ in range(20)))
        assert ways_of(heard) - found_by == {way: 20}


@pytest.mark.parametrize("reached", [asking, calling])
async def test_a_picture_is_studied_by_a_server_that_only_knows_words(reached: Any) -> None:
    async with reached(rehearsal(without=["json_schema", "tools", "json_object"])) as model:
        study = await resizer.study_picture(model, AURORA, picture=_photo(), media_type="image/png", language="en")
    assert "Aurora" in study.output.alt_text


def _photo() -> bytes:
    image = Image.new("RGB", (90, 60), (240, 238, 230))
    image.paste((200, 30, 30), (30, 20, 60, 40))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


async def test_a_confirmed_endpoint_never_moves() -> None:
    knows = True
    heard: list[dict[str, Any]] = []

    async def reply(asked: dict[str, Any]) -> Response:
        heard.append(asked)
        return JSONResponse(GOOD) if knows else JSONResponse({"error": {"message": "response_format?"}}, 400)

    async with asking(saying(reply)) as model:
        await line(model)
        knows = False
        for _ in range(3):
            with pytest.raises(ModelRejected, match="response_format"):
                await line(model)
    assert ways_of(heard) == {"json_schema": 4}


async def test_a_walk_that_ends_without_an_answer_is_forgotten() -> None:
    heard: list[dict[str, Any]] = []
    wrong = "response_format, tools: context too long"

    async def reply(asked: dict[str, Any]) -> Response:
        heard.append(asked)
        return JSONResponse(GOOD) if len(heard) > 4 else JSONResponse({"error": {"message": wrong}}, 400)

    async with asking(saying(reply)) as model:
        with pytest.raises(ModelRejected, match="context too long"):
            await line(model)
        await line(model)
    assert [_way(asked) for asked in heard] == [*WAYS, "json_schema"]


async def test_a_failing_server_does_not_move_an_endpoint() -> None:
    heard: list[dict[str, Any]] = []
    statuses = [500, 429, 401, 400, 404, 503]

    async def reply(asked: dict[str, Any]) -> Response:
        heard.append(asked)
        status = statuses[len(heard) - 1]
        return JSONResponse({"error": {"message": "The model gpt-9 is not available to you."}}, status)

    async with asking(saying(reply)) as model:
        for _ in statuses:
            with pytest.raises(ModelError):
                await line(model)
    assert ways_of(heard) == {"json_schema": len(statuses)}


async def test_models_of_one_endpoint_have_each_their_own_way() -> None:
    heard: list[dict[str, Any]] = []

    async def reply(asked: dict[str, Any]) -> Response:
        heard.append(asked)
        if asked["model"] == "small" and "response_format" in asked:
            return JSONResponse({"error": "json_schema is not supported"}, 422)
        return JSONResponse(GOOD)

    async with asking(saying(reply), model="large", agent_models={"moderator": "small"}) as model:
        await line(model)
        await line(model, "moderator")
        await line(model)
    assert [(one["model"], _way(one)) for one in heard] == [
        ("large", "json_schema"),
        ("small", "json_schema"),
        ("small", "function_calling"),
        ("large", "json_schema"),
    ]


def test_the_ladder_settles_on_what_worked_even_if_another_caller_went_on() -> None:
    ladder = Ladder()
    assert ladder.refused("json_schema")
    assert ladder.refused("json_schema")
    assert (ladder.way, ladder.confirmed) == ("function_calling", False)
    ladder.failed()
    ladder.worked("function_calling")
    ladder.worked("json_schema")
    ladder.failed()
    assert not ladder.refused("function_calling")
    assert (ladder.way, ladder.confirmed) == ("function_calling", True)


UNKNOWN: list[tuple[Way, int, str]] = [
    ("json_schema", 400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported"),
    ("json_schema", 400, "response_format value as json_schema is enabled only for api versions 2024-08"),
    ("json_schema", 400, "This response_format type is unavailable now"),
    ("json_schema", 400, "litellm.UnsupportedParamsError: x does not support parameters: ['response_format']"),
    ("json_schema", 400, "The provided JSON schema contains features not supported by xgrammar."),
    ("json_schema", 404, "No endpoints found that can handle the requested parameters."),
    ("json_schema", 501, ""),
    ("function_calling", 400, "registry.ollama.ai/library/gemma3:4b does not support tools"),
    ("function_calling", 400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser'),
    ("function_calling", 400, "Thinking mode does not support this tool_choice"),
    ("function_calling", 404, "No endpoints found that support tool use."),
    ("function_calling", 500, "tools param requires --jinja flag"),
    ("function_calling", 500, "Unsupported param: tools"),
    ("json_mode", 400, "'response_format' of type 'json_object' is not supported with this model."),
]  # fmt: skip


@pytest.mark.parametrize(("way", "status", "says"), UNKNOWN)
def test_what_servers_say_of_a_way_they_do_not_know_is_understood(way: Way, status: int, says: str) -> None:
    assert unknown(way, status, says)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("status", "says"),
    [
        (400, "This model's maximum context length is 8192 tokens."),
        (400, "Unsupported parameter: 'temperature' is not supported with this model."),
        (404, "The model `gpt-9` does not exist or you do not have access to it."),
        (401, "response_format tools"),
        (429, "response_format tools"),
        (500, "response_format: tools: the engine has crashed"),
        (503, "response_format is not supported just now; tools neither"),
    ],
)
def test_other_refusals_do_not_speak_of_the_way(way: Way, status: int, says: str) -> None:
    assert not unknown(way, status, says)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        '```json\n{"a": 1}\n```',
        'Here you are:\n```\n{"a": 1}\n```\nAnything else?',
        '<think>Maybe {"a": 2}?</think>\n{"a": 1}',
        'Sure! {"a": 1} I hope it helps.',
    ],
)
def test_json_is_found_in_its_wrappings(text: str) -> None:
    assert found(text) == {"a": 1}


@pytest.mark.parametrize(
    "text", ["", "No.", '{"a": 1', '{"a": "cut"}{', '{"a": NaN}', '{"a": 1} {"b": 2}', "{" * 100_000, "}{"]
)
def test_what_is_no_json_or_may_be_a_part_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="JSON"):
        found(text)


# What is sent


async def test_nothing_is_sent_but_what_is_needed() -> None:
    heard: list[dict[str, Any]] = []
    async with asking(listening(always(GOOD), heard), model="o-any", max_output_tokens=900) as model:
        await line(model)
    (sent,) = heard
    assert set(sent) == {"model", "messages", "response_format", "max_completion_tokens"}
    assert (sent["model"], sent["max_completion_tokens"]) == ("o-any", 900)
    assert sent["response_format"]["json_schema"]["strict"] is True
    assert sent["response_format"]["json_schema"]["name"] == "Line"


async def test_every_model_is_asked_for_a_chat_completion() -> None:
    paths: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        paths.append(scope["path"])
        asked = await Request(scope, receive).json()
        known = "tools" in asked
        refusal = JSONResponse({"error": {"message": "json_schema is unsupported"}}, 400)
        await (JSONResponse(GOOD) if known else refusal)(scope, receive, send)

    for name in ("gpt-6-luna", "gpt-5.6-sol", "codex-mini"):
        async with asking(app, model=name) as model:
            await line(model)
    assert set(paths) == {"/v1/chat/completions"}


async def test_the_schema_is_added_to_the_one_system_message_where_nothing_carries_it() -> None:
    heard: list[dict[str, Any]] = []

    async def reply(asked: dict[str, Any]) -> Response:
        heard.append(asked)
        known = "response_format" not in asked and "tools" not in asked
        return JSONResponse(GOOD if known else {"detail": "response_format tools"}, 200 if known else 422)

    async with asking(saying(reply)) as model:
        await line(model)
        await model.answer("copywriter", Rendered([HumanMessage("Hi")], "prompt@2"), Line)
    words = heard[3]["messages"]
    assert [message["role"] for message in words] == ["system", "user"]
    assert words[0]["content"].startswith("Be brief.\n\nAnswer with one JSON object")
    assert '"additionalProperties": false' in words[0]["content"]
    assert [message["role"] for message in heard[4]["messages"]] == ["system", "user"]
    assert [message["role"] for message in heard[0]["messages"]] == ["system", "user"]
    assert heard[0]["messages"][0]["content"] == "Be brief."


async def test_no_more_calls_are_in_flight_than_allowed_and_waiting_is_not_timed() -> None:
    now = most = 0

    async def reply(_: dict[str, Any]) -> Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.05)
        now -= 1
        return JSONResponse(GOOD)

    async with asking(saying(reply), concurrency=3, timeout=0.3) as model:
        await asyncio.gather(*(line(model) for _ in range(30)))
    assert most == 3


async def test_a_caller_who_goes_away_leaves_the_place_to_others() -> None:
    heard = 0

    async def reply(_: dict[str, Any]) -> Response:
        nonlocal heard
        heard += 1
        await asyncio.sleep(60 if heard < 3 else 0)
        return JSONResponse(GOOD)

    async with asking(saying(reply), concurrency=1) as model:
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(line(model), 0.1)
        assert (await asyncio.wait_for(line(model), 5)).output.text == "Meet Aurora"


async def test_an_identity_tells_what_differs_and_no_secret() -> None:
    settings: dict[str, Any] = {"base_url": "https://me:pass@host:8443/v1/?key=sk-2", "key": SecretStr("sk-1")}
    async with asking(always(GOOD), **settings, agent_models={"moderator": "small"}) as model:
        assert model.identity("translator") == "https://host:8443/v1 rehearsal None"
        assert model.identity("moderator") == "https://host:8443/v1 small None"
        assert model.identity("screen") == "https://host:8443/v1 omni-moderation-latest 0.5 0.8"
    assert "sk-1" not in repr(Endpoint(model="m", **settings))
    async with asking(always(GOOD), max_output_tokens=7) as model:
        assert model.identity("translator").endswith("rehearsal 7")


async def test_what_screens_may_stand_elsewhere() -> None:
    transport = httpx2.ASGITransport(app=always(GOOD))
    async with open_chat(Endpoint(model="m"), screen=NoScreen(), transport=transport) as model:
        assert model.identity("screen") == "none"
        assert await model.screen(["I will kill you"]) == []
        assert await model.screen_picture(b"\x89PNG", "image/png") == []


# What is read


async def test_every_text_of_an_answer_is_clean_before_anybody_checks_it() -> None:
    text = json.dumps({"text": "Cafe\u0301 \u202egnp\u202c\u200b \ud800!", "tags": ["a\u0000b", "x\r\ny"]})
    seen: list[str] = []

    def check(parsed: Line) -> str | None:
        seen.append(parsed.text)
        return None

    async with asking(always(completion(text))) as model:
        answer = await line(model, check=check)
    assert answer.output == Line(text="Café gnp !", tags=["ab", "x\ny"])
    assert seen == ["Café gnp !"]


def priceless(_: Line) -> str | None:
    return "It names no price."


async def test_an_answer_that_a_check_objects_to_is_garbled_and_paid() -> None:
    async with asking(always(GOOD)) as model:
        with pytest.raises(ModelGarbled) as caught:
            await line(model, check=priceless)
    error = caught.value
    assert (error.wrong, error.said) == ("It names no price.", '{"text": "Meet Aurora", "tags": []}')
    assert error.usage is not None
    assert (error.usage.model, error.usage.input_tokens, error.usage.output_tokens) == ("served", 12, 5)


ARGUMENTS = '{"text": "By tool", "tags": []}'


def called(arguments: Any) -> dict[str, Any]:
    return {"tool_calls": [{"id": "1", "type": "function", "function": {"name": "Line", "arguments": arguments}}]}


@pytest.mark.parametrize(
    "told",
    [
        completion(None, finish="tool_calls", **called(ARGUMENTS)),
        completion("", finish="stop", **called(json.loads(ARGUMENTS))),
        completion([{"type": "text", "text": ARGUMENTS}]),
        completion(f"```json\n{ARGUMENTS}\n```", finish=None),
        completion(ARGUMENTS, finish="eos"),
    ],
)
async def test_answers_of_many_servers_are_understood(told: dict[str, Any]) -> None:
    async with asking(always(told)) as model:
        assert (await line(model)).output.text == "By tool"


GARBLED: list[tuple[Any, str, str | None, str | None]] = [
    (completion('{"text": "a'), "cannot be used", '{"text": "a', "it is not JSON."),
    (completion('{"text": "a', finish=None), "broke off", None, None),
    (completion('{"text": "a"}', finish="length"), "cut off", '{"text": "a"}', "it was cut off"),
    (completion(None, finish="length"), "cut off", None, "it was cut off"),
    (completion(None), "nothing in it", None, None),
    (completion("  "), "nothing in it", None, None),
    (completion(None, **called('{"text": ')), "cannot be used", '{"text": ', "it is not JSON."),
    (completion('{"text": 1, "x": 2}'), "cannot be used", "{", "a valid string; x: Extra inputs are"),
    (completion("[]"), "cannot be used", "[]", "the answer: Input should be a valid dictionary"),
    (completion(json.dumps({"text": "a" * 10_001})), "too long: 10001", "{", "a text of it is too long"),
    (completion(json.dumps({"tags": ["a" * 9_999] * 21})), "too long", None, f"at most {LONGEST_ANSWER}"),
    ({"choices": [], "usage": USED}, "nothing in it", None, None),
    ({"choices": None}, "nothing in it", None, None),
    ({"choices": "none"}, "nothing in it", None, None),
    ({"choices": [{"message": None}]}, "nothing in it", None, None),
    ({}, "nothing in it", None, None),
    ([], "could not be read", None, None),
    (b"<html></html>", "could not be read", None, None),
    (b'{"choices": [', "could not be read", None, None),
    (b"[" * 100_000, "could not be read", None, None),
    (b"\xff\xfe", "could not be read", None, None),
]  # fmt: skip


@pytest.mark.parametrize(("told", "message", "said", "wrong"), GARBLED)
async def test_an_unusable_answer_tells_what_is_wrong_with_it(
    told: Any, message: str, said: str | None, wrong: str | None
) -> None:
    error = await failure(always(told))
    assert type(error) is ModelGarbled
    assert message in str(error)
    assert (error.said or "").startswith(said or "")
    assert (wrong or "") in (error.wrong or "")
    assert (bool(error.said), bool(error.wrong)) == (bool(said), bool(wrong))
    assert len(error.wrong or "") <= 300


async def test_many_faults_are_told_in_one_short_sentence() -> None:
    error = await failure(always(completion(json.dumps({f"field {at}": at for at in range(60)}))))
    assert isinstance(error, ModelGarbled)
    assert error.wrong
    assert 150 < len(error.wrong) <= 300
    assert error.wrong.startswith("text: Field required; field 0: Extra inputs are not permitted;")
    assert error.wrong.endswith("permitted.")


@pytest.mark.parametrize(
    "told",
    [
        completion(None, refusal="I’d rather not"),
        completion(None, finish="tool_calls", refusal="I’d rather not", **called(ARGUMENTS)),
        completion("", finish="content_filter"),
        completion(ARGUMENTS, finish="content_filter"),
        {"error": {"code": 403, "message": "Your input was flagged"}},
    ],
)
async def test_a_refusal_is_seen_in_every_form(told: dict[str, Any]) -> None:
    assert type(await failure(always(told))) is ModelRefused


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    ["choices", "message", "content", "tool_calls", "function", "arguments", "usage", "error"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_answer_whatever_makes_another_error(told: Any) -> None:
    async def ask() -> None:
        async with asking(always(json.dumps(told).encode())) as model:
            with contextlib.suppress(ModelError):
                await line(model)

    asyncio.run(ask())


# What servers complain of


COMPLAINTS: list[tuple[int, Any, type[ModelError], str]] = [
    (400, {"error": {"message": "Bad word.", "code": None}}, ModelRejected, "does not accept our call: Bad word."),
    (400, {"error": "plain words"}, ModelRejected, "call: plain words."),
    (400, {"detail": [{"loc": ["body"], "msg": "required", "input": "secret"}]}, ModelRejected, "call: required"),
    (400, {}, ModelRejected, "status 400"),
    (418, {"message": "x" * 900}, ModelRejected, "…"),
    (401, {"error": {"message": "Incorrect API key: sk-abc"}}, ModelRejected, "check OPENAI_API_KEY"),
    (403, {}, ModelRejected, "check OPENAI_API_KEY"),
    (404, {"error": {"message": "The model `x` does not exist"}}, ModelRejected, "know the model or the address"),
    (501, {}, ModelRejected, "status 501"),
    (408, {}, ModelUnavailable, "408"),
    (409, {}, ModelUnavailable, "409"),
    (529, {"error": {"message": "Overloaded"}}, ModelUnavailable, "529"),
    (504, {}, ModelUnavailable, "504"),
    (429, {"error": {"code": "rate_limit_exceeded"}}, ModelBusy, "rate-limiting"),
    (429, {"error": {"code": "insufficient_quota"}}, ModelQuotaSpent, "add credit"),
    (429, {"error": {"type": "insufficient_quota", "code": None}}, ModelQuotaSpent, "add credit"),
    (429, {"error": {"message": "You exceeded your current quota, please check"}}, ModelQuotaSpent, "add credit"),
    (402, {"error": {"message": "Insufficient Balance"}}, ModelQuotaSpent, "add credit"),
    (402, {}, ModelQuotaSpent, "add credit"),
    (400, {"error": {"message": "Your credit balance is too low to access"}}, ModelQuotaSpent, "add credit"),
    (400, {"error": {"message": "Budget has been exceeded! Current cost: 2"}}, ModelQuotaSpent, "add credit"),
    (400, {"error": {"code": "Arrearage", "message": "Access denied"}}, ModelQuotaSpent, "add credit"),
    (400, {"error": {"code": "content_filter", "message": "filtered"}}, ModelRefused, "content filter"),
    (400, {"error": {"innererror": {"code": "ResponsibleAIPolicyViolation"}}}, ModelRefused, "content filter"),
    (400, {"error": {"code": "invalid_prompt", "message": "prompt was flagged"}}, ModelRefused, "content filter"),
    (403, {"error": {"message": "moderation: your input was flagged"}}, ModelRefused, "content filter"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind", "says"), COMPLAINTS)
async def test_complaints_of_many_providers_are_understood(
    status: int, body: Any, kind: type[ModelError], says: str
) -> None:
    error = await failure(always(body, status))
    assert type(error) is kind
    assert says in str(error)
    assert "sk-abc" not in str(error)
    assert "secret" not in str(error)
    assert len(str(error)) < 400
    assert str(error).endswith((".", "…"))


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    endpoint = Endpoint(model="m", base_url="http://127.0.0.1:9/v1")
    async with open_chat(endpoint) as model:
        with pytest.raises(ModelUnavailable, match="OPENAI_BASE_URL"):
            await line(model)
        with pytest.raises(ModelUnavailable, match="OPENAI_BASE_URL"):
            await model.screen(["Hi"])


WAITS: list[tuple[dict[str, str], float | None]] = [
    ({}, None),
    ({"Retry-After": "20"}, 20.0),
    ({"retry-after": "1.5"}, 1.5),
    ({"Retry-After": "soon"}, None),
    ({"Retry-After": "-3"}, 0.0),
    ({"Retry-After": "nan"}, None),
    ({"Retry-After": "1e9"}, 86_400.0),
    ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25),
    ({"x-ratelimit-reset-requests": "12ms", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
    ({"x-ratelimit-reset-requests": "1h2m3.5s"}, 3723.5),
    (
        {
            "x-ratelimit-reset-requests": "2s",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-tokens": "9s",
            "x-ratelimit-remaining-tokens": "12",
        },
        2.0,
    ),
    ({"x-ratelimit-reset-tokens": "59"}, 59.0),
    ({"x-ratelimit-reset-tokens": "0", "x-ratelimit-remaining-tokens": "-1"}, None),
    ({"x-ratelimit-reset-tokens": "a while"}, None),
]


@pytest.mark.parametrize(("headers", "seconds"), WAITS)
async def test_how_long_to_wait_is_read_from_every_header(headers: dict[str, str], seconds: float | None) -> None:
    assert wait(headers) == seconds
    error = await failure(always({}, 429, headers))
    assert isinstance(error, ModelBusy)
    assert error.retry_after == seconds


def test_a_date_to_wait_for_is_understood() -> None:
    then = email.utils.formatdate(time.time() + 90, usegmt=True)
    assert 85 < (wait({"Retry-After": then}) or 0) <= 90
    assert wait({"Retry-After": email.utils.formatdate(0, usegmt=True)}) == 0


def test_a_server_that_names_a_time_has_credit_left() -> None:
    body = b'{"error": {"message": "You exceeded your current quota", "status": "RESOURCE_EXHAUSTED"}}'
    assert type(Complaint.read(429, body, {"retry-after": "12"}).explained()) is ModelBusy
    assert type(Complaint.read(402, b"{}", {"retry-after": "12"}).explained()) is ModelBusy


async def test_a_complaint_with_status_200_is_one_all_the_same() -> None:
    assert type(await failure(always({"error": {"code": 429, "message": "slow"}}))) is ModelBusy
    assert type(await failure(always({"error": {"code": "insufficient_quota"}}))) is ModelUnavailable
    assert type(await failure(always({"choices": [{"error": {"code": 502}}]}))) is ModelUnavailable


# What it used

USAGES: list[tuple[Any, tuple[int, int, int, int, bool]]] = [
    ({"prompt_tokens": 100, "completion_tokens": 20}, (100, 0, 20, 0, False)),
    (
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "prompt_tokens_details": {"cached_tokens": 64},
            "completion_tokens_details": {"reasoning_tokens": 8},
        },
        (100, 64, 20, 8, False),
    ),
    ({"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": None}, (100, 0, 20, 0, False)),
    ({"input_tokens": 100, "output_tokens": 20}, (100, 0, 20, 0, False)),
    ({"prompt_tokens": 100, "completion_tokens": 20, "prompt_cache_hit_tokens": 50}, (100, 50, 20, 0, False)),
    (
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 420,
            "completion_tokens_details": {"reasoning_tokens": 300},
        },
        (100, 0, 320, 300, False),
    ),
    ({"prompt_tokens": 100, "completion_tokens": 20, "reasoning_tokens": 90}, (100, 0, 90, 90, False)),
    (USED | {"prompt_tokens_details": {"cached_tokens": 999}}, (12, 12, 5, 0, False)),
    (USED | {"prompt_tokens_details": {"cached_tokens": -9}}, (12, 0, 5, 0, False)),
    ({"prompt_tokens": 99.2, "completion_tokens": 20}, (100, 0, 20, 0, False)),
    ({"prompt_tokens": 10**12, "completion_tokens": 20}, (tokens.MOST, 0, 20, 0, False)),
    ({"prompt_tokens": -5, "completion_tokens": 20}, (6, 0, 20, 0, True)),
    ({"prompt_tokens": 100, "completion_tokens": 0}, (100, 0, 2, 0, True)),
    ({"prompt_tokens": "many", "completion_tokens": True}, (6, 0, 2, 0, True)),
    (None, (6, 0, 2, 0, True)),
    ("free of charge", (6, 0, 2, 0, True)),
]  # fmt: skip


@pytest.mark.parametrize(("told", "counted"), USAGES)
def test_usage_is_read_in_every_dialect_and_never_made_cheaper(
    told: Any, counted: tuple[int, int, int, int, bool]
) -> None:
    used = tokens.used(told, model="m", asked=ASKED.messages, said="Eight ch")
    figures = (used.input_tokens, used.cached_tokens, used.output_tokens, used.reasoning_tokens, used.estimated)
    assert figures == counted


def test_tokens_are_estimated_by_script_and_pictures_by_the_piece() -> None:
    assert tokens.estimate("") == 0
    assert tokens.estimate("abcdefgh") == 2
    assert tokens.estimate("製品を見る") == 4
    asked = [
        HumanMessage([{"type": "text", "text": "abcd"}, {"type": "image_url", "image_url": {"url": "x" * 9999}}])
    ]
    assert tokens.used(None, model="m", asked=asked, said="").input_tokens == 766


async def test_an_answer_without_a_model_s_name_is_that_of_the_model_asked() -> None:
    told = {"choices": GOOD["choices"], "model": 7}
    async with asking(always(told), model="gpt-mine") as model:
        usage = (await line(model)).usage
    assert (usage.model, usage.estimated) == ("gpt-mine", True)


# The settings


def test_models_by_agent_are_an_object_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFARE_AGENT_MODELS", '{"moderator": "small", "resizer": "sees"}')
    monkeypatch.setenv("FANFARE_MODEL_MAX_OUTPUT_TOKENS", "900")
    settings = Settings()
    assert settings.agent_models == {"moderator": "small", "resizer": "sees"}
    assert settings.model_max_output_tokens == 900
    known = Endpoint(model="m", agent_models=settings.agent_models)
    assert [known.model_of(agent) for agent in ("moderator", "briefing")] == ["small", "m"]
    assert Settings(agent_models={}).agent_models == {}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ('{"poet": "x"}', "no agent 'poet'; there are briefing, copywriter, moderator, resizer, translator"),
        ("moderator=small", "must be a JSON object"),
        ("[]", "must be a JSON object"),
        ('{"moderator": ""}', "model of moderator must be a name"),
        ('{"moderator": 3}', "model of moderator must be a name"),
    ],
)
def test_models_by_agent_are_refused_with_a_sentence(
    value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANFARE_AGENT_MODELS", value)
    with pytest.raises(ValidationError, match=says):
        Settings()
    assert sorted(AGENTS.values()) == ["briefing", "copywriter", "moderator", "resizer", "translator"]
