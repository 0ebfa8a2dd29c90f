# ruff: noqa: T201  # a program of its own prints
"""Stop every running session of a studio, wait for it, and tell what could not be stopped."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from nimble_stop import NimbleClient, StreamingSessionState


def stop_studio(studio_id: str, run_id: str) -> int:
    """Give the number of sessions that could not be stopped."""
    failures = 0
    with NimbleClient() as client:
        ready = (
            session.session_id
            for session in client.list_sessions(studio_id)
            if session.session_id and session.state == StreamingSessionState.READY
        )
        for result in client.stop_sessions(studio_id, ready, run_id=run_id, wait=True):
            if result.error is not None:
                failures += 1
                print(f"{result.session_id}: {result.error} {result.error.advice}")
            elif result.repeated:
                print(f"{result.session_id}: stopped by an earlier run of {run_id}")
            else:
                print(f"{result.session_id}: stopped")
    return failures


if __name__ == "__main__":
    studio = sys.argv[1] if len(sys.argv) > 1 else "demo-studio"
    sys.exit(1 if stop_studio(studio, f"nightly-{datetime.now(UTC):%Y-%m-%d}") else 0)
