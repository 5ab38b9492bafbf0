"""Odd and hostile pictures sent to a running service: each is taken or refused with a sentence, and it runs on."""

from tests.running import AURORA, Service
from tests.tools.imaging.corpus import ACCEPTED, CASES, HEAVY

ONE_POST = {**AURORA, "languages": [], "placements": ["x_post"]}


async def test_every_odd_picture_gets_a_plain_answer(service: Service) -> None:
    campaigns: list[str] = []
    for name, case in CASES.items():
        answer = await service.post(ONE_POST, photo=case.make())
        if name in ACCEPTED:
            assert answer.status_code == 202, (name, answer.text)
            campaigns.append(answer.json()["id"])
            await service.http.post(f"/v1/campaigns/{campaigns[-1]}/cancel")
        else:
            assert answer.status_code in (413, 415, 422), (name, answer.status_code, answer.text)
            problem = answer.json()
            assert problem["detail"].endswith("."), name
            assert problem["errors"][0]["loc"] == ["image"], name
    assert len(campaigns) == len(ACCEPTED)


async def test_a_photo_from_a_telephone_becomes_a_campaign(service: Service) -> None:
    answer = await service.post(
        {**ONE_POST, "approval": "none"},
        photo=ACCEPTED["heic, Display P3"].make(),
    )
    assert answer.status_code == 202, answer.text
    assert (await service.still(answer.json()["id"]))["status"] == "completed"


async def test_heavy_pictures_do_not_stop_the_service(service: Service) -> None:
    for name in ("png bomb", "jpeg that says 49 megapixels and has few", "twenty megabytes of boxes"):
        answer = await service.post(ONE_POST, photo=HEAVY[name].make())
        assert answer.status_code in (413, 422), (name, answer.text)
    assert (await service.http.get("/v1/campaigns")).status_code == 200
