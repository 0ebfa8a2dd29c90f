"""A night's run with OpenTelemetry's real SDK; prints each span as one line of JSON.

A program of its own, because a process sets its tracer provider once.
"""

from __future__ import annotations

import sys

from opentelemetry import trace
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from nimble_stop import NimbleClient, RetryPolicy, Runtime
from nimble_stop.local import Latency, LocalNimble, ResetAfterChange, ServiceFailure

_SESSIONS = ("artist-1", "artist-2", "artist-3")


def main() -> None:
    """Stop three sessions: one is throttled at first, of one the first answer is lost."""
    provider = TracerProvider()
    exporter = ConsoleSpanExporter(
        out=sys.stdout, formatter=lambda span: span.to_json(indent=None) + "\n"
    )
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    URLLib3Instrumentor().instrument()
    with LocalNimble(transition_seconds=0.2) as local:
        for session_id in _SESSIONS:
            local.add_session(studio_id="studio-1", session_id=session_id)
        local.inject(Latency(0.05))
        for fault, session_id in (
            (ServiceFailure("ThrottlingException"), "artist-2"),
            (ResetAfterChange(), "artist-3"),
        ):
            local.inject(fault, operation="StopStreamingSession", session_id=session_id, times=1)
        with NimbleClient(
            endpoint_url=local.endpoint_url,
            region_name=local.region_name,
            credentials=local.credentials,
            # A drawing should not have more delay in it than anything else.
            retry=RetryPolicy(throttling_base_delay=0.15),
            runtime=Runtime(random=lambda: 0.99),
        ) as client:
            list(client.stop_sessions("studio-1", _SESSIONS, wait=True, max_concurrency=2))
    provider.shutdown()


if __name__ == "__main__":
    main()
