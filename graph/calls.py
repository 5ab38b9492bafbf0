"""Calls from inside a step: on the campaign's account, named in traces, each a unit that is kept."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from decimal import Decimal
from typing import Any, ParamSpec, TypeVar, cast

from langchain_core.runnables.config import ensure_config, merge_configs, var_child_runnable_config
from langgraph.func import task

from agents.model import Account, Answer, Check, Flag, Model, Models, T
from agents.prompts import Rendered

P = ParamSpec("P")
R = TypeVar("R")


def model_of(models: Models, tenant: str, *, take: int = 0, step: str | None = None) -> Model:
    """The model as this campaign's account has it; whoever runs the graph says what it may cost.

    Traces say that `step` asked; without one, the node or unit that is running.
    """
    run = ensure_config().get("configurable", {})
    budget = run.get("budget_usd")
    account = Account(tenant, str(run.get("thread_id", "")), None if budget is None else Decimal(budget), take)
    return _InStep(models.on(account), step)


def checkpointed(name: str, call: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Awaitable[R]]:
    """`call` as a unit whose answer is kept, so that a repeated step does not make it again."""
    return cast("Callable[P, Awaitable[R]]", task(name=name)(cast("Any", call)))


class _InStep:
    """A `Model` whose calls say in traces which step made them."""

    def __init__(self, model: Model, step: str | None) -> None:
        self._model = model
        self._step = step

    async def answer(
        self, agent: str, prompt: Rendered, output: type[T], *, check: Check[T] | None = None
    ) -> Answer[T]:
        """See `Model.answer`."""
        config = ensure_config()
        step = self._step or config.get("metadata", {}).get("langgraph_node", agent)
        token = var_child_runnable_config.set(merge_configs(config, {"metadata": {"step": step}}))
        try:
            return await self._model.answer(agent, prompt, output, check=check)
        finally:
            var_child_runnable_config.reset(token)

    async def screen(self, texts: Sequence[str]) -> list[Flag]:
        """See `Model.screen`."""
        return await self._model.screen(texts)

    async def screen_picture(self, data: bytes, media_type: str) -> list[Flag]:
        """See `Model.screen_picture`."""
        return await self._model.screen_picture(data, media_type)
