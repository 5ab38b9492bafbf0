"""One Lua script run in Redis, its failures told as those of any store."""

from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoScriptError

from graph.checkpoints import FAILURES
from graph.checkpoints.errors import explain
from graph.checkpoints.scripts import Script


async def run_script(
    redis: Any, script: Script, keys: Sequence[str], args: Sequence[bytes | str | int], *, where: str
) -> Any:
    """What `script` answers; a `CheckpointStoreError` that names `where` when it could not be run."""
    words = (len(keys), *keys, *args)
    try:
        try:
            return await redis.execute_command("EVALSHA", script.digest, *words)
        except NoScriptError:
            return await redis.execute_command("EVAL", script.source, *words)
    except FAILURES as error:
        raise explain(error, where=where, thread_id="") from error
