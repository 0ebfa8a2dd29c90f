# ruff: noqa: T201  # a program of its own prints
"""Stop every running session of a studio, wait for it, and report what has not stopped."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from nimble_stop import NimbleClient, StreamingSessionState as State

RECORDS = Path("~/.local/state/nightly-stop").expanduser()


def stop_studio(client: NimbleClient, studio_id: str, run_id: str) -> dict[str, str]:
    """Give the sessions of the run that are not STOPPED, and why."""
    record = RECORDS / f"{studio_id}.{run_id}.json"
    named: set[str] = set(json.loads(record.read_text()) if record.exists() else [])
    states = read_states(client, studio_id)
    named |= {session_id for session_id, state in states.items() if state == State.READY}
    # On disk before the first stop, and whole: whatever happens, the next attempt knows them.
    record.parent.mkdir(parents=True, exist_ok=True)
    record.with_suffix(".new").write_text(json.dumps(sorted(named)))
    record.with_suffix(".new").replace(record)

    going = (State.READY, State.STOP_IN_PROGRESS)
    running = [each for each in sorted(named) if states.get(each) in going]
    reasons: dict[str, str] = {}
    for result in client.stop_sessions(studio_id, running, run_id=run_id, wait=True):
        if result.error is not None:
            reasons[result.session_id] = f"{result.error} {result.error.advice}"

    states = read_states(client, studio_id)
    return {
        each: reasons.get(each, f"It is {states.get(each, 'gone')}.")
        for each in sorted(named)
        if states.get(each) != State.STOPPED
    }


def read_states(client: NimbleClient, studio_id: str) -> dict[str, str]:
    """Give the state of every session of the studio."""
    return {
        session.session_id: session.state
        for session in client.list_sessions(studio_id)
        if session.session_id and session.state
    }


if __name__ == "__main__":
    studio = sys.argv[1] if len(sys.argv) > 1 else "demo-studio"
    with NimbleClient() as client:
        problems = stop_studio(client, studio, f"nightly-{datetime.now(UTC):%Y-%m-%d}")
    for session_id, reason in problems.items():
        print(f"{session_id}: {reason}")
    sys.exit(1 if problems else 0)
