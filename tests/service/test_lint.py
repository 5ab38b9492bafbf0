"""The rules without a campaign: what is found, how long texts are, what is refused, and that nothing is kept."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx2

from tests.running import AURORA, Service
from tools.placements import PLACEMENTS

PRODUCT = AURORA["product"]
GOOD = {"placement": "x_post", "texts": {"body": ["Aurora: 40 h of quiet."]}, "hashtags": ["#Aurora"]}


async def lint(service: Service, asked: dict[str, Any] | None = None, **changes: Any) -> httpx2.Response:
    return await service.http.post("/v1/lint", json={**GOOD, **(asked or {}), **changes})


async def test_good_texts_pass_and_are_measured(service: Service) -> None:
    answer = await lint(service, product=PRODUCT)
    assert answer.status_code == 200, answer.text
    measure = {"length": 22, "rule": "x_weighted_v3", "soft": None, "hard": 280}
    assert answer.json() == {"findings": [], "measures": {"body": [measure]}, "decision": "pass"}


async def test_a_finding_says_what_where_and_who_says_so(service: Service) -> None:
    answer = (await lint(service, texts={"body": ["Aurora!! 40 h."]}, product=PRODUCT)).json()
    (found,) = [one for one in answer["findings"] if one["rule"] == "repeated-punctuation"]
    assert (found["severity"], answer["decision"]) == ("warn", "pass")
    assert (found["placement"], found["field"], found["index"]) == ("x_post", "body", 0)
    assert (found["span"], found["quote"], found["suggestion"]) == ([6, 8], "!!", "!")
    assert found["source"].startswith("https://")


async def test_a_text_over_its_limit_blocks_until_the_suggestion_is_taken(service: Service) -> None:
    answer = (await lint(service, texts={"body": ["日本語の静けさ。" * 20]}, language="ja")).json()
    assert answer["decision"] == "block"
    assert answer["measures"]["body"][0]["length"] == 320
    (found,) = [one for one in answer["findings"] if one["rule"] == "over-hard-limit"]
    mended = (await lint(service, texts={"body": [found["suggestion"]]}, language="ja")).json()
    assert mended["measures"]["body"][0]["length"] <= 280
    assert "over-hard-limit" not in {one["rule"] for one in mended["findings"]}


async def test_what_a_placement_lacks_or_still_needs_is_found(service: Service) -> None:
    answer = (await lint(service, placement="google_rsa", texts={"headline": ["Quiet"], "body": ["x"]})).json()
    found = {(one["rule"], one["field"]) for one in answer["findings"]}
    assert {("unknown-slot", "body"), ("too-few-texts", "headline"), ("too-few-texts", "description")} <= found
    assert list(answer["measures"]) == ["headline"]
    assert answer["decision"] == "block"


async def test_a_product_is_what_claims_rest_on(service: Service) -> None:
    claimed = {"body": ["Aurora plays for 90 h."]}
    without = (await lint(service, texts=claimed)).json()
    beside = (await lint(service, texts=claimed, product=PRODUCT)).json()
    assert without["decision"] == "pass"
    assert [one["severity"] for one in beside["findings"] if "90" in one["quote"]] == ["block"]
    assert beside["decision"] == "block"


async def test_every_placement_can_be_asked_for(service: Service) -> None:
    for placement, known in PLACEMENTS.items():
        texts = {slot.name: ["Quiet days", "Light bags", "Warm ears"][: slot.wanted] for slot in known.slots}
        answer = await lint(service, placement=placement, texts=texts, hashtags=[])
        assert answer.status_code == 200, answer.text
        assert answer.json()["decision"] == "pass", answer.text
        assert answer.json()["measures"].keys() == texts.keys()


WRONG: dict[str, tuple[dict[str, Any], str, list[Any]]] = {
    "unknown placement": ({"placement": "x_pots"}, "x_post", ["placement"]),
    "unknown language": ({"language": "klingon"}, "klingon", ["language"]),
    "unknown field": ({"colour": "red"}, "colour", ["colour"]),
    "a text that is no list": ({"texts": {"body": "one"}}, "list", ["texts", "body"]),
    "a number for a text": ({"texts": {"body": [7]}}, "string", ["texts", "body", 0]),
    "a text too long": ({"texts": {"body": ["x" * 10_001]}}, "10000", ["texts", "body", 0]),
    "too many texts": ({"texts": {"body": ["x"] * 51}}, "50", ["texts", "body"]),
    "too many fields": ({"texts": {f"f{n}": [] for n in range(41)}}, "40", ["texts"]),
    "too much in all": ({"texts": {"body": ["x" * 10_000] * 2 + ["x"]}}, "20,000", []),
    "too many hashtags": ({"hashtags": ["#a"] * 101}, "100", ["hashtags"]),
    "a product of two features": ({"product": {**PRODUCT, "features": ["a", "b"]}}, "3", ["product", "features"]),
}


async def test_a_wrong_request_is_a_problem_that_names_the_place(service: Service) -> None:
    for name, (changes, says, loc) in WRONG.items():
        answer = await lint(service, changes)
        assert answer.status_code == 422, name
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert says in problem["detail"], name
        assert not problem["detail"].endswith("..")
        assert loc in [error["loc"] for error in problem["errors"]], name


async def test_what_is_no_text_is_refused(service: Service) -> None:
    for texts in ('{"body": ["\\ud800"]}', '{"\\ud800": ["x"]}', '{"body": [', "null"):
        body = f'{{"placement": "x_post", "texts": {texts}}}'
        headers = {"content-type": "application/json"}
        answer = await service.http.post("/v1/lint", content=body, headers=headers)
        assert answer.status_code == 422, answer.text


async def test_long_texts_hold_up_nobody_else(service: Service) -> None:
    slow = asyncio.create_task(lint(service, texts={"body": ["quiet day " * 1000] * 2}))
    await asyncio.sleep(0.05)
    waits: list[float] = []
    while not slow.done():
        began = time.monotonic()
        await service.http.get("/healthz")
        waits.append(time.monotonic() - began)
    assert (await slow).status_code == 200
    assert waits
    assert max(waits) < 1


async def test_nothing_is_kept(service: Service, data_dir: Path) -> None:
    await lint(service)
    assert service.fanfare is not None
    assert await service.fanfare.redis.dbsize() == 0
    assert (await service.get("/v1/campaigns"))["items"] == []
    assert not [path for path in (data_dir / "assets").rglob("*") if path.is_file()]


async def test_the_schema_has_an_example_that_works(service: Service) -> None:
    schema = (await service.http.get("/openapi.json")).json()
    (example,) = schema["components"]["schemas"]["LintRequest"]["examples"]
    answer = await service.http.post("/v1/lint", json=example)
    assert answer.status_code == 200, answer.text
    assert answer.json()["findings"], json.dumps(answer.json())
    assert "422" in schema["paths"]["/v1/lint"]["post"]["responses"]
