"""The service keeps the contract that its own OpenAPI states, whatever Schemathesis makes up; `make contract`."""

import asyncio
import io
import os
import time
from pathlib import Path

import jwt
import pytest
from PIL import Image

from tests.login import house
from tests.running import ROOT

HERE = Path(__file__).parent / "openapi"
SCHEMATHESIS = ROOT / "build" / "contract" / "bin" / "schemathesis"
SECRET = "what the login server and the service share"  # noqa: S105 - everybody may know this one
SCRAPER = "what a scraper bears"
TOKENS = {"jwt_secret": SECRET, "jwt_issuer": "https://login.example/", "jwt_audience": "fanfare"}

pytestmark = pytest.mark.contract


@pytest.mark.parametrize("seed", [int(seed) for seed in os.environ.get("CONTRACT_SEEDS", "1").split(",")])
async def test_schemathesis_finds_nothing(data_dir: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    # It tries a wrong key on every call, all from one address, which the service would shut out.
    monkeypatch.setattr("service.attempts.MOST_BY_ADDRESS", 1_000_000)
    monkeypatch.setattr("service.events._WAIT_SECONDS", 0.5)  # it reads a stream for two seconds
    photo = small_photo(data_dir.parent)
    async with house(data_dir, metrics_token=SCRAPER, **TOKENS) as here, here.with_key(admin_token()) as admin:
        kept = (await admin.http.post("/v1/assets", files={"file": photo.read_bytes()})).json()["sha256"]
        environment = {
            **os.environ,
            "SCHEMATHESIS_HOOKS": "hooks",
            "PYTHONPATH": str(HERE),
            "CONTRACT_PHOTO": str(photo),
            "CONTRACT_ASSET": kept,
            "CONTRACT_SIGNED": here.fanfare.picture_links.to(kept, tenant="acme").partition("?")[2],
            "CONTRACT_KEY": admin_token(),
            "CONTRACT_SCRAPER": SCRAPER,
        }
        words = ["--config-file", str(HERE / "schemathesis.toml"), "--no-color", "run", "--seed", str(seed)]
        process = await asyncio.create_subprocess_exec(
            str(SCHEMATHESIS), *words, f"{here.url}/openapi.json", env=environment, cwd=data_dir,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        told = (await process.communicate())[0].decode()
    (ROOT / "build" / f"contract-{seed}.txt").write_text(told)
    assert process.returncode == 0, told


def admin_token() -> str:
    """A login that no call can revoke, as one of the calls revokes keys."""
    claims = {"iss": TOKENS["jwt_issuer"], "aud": "fanfare", "sub": "ada", "tenant": "acme", "roles": "admin"}
    return jwt.encode({**claims, "exp": time.time() + 3600}, SECRET, "HS256")


def small_photo(folder: Path) -> Path:
    """A photo of some hundred bytes, as it is sent by the hundred."""
    file = io.BytesIO()
    Image.new("RGB", (200, 200), (20, 90, 200)).save(file, "JPEG")
    (folder / "photo.jpg").write_bytes(file.getvalue())
    return folder / "photo.jpg"
