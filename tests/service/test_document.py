"""The OpenAPI document as those read it who call: what Schemathesis does not look at."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from service.api.keys import KeyRequest
from service.api.links import LinkRequest
from service.api.models import CampaignRequest, DecisionRequest, LintRequest
from service.api.webhooks import WebhookRequest
from tests.running import Service

TAKEN: tuple[type[BaseModel], ...] = (CampaignRequest, DecisionRequest, LintRequest, KeyRequest, LinkRequest)


@pytest.fixture
async def document(service: Service) -> dict[str, Any]:
    told: dict[str, Any] = await service.get("/openapi.json")
    return told


def calls(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            yield f"{method.upper()} {path}", call


async def test_every_refusal_is_a_problem(document: dict[str, Any]) -> None:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    for name, call in calls(document):
        for status, answer in call["responses"].items():
            if int(status) >= 400 and name != "GET /readyz":
                assert answer["content"] == problem, (name, status)
        if name.split()[1].startswith("/v1"):
            assert {"422", "429", "503"} - call["responses"].keys() <= {"422"}, name
    assert "422" not in document["webhooks"]["campaign"]["post"]["responses"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_every_call_has_a_name_and_a_tag_that_is_described(document: dict[str, Any]) -> None:
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    names = [call["operationId"] for _, call in calls(document)]
    assert len(set(names)) == len(names)
    for name, call in calls(document):
        assert call["description"], name
        assert set(call["tags"]) & described, name


async def test_every_link_leads_to_a_call_and_fills_its_parameters(document: dict[str, Any]) -> None:
    by_id = {call["operationId"]: call for _, call in calls(document)}
    answers = [answer for call in by_id.values() for answer in call["responses"].values()]
    links = [link for answer in answers for link in answer.get("links", {}).values()]
    assert links
    for link in links:
        taken = {one["name"] for one in by_id[link["operationId"]]["parameters"] if one["in"] == "path"}
        assert set(link["parameters"]) == taken, link


@pytest.mark.parametrize("model", TAKEN, ids=lambda model: model.__name__)
def test_an_example_is_taken_as_it_stands(model: type[BaseModel]) -> None:
    examples: Any = model.model_json_schema()["examples"]
    assert examples
    for example in examples:
        model.model_validate(example)


async def test_an_address_is_shown_where_one_is_asked_for(document: dict[str, Any]) -> None:
    field = document["components"]["schemas"][WebhookRequest.__name__]["properties"]["url"]
    assert field["format"] == "uri"
    assert all(WebhookRequest.model_validate({"url": example}) for example in field["examples"])


async def test_json_needs_an_uploaded_photo_and_a_form_brings_its_own(document: dict[str, Any]) -> None:
    body = document["paths"]["/v1/campaigns"]["post"]["requestBody"]["content"]
    assert body["application/json"]["schema"]["allOf"][1]["required"] == ["image"]
    example = body["application/json"]["example"]
    assert CampaignRequest.model_validate(example).image == example["image"]
    assert "image" in body["multipart/form-data"]["schema"]["required"]
