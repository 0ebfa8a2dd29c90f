"""OpenTelemetry: a span for each call, wait and run, and metrics of calls and attempts.

The names follow the conventions for AWS SDK client spans, and the metrics of AWS's newer SDKs. The
HTTP spans of the attempts are made by the instrumentations of urllib3 and aiohttp, as children of
the call's span. Metrics never carry ids.
https://opentelemetry.io/docs/specs/semconv/cloud-providers/aws-sdk/
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import attrs
from opentelemetry import context, metrics, propagate, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from nimble_stop._call.record import CallRecord, error_code
from nimble_stop._config.retry_policy import is_throttling
from nimble_stop._version import __version__

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from opentelemetry.context import Context

    from nimble_stop._api.request import Request
    from nimble_stop._config.config import Config
    from nimble_stop.exceptions import NimbleStopError

_SERVICE: Final = "nimble"
_SCOPE: Final = "nimble_stop"
_CALL: Final = "smithy.client.call"
# From a quick answer to a call that was retried for long, in seconds.
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


class Telemetry:
    """Watches the calls of one client. It uses the tracer and meter provider of the process."""

    def __init__(self, config: Config) -> None:
        self.tracer = trace.get_tracer(_SCOPE, __version__)
        meter = metrics.get_meter(_SCOPE, __version__)
        scale = {"explicit_bucket_boundaries_advisory": _BUCKETS}
        self.call_seconds = meter.create_histogram(
            f"{_CALL}.duration",
            "s",
            "Duration of calls, all attempts and delays included",
            **scale,
        )
        self._attempt_seconds = meter.create_histogram(
            f"{_CALL}.attempt_duration", "s", "Duration of attempts", **scale
        )
        self._attempts = meter.create_counter(f"{_CALL}.attempts", "{attempt}", "Attempts")
        self.errors = meter.create_counter(f"{_CALL}.errors", "{error}", "Failed calls")
        self._throttles = meter.create_counter(
            "nimble_stop.client.throttles", "{attempt}", "Attempts that the service throttled"
        )
        self.target: dict[str, str | int | float | None] = {
            "rpc.system": "aws-api",
            "rpc.service": _SERVICE,
            "cloud.region": config.region_name,
            "server.address": config.endpoint.host,
            "server.port": config.endpoint.port,
        }

    def call(self, request: Request[Any], record: CallRecord) -> AbstractContextManager[None]:
        return _Call(self, request, record)

    def attempt(
        self,
        record: CallRecord,
        seconds: float,
        error: NimbleStopError | None,
        next_delay: float | None,
    ) -> None:
        """Take an attempt of the call whose span is the current one."""
        error_type = None if error is None else error_code(error)
        labels = _labels(record.operation, error_type)
        self._attempts.add(1, labels)
        self._attempt_seconds.record(seconds, labels)
        if error is None:
            return
        if is_throttling(error):
            self._throttles.add(1, _labels(record.operation, None))
        if next_delay is not None:
            trace.get_current_span().add_event(
                "retry",
                {
                    "error.type": error_type,
                    "nimble_stop.attempt": record.attempts,
                    "nimble_stop.delay": next_delay,
                },
            )

    def activity(self, name: str, attributes: Mapping[str, str | int]) -> Activity:
        described = {f"{_SCOPE}.{key}": value for key, value in attributes.items()}
        return Activity(self.tracer.start_span(f"{_SCOPE}.{name}", attributes=described))


class _Call:
    """The span and the metrics of one call; a class, because it is entered in every call."""

    def __init__(self, telemetry: Telemetry, request: Request[Any], record: CallRecord) -> None:
        self._telemetry, self._request, self._record = telemetry, request, record

    def __enter__(self) -> None:
        self._started = time.perf_counter()
        name = f"{_SERVICE}.{self._record.operation}"
        self._span = span = self._telemetry.tracer.start_span(name, kind=SpanKind.CLIENT)
        # Also a span that is not sampled is the parent of what the instrumentations make.
        self._token = None
        if span is not trace.INVALID_SPAN:
            self._token = context.attach(trace.set_span_in_context(span))

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        error_type = None if error is None else error_code(error)
        if self._token is not None:
            context.detach(self._token)
            if error is not None:
                self._span.set_status(Status(StatusCode.ERROR, str(error)))
            self._describe(error_type)
            self._span.end()
        labels = _labels(self._record.operation, error_type)
        self._telemetry.call_seconds.record(time.perf_counter() - self._started, labels)
        if error_type is not None:
            self._telemetry.errors.add(1, labels)

    def _describe(self, error_type: str | None) -> None:
        request, record = self._request, self._record
        attributes: dict[str, str | int | float | None] = {
            **self._telemetry.target,
            "rpc.method": record.operation,
            "aws.request_id": record.request_id,
            "error.type": error_type,
            "http.response.status_code": record.http_status,
            "http.request.resend_count": max(record.attempts - 1, 0) or None,
            "nimble_stop.studio_id": request.studio_id,
            "nimble_stop.session_id": request.session_id,
            "nimble_stop.client_token": request.client_token,
            "nimble_stop.attempts": record.attempts,
            "nimble_stop.waited": record.waited,
        }
        self._span.set_attributes(
            {key: each for key, each in attributes.items() if each is not None}
        )


class Activity:
    """The span of a wait or a run, whichever thread or task makes its calls."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._context = trace.set_span_in_context(span)

    def current(self) -> AbstractContextManager[None]:
        """Make it the parent of the calls that this thread or task makes meanwhile."""
        return _attached(self._context)

    @contextmanager
    def whole(self) -> Generator[None]:
        """Make it the parent of all calls in the context, and end it with the context."""
        error: BaseException | None = None
        try:
            with self.current():
                yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            self.end(error)

    def remote(self) -> RemoteParent:
        """Give the parent of calls in another process; it can be pickled."""
        carrier: dict[str, str] = {}
        propagate.inject(carrier, self._context)
        return RemoteParent(carrier)

    def end(self, error: BaseException | None) -> None:
        """End the span, with the error that ended the wait or the run, if one did."""
        if error is not None:
            self._span.set_attribute("error.type", error_code(error))
            self._span.set_status(Status(StatusCode.ERROR, str(error)))
        self._span.end()


@attrs.frozen
class RemoteParent:
    """A span of another process, as its propagator wrote it."""

    carrier: dict[str, str]

    def current(self) -> AbstractContextManager[None]:
        """Make it the parent of the calls that this thread or task makes meanwhile."""
        return _attached(propagate.extract(self.carrier))


@contextmanager
def _attached(parent: Context) -> Generator[None]:
    token = context.attach(parent)
    try:
        yield
    finally:
        context.detach(token)


@lru_cache(maxsize=64)
def _labels(operation: str, error_type: str | None) -> dict[str, str]:
    labels = {"rpc.service": _SERVICE, "rpc.method": operation}
    return labels if error_type is None else {**labels, "error.type": error_type}
