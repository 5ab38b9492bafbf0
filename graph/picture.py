"""The picture of the graph in the documentation, drawn from the code.

`python -m graph.picture docs/architecture.md` draws it anew; with `--check` it only says
whether the picture is true, and exits with 1 when it is not.
"""

import re
import sys
from pathlib import Path
from typing import Any, cast

from graph.campaign import build_campaign

_PLACE = re.compile(r"(<!-- graph: begin -->\n).*?(<!-- graph: end -->)", re.DOTALL)


def mermaid() -> str:
    """The campaign graph as a Mermaid flowchart; a diamond asks a person."""
    unconnected = cast("Any", type("Unconnected", (), {"models": None, "assets": None, "signer": None}))
    drawn = build_campaign(unconnected).compile().get_graph()
    lines = ["flowchart TD"]
    lines += [f"    {_shape(name)}" for name in drawn.nodes]
    lines += [f"    {edge.source} {'-.->' if edge.conditional else '-->'} {edge.target}" for edge in drawn.edges]
    return "\n".join(lines).replace("__", "")


def redrawn(text: str) -> str:
    """`text` with the picture between its markers as the code has it now. Raises ValueError without markers."""
    if not _PLACE.search(text):
        raise ValueError("There is no place for the picture: <!-- graph: begin --> … <!-- graph: end -->.")
    return _PLACE.sub(lambda found: f"{found[1]}```mermaid\n{mermaid()}\n```\n{found[2]}", text)


def _shape(name: str) -> str:
    words = name.replace("_", " ").strip()
    if name.startswith("gate_"):
        return f'{name}{{"{words}"}}'
    return f'{name}(["{words}"])' if name.startswith("__") else f'{name}["{words}"]'


def main(arguments: list[str]) -> int:
    """Draw, or check, the pictures in the files named."""
    check = "--check" in arguments
    for path in (Path(name) for name in arguments if name != "--check"):
        text = path.read_text(encoding="utf-8")
        new = redrawn(text)
        if check and new != text:
            sys.stderr.write(f"{path} shows an older graph; run: python -m graph.picture {path}\n")
            return 1
        if new != text:
            path.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
