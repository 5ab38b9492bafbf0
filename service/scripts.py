"""One Lua script run in Redis, its failures told as those of any store."""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoScriptError

from graph.checkpoints import FAILURES
from graph.checkpoints.conversation import pauses
from graph.checkpoints.errors import explain, worth_another_attempt
from graph.checkpoints.scripts import Script


async def run_script(
    redis: Any,
    script: Script,
    keys: Sequence[str],
    args: Sequence[bytes | str | int],
    *,
    where: str,
    patience: float = 0.0,
) -> Any:
    """What `script` answers; a `CheckpointStoreError` that names `where` when it could not be run.

    A server that is not there is tried again for `patience` seconds: for scripts that may be run twice.
    """
    words, waits = (len(keys), *keys, *args), pauses(patience)
    while True:
        try:
            return await _evaluate(redis, script, words)
        except FAILURES as error:
            pause = next(waits, None) if worth_another_attempt(error) else None
            if pause is None:
                raise explain(error, where=where, thread_id="") from error
        await asyncio.sleep(pause)


async def _evaluate(redis: Any, script: Script, words: Sequence[Any]) -> Any:
    try:
        return await redis.execute_command("EVALSHA", script.digest, *words)
    except NoScriptError:
        return await redis.execute_command("EVAL", script.source, *words)
