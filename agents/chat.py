"""A `Model` behind any OpenAI-compatible server, through ChatOpenAI: one attempt a call.

The only file that knows a provider's SDK.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

import httpx2
import openai
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ensure_config, merge_configs
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr

from agents.complaints import Complaint
from agents.model import (
    Answer,
    Check,
    Flag,
    ModelError,
    ModelGarbled,
    ModelRejected,
    ModelUnavailable,
    T,
)
from agents.prompts import Rendered
from agents.replies import completion, garbled, object_of, said_by, usage_of
from agents.screens import OpenAIScreen, Screen, address
from agents.ways import WAYS, Ladder, Way, in_words, parameters, unknown

OPENAI = "https://api.openai.com/v1"
_ODD = (TimeoutError, ValueError, LookupError, AttributeError, TypeError, RecursionError)
"""What the SDKs raise beside their own errors, at answers of a shape that they do not expect."""


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible server, and how it is asked."""

    model: str
    base_url: str = OPENAI
    key: SecretStr | None = None
    agent_models: Mapping[str, str] = field(default_factory=dict[str, str])
    """Other models than `model`, by agent."""
    timeout: float = 60.0
    """Seconds that one call may take, to its last byte; waiting for one's turn is not counted."""
    concurrency: int = 1000
    """Calls in flight at once."""
    max_output_tokens: int | None = None

    @property
    def secret(self) -> str:
        """The key as it is sent; servers that want none are sent a word."""
        return self.key.get_secret_value() if self.key else "none"

    def model_of(self, agent: str) -> str:
        """The name of the model that `agent` is given."""
        return self.agent_models.get(agent, self.model)


@contextlib.asynccontextmanager
async def open_chat(
    endpoint: Endpoint, *, screen: Screen | None = None, transport: httpx2.AsyncBaseTransport | None = None
) -> AsyncGenerator["ChatModel"]:
    """The models at `endpoint`, over connections that are kept; by `transport` where there is no network.

    Without a `screen` the moderation endpoint of the same server is asked.
    """
    limits = httpx2.Limits(max_connections=endpoint.concurrency, max_keepalive_connections=endpoint.concurrency)
    async with httpx2.AsyncClient(transport=transport, limits=limits, timeout=endpoint.timeout) as http:
        yield ChatModel(endpoint, http, screen or own_screen(endpoint, http))


def own_screen(endpoint: Endpoint, http: httpx2.AsyncClient) -> Screen:
    """The moderation endpoint of the model's own server."""
    return OpenAIScreen(
        http, base_url=endpoint.base_url, key=endpoint.key, timeout=endpoint.timeout, at_once=endpoint.concurrency
    )


class ChatModel:
    """A `Model` behind an OpenAI-compatible server; what it screens with may stand elsewhere.

    A runnable is built once for each agent, output type and way of asking, because building one costs more
    than calling it. The way is found out once for each model, by what the server refuses.
    """

    def __init__(self, endpoint: Endpoint, http: httpx2.AsyncClient, screen: Screen) -> None:
        self._endpoint = endpoint
        self._http = http
        self._screen = screen
        self._turns = asyncio.Semaphore(endpoint.concurrency)
        self._ladders: defaultdict[str, Ladder] = defaultdict(Ladder)
        self._runnables: dict[tuple[str, type[BaseModel], Way], Runnable[Any, AIMessage]] = {}

    async def answer(
        self, agent: str, prompt: Rendered, output: type[T], *, check: Check[T] | None = None
    ) -> Answer[T]:
        """See `Model.answer`; one attempt. Every text in the answer is clean, see `agents.hygiene`."""
        raw, way = await self._asked(agent, prompt, output)
        usage = usage_of(raw)
        try:
            parsed = object_of(raw, output)
            self._ladder(agent).worked(way)
            if check and (wrong := check(parsed)):
                raise garbled(wrong, said=said_by(raw))
        except ModelError as error:
            error.usage = usage
            raise
        return Answer(parsed, usage, prompt.fingerprint)

    async def screen(self, texts: Sequence[str]) -> list[Flag]:
        """See `Model.screen`."""
        return await self._screen.texts(texts)

    async def screen_picture(self, data: bytes, media_type: str) -> list[Flag]:
        """See `Model.screen_picture`."""
        return await self._screen.picture(data, media_type)

    def identity(self, agent: str) -> str:
        """All that an answer depends on beside prompt and output; `screen` stands for the moderation endpoint."""
        if agent == "screen":
            return self._screen.identity
        endpoint = self._endpoint
        return f"{address(endpoint.base_url)} {endpoint.model_of(agent)} {endpoint.max_output_tokens}"

    async def _asked(self, agent: str, prompt: Rendered, output: type[BaseModel]) -> tuple[AIMessage, Way]:
        """What the server says, and the way in which it was asked: the first that it knows."""
        ladder = self._ladder(agent)
        tries = len(WAYS)
        while True:
            way = ladder.way
            tries -= 1
            try:
                return await self._told(agent, prompt, output, way), way
            except (ModelRejected, ModelUnavailable) as error:
                if not (tries and _is_unknown(way, error) and ladder.refused(way)):
                    if isinstance(error, ModelRejected):
                        ladder.failed()
                    raise

    def _ladder(self, agent: str) -> Ladder:
        return self._ladders[self._endpoint.model_of(agent)]

    async def _told(self, agent: str, prompt: Rendered, output: type[BaseModel], way: Way) -> AIMessage:
        name, schema, _ = _form(output)
        messages = in_words(way, prompt.messages, name, schema)
        async with self._turn():
            return await self._runnable(agent, output, way).ainvoke(messages, _traced(agent, prompt))

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None]:
        """One of the calls that may be in flight, for as long as a call may take; the SDK's errors become ours."""
        try:
            async with self._turns, asyncio.timeout(self._endpoint.timeout):
                yield
        except ModelError:
            raise
        except (openai.OpenAIError, *_ODD) as error:
            raise explain(error) from error

    def _runnable(self, agent: str, output: type[BaseModel], way: Way) -> Runnable[Any, AIMessage]:
        key = (agent, output, way)
        if key not in self._runnables:
            name, schema, description = _form(output)
            traced = {"kwargs": {"method": way}, "schema": schema}
            asked = parameters(way, name, schema, description)
            self._runnables[key] = self._chat(agent).bind(ls_structured_output_format=traced, **asked)
        return self._runnables[key]

    def _chat(self, agent: str) -> ChatOpenAI:
        endpoint = self._endpoint
        return _Chat(
            model=endpoint.model_of(agent), api_key=lambda: endpoint.secret, base_url=endpoint.base_url,
            http_async_client=self._http, max_retries=0, name=agent, timeout=endpoint.timeout,
            max_completion_tokens=endpoint.max_output_tokens, openai_proxy=None,
            # Compatible servers know chat completions; LangChain would choose by the model's name.
            use_responses_api=False, disable_streaming=True,
        )  # fmt: skip


class _Chat(ChatOpenAI):
    """ChatOpenAI that takes an answer as it came: the SDK's parsing hides what a failed answer has cost."""

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - the contract
        **kwargs: Any,
    ) -> ChatResult:
        payload = cast("dict[str, Any]", self._get_request_payload(messages, stop=stop, **kwargs))
        payload.pop("stream", None)
        response = await self.async_client.with_raw_response.create(**payload)
        told = completion(response.http_response.content, model=self.model_name, asked=messages)
        result = self._create_chat_result(told)
        if refusal := told["choices"][0]["message"]["refusal"]:
            result.generations[0].message.additional_kwargs["refusal"] = refusal
        return result


def explain(error: Exception) -> ModelError:
    """`error` of an SDK as one of ours, in a sentence that a person can act on."""
    match error:
        case openai.APIStatusError():
            return _complaint(error).explained()
        case openai.APITimeoutError() | TimeoutError():
            return ModelUnavailable("The model server did not answer in time; retry when it is faster.")
        case openai.APIConnectionError():
            return ModelUnavailable("The model server cannot be reached; check OPENAI_BASE_URL and the network.")
        case _:
            return ModelGarbled(f"The model server's answer could not be read ({type(error).__name__}).")


def _complaint(error: openai.APIStatusError) -> Complaint:
    return Complaint.read(error.status_code, error.response.content, error.response.headers)


def _is_unknown(way: Way, error: ModelError) -> bool:
    """Whether the server refused `way` and not the call."""
    cause = error.__cause__
    return isinstance(cause, openai.APIStatusError) and unknown(way, cause.status_code, _complaint(cause).says)


@cache
def _form(output: type[BaseModel]) -> tuple[str, dict[str, Any], str]:
    """The name of `output`, its schema in OpenAI's strict dialect, and what it is."""
    schema = cast("dict[str, Any]", openai.pydantic_function_tool(output)["function"].get("parameters", {}))
    return output.__name__, schema, schema.get("description", "")


def _traced(agent: str, prompt: Rendered) -> RunnableConfig:
    told = {"run_name": agent, "tags": [f"agent:{agent}"], "metadata": {"prompt": prompt.fingerprint}}
    return merge_configs(ensure_config(), cast("RunnableConfig", told))
