"""A `Model` behind any OpenAI-compatible server, through ChatOpenAI: one attempt a call."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import openai
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ensure_config, merge_configs
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models.base import OpenAIRefusalError
from pydantic import BaseModel

from agents.model import (
    Answer,
    Check,
    Flag,
    ModelBusy,
    ModelError,
    ModelGarbled,
    ModelQuotaSpent,
    ModelRefused,
    ModelRejected,
    ModelUnavailable,
    T,
    Usage,
)
from agents.prompts import Rendered


class ChatModel:
    """A `Model` behind an OpenAI-compatible server.

    `chat` makes the client for an agent's name; runnables with structured output are built
    once for each agent and output type, because building one costs more than calling it.
    """

    def __init__(
        self,
        chat: Callable[[str], ChatOpenAI],
        *,
        moderation: openai.AsyncOpenAI | None,
        moderation_model: str = "omni-moderation-latest",
    ) -> None:
        self._chat = chat
        self._moderation = moderation
        self._moderation_model = moderation_model
        self._runnables: dict[tuple[str, type[BaseModel]], Runnable[Any, Any]] = {}

    async def answer(
        self, agent: str, prompt: Rendered, output: type[T], *, check: Check[T] | None = None
    ) -> Answer[T]:
        """See `Model.answer`; one attempt."""
        try:
            result = await self._runnable(agent, output).ainvoke(prompt.messages, _traced(agent, prompt))
        except _CALL_ERRORS as error:
            raise explain(error) from error
        raw = cast("AIMessage", result["raw"])
        parsed = _parsed(result, output)
        if check and (wrong := check(parsed)):
            raise ModelGarbled(wrong, said=str(raw.content), wrong=wrong, usage=_usage(raw))
        return Answer(parsed, _usage(raw), prompt.fingerprint)

    async def screen(self, texts: Sequence[str]) -> list[Flag]:
        """See `Model.screen`; without a moderation client nothing is screened."""
        if self._moderation is None or not texts:
            return []
        try:
            answer = await self._moderation.moderations.create(model=self._moderation_model, input=list(texts))
        except openai.OpenAIError as error:
            raise explain(error) from error
        return [
            Flag(index, category, scores[category])
            for index, result in enumerate(answer.results)
            for scores in [result.category_scores.model_dump(by_alias=True)]
            for category, hit in result.categories.model_dump(by_alias=True).items()
            if hit
        ]

    def _runnable(self, agent: str, output: type[BaseModel]) -> Runnable[Any, Any]:
        key = (agent, output)
        if key not in self._runnables:
            chat = self._chat(agent)
            self._runnables[key] = chat.with_structured_output(output, method="json_schema", include_raw=True)
        return self._runnables[key]


_CALL_ERRORS = (
    openai.OpenAIError,
    OutputParserException,
    ValueError,  # pydantic's and json's
    LookupError,  # an answer without choices
    AttributeError,  # a page of HTML where an answer should be
    TypeError,
)


def _traced(agent: str, prompt: Rendered) -> RunnableConfig:
    told = {"run_name": agent, "tags": [f"agent:{agent}"], "metadata": {"prompt": prompt.fingerprint}}
    return merge_configs(ensure_config(), cast("RunnableConfig", told))


def _parsed(result: Mapping[str, Any], output: type[T]) -> T:
    if error := result.get("parsing_error"):
        raise explain(error) from error
    raw = cast("AIMessage", result["raw"])
    if refusal := raw.additional_kwargs.get("refusal"):
        raise ModelRefused(f"The model declined: {refusal}")
    if not isinstance(result["parsed"], output):
        raise ModelGarbled("The model answered with nothing in it.")
    return result["parsed"]


def _usage(raw: AIMessage) -> Usage:
    model = str(raw.response_metadata.get("model_name", "unknown"))
    used = raw.usage_metadata
    if used is None:
        return Usage(model=model)
    cached = used.get("input_token_details", {}).get("cache_read", 0)
    return Usage(
        model=model,
        input_tokens=max(0, used["input_tokens"]),
        cached_tokens=max(0, cached),
        output_tokens=max(0, used["output_tokens"]),
    )


def explain(error: Exception) -> ModelError:
    """`error` of an SDK as one of ours, in a sentence that a person can act on."""
    match error:
        case openai.RateLimitError() if error.code == "insufficient_quota":
            return ModelQuotaSpent("The model account's quota is used up; add credit, then retry the campaign.")
        case openai.RateLimitError():
            return ModelBusy("The model server is rate-limiting us; retry in a minute.")
        case openai.APITimeoutError():
            return ModelUnavailable("The model server did not answer in time; retry when it is faster.")
        case openai.APIConnectionError():
            return ModelUnavailable("The model server cannot be reached; check OPENAI_BASE_URL and the network.")
        case openai.InternalServerError():
            return ModelUnavailable(f"The model server failed with status {error.status_code}; retry later.")
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return ModelRejected("The model server refused our key; check OPENAI_API_KEY.")
        case OpenAIRefusalError():
            return ModelRefused(f"The model declined: {error}")
        case openai.LengthFinishReasonError():
            return ModelGarbled("The model's answer was cut off at its length limit.")
        case openai.ContentFilterFinishReasonError():
            return ModelRefused("The provider's content filter stopped the answer.")
        case openai.APIStatusError():
            return ModelRejected(f"The model server does not accept our call: {error.message}")
        case _:
            return ModelGarbled(f"The model's answer could not be read ({type(error).__name__}).")
