"""OpenTelemetry, with the real SDK: spans and metrics say what the service saw."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.urllib3 import (  # pyright: ignore[reportMissingTypeStubs] - it has none
    URLLib3Instrumentor,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import SpanKind, StatusCode

from nimble_stop import AsyncNimbleClient, ThrottlingException
from nimble_stop.exceptions import RequestValidationError
from nimble_stop.local import LocalNimble, ServiceFailure
from tests.support.clients import make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.sdk.trace import ReadableSpan

    from nimble_stop import NimbleClient
    from tests.support.clock import ManualClock

_EXPORTER = InMemorySpanExporter()
_READER = InMemoryMetricReader()


@attrs.frozen
class Seen:
    """The spans and metrics of one test."""

    def spans(self, name: str = "") -> list[ReadableSpan]:
        """Give the spans that ended, or those with a name that begins so."""
        return [span for span in _EXPORTER.get_finished_spans() if span.name.startswith(name)]

    def points(self, name: str) -> list[tuple[dict[str, Any], Any]]:
        """Give the labels and the point of each series of a metric."""
        data = _READER.get_metrics_data()
        return [
            (dict(point.attributes or {}), point)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


class _WithoutLists(Sampler):
    """Samples everything but lists of sessions."""

    def should_sample(
        self, parent_context: object, trace_id: int, name: str, *args: object, **kwargs: object
    ) -> SamplingResult:
        """Decide by the name."""
        del parent_context, trace_id, args, kwargs
        lists = name == "nimble.ListStreamingSessions"
        return SamplingResult(Decision.DROP if lists else Decision.RECORD_AND_SAMPLE)

    def get_description(self) -> str:
        """Name it."""
        return "without lists"


@pytest.fixture(scope="module")
def _providers() -> Iterator[None]:
    """Set the process's providers, which OpenTelemetry allows once; keep nothing afterwards."""
    spans = TracerProvider(ParentBased(_WithoutLists()))
    meters = MeterProvider([_READER])
    spans.add_span_processor(SimpleSpanProcessor(_EXPORTER))
    trace.set_tracer_provider(spans)
    metrics.set_meter_provider(meters)
    yield
    spans.shutdown()
    meters.shutdown()


@pytest.fixture
def seen(_providers: None) -> Seen:
    """Give what this test's calls leave."""
    _EXPORTER.clear()
    return Seen()


@pytest.fixture
def local(clock: ManualClock) -> Iterator[LocalNimble]:
    """Run an endpoint with a session, by the test's clock."""
    with LocalNimble(clock=lambda: clock.epoch) as local:
        local.add_session(studio_id="studio-1", session_id="session-1")
        yield local


@pytest.fixture
def client(local: LocalNimble, clock: ManualClock) -> Iterator[NimbleClient]:
    """Give a client of the endpoint that never sleeps."""
    with make_client(local.endpoint_url, clock, credentials=local.credentials) as client:
        yield client


def test_call(seen: Seen, client: NimbleClient, local: LocalNimble) -> None:
    """A call is one CLIENT span, named and described by the AWS SDK conventions."""
    client.stop_session("studio-1", "session-1", client_token="token-1")

    (span,) = seen.spans()
    assert (span.name, span.kind) == ("nimble.StopStreamingSession", SpanKind.CLIENT)
    assert dict(span.attributes or {}) == {
        "rpc.system": "aws-api",
        "rpc.service": "nimble",
        "rpc.method": "StopStreamingSession",
        "cloud.region": "us-west-2",
        "server.address": "127.0.0.1",
        "server.port": int(local.endpoint_url.rpartition(":")[2]),
        "aws.request_id": local.requests[-1].request_id,
        "http.response.status_code": 200,
        "nimble_stop.studio_id": "studio-1",
        "nimble_stop.session_id": "session-1",
        "nimble_stop.client_token": "token-1",
        "nimble_stop.attempts": 1,
        "nimble_stop.waited": 0.0,
    }
    assert span.status.status_code is StatusCode.UNSET


def test_retries(seen: Seen, client: NimbleClient, local: LocalNimble, clock: ManualClock) -> None:
    """A span says how often the call was retried, why, and what it waited."""
    local.inject(ServiceFailure("ThrottlingException"), times=2)
    client.stop_session("studio-1", "session-1")

    (span,) = seen.spans()
    attributes = span.attributes or {}
    assert attributes["nimble_stop.attempts"] == 3
    assert attributes["http.request.resend_count"] == 2
    assert attributes["nimble_stop.waited"] == sum(clock.slept)
    assert [(event.name, dict(event.attributes or {})) for event in span.events] == [
        (
            "retry",
            {
                "error.type": "ThrottlingException",
                "nimble_stop.attempt": number,
                "nimble_stop.delay": delay,
            },
        )
        for number, delay in enumerate(clock.slept, 1)
    ]


def test_failure(seen: Seen, client: NimbleClient, local: LocalNimble) -> None:
    """A call that failed has an error status, the error's type and the last request id."""
    local.inject(ServiceFailure("ThrottlingException"))
    with pytest.raises(ThrottlingException) as failure:
        client.get_session("studio-1", "session-1")

    (span,) = seen.spans()
    attributes = span.attributes or {}
    assert span.status.status_code is StatusCode.ERROR
    assert attributes["error.type"] == "ThrottlingException"
    assert attributes["aws.request_id"] == failure.value.request_id


def test_metrics(seen: Seen, client: NimbleClient, local: LocalNimble) -> None:
    """Metrics count calls, attempts, errors and throttles by operation, without any id."""

    def count(name: str, **labels: str) -> int:
        wanted = {"rpc.service": "nimble", "rpc.method": "ListStreamingSessions"}
        wanted |= {key.replace("_", "."): value for key, value in labels.items()}
        return sum(
            getattr(point, "value", None) or point.count
            for given, point in seen.points(name)
            if given == wanted
        )

    local.inject(ServiceFailure("ThrottlingException"), times=4)
    with pytest.raises(ThrottlingException):
        list(client.list_sessions("studio-1"))
    list(client.list_sessions("studio-1"))

    throttled = {"error_type": "ThrottlingException"}
    assert count("smithy.client.call.duration") == 1
    assert count("smithy.client.call.duration", **throttled) == 1
    assert count("smithy.client.call.errors", **throttled) == 1
    assert count("smithy.client.call.attempts") == 1
    assert count("smithy.client.call.attempts", **throttled) == 4
    assert count("smithy.client.call.attempt_duration", **throttled) == 4
    assert count("nimble_stop.client.throttles") == 4
    buckets = {point.explicit_bounds for _, point in seen.points("smithy.client.call.duration")}
    assert [(bounds[0], bounds[-1]) for bounds in buckets] == [(0.005, 10)]


def test_http_spans_are_children(seen: Seen, client: NimbleClient, local: LocalNimble) -> None:
    """The HTTP spans that urllib3's instrumentation makes are children of the call's span."""
    local.inject(ServiceFailure("InternalServerErrorException"), times=1)
    URLLib3Instrumentor().instrument()
    try:
        client.stop_session("studio-1", "session-1")
    finally:
        URLLib3Instrumentor().uninstrument()

    (call,) = seen.spans("nimble.")
    sent = seen.spans("POST")
    assert [span.parent for span in sent] == [call.context] * 2


def test_http_spans_of_a_call_that_is_not_sampled(seen: Seen, client: NimbleClient) -> None:
    """What the instrumentations make for a call that is not sampled is not sampled either."""
    URLLib3Instrumentor().instrument()
    try:
        assert len(list(client.list_sessions("studio-1"))) == 1
    finally:
        URLLib3Instrumentor().uninstrument()
    assert seen.spans() == []


def test_async(seen: Seen, local: LocalNimble, clock: ManualClock) -> None:
    """The async client's spans are the same, also in tasks side by side."""

    async def main() -> None:
        AioHttpClientInstrumentor().instrument()
        try:
            async with AsyncNimbleClient(
                endpoint_url=local.endpoint_url,
                region_name=local.region_name,
                credentials=local.credentials,
                runtime=clock.runtime,
            ) as client:
                calls = (client.get_session("studio-1", "session-1") for _ in range(3))
                await asyncio.gather(*calls)
        finally:
            AioHttpClientInstrumentor().uninstrument()

    asyncio.run(main())

    calls = [span.context for span in seen.spans("nimble.")]
    parents = [span.parent for span in seen.spans("GET")]
    assert len(calls) == len(parents) == 3
    assert all(call in parents for call in calls)


def test_wait(seen: Seen, client: NimbleClient, local: LocalNimble) -> None:
    """A wait is a span, and its polls are its children."""
    client.stop_session("studio-1", "session-1")
    client.wait_until_stopped("studio-1", "session-1")

    (wait,) = seen.spans("nimble_stop.wait_until_stopped")
    polls = seen.spans("nimble.GetStreamingSession")
    assert polls
    assert all(poll.parent == wait.context for poll in polls)
    assert len(polls) == len(local.requests.matching(operation="GetStreamingSession"))


EXECUTORS = {
    "threads of its own": nullcontext,
    "threads": lambda: ThreadPoolExecutor(2),
    "processes": lambda: ProcessPoolExecutor(1, get_context("spawn")),
}


@pytest.mark.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS)
def test_run(
    executor: Callable[[], AbstractContextManager[Executor | None]],
    seen: Seen,
    local: LocalNimble,
    client: NimbleClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run is a span; its calls are its children, whichever thread or process makes them."""
    for name, value in local.environment.items():
        monkeypatch.setenv(name, value)
    with trace.get_tracer("test").start_as_current_span("night") as night, executor() as pool:
        maker = make_client(local.endpoint_url, credentials=None) if pool else client
        with maker:
            ran = maker.stop_sessions("studio-1", ["session-1"], run_id="n-1", executor=pool)
            assert [result.session_id for result in ran] == ["session-1"]

    runs = seen.spans("nimble_stop.stop_sessions")
    (run,) = [span for span in runs if span.parent == night.get_span_context()]
    assert (run.attributes or {})["nimble_stop.run_id"] == "n-1"
    # A worker process has no exporter here.
    for call in seen.spans("nimble.StopStreamingSession"):
        assert call.parent in [each.context for each in runs]


def test_async_run(seen: Seen, local: LocalNimble, clock: ManualClock) -> None:
    """The async client's runs are spans, too."""

    async def main() -> None:
        async with AsyncNimbleClient(
            endpoint_url=local.endpoint_url,
            region_name=local.region_name,
            credentials=local.credentials,
            runtime=clock.runtime,
        ) as client:
            async for _ in client.stop_sessions("studio-1", ["session-1"], wait=True):
                pass

    asyncio.run(main())

    (run,) = seen.spans("nimble_stop.stop_sessions")
    calls = seen.spans("nimble.")
    assert len(calls) > 1
    assert all(call.parent == run.context for call in calls)


def test_off(seen: Seen, local: LocalNimble, clock: ManualClock) -> None:
    """With telemetry=None there is nothing, also in a copy."""
    options = {"credentials": local.credentials, "telemetry": None}
    with make_client(local.endpoint_url, clock, **options) as client:
        client.with_options(deadline=9).get_session("studio-1", "session-1")

    assert seen.spans() == []


def test_bad_argument() -> None:
    """Another value is refused by the argument's name."""
    with pytest.raises(RequestValidationError, match=r"^telemetry must be") as failure:
        make_client("http://127.0.0.1:1", telemetry=True)

    assert failure.value.argument == "telemetry"


def test_without_the_api() -> None:
    """Where OpenTelemetry is not installed, a client is made without it."""
    program = """
import sys
sys.modules["opentelemetry"] = None
from nimble_stop import NimbleClient
print(NimbleClient(region_name="us-west-2", endpoint_url="http://127.0.0.1:1")._engine._telemetry)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout == "None\n"
