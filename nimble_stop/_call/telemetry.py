"""OpenTelemetry: a span for each call, wait and run, and metrics of calls and attempts.

The names follow the conventions for AWS SDK client spans, and the metrics of AWS's newer SDKs. The
HTTP spans of the attempts are made by the instrumentations of urllib3 and aiohttp, as children of
the call's span. Metrics never carry ids.
https://opentelemetry.io/docs/specs/semconv/cloud-providers/aws-sdk/
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import attrs
from opentelemetry import context, metrics, propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from nimble_stop._config.retry_policy import is_throttling
from nimble_stop._version import __version__
from nimble_stop.exceptions import ServiceError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from contextlib import AbstractContextManager

    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from nimble_stop._api.request import Request
    from nimble_stop._call.record import AttemptRecord, CallRecord
    from nimble_stop._config.config import Config

_SERVICE: Final = "nimble"
_SCOPE: Final = "nimble_stop"
_CALL: Final = "smithy.client.call"
# From a quick answer to a call that was retried for long, in seconds.
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


class Telemetry:
    """Watches the calls of one client. It uses the tracer and meter provider of the process."""

    def __init__(self, config: Config) -> None:
        self._tracer = trace.get_tracer(_SCOPE, __version__)
        meter = metrics.get_meter(_SCOPE, __version__)
        scale = {"explicit_bucket_boundaries_advisory": _BUCKETS}
        self._call_seconds = meter.create_histogram(
            f"{_CALL}.duration",
            "s",
            "Duration of calls, all attempts and delays included",
            **scale,
        )
        self._attempt_seconds = meter.create_histogram(
            f"{_CALL}.attempt_duration", "s", "Duration of attempts", **scale
        )
        self._attempts = meter.create_counter(f"{_CALL}.attempts", "{attempt}", "Attempts")
        self._errors = meter.create_counter(f"{_CALL}.errors", "{error}", "Failed calls")
        self._throttles = meter.create_counter(
            "nimble_stop.client.throttles", "{attempt}", "Attempts that the service throttled"
        )
        self._target: dict[str, str | int | float | None] = {
            "rpc.system": "aws-api",
            "rpc.service": _SERVICE,
            "cloud.region": config.region_name,
            "server.address": config.endpoint.host,
            "server.port": config.endpoint.port,
        }

    @contextmanager
    def call(self, request: Request[Any], record: CallRecord) -> Generator[None]:
        operation = request.operation.name
        started = time.perf_counter()
        error_type: str | None = None
        span = self._tracer.start_span(f"{_SERVICE}.{operation}", kind=SpanKind.CLIENT)
        token = context.attach(trace.set_span_in_context(span)) if span.is_recording() else None
        try:
            yield
        except BaseException as error:
            error_type = _error_type(error)
            span.set_status(Status(StatusCode.ERROR, str(error)))
            raise
        finally:
            if token is not None:
                context.detach(token)
                self._describe(span, request, record, error_type)
            span.end()
            labels = _labels(operation, error_type)
            self._call_seconds.record(time.perf_counter() - started, labels)
            if error_type is not None:
                self._errors.add(1, labels)

    def attempt(self, attempt: AttemptRecord) -> None:
        """Take an attempt of the call whose span is the current one."""
        error = attempt.error
        labels = _labels(attempt.operation, None if error is None else _error_type(error))
        self._attempts.add(1, labels)
        self._attempt_seconds.record(attempt.seconds, labels)
        if error is not None and is_throttling(error):
            self._throttles.add(1, _labels(attempt.operation, None))
        if error is not None and attempt.next_delay is not None:
            trace.get_current_span().add_event(
                "retry",
                {
                    "error.type": _error_type(error),
                    "nimble_stop.attempt": attempt.attempt,
                    "nimble_stop.delay": attempt.next_delay,
                },
            )

    def activity(self, name: str, attributes: Mapping[str, str | int]) -> Activity:
        described = {f"{_SCOPE}.{key}": value for key, value in attributes.items()}
        return Activity(self._tracer.start_span(f"{_SCOPE}.{name}", attributes=described))

    def _describe(
        self, span: Span, request: Request[Any], record: CallRecord, error_type: str | None
    ) -> None:
        attributes: dict[str, str | int | float | None] = {
            **self._target,
            "rpc.method": request.operation.name,
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
        span.set_attributes({key: each for key, each in attributes.items() if each is not None})


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
            self._span.set_attribute("error.type", _error_type(error))
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


def _error_type(error: BaseException) -> str:
    return error.code if isinstance(error, ServiceError) else type(error).__name__


def _labels(operation: str, error_type: str | None) -> dict[str, str]:
    labels = {"rpc.service": _SERVICE, "rpc.method": operation}
    return labels if error_type is None else {**labels, "error.type": error_type}
