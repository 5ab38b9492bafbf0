"""The Lua scripts, each of which does its whole work in one atomic call."""

from dataclasses import dataclass, field
from hashlib import sha1
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua source and the digest by which the server knows it once it has been loaded."""

    source: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        digest = sha1(self.source.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "digest", digest)


def _load(name: str) -> Script:
    folder = files(__name__)
    common, body = (folder.joinpath(f"{part}.lua").read_text("utf-8") for part in ("common", name))
    return Script(f"{common}\n{body}")


PUT = _load("put")
PUT_WRITES = _load("put_writes")
READ = _load("read")
HISTORY = _load("history")
DELETE = _load("delete")
FORGET_RUNS = _load("forget_runs")
PRUNE = _load("prune")
DUMP = _load("dump")
RESTORE = _load("restore")
