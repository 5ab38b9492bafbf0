"""`fanfare c2pa init`: a certificate to try content credentials with."""

import json
from pathlib import Path

from typer.testing import CliRunner

from service.cli import app


def test_a_test_certificate_is_made_once_and_says_what_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    made = CliRunner().invoke(app, ["c2pa", "init", "--out", str(folder)])
    assert made.exit_code == 0
    assert "test certificate" in made.output
    assert {path.name for path in folder.iterdir()} == {"certificate.pem", "key.pem", "anchor.pem"}
    again = CliRunner().invoke(app, ["c2pa", "init", "--out", str(folder)])
    assert again.exit_code == 2
    assert "exists already" in again.output


def test_programs_are_told_where_the_files_are(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["c2pa", "init", "--json", "--out", str(tmp_path)])
    assert Path(json.loads(told.output)["key"]) == tmp_path / "key.pem"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = CliRunner().invoke(app, ["c2pa", "init", "--out", str(tmp_path / "file" / "keys")])
    assert refused.exit_code == 2
    assert "file" in refused.output
