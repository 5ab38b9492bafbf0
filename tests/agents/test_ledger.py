"""Remembered answers: what makes two calls the same, who has paid, and what is asked again all the same."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, Field

from agents.ledger import SCREEN, Remembered, answer_key
from agents.model import Account, Answer, Check, Flag, ModelError, ModelUnavailable, T, Usage
from agents.prompts import Rendered

SYSTEM, HUMAN = SystemMessage("Write."), HumanMessage("A lamp.")
CALL = Rendered([SYSTEM, HUMAN], "writer@1")
IDENTITY = '["https://models.example/v1", "gpt", {"temperature": 0.7}]'
ACCOUNT = Account("acme", "spring")


class Line(BaseModel):
    """A line of copy."""

    text: str


class LongLine(BaseModel):
    """A line of copy."""

    text: str = Field(max_length=5)


class Scripted:
    """A `Model` that says a line with the number of the call in it, and counts."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: ModelError | None = None

    async def answer(
        self, agent: str, prompt: Rendered, output: type[T], *, check: Check[T] | None = None
    ) -> Answer[T]:
        del agent, check
        self.calls += 1
        if self.error:
            raise self.error
        said = output.model_validate({"text": f"{self.calls}"})
        return Answer(said, Usage(model="gpt", input_tokens=10, output_tokens=5), prompt.fingerprint)

    async def screen(self, texts: Sequence[str]) -> list[Flag]:
        self.calls += 1
        if self.error:
            raise self.error
        return [Flag(index, "violence", 0.9, "block") for index, text in enumerate(texts) if "hit" in text]

    async def screen_picture(self, data: bytes, media_type: str) -> list[Flag]:
        del media_type
        self.calls += 1
        if self.error:
            raise self.error
        return [Flag(0, "violence", 0.6, "warn")] if b"hit" in data else []


class Book:
    """A `Ledger` on a dict, for one caller at a time."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], bytes] = {}
        self.owners: list[str] = []

    async def once(
        self,
        tenant: str,
        key: str,
        make: Callable[[], Awaitable[bytes]],
        *,
        accept: Callable[[bytes], bool],
        owner: str = "",
    ) -> tuple[bytes, bool]:
        self.owners.append(owner)
        found = self.entries.get((tenant, key))
        if found is not None and accept(found):
            return found, False
        made = self.entries[tenant, key] = await make()
        return made, True


@pytest.fixture
def model() -> Scripted:
    return Scripted()


@pytest.fixture
def book() -> Book:
    return Book()


def remembered(model: Scripted, book: Book, account: Account = ACCOUNT, identity: str = IDENTITY) -> Remembered:
    return Remembered(model, book, account, lambda agent: f"{identity} {agent}")


def other(*messages: BaseMessage) -> Rendered:
    return Rendered([*messages], CALL.fingerprint)


# What makes a key

KEY = answer_key(ACCOUNT, IDENTITY, CALL, Line)


def test_equal_calls_have_one_key() -> None:
    again = Rendered([SystemMessage("Write."), HumanMessage("A lamp.", id="other")], "writer@2")
    assert answer_key(ACCOUNT, "".join(list(IDENTITY)), again, Line) == KEY


@pytest.mark.parametrize(
    ("tenant", "identity", "prompt", "output"),
    [
        ("acme2", IDENTITY, CALL, Line),
        ("acme", IDENTITY.replace("gpt", "gpt-2"), CALL, Line),
        ("acme", IDENTITY.replace("0.7", "0.8"), CALL, Line),
        ("acme", IDENTITY.replace("models.", "model."), CALL, Line),
        ("acme", IDENTITY, other(SYSTEM, HumanMessage("A lamp!")), Line),
        ("acme", IDENTITY, other(SYSTEM, HumanMessage("A lamp.\u200b")), Line),
        ("acme", IDENTITY, other(SystemMessage("Write"), HUMAN), Line),
        ("acme", IDENTITY, other(SYSTEM, AIMessage("A lamp.")), Line),
        ("acme", IDENTITY, other(HUMAN, SYSTEM), Line),
        ("acme", IDENTITY, other(SYSTEM), Line),
        ("acme", IDENTITY, other(HumanMessage("Write.A lamp.")), Line),
        ("acme", IDENTITY, CALL.corrected("A lam.", "A word is missing."), Line),
        ("acme", IDENTITY, CALL, LongLine),
    ],
)
def test_whatever_an_answer_depends_on_is_in_its_key(
    tenant: str, identity: str, prompt: Rendered, output: type[BaseModel]
) -> None:
    assert answer_key(Account(tenant, "spring"), identity, prompt, output) != KEY


def seen(picture: str) -> Rendered:
    return other(
        SYSTEM,
        HumanMessage([{"type": "text", "text": "See."}, {"image_url": {"url": picture}, "type": "image_url"}]),
    )


def test_a_picture_is_in_the_key_with_every_byte() -> None:
    pictures = ["data:image/png;base64,AAAA", "data:image/png;base64,AAAB", "data:image/webp;base64,AAAA"]
    keys = [answer_key(ACCOUNT, IDENTITY, seen(picture), Line) for picture in pictures]
    assert len(set(keys)) == 3
    reordered = HumanMessage(
        [{"text": "See.", "type": "text"}, {"type": "image_url", "image_url": {"url": pictures[0]}}]
    )
    assert answer_key(ACCOUNT, IDENTITY, other(SYSTEM, reordered), Line) == keys[0]


def test_any_string_of_python_has_a_key() -> None:
    keys = {
        answer_key(ACCOUNT, IDENTITY, other(HumanMessage(text)), Line) for text in ("\udc80", "\\udc80", "é", "e")
    }
    assert len(keys) == 4


# What is remembered


async def test_an_answer_is_asked_for_once(model: Scripted, book: Book) -> None:
    first = await remembered(model, book).answer("writer", CALL, Line)
    again = await remembered(model, book).answer("writer", CALL, Line)
    assert again == first
    assert (again.output.text, again.usage.input_tokens, again.prompt) == ("1", 10, "writer@1")
    assert again.paid
    assert again.call
    assert model.calls == 1
    assert (await remembered(model, book).answer("translator", CALL, Line)).call != first.call


async def test_another_campaign_has_nothing_to_pay(model: Scripted, book: Book) -> None:
    first = await remembered(model, book).answer("writer", CALL, Line)
    theirs = await remembered(model, book, Account("acme", "summer")).answer("writer", CALL, Line)
    assert theirs == replace(first, paid=False)
    assert (await remembered(model, book, Account("globex", "spring")).answer("writer", CALL, Line)).paid
    assert model.calls == 2


async def test_another_take_is_asked_anew_and_itself_remembered(model: Scripted, book: Book) -> None:
    first = await remembered(model, book).answer("writer", CALL, Line)
    again = replace(ACCOUNT, take=1)
    second = await remembered(model, book, again).answer("writer", CALL, Line)
    assert (second.output.text, second.paid) == ("2", True)
    assert second.call != first.call, "it is paid for a second time"
    assert await remembered(model, book, again).answer("writer", CALL, Line) == second, "after a crash as well"
    assert await remembered(model, book).answer("writer", CALL, Line) == first
    elsewhere = replace(again, campaign="summer")
    assert (await remembered(model, book, elsewhere).answer("writer", CALL, Line)).output.text == "3"


async def test_what_a_check_objects_to_is_asked_again(model: Scripted, book: Book) -> None:
    def not_the_first(line: Line) -> str | None:
        return "It is the first." if line.text == "1" else None

    first = await remembered(model, book).answer("writer", CALL, Line)
    second = await remembered(model, book).answer("writer", CALL, Line, check=not_the_first)
    assert (first.output.text, second.output.text, model.calls) == ("1", "2", 2)
    assert await remembered(model, book).answer("writer", CALL, Line) == second


@pytest.mark.parametrize("entry", [b"", b"{}", b"\xff", b'{"key": "else"}'])
async def test_what_cannot_be_read_counts_as_absent(model: Scripted, book: Book, entry: bytes) -> None:
    await remembered(model, book).answer("writer", CALL, Line)
    for name in book.entries:
        book.entries[name] = entry
    assert (await remembered(model, book).answer("writer", CALL, Line)).output.text == "2"


async def test_what_no_longer_fits_its_form_counts_as_absent(model: Scripted, book: Book) -> None:
    await remembered(model, book).answer("writer", CALL, Line)
    for name, entry in book.entries.items():
        book.entries[name] = entry.replace(b"text", b"line")
    assert (await remembered(model, book).answer("writer", CALL, Line)).output.text == "2"


async def test_an_entry_under_another_key_is_not_taken_for_an_answer(model: Scripted, book: Book) -> None:
    await remembered(model, book, Account("globex", "spring")).answer("writer", CALL, Line)
    [stolen] = book.entries.values()
    await remembered(model, book).answer("writer", CALL, Line)
    book.entries = dict.fromkeys(book.entries, stolen)
    assert (await remembered(model, book).answer("writer", CALL, Line)).output.text == "3"


async def test_an_error_is_not_remembered(model: Scripted, book: Book) -> None:
    model.error = ModelUnavailable("away")
    for call in (remembered(model, book).answer("writer", CALL, Line), remembered(model, book).screen(["hit"])):
        with pytest.raises(ModelUnavailable):
            await call
    assert book.entries == {}
    model.error = None
    assert (await remembered(model, book).answer("writer", CALL, Line)).output.text == "3"


async def test_a_screening_is_remembered(model: Scripted, book: Book) -> None:
    flags = await remembered(model, book).screen(["a hit", "a miss"])
    assert flags == [Flag(0, "violence", 0.9, "block")]
    assert await remembered(model, book, Account("acme", "summer")).screen(["a hit", "a miss"]) == flags
    assert model.calls == 1
    assert await remembered(model, book).screen(["a miss"]) == []
    assert await remembered(model, book).screen(["a miss", "a hit"]) == [Flag(1, "violence", 0.9, "block")]
    assert await remembered(model, book, identity="another endpoint").screen(["a miss"]) == []
    assert model.calls == 4


async def test_a_screened_picture_is_remembered_by_its_bytes(model: Scripted, book: Book) -> None:
    seen = [Flag(0, "violence", 0.6, "warn")]
    assert await remembered(model, book).screen_picture(b"a hit", "image/png") == seen
    assert await remembered(model, book, Account("acme", "summer")).screen_picture(b"a hit", "image/png") == seen
    assert model.calls == 1
    assert await remembered(model, book).screen_picture(b"a miss", "image/png") == []
    assert await remembered(model, book).screen_picture(b"a hit", "image/jpeg") == seen
    assert await remembered(model, book, identity="other bounds").screen_picture(b"a hit", "image/png") == seen
    assert await remembered(model, book, Account("rival", "spring")).screen_picture(b"a hit", "image/png") == seen
    assert model.calls == 5
    model.error = ModelUnavailable("away")
    with pytest.raises(ModelUnavailable):
        await remembered(model, book).screen_picture(b"another hit", "image/png")
    assert len(book.entries) == 5


async def test_a_flag_from_before_it_had_a_severity_is_asked_for_again(model: Scripted, book: Book) -> None:
    await remembered(model, book).screen(["a hit"])
    book.entries = {key: entry.replace(b',\\"severity\\":\\"block\\"', b"") for key, entry in book.entries.items()}
    assert b"severity" not in b"".join(book.entries.values())
    assert await remembered(model, book).screen(["a hit"]) == [Flag(0, "violence", 0.9, "block")]
    assert model.calls == 2


async def test_nothing_to_screen_asks_nobody(model: Scripted, book: Book) -> None:
    assert await remembered(model, book).screen([]) == []
    assert (model.calls, book.entries) == (0, {})


async def test_identity_is_asked_for_the_agent_and_for_the_endpoint(model: Scripted, book: Book) -> None:
    asked: list[str] = []

    def identity(agent: str) -> str:
        asked.append(agent)
        return agent

    seen = Remembered(model, book, ACCOUNT, identity)
    await asyncio.gather(seen.answer("writer", CALL, Line), seen.screen(["a miss"]))
    assert asked == ["writer", SCREEN]
