"""A person without an account, a link, and one decision."""

import contextlib
import html
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx2

from service.tables import ReviewLink, later
from tests.login import House, house
from tests.running import Service, process
from tests.stores import free_port


@contextlib.asynccontextmanager
async def gate(data_dir: Path, **settings: Any) -> AsyncGenerator[tuple[House, Service, str]]:
    """A service with a login, an admin, and a campaign at its first gate."""
    async with house(data_dir, **settings) as here, here.somebody("admin") as admin:
        campaign = await admin.create(languages=[], placements=["x_post"])
        await admin.still(campaign["id"])
        yield here, admin, campaign["id"]


async def link(admin: Service, campaign_id: str, at: str = "copy", **more: Any) -> dict[str, Any]:
    """A new link, with its path and its secret."""
    answer = await admin.http.post(f"/v1/campaigns/{campaign_id}/links", json={"gate": at, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    address, _, secret = made["url"].partition("#")
    return {**made, "path": f"/review/{made['id']}", "secret": secret, "address": address}


async def opened(browser: httpx2.AsyncClient, made: dict[str, Any]) -> httpx2.Response:
    """The page after the link was opened, as its script or a person does."""
    answer = await browser.post(made["path"], data={"secret": made["secret"]})
    assert (answer.status_code, answer.headers["location"]) == (303, made["path"])
    return await browser.get(made["path"])


def revision(page: str) -> str:
    found = re.search(r'name="revision" value="([0-9a-f]+)"', page)
    assert found
    return found[1]


async def test_a_guest_sees_one_gate_and_decides(data_dir: Path) -> None:
    async with gate(data_dir, public_url="https://fanfare.example") as (here, admin, campaign_id):
        made = await link(admin, campaign_id, name="Client")
        assert made["address"] == f"https://fanfare.example{made['path']}"
        async with here.browser() as guest:
            preview = await guest.get(made["path"])
            assert (preview.status_code, "Aurora" in preview.text) == (200, False)
            answer = await guest.post(made["path"], data={"secret": made["url"]})
            cookie = answer.headers["set-cookie"]
            assert {"HttpOnly", "Secure", f"Path={made['path']}"} <= {part.strip() for part in cookie.split(";")}
            assert made["secret"] not in cookie
            sent = {"Cookie": cookie.partition(";")[0]}
            page = await guest.get(made["path"], headers=sent)
            assert "Aurora" in page.text
            assert page.headers["referrer-policy"] == "same-origin"
            assert "/v1/" not in page.text, "nothing that needs an account"
            for source in set(re.findall(r'src="(/review/[^"]+)"', page.text)):
                assert (await guest.get(source, headers=sent)).headers["content-type"] == "image/jpeg"
                assert (await guest.get(source)).status_code == 404
            for path in ("/", f"/campaigns/{campaign_id}", f"/v1/campaigns/{campaign_id}", "/v1/campaigns"):
                assert (await guest.get(path, headers=sent)).status_code in (303, 401), path

            form = {"revision": revision(page.text), "action": "approve", "name": " Mary  Poe "}
            url = f"{made['path']}/decision"
            assert (await guest.post(url, data=form)).status_code == 401
            nameless = await guest.post(url, data={**form, "name": " "}, headers=sent)
            assert (nameless.status_code, "who you are" in nameless.text) == (422, True)
            for action in ("reject", "respond", "edit", ""):
                refused = await guest.post(url, data={**form, "action": action}, headers=sent)
                assert refused.status_code == 422, action
            stale = await guest.post(url, data={**form, "revision": "0" * 24}, headers=sent)
            assert (stale.status_code, "changed since" in stale.text) == (409, True)
            assert 'value="Mary Poe"' not in stale.text
            foreign = await guest.post(url, data=form, headers={**sent, "Origin": "https://evil.example"})
            assert foreign.status_code == 403
            assert (await admin.still(campaign_id))["status"] == "awaiting_copy_approval"

            assert (await guest.post(url, data=form, headers=sent)).status_code == 303
            assert (await admin.still(campaign_id))["status"] == "awaiting_creative_approval"
            after = await guest.get(made["path"], headers=sent)
            assert "has been decided" in after.text
            assert "Approve" not in after.text
            again = await guest.post(url, data=form, headers=sent)
            assert (again.status_code, "before you" in again.text) == (409, True)
        told = (await admin.get(f"/v1/campaigns/{campaign_id}/history"))["items"]
        decided = [entry["by"] for entry in told if entry["kind"] == "decision"]
        assert decided == [f"link:{made['id']} (Mary Poe)"]
        listed = (await admin.get(f"/v1/campaigns/{campaign_id}/links"))["items"]
        assert listed[0]["opened_at"]
        assert made["secret"] not in str(listed)
        for wrong in ({"gate": "both"}, {"gate": "copy", "expires_in": 9}, {"gate": "copy", "name": "\n"}):
            assert (await admin.http.post(f"/v1/campaigns/{campaign_id}/links", json=wrong)).status_code == 422
        late = await admin.http.post(f"/v1/campaigns/{campaign_id}/links", json={"gate": "copy"})
        assert (late.status_code, late.json()["code"]) == (409, "gate-decided")


async def test_a_guest_asks_for_changes_and_rejects_at_the_second_gate(data_dir: Path) -> None:
    async with gate(data_dir) as (here, admin, campaign_id), here.browser() as guest:
        first, second = await link(admin, campaign_id), await link(admin, campaign_id, "creatives")
        early = await opened(guest, second)
        assert "being worked on" in early.text
        page = await opened(guest, first)
        form = {
            "revision": revision(page.text),
            "action": "respond",
            "name": "Mary",
            "comment": "Shorter, please.",
        }
        assert (await guest.post(f"{first['path']}/decision", data=form)).status_code == 303
        await admin.still(campaign_id)
        page = await guest.get(first["path"])
        assert "Your decision" in page.text, "it comes back to the same gate"
        assert "Shorter, please." not in page.text
        await admin.approve(campaign_id)
        page = await guest.get(second["path"])
        pictures = [html.unescape(one) for one in re.findall(r'src="(/review/[^"]+)"', page.text)]
        assert pictures
        assert all([(await guest.get(one)).status_code == 200 for one in pictures])
        crossed = pictures[0].replace(second["id"], first["id"])
        assert (await guest.get(crossed)).status_code == 404, "the first link's gate is decided"
        form = {"revision": revision(page.text), "action": "reject", "name": "Mary", "comment": "Wrong product."}
        assert (await guest.post(f"{first['path']}/decision", data=form)).status_code == 409, "another gate's link"
        assert (await guest.post(f"{second['path']}/decision", data=form)).status_code == 303
        assert (await admin.still(campaign_id))["status"] == "rejected"
        assert "has been decided" in (await guest.get(second["path"])).text


async def test_a_link_ends(data_dir: Path) -> None:
    async with gate(data_dir, four_eyes=True) as (here, admin, campaign_id), here.browser() as guest:
        made, other = await link(admin, campaign_id), await link(admin, campaign_id)
        page = await opened(guest, made)
        form = {"revision": revision(page.text), "action": "approve", "name": "Mary"}
        for _ in range(2):
            gone = await admin.http.delete(f"/v1/campaigns/{campaign_id}/links/{made['id']}")
            assert gone.status_code == 204
        for answer in (
            await guest.get(made["path"]),
            await guest.post(f"{made['path']}/decision", data=form),
            await guest.post(made["path"], data={"secret": made["secret"]}),
        ):
            assert (answer.status_code, "withdrawn" in answer.text, "Aurora" in answer.text) == (410, True, False)
        async with here.fanfare.database.writing() as session:
            row = await session.get(ReviewLink, other["id"])
            assert row
            row.expires_at = later(-1)
        late = await guest.post(other["path"], data={"secret": other["secret"]})
        assert (late.status_code, "expired" in late.text) == (410, True)

        third = await link(admin, campaign_id)
        for wrong in (other["secret"], third["secret"][:-1], "", "é"):
            unknown = await guest.post(third["path"], data={"secret": wrong})
            assert (unknown.status_code, "set-cookie" in unknown.headers) == (401, False)
        nowhere = await guest.post("/review/nobody", data={"secret": third["secret"]})
        assert nowhere.status_code == 401

        await admin.decide(campaign_id, "edit", edits={"/copy/headlines/0": "Quiet"})
        await admin.still(campaign_id)
        fourth = await link(admin, campaign_id, "creatives")
        page = await opened(guest, fourth)
        form = {"revision": revision(page.text), "action": "approve", "name": "Mary"}
        own = await guest.post(f"{fourth['path']}/decision", data=form)
        assert (own.status_code, "made this link" in own.text) == (403, True)


async def test_no_secret_is_in_the_log(data_dir: Path, tmp_path: Path) -> None:
    port = free_port()
    url, log = f"http://127.0.0.1:{port}", tmp_path / "log"
    with process("serve", "--port", str(port), url=url, log=str(log), FANFARE_DATA_DIR=str(data_dir)):
        async with httpx2.AsyncClient(base_url=url, headers={"Origin": url}, timeout=60) as http:
            service = Service(http)
            campaign = await service.create(languages=[], placements=["x_post"])
            await service.still(campaign["id"])
            made = await link(service, campaign["id"])
            await opened(http, made)
            cookie = http.cookies["fanfare_review"]
            key = (await http.post("/v1/keys", json={"name": "Ada", "roles": ["viewer"]})).json()["key"]
            await http.get("/v1/campaigns", headers={"Authorization": f"Bearer {key}"})
            await http.post("/login", data={"credential": key})
    text = log.read_text()
    assert "route='/review/{link_id}'" in text, "requests are logged, by their route"
    assert made["path"] not in text
    assert not [secret for secret in (made["secret"], cookie, key[-64:]) if secret in text]
