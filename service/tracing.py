"""LangSmith: one trace a campaign, across gates and restarts, without pictures or secrets in it."""

import contextlib
import re
from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from langsmith import Client, run_helpers
from langsmith.run_trees import RunTree

from service.settings import Settings
from service.tables import Campaign

JSON = dict[str, Any]

_PICTURE = re.compile(r"data:(image/[a-z+.-]+);base64,[A-Za-z0-9+/=]+")
_TIMEOUT_MS = 3000
_FLUSH_SECONDS = 2.0


class NoTracing:
    """Nothing is traced, whatever the environment says."""

    @contextlib.contextmanager
    def campaign(self, _campaign: Campaign, /) -> Generator[None]:
        """See `Tracer.campaign`."""
        with run_helpers.tracing_context(enabled=False):
            yield

    def ended(self, campaign: Campaign, status: str) -> None:
        """See `Tracer.ended`."""


class LangSmithTracing:
    """Each campaign is one trace, whose root run has the campaign's id.

    Runs are sent by a thread of the client, so that an endpoint which is slow or dead holds
    up no campaign; what it cannot take is dropped.
    """

    def __init__(self, client: Client, project: str) -> None:
        self._client = client
        self._project = project

    @contextlib.contextmanager
    def campaign(self, campaign: Campaign, /) -> Generator[None]:
        """See `Tracer.campaign`."""
        root = self._root(campaign)
        if campaign.step is None:
            root.post()
        with run_helpers.tracing_context(
            enabled=True, client=self._client, project_name=self._project, parent=root,
            tags=root.tags, metadata=root.metadata,
        ):  # fmt: skip
            yield

    def ended(self, campaign: Campaign, status: str) -> None:
        """See `Tracer.ended`."""
        root = self._root(campaign)
        root.end(outputs={"status": status, "cost": campaign.cost})
        root.patch()

    def _root(self, campaign: Campaign) -> RunTree:
        began = datetime.fromisoformat(campaign.created_at).astimezone(UTC)
        return RunTree(
            id=UUID(campaign.id),
            name="campaign",
            run_type="chain",
            start_time=began,
            inputs={"order": campaign.order},
            tags=["fanfare", f"tenant:{campaign.tenant}"],
            extra={"metadata": {"campaign": campaign.id, "tenant": campaign.tenant}},
            ls_client=self._client,
            project_name=self._project,
        )


@contextlib.contextmanager
def open_tracer(settings: Settings) -> Generator[NoTracing | LangSmithTracing]:
    """The tracer that `settings` ask for; what it has not sent yet gets two seconds at the end."""
    if not settings.langsmith_tracing:
        yield NoTracing()
        return
    key = settings.langsmith_api_key
    client = Client(
        api_url=settings.langsmith_endpoint,
        api_key=key.get_secret_value() if key else None,
        timeout_ms=_TIMEOUT_MS,
        hide_inputs=without_pictures,
        hide_outputs=without_pictures,
    )
    try:
        yield LangSmithTracing(client, settings.langsmith_project)
    finally:
        client.close(timeout=_FLUSH_SECONDS)


def without_pictures(value: dict[str, Any]) -> dict[str, Any]:
    """`value` with every picture in it replaced by its type and size."""
    return cast("dict[str, Any]", _clean(value))


def _clean(value: Any) -> Any:
    match value:
        case str() if "data:image/" in value:
            return _PICTURE.sub(lambda found: f"<{found[1]}, {len(found[0])} characters>", value)
        case dict():
            return {key: _clean(item) for key, item in cast("JSON", value).items()}
        case list() | tuple():
            return [_clean(item) for item in cast("list[Any]", value)]
        case _ if hasattr(value, "model_dump"):
            return _clean(value.model_dump())
        case _:
            return value
