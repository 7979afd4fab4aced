"""Prometheus metrics: counters of each process, and gauges of the queue, read by SQL on request."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from leadgen.api.services import services
from leadgen.store.queue import Backlog

SCOPE: Final = "metrics"
REGISTRY: Final = CollectorRegistry()

_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_ROWS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)

_requests = Counter("leadgen_requests", "Requests answered.", ["endpoint", "status"], registry=REGISTRY)
_latency = Histogram(
    "leadgen_request_seconds", "Time to answer.", ["endpoint"], buckets=_SECONDS, registry=REGISTRY
)
_accepted = Counter("leadgen_accepted", "202 responses, new or replayed.", ["outcome"], registry=REGISTRY)
flushed_rows = Histogram("leadgen_flush_rows", "Intakes in one commit.", buckets=_ROWS, registry=REGISTRY)
doorbell_failures = Counter(
    "leadgen_doorbell_failures", "Doorbell rings that Redis did not accept.", registry=REGISTRY
)

_new, _replayed = _accepted.labels("new"), _accepted.labels("replay")

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def get_metrics() -> Response:
    """Answer in the Prometheus text format, on the host; nginx never proxies this."""
    return _answer()


@blueprint.get("/lead/metrics")
def get_metrics_by_key() -> Response:
    """The same for a Prometheus elsewhere, whose key says so; nginx proxies all below /lead."""
    services().keys.authenticate(request.environ, SCOPE)
    return _answer()


def _answer() -> Response:
    here = services()
    registry = _shared(here.config.metrics_dir) if here.config.metrics_dir else REGISTRY
    text = b"".join(
        generate_latest(part)
        for part in (registry, KeysCollector(here.keys.faults), QueueCollector(here.database_side().backlog))
    )
    return Response(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)


class KeysCollector(Collector):
    """The state of the keys file, which is the same for every process."""

    def __init__(self, faults: int) -> None:
        self._faults = faults

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "leadgen_keys_file_faults", "Lines of the API keys file that are bad and not in use.", self._faults
        )


class QueueCollector(Collector):
    """The queue's gauges, from SQL. Without a database they are absent, which an alert can tell from zero."""

    def __init__(self, now: Backlog | None) -> None:
        self._now = now

    def collect(self) -> Iterator[Metric]:
        now = self._now
        if now is None:
            return
        yield GaugeMetricFamily("leadgen_backlog", "Intakes that are not leads yet.", now.waiting)
        yield GaugeMetricFamily(
            "leadgen_oldest_seconds", "Age of the oldest intake that is not a lead yet.", now.oldest_age_seconds
        )
        yield GaugeMetricFamily(
            "leadgen_dead", "Intakes that failed every attempt and wait for an operator.", now.dead
        )


def count(endpoint: str, status: int, seconds: float) -> None:
    """Count and time an answered request."""
    counter, histogram = _series(endpoint, status)
    counter.inc()
    histogram.observe(seconds)


def count_accepted(*, replayed: bool) -> None:
    (_replayed if replayed else _new).inc()


@cache
def _series(endpoint: str, status: int) -> tuple[Counter, Histogram]:
    """The series of a response, cached: looking them up takes the library as long as counting."""
    return _requests.labels(endpoint, status), _latency.labels(endpoint)


def _shared(directory: Path) -> CollectorRegistry:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(directory))
    return registry
