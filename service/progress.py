"""Progress bars for the terminal, moved by a campaign's events."""

import contextlib
from collections.abc import Generator
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from service.client import Told

_STEPS = {
    "brief": "Brief", "study": "Picture study", "write_copy": "Copy", "moderate_copy": "Moderation",
    "translate": "Translations", "moderate_translations": "Moderation of the translations",
    "render": "Pictures", "package": "Package",
}  # fmt: skip


class Progress:
    """A bar for each step that a campaign takes, in the order in which it takes them."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._bars = Bars(
            TextColumn("{task.description:<32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=console, disable=quiet,
        )  # fmt: skip
        self.seen = "0"
        self._rows: dict[str, TaskID] = {}
        self._total: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    @contextlib.contextmanager
    def paused(self) -> Generator[None]:
        """Out of the way while a person is asked something."""
        self._bars.stop()
        yield
        self._bars.start()

    def see(self, told: Told) -> None:
        """Move the bars by one event."""
        self.seen = told.id
        step = told.data.get("step")
        if step not in _STEPS:
            return
        if told.type == "step.started":
            self._total[step] = self._total.get(step, 0) + 1
            if step not in self._rows:
                self._rows[step] = self._bars.add_task(_STEPS[step], total=1)
            self._bars.update(self._rows[step], total=self._total[step])
        elif told.type == "step.finished" and step in self._rows:
            self._bars.advance(self._rows[step])
