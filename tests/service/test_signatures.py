"""Signatures, as the reference implementation and the example in the documentation check them."""

import base64
import re
import time
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from service.announcements import EventType
from service.deliveries import Room, seconds_of
from service.signatures import new_secret, signed
from service.webhooks import MOST_WEBHOOKS
from tests.running import ROOT

PAGE = (ROOT / "docs/webhooks.md").read_text(encoding="utf-8")


def example() -> Any:
    """The function that the documentation shows."""
    namespace: dict[str, Any] = {}
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    exec(code, namespace)  # noqa: S102 - our own documentation
    return namespace["is_ours"]


@given(body=st.text().map(str.encode), others=st.integers(0, 3))
def test_whoever_holds_one_of_the_secrets_can_tell(body: bytes, others: int) -> None:
    secret, is_ours = new_secret(), example()
    keys = [*(new_secret() for _ in range(others)), secret]
    headers = signed(body, event_id="an-id", timestamp=int(time.time()), keys=keys)
    Webhook(secret).verify(body, headers, json_parse=False)
    assert is_ours(secret, headers, body)
    assert not is_ours(secret, headers, body + b" ")
    assert not is_ours(secret, headers | {"webhook-id": "another"}, body)
    assert not is_ours(new_secret(), headers, body)
    late = signed(body, event_id="an-id", timestamp=int(time.time()) - 600, keys=keys)
    assert not is_ours(secret, late, body)


def test_a_secret_has_the_strength_that_the_standard_asks_for() -> None:
    secret = new_secret()
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64
    assert new_secret() != secret


def test_the_documentation_names_every_event() -> None:
    table = PAGE.split("| `type` | when |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(campaign\.[a-z.]+)`", table)) == set(get_args(EventType))


def test_the_documentation_s_numbers_are_true() -> None:
    room = Room()
    assert f"a process makes {room.to_host} deliveries at once, for one tenant {room.of_tenant}" in PAGE
    assert f"and in all {room.most}," in PAGE
    assert f"There may be {MOST_WEBHOOKS};" in PAGE


@given(st.text())
def test_a_receiver_may_ask_for_anything(text: str) -> None:
    assert (seconds_of(text) or 0) >= 0
