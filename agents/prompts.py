"""Prompts: Markdown beside the agent, rendered per call, with data fenced off from instructions.

A prompt file has two parts, divided by a line of three dashes. The upper part is the system
message and never changes, so that providers can cache it. The lower part names the data of
the call as `{{ name }}`; each is rendered as JSON between `<data name="…">` fences, in which
no `<` survives, so that nothing inside can close its fence.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

_PLACEHOLDER = re.compile(r"\{\{ (\w+) \}\}")
_CORRECTION = "That answer cannot be used: {} Answer again, whole, in the form that was asked for."
_DATA = re.compile(r'<data name="(\w+)">\n(.*?)\n</data>', re.DOTALL)


class PromptError(ValueError):
    """A prompt was rendered with other data than its file names."""


@dataclass(frozen=True)
class Rendered:
    """The messages of one call, and the fingerprint of the prompt that made them."""

    messages: list[BaseMessage]
    fingerprint: str

    def corrected(self, said: str, wrong: str) -> "Rendered":
        """The same call, followed by what the model answered to it and what is wrong with that."""
        return Rendered(
            [*self.messages, AIMessage(said), HumanMessage(_CORRECTION.format(wrong))], self.fingerprint
        )


@dataclass(frozen=True)
class Prompt:
    """A prompt file: what the model is told, and which data it is given."""

    name: str
    instructions: str
    template: str
    fingerprint: str

    @classmethod
    def load(cls, name: str) -> "Prompt":
        """The prompt in `agents/{name}.md`."""
        text = files("agents").joinpath(f"{name}.md").read_text(encoding="utf-8")
        instructions, divider, template = text.partition("\n---\n")
        if not divider:
            raise PromptError(f"agents/{name}.md has no line of three dashes between prompt and data.")
        fingerprint = f"{name}@{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        return cls(name, instructions.strip(), template.strip(), fingerprint)

    def render(self, data: Mapping[str, object], *, picture: str | None = None) -> Rendered:
        """The messages for `data`, with `picture` (a data URL) after the text when there is one."""
        named = set(_PLACEHOLDER.findall(self.template))
        if named != set(data):
            raise PromptError(f"{self.name}.md names {sorted(named)}, but was given {sorted(data)}.")
        text = _PLACEHOLDER.sub(lambda found: _fence(found[1], data[found[1]]), self.template)
        content: list[str | dict[str, object]] = [{"type": "text", "text": text}]
        if picture is not None:
            content.append({"type": "image_url", "image_url": {"url": picture}})
        human = HumanMessage(content if picture else text)
        return Rendered([SystemMessage(self.instructions), human], self.fingerprint)


def fenced_data(text: str) -> dict[str, object]:
    """The data that a rendered message carries, by name."""
    return {name: json.loads(block) for name, block in _DATA.findall(text)}


def _fence(name: str, value: object) -> str:
    body = json.dumps(value, ensure_ascii=False, indent=1).replace("<", "\\u003c")
    return f'<data name="{name}">\n{body}\n</data>'
