"""What a model server's refusal means, read from its status, its body and its headers, in any provider's words."""

import email.utils
import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from agents.hygiene import clean
from agents.model import ModelBusy, ModelError, ModelQuotaSpent, ModelRefused, ModelRejected, ModelUnavailable

LONGEST_QUOTE = 300
"""So much of what a server or a model says gets into our own messages."""

# OpenAI, OpenRouter, DeepSeek, LiteLLM, DashScope and others.
_QUOTA = re.compile(
    r"insufficient_quota|billing_hard_limit|billing_not_active|budget_exceeded|exceeded_current_quota|arrearage",
    re.IGNORECASE,
)
_QUOTA_WORDS = re.compile(
    r"exceeded your current quota|insufficient (balance|credit)|credit balance is too low|out of credits?"
    r"|(over|crossed|exceeded) budget|budget has been exceeded|out of call volume quota",
    re.IGNORECASE,
)
# Azure and what passes its words on, OpenAI's reasoning models, OpenRouter, DashScope.
_FILTERED = re.compile(
    r"content_filter|content_policy|contentpolicy|content management policy|responsibleai|usage polic"
    r"|(input|prompt|content) (was|is|has been) flagged|data_?inspection_?failed",
    re.IGNORECASE,
)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_WAIT = 86_400.0


@dataclass(frozen=True)
class Complaint:
    """A refusal, as far as it can be read."""

    status: int
    says: str
    """Message, code, type and parameter, one after the other."""
    message: str
    """The sentence for a person; empty when there is none."""
    wait: float | None = None
    """Seconds to wait, if the server says so."""

    @classmethod
    def read(cls, status: int, body: bytes, headers: Mapping[str, str]) -> "Complaint":
        """The complaint in a response; anything may be in its body."""
        told = list(_strings(_json(body)))
        message = next((text for key, text in told if key in ("message", "msg", "detail", "error")), "")
        says = " ".join(text for key, text in told if key != "input")
        return cls(status, says[:4000], quoted(message), wait(headers))

    @classmethod
    def within(cls, error: object) -> "Complaint":
        """The complaint that some gateways send with status 200, with the status inside."""
        code = str(cast("dict[str, object]", error).get("code")) if isinstance(error, dict) else ""
        status = int(code) if re.fullmatch(r"[45]\d\d", code) else 502
        return cls.read(status, json.dumps({"error": error}).encode(), {})

    def explained(self, server: str = "model", *, key: str = "OPENAI_API_KEY") -> ModelError:
        """As one of our errors, in a sentence that a person can act on; `key` is the setting that holds it."""
        if self._means_quota:
            return ModelQuotaSpent(
                f"The {server} account's quota is used up; add credit, then retry the campaign."
            )
        if self.status in (400, 403, 422, 451) and _FILTERED.search(self.says):
            return ModelRefused("The provider's content filter refused our call; a person must look at the texts.")
        match self.status:
            case 402 | 429:
                return ModelBusy(
                    f"The {server} server is rate-limiting us; retry in a minute.", retry_after=self.wait
                )
            case 401 | 403:
                return ModelRejected(f"The {server} server refused our key; check {key}.")
            case 408 | 409 | 425:
                return ModelUnavailable(f"The {server} server gave up with status {self.status}; retry later.")
            case status if status >= 500 and status != 501:  # noqa: PLR2004 - 501 is Not Implemented
                return ModelUnavailable(f"The {server} server failed with status {status}; retry later.")
            case 404:
                return ModelRejected(self._told(f"The {server} server does not know the model or the address"))
            case _:
                return ModelRejected(self._told(f"The {server} server does not accept our call"))

    @property
    def _means_quota(self) -> bool:
        """A server that says how long to wait has credit left, whatever its words."""
        if self.status not in (400, 402, 403, 429):
            return False
        return bool(_QUOTA.search(self.says)) or (
            self.wait is None and (self.status == 402 or bool(_QUOTA_WORDS.search(self.says)))  # noqa: PLR2004
        )

    def _told(self, what: str) -> str:
        return f"{what}: {self.message or f'status {self.status}'}".rstrip(". ") + "."


def quoted(text: str) -> str:
    """`text` on one line, clean, and as much of it as a message of ours may hold."""
    line = " ".join(clean(text).split())
    return line if len(line) <= LONGEST_QUOTE else line[: LONGEST_QUOTE - 1].rsplit(" ", 1)[0] + "…"


def wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait, by whichever header it uses; at most a day."""
    told = {name.lower(): value.strip() for name, value in headers.items()}
    waits = [_seconds(told.get("retry-after-ms", "") + "ms"), _retry_after(told.get("retry-after", ""))]
    found = next((seconds for seconds in waits if seconds is not None), _until_reset(told))
    return found if found is None else min(max(found, 0.0), _LONGEST_WAIT)


def _retry_after(value: str) -> float | None:
    if (seconds := _seconds(value)) is not None:
        return seconds
    try:
        return email.utils.parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None


def _until_reset(told: Mapping[str, str]) -> float | None:
    """By OpenAI's own headers: the limit that is used up, or the longer wait of both."""
    kinds = [kind for kind in ("requests", "tokens") if _seconds(told.get(f"x-ratelimit-reset-{kind}", ""))]
    spent = [kind for kind in kinds if told.get(f"x-ratelimit-remaining-{kind}") == "0"]
    waits = [_seconds(told[f"x-ratelimit-reset-{kind}"]) or 0.0 for kind in spent or kinds]
    return max(waits, default=None)


def _seconds(value: str) -> float | None:
    """`20`, `1.5`, `20ms` or `6m0s` in seconds."""
    try:
        seconds = float(value)
    except ValueError:
        parts = _PART.findall(value)
        whole = parts and "".join(map("".join, parts)) == value
        return sum(float(number) * _SECONDS[unit] for number, unit in parts) if whole else None
    return seconds if math.isfinite(seconds) else None


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _strings(value: object, key: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every text in `value` that is not too deep, with the key it stands under."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict) and depth < 6:  # noqa: PLR2004
        for name, item in cast("dict[str, object]", value).items():
            yield from _strings(item, name, depth + 1)
    elif isinstance(value, list) and depth < 6:  # noqa: PLR2004
        for item in cast("list[object]", value):
            yield from _strings(item, key, depth + 1)
