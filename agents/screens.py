"""Moderation endpoints: what a provider's own classifier sees in texts and pictures.

`Screen` is the port; OpenAI's moderations, Azure AI Content Safety and nothing at all stand behind it. Each makes
one attempt. What cannot be asked or understood is an error and never an empty answer.
"""

import asyncio
import base64
import json
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar
from urllib.parse import urlsplit

import httpx2
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from agents.complaints import Complaint
from agents.model import Flag, ModelError, ModelGarbled, ModelRejected, ModelUnavailable
from tools.imaging.source import UnusablePicture, inspect
from tools.policy.rule import Severity

R = TypeVar("R")
B = TypeVar("B", bound=BaseModel)


class Screen(Protocol):
    """A moderation endpoint; errors are those of `Model.answer`."""

    @property
    def identity(self) -> str:
        """All that a flag depends on beside what is screened, without a secret."""
        ...

    async def texts(self, texts: Sequence[str]) -> list[Flag]:
        """What is seen in `texts`, in their order, at most one flag for a text and a category."""
        ...

    async def picture(self, data: bytes, media_type: str) -> list[Flag]:
        """What is seen in one picture, whose `media_type` is as in image/jpeg; each flag has index 0.

        Raises `ModelRejected` before asking when the picture is larger, or smaller, than the endpoint takes.
        """
        ...


class NoScreen:
    """Sees nothing: texts and pictures are left to the rules, to the moderator and to people."""

    identity = "none"

    async def texts(self, texts: Sequence[str]) -> list[Flag]:  # noqa: ARG002 - the contract
        """See `Screen.texts`."""
        return []

    async def picture(self, data: bytes, media_type: str) -> list[Flag]:  # noqa: ARG002 - the contract
        """See `Screen.picture`."""
        return []


@dataclass(frozen=True)
class Bounds:
    """What a score, or a severity, must come to."""

    warn: float
    block: float


SCORES = Bounds(warn=0.5, block=0.8)
"""OpenAI's scores from 0 to 1: at or above the bound."""
SEVERITIES = Bounds(warn=0, block=2)
"""Azure's severities 0, 2, 4 and 6: above the bound."""


class OpenAIScreen:
    """`POST {base_url}/moderations`, at OpenAI or whoever has the same endpoint.

    A score at or above `bounds.block` blocks, and so does whatever the provider itself flags; one at or above
    `bounds.warn` warns. https://developers.openai.com/api/docs/guides/moderation
    """

    def __init__(
        self, http: httpx2.AsyncClient, *, base_url: str, key: SecretStr | None = None,
        bounds: Bounds = SCORES, timeout: float = 60.0, at_once: int = 1000,
    ) -> None:  # fmt: skip
        self._url = _below(base_url, "moderations")
        self._bounds = bounds
        headers = {"Authorization": f"Bearer {key.get_secret_value() if key else 'none'}"}
        self._line = _Line(http, _OPENAI, key, headers, timeout, asyncio.Semaphore(at_once))
        self.identity = f"{address(base_url)} {_OPENAI_MODEL} {bounds.warn:g} {bounds.block:g}"

    async def texts(self, texts: Sequence[str]) -> list[Flag]:
        """See `Screen.texts`; one call for all of them."""
        asked = _worth_asking(texts)
        results = await self._results([text for _, text in asked]) if asked else []
        return [flag for (at, _), result in zip(asked, results, strict=True) for flag in self._flags(at, result)]

    async def picture(self, data: bytes, media_type: str) -> list[Flag]:
        """See `Screen.picture`; at most 20 MB."""
        _refuse_size(len(data), _OPENAI_BYTES)
        url = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
        (result,) = await self._results([{"type": "image_url", "image_url": {"url": url}}])
        return list(self._flags(0, result))

    async def _results(self, asked: Sequence[object]) -> "list[_Result]":
        answer = await self._line.ask(self._url, {"model": _OPENAI_MODEL, "input": asked}, _Moderation)
        if len(answer.results) != len(asked) or not all(result.says_something for result in answer.results):
            raise _unreadable()
        return answer.results

    def _flags(self, index: int, result: "_Result") -> Iterator[Flag]:
        hits = result.hits
        for category in [*result.category_scores, *sorted(hits - set(result.category_scores))]:
            score = result.score(category)
            if severity := self._severity(score, hit=category in hits):
                yield Flag(index, category, score, severity)

    def _severity(self, score: float, *, hit: bool) -> Severity | None:
        if hit or score >= self._bounds.block:
            return "block"
        return "warn" if score >= self._bounds.warn else None


class AzureContentSafety:
    """Azure AI Content Safety, by REST: `text:analyze` and `image:analyze` below `endpoint`.

    A severity above `bounds.block` blocks, one above `bounds.warn` warns. A text of more than the 10,000 code
    points that a call takes is cut into pieces that overlap a little; it has the worst severity of its pieces.
    https://learn.microsoft.com/azure/ai-services/content-safety/overview#input-requirements
    """

    def __init__(
        self, http: httpx2.AsyncClient, *, endpoint: str, key: SecretStr,
        bounds: Bounds = SEVERITIES, timeout: float = 60.0, at_once: int = 8,
    ) -> None:  # fmt: skip
        self._endpoint = endpoint
        self._bounds = bounds
        headers = {"Ocp-Apim-Subscription-Key": key.get_secret_value()}
        self._line = _Line(http, _AZURE, key, headers, timeout, asyncio.Semaphore(at_once))
        self.identity = f"{address(endpoint)} contentsafety {_AZURE_VERSION} {bounds.warn:g} {bounds.block:g}"

    async def texts(self, texts: Sequence[str]) -> list[Flag]:
        """See `Screen.texts`; one call for each, at most `at_once` of them side by side."""
        asked = [(index, piece) for index, text in _worth_asking(texts) for piece in pieces(text)]
        answers = await _side_by_side([self._severities("text", {"text": piece}) for _, piece in asked])
        worst: dict[tuple[int, str], int] = {}
        for (index, _), severities in zip(asked, answers, strict=True):
            for category, severity in severities.items():
                worst[index, category] = max(severity, worst.get((index, category), 0))
        return [
            flag for (index, category), severity in worst.items() for flag in self._flag(index, category, severity)
        ]

    async def picture(self, data: bytes, media_type: str) -> list[Flag]:  # noqa: ARG002 - Azure looks for itself
        """See `Screen.picture`; at most 4 MB, and 50 to 7,200 pixels a side."""
        await asyncio.to_thread(_refuse_for_azure, data)
        found = await self._severities("image", {"image": {"content": base64.b64encode(data).decode()}})
        return [flag for category, severity in found.items() for flag in self._flag(0, category, severity)]

    async def _severities(self, kind: str, body: Mapping[str, object]) -> dict[str, int]:
        """By category; all four of them, or it is no answer."""
        url = _below(self._endpoint, f"contentsafety/{kind}:analyze").copy_set_param("api-version", _AZURE_VERSION)
        asked = {**body, "categories": list(_AZURE_CATEGORIES), "outputType": "FourSeverityLevels"}
        answer = await self._line.ask(url, asked, _Analysis)
        found = {one.category: one.severity for one in answer.categoriesAnalysis}
        if not found.keys() >= _AZURE_CATEGORIES.keys():
            raise _unreadable()
        return found

    def _flag(self, index: int, category: str, severity: int) -> Iterator[Flag]:
        name = _AZURE_CATEGORIES.get(category, category.lower())
        if severity > self._bounds.block:
            yield Flag(index, name, _share(severity), "block")
        elif severity > self._bounds.warn:
            yield Flag(index, name, _share(severity), "warn")


def address(url: str) -> str:
    """Where a server is: `url` without whatever may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or ''}{parts.path.rstrip('/')}"


def pieces(text: str, *, longest: int = 10_000, overlap: int = 200) -> Iterator[str]:
    """`text` in pieces of at most `longest` code points, cut at white space where there is any.

    Each piece begins some `overlap` code points before the end of the one before it, so that no cut parts words
    that are bad only together.
    """
    start = 0
    while len(text) - start > longest:
        end = _cut(text, start + longest // 2, start + longest)
        yield text[start:end]
        start = _cut(text, end - 2 * overlap, end - overlap)
    yield text[start:]


def _cut(text: str, first: int, last: int) -> int:
    """Where the last white space in text[first:last] ends; `last` where there is none."""
    return next((at for at in range(last, first, -1) if text[at - 1].isspace()), last)


@dataclass(frozen=True)
class _Service:
    """How messages speak of a server: the settings to check, and what it means when nothing is there."""

    key: str
    address: str
    missing: str


@dataclass(frozen=True)
class _Line:
    """The way to one server: a JSON object there, another one back, and every failure an error of ours."""

    http: httpx2.AsyncClient
    service: _Service
    key: SecretStr | None
    headers: Mapping[str, str]
    timeout: float
    """Seconds that one call may take, to its last byte; waiting for one's turn is not counted."""
    turns: asyncio.Semaphore

    async def ask(self, url: httpx2.URL, body: Mapping[str, object], form: type[B]) -> B:
        response = await self._sent(url, json.dumps(body).encode())
        if not response.is_success:
            raise self._refusal(response)
        try:
            return form.model_validate_json(response.content)
        except ValidationError as error:
            raise _unreadable() from error

    async def _sent(self, url: httpx2.URL, body: bytes) -> httpx2.Response:
        headers = {**self.headers, "Content-Type": "application/json"}
        try:
            async with self.turns, asyncio.timeout(self.timeout):
                return await self.http.post(url, content=body, headers=headers)
        except (UnicodeError, httpx2.LocalProtocolError):
            # The cause quotes the header with the key in it.
            raise ModelRejected(f"The moderation server's key cannot be sent; check {self.service.key}.") from None
        except (TimeoutError, httpx2.TimeoutException) as error:
            says = "The moderation server did not answer in time; retry when it is faster."
            raise ModelUnavailable(says) from error
        except httpx2.HTTPError as error:
            says = f"The moderation server cannot be reached; check {self.service.address} and the network."
            raise ModelUnavailable(says) from error

    def _refusal(self, response: httpx2.Response) -> ModelError:
        if response.status_code in _MISSING:
            return ModelRejected(self.service.missing)
        secret = self.key.get_secret_value().encode() if self.key else b""
        body = response.content.replace(secret, b"***") if secret else response.content
        return Complaint.read(response.status_code, body, response.headers).explained(
            "moderation", key=self.service.key
        )


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class _Result(_Told):
    """What OpenAI sees in one text or picture; a category that a model does not know may be null."""

    flagged: bool
    categories: dict[str, bool | None]
    category_scores: dict[str, Annotated[float, Field(allow_inf_nan=False)] | None]

    @property
    def says_something(self) -> bool:
        """Whether anything was looked for: no score and no flag is no answer."""
        return self.flagged or any(score is not None for score in self.category_scores.values())

    @property
    def hits(self) -> set[str]:
        """The categories that are flagged; where none is and the whole is, the likeliest one."""
        hits = {category for category, hit in self.categories.items() if hit}
        if self.flagged and not hits:
            return {max(self.category_scores, key=self.score, default="unnamed")}
        return hits

    def score(self, category: str) -> float:
        """From 0 to 1; a category that is flagged without a score is taken to be certain."""
        score = self.category_scores.get(category)
        if score is None:
            return 1.0 if self.categories.get(category) or category not in self.category_scores else 0.0
        return min(max(score, 0.0), 1.0)


class _Moderation(_Told):
    results: list[_Result]


class _Severity(_Told):
    category: str
    severity: int = Field(ge=0, le=7)


class _Analysis(_Told):
    categoriesAnalysis: list[_Severity]  # noqa: N815 - as Azure names it


async def _side_by_side(calls: Sequence[Coroutine[Any, Any, R]]) -> list[R]:
    """The results of `calls` in their order; the first failure ends the others."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _worth_asking(texts: Sequence[str]) -> list[tuple[int, str]]:
    """The texts that are not blank, which endpoints refuse, each with its place."""
    return [(index, text) for index, text in enumerate(texts) if text.strip()]


def _below(url: str, path: str) -> httpx2.URL:
    whole = httpx2.URL(url)
    return whole.copy_with(path=f"{whole.path.rstrip('/')}/{path}")


def _share(severity: int) -> float:
    return min(severity / _WORST, 1.0)


def _unreadable() -> ModelGarbled:
    return ModelGarbled("The moderation server's answer could not be read.")


def _refuse_size(size: int, most: int) -> None:
    if size > most:
        raise ModelRejected(
            f"The picture has {size:,} bytes and the moderation endpoint takes {most:,}; screen a smaller one."
        )


def _refuse_for_azure(data: bytes) -> None:
    _refuse_size(len(data), _AZURE_BYTES)
    try:
        seen = inspect(data, max_pixels=_AZURE_SIDES[1] ** 2, any_shape=True)
    except UnusablePicture as error:
        raise ModelRejected(str(error)) from error
    least, most = _AZURE_SIDES
    if min(seen.width, seen.height) < least or max(seen.width, seen.height) > most:
        raise ModelRejected(
            f"The picture is {seen.width:,} × {seen.height:,} pixels and the moderation endpoint takes {least} to "
            f"{most:,} a side; screen another size."
        )


_MISSING = (404, 405, 501)
_OPENAI_MODEL = "omni-moderation-latest"
_OPENAI_BYTES = 20_000_000
_OPENAI = _Service(
    key="OPENAI_API_KEY",
    address="OPENAI_BASE_URL",
    missing="The model server moderates nothing; set FANFARE_SCREEN=azure or FANFARE_SCREEN=none.",
)
_AZURE_VERSION = "2024-09-01"
_AZURE_BYTES = 4 * 1024 * 1024
_AZURE_SIDES = (50, 7200)
_AZURE_CATEGORIES = {"Hate": "hate", "SelfHarm": "self-harm", "Sexual": "sexual", "Violence": "violence"}
_AZURE = _Service(
    key="FANFARE_AZURE_CONTENT_SAFETY_KEY",
    address="FANFARE_AZURE_CONTENT_SAFETY_ENDPOINT",
    missing="No Content Safety answers there; check FANFARE_AZURE_CONTENT_SAFETY_ENDPOINT.",
)
_WORST = 6
