"""The layout: whose packages these are, which way they import, what they may be called, what channels hold."""

import ast
import importlib
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, Union, cast, get_args, get_origin, get_type_hints

import pytest

from graph.campaign import build_campaign
from graph.state import CampaignState
from tests.running import ROOT

ROOMS = ("evals", "service", "graph", "agents", "tools")
MODULES = sorted(path for room in (*ROOMS, "tests", "examples") for path in (ROOT / room).rglob("*.py"))
BANNED = {"utils", "helpers", "manager", "base"}
SCALARS = {str, int, float, bool, type(None)}


@pytest.mark.parametrize("room", ROOMS)
def test_the_package_imported_is_the_one_in_this_checkout(room: str) -> None:
    assert importlib.import_module(room).__file__ == str(ROOT / room / "__init__.py")


def test_imports_go_one_way() -> None:
    told = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    assert "1 kept, 0 broken" in told.stdout


def test_the_command_line_reaches_campaigns_by_the_contract_alone() -> None:
    parts = ("cli", "operating", "terminal")
    imported = {name for part in parts for name in _imports(ROOT / f"service/{part}.py")}
    assert "service.client" in imported
    assert not [name for name in imported if name.startswith(("graph", "service.records", "service.runs"))]
    assert not imported & {"service.campaigns", "service.wiring"}


def test_one_file_knows_the_providers_sdk() -> None:
    sdks = ("openai", "langchain_openai", "litellm", "tiktoken")
    ours = [path for path in MODULES if path.relative_to(ROOT).parts[0] in ROOMS]
    knowing = [path for path in ours if any(name.split(".")[0] in sdks for name in _imports(path))]
    assert knowing == [ROOT / "agents/chat.py", ROOT / "evals/benchmarks/calls.py"], "the second is a comparison"


def test_no_module_is_named_for_leftovers() -> None:
    assert MODULES
    named = {path: {path.stem, *path.relative_to(ROOT).parent.parts} for path in MODULES}
    assert not [path for path, names in named.items() if names & BANNED]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT)))
def test_every_module_says_what_it_is(module: Path) -> None:
    assert ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))


@pytest.mark.parametrize("channel", CampaignState.__annotations__)
def test_a_channel_holds_what_json_can_say(channel: str) -> None:
    assert not list(_foreign(get_type_hints(CampaignState)[channel]))


def test_what_json_cannot_say_is_found() -> None:
    class Holding(TypedDict):
        path: Annotated[dict[str, list[Path | None]], "merged"]
        number: dict[int, str]

    hints = get_type_hints(Holding, localns={"Path": Path})
    assert list(_foreign(hints["path"])) == [Path]
    assert list(_foreign(hints["number"])) == [int]


def test_no_step_has_an_error_handler() -> None:
    unconnected = cast("Any", types.SimpleNamespace(models=None, assets=None, signer=None))
    nodes = build_campaign(unconnected).nodes
    assert len(nodes) > 10
    assert not [name for name, node in nodes.items() if node.error_handler_node or node.is_error_handler]


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def _foreign(hint: Any) -> Iterator[Any]:
    """The types in `hint` that JSON lacks."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is dict:
        key, value = inner
        yield from () if key is str else (key,)
        yield from _foreign(value)
    elif origin in (list, Union, types.UnionType):
        for one in inner:
            yield from _foreign(one)
    elif origin is Literal:
        yield from (type(one) for one in inner if type(one) not in SCALARS)
    elif hint is not Any and hint not in SCALARS:
        yield hint
