"""Who may do what: every route of the service by role, and every id by tenant. A new route needs a line here."""

import dataclasses
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from service.app import create_app
from service.identity import GRANTS, Permission, Role
from tests.login import ROLES, House, house
from tests.running import AURORA, PHOTO, Service

Need = Permission | None

MATRIX: dict[str, Need] = {
    "GET /healthz": None,
    "GET /readyz": None,
    "GET /metrics": None,
    "GET /openapi.json": None,
    "GET /docs": None,
    "POST /v1/campaigns": "write",
    "GET /v1/campaigns": "read",
    "GET /v1/campaigns/{campaign_id}": "read",
    "GET /v1/campaigns/{campaign_id}/content": "read",
    "GET /v1/campaigns/{campaign_id}/history": "read",
    "GET /v1/campaigns/{campaign_id}/events": "read",
    "GET /v1/campaigns/{campaign_id}/approval": "read",
    "POST /v1/campaigns/{campaign_id}/decisions": "decide",
    "POST /v1/campaigns/{campaign_id}/cancel": "write",
    "POST /v1/campaigns/{campaign_id}/retry": "write",
    "GET /v1/campaigns/{campaign_id}/package.zip": "read",
    "POST /v1/campaigns/{campaign_id}/links": "manage",
    "GET /v1/campaigns/{campaign_id}/links": "manage",
    "DELETE /v1/campaigns/{campaign_id}/links/{link_id}": "manage",
    "POST /v1/assets": "write",
    "GET /v1/assets/{sha256}": "read",
    "GET /v1/assets/{sha256}/signed": None,
    "POST /v1/lint": "read",
    "GET /v1/placements": "read",
    "GET /v1/languages": "read",
    "POST /v1/keys": "manage",
    "GET /v1/keys": "manage",
    "DELETE /v1/keys/{key_id}": "manage",
    "DELETE /v1/campaigns/{campaign_id}": "manage",
    "GET /v1/campaigns/{campaign_id}/export": "manage",
    "POST /v1/people/export": "manage",
    "POST /v1/people/erase": "manage",
    "GET /v1/tenant/export": "manage",
    "POST /v1/tenant/erase": "manage",
    "GET /v1/audit": "manage",
    "POST /v1/webhooks": "manage",
    "GET /v1/webhooks": "manage",
    "GET /v1/webhooks/{webhook_id}": "manage",
    "DELETE /v1/webhooks/{webhook_id}": "manage",
    "POST /v1/webhooks/{webhook_id}/rotate": "manage",
    "POST /v1/webhooks/{webhook_id}/enable": "manage",
    "GET /v1/webhooks/deliveries": "manage",
    "POST /v1/webhooks/deliveries/{delivery_id}/replay": "manage",
    "GET /": "read",
    "GET /new": "write",
    "POST /new": "write",
    "GET /campaigns/{campaign_id}": "read",
    "POST /campaigns/{campaign_id}": "decide",
    "GET /login": None,
    "POST /login": None,
    "POST /logout": None,
    "GET /review/{link_id}": None,
    "POST /review/{link_id}": None,
    "POST /review/{link_id}/decision": None,
    "GET /review/{link_id}/assets/{sha256}": None,
}
"""By route, the permission that it needs; None where strangers come, too."""

BODIES: dict[str, dict[str, Any]] = {
    "POST /v1/campaigns": {"json": {}},
    "POST /v1/campaigns/{campaign_id}/decisions": {
        "json": {"gate": "copy", "revision": "0" * 24, "type": "reject"}
    },
    "POST /v1/campaigns/{campaign_id}/links": {"json": {"gate": "copy"}},
    "POST /v1/assets": {"files": {"file": ("photo.jpg", PHOTO.read_bytes())}},
    "POST /v1/lint": {"json": {"placement": "x_post", "texts": {"body": ["Quiet."]}}},
    "POST /v1/keys": {"json": {"name": "Another", "roles": ["viewer"]}},
    "POST /v1/people/export": {"json": {"person": "nobody"}},
    "POST /v1/people/erase": {"json": {"person": "nobody"}},
    "POST /v1/tenant/erase": {"json": {"confirm": "not this one"}},
    "POST /v1/webhooks": {"json": {"url": "https://hooks.example.com/another"}},
    "POST /new": {"data": {"name": "Aurora"}},
    "POST /campaigns/{campaign_id}": {"data": {"action": "reject"}},
    "POST /login": {"data": {"credential": "x"}},
    "POST /review/{link_id}": {"data": {"secret": "x"}},
    "POST /review/{link_id}/decision": {"data": {"action": "approve"}},
}
LAST = ("POST /v1/campaigns/{campaign_id}/cancel", "DELETE /v1/campaigns/{campaign_id}")
"""What would spoil the others' turn."""


@dataclasses.dataclass(frozen=True)
class Acme:
    """A tenant with a campaign at its first gate, a key and a link."""

    house: House
    ids: dict[str, str]

    def path(self, route: str) -> str:
        return route.partition(" ")[2].format(**self.ids)

    async def call(self, service: Service, route: str) -> int:
        """The status that `route` answers with; of a stream only the beginning is read."""
        method, path = route.partition(" ")[0], self.path(route)
        async with service.http.stream(method, path, **BODIES.get(route, {})) as answer:
            async for _ in answer.aiter_raw():
                break
            return answer.status_code


@pytest.fixture
async def acme(data_dir: Path) -> AsyncGenerator[Acme]:
    async with house(data_dir) as here, here.somebody("admin") as admin:
        hook = (await admin.http.post("/v1/webhooks", json={"url": "https://hooks.example.com/fanfare"})).json()
        campaign = await admin.create(languages=[], placements=["x_post"])
        await admin.still(campaign["id"])
        key = (await admin.http.post("/v1/keys", json={"name": "Spare", "roles": ["viewer"]})).json()
        link = (await admin.http.post(f"/v1/campaigns/{campaign['id']}/links", json={"gate": "copy"})).json()
        asset = (await admin.http.post("/v1/assets", files={"file": ("a.jpg", PHOTO.read_bytes())})).json()
        delivery = (await admin.get("/v1/webhooks/deliveries"))["items"][0]
        ids = {
            "webhook_id": hook["id"],
            "delivery_id": delivery["id"],
            "campaign_id": campaign["id"],
            "key_id": key["id"],
            "link_id": link["id"],
            "sha256": asset["sha256"],
        }
        yield Acme(here, ids)


def routes_of(app: FastAPI) -> set[str]:
    """Every method and path of the app and its routers; HEAD is GET's, and mounted files are no routes."""
    return {
        f"{method} {context.path}"
        for context in iter_route_contexts(app.routes)
        for method in (context.methods or ())
        if method != "HEAD"
    }


def test_every_route_has_a_line() -> None:
    def never() -> Any:
        raise AssertionError

    assert routes_of(create_app(never)) == MATRIX.keys()


def granting(need: Permission) -> set[Role]:
    return {role for role in ROLES if need in GRANTS[role]}


async def test_a_role_may_what_it_may_and_nothing_else(acme: Acme) -> None:
    order = sorted(MATRIX, key=lambda route: (route in LAST, route.startswith("DELETE"), route))
    wrong: list[tuple[str, str, int]] = []
    for role in ROLES:
        async with acme.house.somebody(role) as service:
            for route in order:
                need = MATRIX[route]
                status = await acme.call(service, route)
                allowed = need is None or role in granting(need)
                if (status == 403) == allowed or (need and status in (401, 429)) or status >= 500:
                    wrong.append((role, route, status))
    assert not wrong


async def test_a_stranger_is_asked_to_log_in(acme: Acme) -> None:
    statuses = {route: await acme.call(acme.house.nobody, route) for route in MATRIX}
    for route, need in MATRIX.items():
        page = not route.partition(" ")[2].startswith("/v1/")
        if need is not None:
            assert statuses[route] == (303 if page else 401), route
        else:
            assert statuses[route] < 500, route
    assert statuses["GET /readyz"] == 200
    assert statuses["GET /review/{link_id}/assets/{sha256}"] == 404


async def test_another_tenant_s_ids_are_not_there(acme: Acme) -> None:
    """Every role of another tenant, on every route that has an id: as if there were no such thing."""
    with_ids = [route for route in MATRIX if "{" in route and MATRIX[route] is not None]
    wrong: list[tuple[str, str, int]] = []
    for role in ROLES:
        async with acme.house.somebody(role, tenant="rival") as service:
            for route in with_ids:
                need = MATRIX[route]
                status = await acme.call(service, route)
                expected = 404 if need and role in granting(need) else (403, 404)
                if status not in (expected if isinstance(expected, tuple) else (expected,)):
                    wrong.append((role, route, status))
            lists = [await service.get(path) for path in ("/v1/campaigns",)]
            assert all(found["items"] == [] for found in lists)
    assert not wrong
    async with acme.house.somebody("admin", tenant="rival") as rival:
        names = [key["name"] for key in (await rival.get("/v1/keys"))["items"]]
        assert "Spare" not in names
        assert acme.ids["campaign_id"] not in (await rival.http.get("/")).text
        answer = await rival.post({"product": {}}, headers={"Idempotency-Key": "one"})
        assert answer.status_code == 422
    async with acme.house.somebody("admin") as admin:
        campaign = await admin.get(f"/v1/campaigns/{acme.ids['campaign_id']}")
        assert campaign["status"] == "awaiting_copy_approval", "nobody else's call changed it"
        assert not [key for key in (await admin.get("/v1/keys"))["items"] if key["revoked_at"]]


@pytest.mark.parametrize("odd", ["nobody", "%00", "%2e%2e", "é", "0" * 36])
async def test_an_id_of_nothing_is_not_there(service: Service, odd: str) -> None:
    unreadable = "%00" in odd
    assert (await service.http.delete(f"/v1/keys/{odd}")).status_code == (422 if unreadable else 404)
    opened = await service.http.post(f"/review/{odd}", data={"secret": "x"})
    assert opened.status_code == (422 if unreadable else 401)


async def test_an_idempotency_key_is_a_tenant_s_own(acme: Acme) -> None:
    key = {"Idempotency-Key": "spring-launch"}
    async with acme.house.somebody("admin") as ours, acme.house.somebody("admin", tenant="rival") as theirs:
        asked = {**AURORA, "languages": [], "placements": ["x_post"]}
        first, other = await ours.post(asked, headers=key), await theirs.post(asked, headers=key)
        assert first.status_code == other.status_code == 202
        assert first.json()["id"] != other.json()["id"]
        for service, answer in ((ours, first), (theirs, other)):
            await service.still(answer.json()["id"])


async def test_the_description_says_who_may(acme: Acme) -> None:
    described: dict[str, Any] = await acme.house.nobody.get("/openapi.json")
    scheme = described["components"]["securitySchemes"]["login"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for path, calls in described["paths"].items():
        for method, call in calls.items():
            need = MATRIX[f"{method.upper()} {path}"]
            if need is None:
                assert call.get("security") == ([{"scraper": []}] if path == "/metrics" else None)
                continue
            (scopes,) = [scopes for one in call["security"] for scopes in one.values()]
            assert need in scopes
            assert {"401", "403", "429"} <= call["responses"].keys()


async def test_without_a_login_the_description_asks_for_none(service: Service) -> None:
    described: dict[str, Any] = await service.get("/openapi.json")
    assert {} in described["paths"]["/v1/campaigns"]["get"]["security"]


def test_a_role_that_may_more_may_all_that_a_viewer_may() -> None:
    assert all("read" in granted for granted in GRANTS.values())
    assert GRANTS["admin"] == {permission for granted in GRANTS.values() for permission in granted}
