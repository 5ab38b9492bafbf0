"""What a model server answered, read without trust: first the completion, then the object that was asked for."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from langchain_core.messages import AIMessage, BaseMessage
from pydantic import ValidationError

from agents import tokens
from agents.complaints import LONGEST_QUOTE, Complaint, quoted
from agents.hygiene import LONGEST_ANSWER, TooLong, clean, cleaned
from agents.model import ModelError, ModelGarbled, ModelRefused, T, Usage
from agents.ways import found

JSON = Mapping[str, Any]

_CUT = ("length", "max_tokens", "model_length")
_FILTERED = ("content_filter", "safety", "refusal")


def completion(body: bytes, *, model: str, asked: Sequence[BaseMessage]) -> dict[str, Any]:
    """The completion in `body` as OpenAI would have sent it, with plausible usage; `model` is who was asked.

    Raises `ModelGarbled` for what is none, or holds nothing, and what a gateway's complaint in it means.
    """
    told = _read(body)
    choice = _object(_first(told.get("choices")))
    if error := told.get("error") or choice.get("error"):
        raise Complaint.within(error).explained()
    message = _message(_object(choice.get("message")))
    written = message["content"] + "".join(call["function"]["arguments"] for call in message["tool_calls"])
    name = _text(told.get("model")) or model
    usage = tokens.used(told.get("usage"), model=name, asked=asked, said=written)
    if not choice:
        raise ModelGarbled("The model answered with nothing in it.", usage=usage)
    one = {"message": message, "finish_reason": _text(choice.get("finish_reason")) or None}
    return {"id": _text(told.get("id")), "model": name, "choices": [one], "usage": tokens.as_wire(usage)}


def usage_of(raw: AIMessage) -> Usage:
    """What an answer used, by its completion."""
    told = raw.response_metadata["token_usage"]
    return Usage(
        model=raw.response_metadata["model_name"], input_tokens=told["prompt_tokens"],
        cached_tokens=told["prompt_tokens_details"]["cached_tokens"], output_tokens=told["completion_tokens"],
        reasoning_tokens=told["completion_tokens_details"]["reasoning_tokens"], estimated=told["estimated"],
    )  # fmt: skip


def object_of(raw: AIMessage, output: type[T]) -> T:
    """The object in an answer, its texts clean; raises `ModelRefused` and `ModelGarbled`."""
    finish = raw.response_metadata.get("finish_reason")
    if refusal := raw.additional_kwargs.get("refusal"):
        raise ModelRefused(_sentence(f"The model declined: {quoted(refusal)}"))
    if finish in _FILTERED:
        raise ModelRefused("The provider's content filter stopped the answer; a person must look at the texts.")
    text = _written(raw)
    if finish in _CUT:
        raise garbled("it was cut off at the length limit; be briefer.", said=text)
    if not text.strip():
        raise ModelGarbled("The model answered with nothing in it.")
    if len(text) > LONGEST_ANSWER:
        raise garbled(f"it is too long: {len(text)} characters, at most {LONGEST_ANSWER} are possible.")
    try:
        return output.model_validate(cleaned(found(text)))
    except TooLong as error:
        raise garbled(f"{error}.", said=text) from error
    except ValidationError as error:
        raise _broken(finish) or garbled(_faults(error), said=text) from error
    except (ValueError, RecursionError) as error:
        raise _broken(finish) or garbled("it is not JSON.", said=text) from error


def said_by(raw: AIMessage) -> str:
    """What the model wrote, fit to be shown to it again."""
    return clean(_written(raw))


def garbled(wrong: str, *, said: str | None = None) -> ModelGarbled:
    """The error for an answer in which `wrong`, a sentence, is wrong."""
    told = wrong if len(wrong) <= LONGEST_QUOTE else quoted(wrong)
    return ModelGarbled(f"The model's answer cannot be used: {told}", said=clean(said or "") or None, wrong=told)


def _broken(finish: str | None) -> ModelError | None:
    """The error for an answer that ends nowhere: there is nothing in it that the model could mend."""
    return None if finish else ModelGarbled("The model's answer broke off.")


def _faults(error: ValidationError) -> str:
    """The first faults, each with its field, as one sentence."""
    told = ""
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        field = ".".join(map(str, fault["loc"])) or "the answer"
        longer = f"{told}; {field}: {fault['msg']}" if told else f"{field}: {fault['msg']}"
        if len(longer) >= LONGEST_QUOTE:
            break
        told = longer
    return f"{told or 'it does not fit the schema'}."


def _read(body: bytes) -> JSON:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _no_completion() from error
    if not isinstance(told, dict):
        raise _no_completion()
    return cast("JSON", told)


def _no_completion() -> ModelGarbled:
    return ModelGarbled("The model server's answer could not be read; check OPENAI_BASE_URL.")


def _message(told: JSON) -> dict[str, Any]:
    """The message in `told`, without what no text can hold."""
    return {
        "role": "assistant",
        "content": _content(told.get("content")),
        "refusal": _text(told.get("refusal")) or None,
        "tool_calls": [_call(at, _object(call)) for at, call in enumerate(_list(told.get("tool_calls")))],
    }


def _call(at: int, told: JSON) -> dict[str, Any]:
    """One call of a tool; some servers send an object where OpenAI sends its JSON."""
    function = _object(told.get("function"))
    said = function.get("arguments")
    arguments = json.dumps(said) if isinstance(said, dict) else _text(said)
    return {
        "id": _text(told.get("id")) or f"call_{at}",
        "type": "function",
        "function": {"name": _text(function.get("name")), "arguments": arguments},
    }


def _content(told: object) -> str:
    """Mistral and some others send a list of parts."""
    parts = (_text(_object(part).get("text")) for part in _list(told))
    return _text(told) or "".join(parts)


def _written(raw: AIMessage) -> str:
    """The arguments of the first tool that was called, or else the text."""
    if raw.tool_calls:
        return json.dumps(raw.tool_calls[0]["args"], ensure_ascii=False)
    if raw.invalid_tool_calls:
        return raw.invalid_tool_calls[0]["args"] or ""
    return str(raw.text)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _text(value: object) -> str:
    return value.encode("utf-8", "ignore").decode() if isinstance(value, str) else ""


def _object(value: object) -> JSON:
    return cast("JSON", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _first(value: object) -> object:
    return next(iter(_list(value)), None)
