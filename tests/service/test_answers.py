"""What every answer says to browsers, what the log says of it, and a reference that needs no other host."""

import asyncio
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from service.settings import Settings
from tests.running import Service, running

ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
PATHS = (
    "/", "/new", "/docs", "/openapi.json", "/healthz", "/readyz", "/v1/campaigns", "/v1/placements",
    "/v1/languages", "/v1/campaigns/nobody", "/campaigns/nobody", "/v1/assets/abc", "/nowhere",
    "/static/fanfare.css", "/static/../app.py", "/v1/campaigns?limit=0", "/v1/campaigns?q=%00",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_has_the_headers_that_browsers_heed(service: Service, path: str) -> None:
    answer = await service.http.get(path)
    page = answer.headers["content-type"].startswith("text/html")
    assert ALWAYS.items() <= answer.headers.items()
    assert answer.headers["referrer-policy"] == ("same-origin" if page else "no-referrer")
    assert "permissions-policy" in answer.headers
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert ("script-src 'self'" in policy) == page
    assert answer.headers["cache-control"] in ("no-store", "private, no-cache")
    assert "strict-transport-security" not in answer.headers
    assert "server" not in answer.headers


async def test_refusals_of_every_kind_have_them_too(service: Service) -> None:
    refusals = [
        await service.http.get("/", headers={"Host": "evil.example"}),
        await service.http.post("/v1/campaigns", headers={"Origin": "https://evil.example"}),
        await service.http.post("/v1/lint", content=b"[" * 9, headers={"content-type": "application/json"}),
        await service.http.put("/v1/campaigns"),
    ]
    assert [each.status_code for each in refusals] == [421, 403, 422, 405]
    assert all(ALWAYS.items() <= each.headers.items() for each in refusals)
    assert all(each.headers["content-type"] == "application/problem+json" for each in refusals)


async def test_pictures_are_kept_by_the_browser_and_nothing_else_is(service: Service) -> None:
    campaign = await service.create(languages=[], placements=["x_post"])
    await service.still(campaign["id"])
    await service.approve(campaign["id"])
    address = (await service.content(campaign["id"]))["creatives"][0]["url"]
    asset = await service.http.get(address)
    assert re.fullmatch(r"private, max-age=[1-9]\d*, immutable", asset.headers["cache-control"])
    assert ALWAYS.items() <= asset.headers.items()
    content = await service.http.get(f"/v1/campaigns/{campaign['id']}/content")
    assert content.headers["cache-control"] == "no-store"


async def test_https_is_kept_to_once_a_proxy_of_ours_says_so(data_dir: Path) -> None:
    https = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    async with running(Settings(data_dir=data_dir, trusted_proxies=(ip_network("127.0.0.1"),))) as service:
        secure = await service.http.get("/healthz", headers=https)
        plain = await service.http.get("/healthz", headers={**https, "X-Forwarded-Proto": "http"})
    assert secure.headers["strict-transport-security"].startswith("max-age=31536000")
    assert "strict-transport-security" not in plain.headers


async def test_what_nobody_foresaw_is_a_problem_and_a_line_in_the_log(data_dir: Path) -> None:
    async with running(Settings(data_dir=data_dir)) as service:
        assert service.fanfare
        with capture_logs() as logs:
            object.__setattr__(service.fanfare, "records", None)
            answer = await service.http.get("/v1/campaigns")
            for _ in range(200):  # the line is written once the answer is out
                if len(logs) > 1:
                    break
                await asyncio.sleep(0.01)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert ALWAYS.items() <= answer.headers.items()
    assert answer.headers["x-correlation-id"]
    assert [each["event"] for each in logs] == ["request_failed", "request"]


async def test_a_line_for_each_request_and_no_secret_in_it(service: Service) -> None:
    lines: list[Any] = []
    with capture_logs() as logs:
        await service.http.get("/v1/campaigns/0199-secret", headers={"Authorization": "Bearer secret"})
        await service.http.get("/v1/campaigns", params={"q": "secret"})
        await service.http.get("/secret/of/nobody?token=secret")
        await service.http.get("/static/fanfare.css?token=secret")
        for _ in range(200):  # a line is written once its answer is out
            lines = [each for each in logs if each["event"] == "request"]
            if len(lines) == 4:
                break
            await asyncio.sleep(0.01)
    assert [(each["method"], each["route"], each["status"], each["tenant"]) for each in lines] == [
        ("GET", "/v1/campaigns/{campaign_id}", 404, "default"),
        ("GET", "/v1/campaigns", 200, "default"),
        ("GET", "-", 404, "-"),
        ("GET", "-", 200, "-"),
    ]
    assert all(each["ms"] > 0 for each in lines)
    assert "secret" not in str(logs)


async def test_the_reference_names_every_call_and_needs_no_other_host(service: Service) -> None:
    page = (await service.http.get("/docs")).text
    schema: dict[str, Any] = await service.get("/openapi.json")
    calls = [f"{method.upper()} {path}" for path, methods in schema["paths"].items() for method in methods]
    assert not [call for call in calls if f"<code>{call}</code>" not in page]
    assert not [name for name in schema["components"]["schemas"] if f'id="{name}"' not in page]
    assert not re.findall(r"""(?:src|href|action)=["'](?:https?:)?//""", page)
    assert "<script>" not in page
    assert "style=" not in page
    anchors = set(re.findall(r'href="#([^"]+)"', page))
    assert anchors <= set(re.findall(r'id="([^"]+)"', page))


async def test_no_two_pages_style_the_same_name_in_two_ways(service: Service) -> None:
    """Two rules for `.photo` would squeeze the photo on which a reviewer draws the focus."""
    sheet = (await service.http.get("/static/fanfare.css")).text
    plain = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", sheet)
    selectors = [each.strip() for each in re.findall(r"([^{}]+)\{", plain)]
    assert len(selectors) > 50
    assert sorted(set(selectors)) == sorted(selectors)
