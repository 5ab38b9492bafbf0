"""What the service counts for Prometheus: its answers, how long they took, and where campaigns stand."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from service.tables import AWAITING, ENDED, Status

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The counters of one service; those of campaigns are as of the last `text`."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "fanfare_http_answers", "Answers by method, route and status.", ["method", "route", "status"],
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "fanfare_http_seconds", "Time to the answer's first byte, by method and route.", ["method", "route"],
            registry=self._registry, buckets=_SECONDS,
        )  # fmt: skip
        self._campaigns = Gauge(
            "fanfare_campaigns", "Campaigns of all tenants by status.", ["status"], registry=self._registry
        )
        self._running = Gauge(
            "fanfare_runs_in_process", "Campaigns that this process runs or holds ready.", registry=self._registry
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer; `route` is the path's template, so that ids make no series."""
        self._answers.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self, campaigns: dict[Status, int], *, running: int) -> bytes:
        """All of it in Prometheus's text format."""
        for status in ("queued", "running", *AWAITING.values(), *sorted(ENDED)):
            self._campaigns.labels(status).set(campaigns.get(status, 0))
        self._running.set(running)
        return generate_latest(self._registry)
