"""Whatever goes wrong on the way: a call that succeeds was applied once, none was applied twice.

``NIMBLE_STOP_SCHEDULES=10000 pytest -s tests/test_exactly_once.py`` tries that many schedules.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from nimble_stop import AsyncNimbleClient, NimbleClient, RetryPolicy, Runtime, Timeouts
from nimble_stop.exceptions import (
    ConflictException,
    NimbleStopError,
    ResponseDecodeError,
    ServiceError,
    TransportError,
)
from nimble_stop.local import (
    ClockSkew,
    FaultRule,
    Latency,
    LocalNimble,
    ProxyPage,
    ResetAfterChange,
    ResetBeforeChange,
    ServiceFailure,
    TrickledBody,
    TruncatedBody,
    WrongDate,
)

if TYPE_CHECKING:
    from pathlib import Path

    from nimble_stop.local import Fault, RequestRecord

SCHEDULES = int(os.environ.get("NIMBLE_STOP_SCHEDULES", "60"))
STOP = "StopStreamingSession"
# An attempt gives up after the first, and the endpoint takes its time for the second.
PATIENCE, DELAY = 0.02, 0.04

FAULTS: st.SearchStrategy[Fault] = st.one_of(
    st.sampled_from(
        [
            ServiceFailure("ThrottlingException"),
            ServiceFailure("InternalServerErrorException"),
            ServiceFailure("ServiceUnavailable", status=503, retry_after=1),
            ServiceFailure("ConflictException"),
            ServiceFailure("AccessDeniedException"),
            ServiceFailure("ExpiredTokenException", status=403),
            ResetBeforeChange(),
            ResetAfterChange(),
            TrickledBody(0.0, 40),
            TrickledBody(0.001, 1),
            ProxyPage(502),
            ProxyPage(200),
            ProxyPage(302),
            ClockSkew(3600),
            ClockSkew(-3600),
            WrongDate(86400),
            WrongDate(text="yesterday"),
            Latency(DELAY),
        ]
    ),
    st.builds(TruncatedBody, st.integers(0, 400)),
)


@attrs.frozen
class Call:
    """One call of several at the same time, each with a token of its own."""

    session_id: str
    token: str


@attrs.frozen
class Schedule:
    """What is called, and what goes wrong.

    Args:
        sessions: The session of each call.
        rules: The faults, how many stops each lets pass first, and how often it happens.
        restarts: After how many requests the endpoint is restarted.
        attempts: How often each call is tried.
    """

    sessions: tuple[str, ...]
    rules: tuple[tuple[Fault, int, int], ...]
    restarts: tuple[int, ...]
    attempts: int


SCHEDULE = st.builds(
    Schedule,
    sessions=st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=5).map(tuple),
    rules=st.lists(st.tuples(FAULTS, st.integers(0, 4), st.integers(1, 3)), max_size=6).map(tuple),
    restarts=st.one_of(st.just(()), st.lists(st.integers(1, 8), min_size=1, max_size=2).map(tuple)),
    attempts=st.integers(1, 5),
)


class Stage:
    """An endpoint on a file, which is restarted when so many requests have come in."""

    def __init__(self, directory: Path) -> None:
        self.local = LocalNimble(db=str(directory / "store.db"), on_request=self._count)
        self._restarts: list[int] = []
        self._seen = 0
        self._due = threading.Event()
        self._over = False
        self._lock = threading.Lock()

    def _count(self, _: RequestRecord) -> None:
        self._seen += 1
        if self._restarts and self._seen >= self._restarts[0]:
            self._due.set()

    def set_up(self, schedule: Schedule) -> None:
        """Prepare sessions and faults."""
        self.local.start()
        self.local.reset()
        for session_id in "abcd":
            self.local.add_session(studio_id="studio-1", session_id=session_id)
        self.local.inject_rules(
            [
                FaultRule(fault, operation=STOP, skip=skip, times=times)
                for fault, skip, times in schedule.rules
            ]
        )
        self._seen, self._over = 0, False
        self._restarts = sorted(schedule.restarts)
        self._due.clear()

    def restart_when_due(self) -> None:
        """Restart the endpoint, each time that it is due, until `finish`."""
        while True:
            self._due.wait()
            if self._over:
                return
            self._restarts.pop(0)
            self._due.clear()
            self.local.close()
            self.local.start()

    def finish(self) -> None:
        """Restart no more."""
        self._over = True
        self._due.set()

    def options(self, schedule: Schedule) -> dict[str, Any]:
        """Give what a client of it is made with; it never sleeps."""
        return {
            "endpoint_url": f"http://127.0.0.1:{self.local._port}",
            "region_name": self.local.region_name,
            "credentials": self.local.credentials,
            "timeout": Timeouts(connect=5, read=PATIENCE),
            "retry": RetryPolicy(max_attempts=schedule.attempts),
            "runtime": Runtime(sleep=lambda _: None),
        }


Outcome = NimbleStopError | None


def call_in_threads(options: dict[str, Any], calls: list[Call]) -> list[Outcome]:
    """Make all calls at the same time, in threads."""
    with NimbleClient(**options) as client, ThreadPoolExecutor(len(calls)) as pool:

        def stop(call: Call) -> Outcome:
            try:
                client.stop_session("studio-1", call.session_id, client_token=call.token)
            except NimbleStopError as error:
                return error
            return None

        return list(pool.map(stop, calls))


def call_in_tasks(options: dict[str, Any], calls: list[Call]) -> list[Outcome]:
    """Make all calls at the same time, in tasks."""

    async def stop(client: AsyncNimbleClient, call: Call) -> Outcome:
        try:
            await client.stop_session("studio-1", call.session_id, client_token=call.token)
        except NimbleStopError as error:
            return error
        return None

    async def stop_all() -> list[Outcome]:
        async with AsyncNimbleClient(**options) as client:
            return list(await asyncio.gather(*(stop(client, call) for call in calls)))

    return asyncio.run(stop_all())


def applied(stage: Stage, call: Call) -> int:
    """Count how often a call was applied, by the endpoint's journal."""
    requests = stage.local.requests.matching(
        operation=STOP, session_id=call.session_id, client_token=call.token, applied=True
    )
    return len(requests)


def check(stage: Stage, calls: list[Call], outcomes: list[Outcome]) -> None:
    """Hold what the calls said against what the endpoint did."""
    for call, error in zip(calls, outcomes, strict=True):
        times = applied(stage, call)
        if error is None:
            assert times == 1, f"{call} succeeded and was applied {times} times"
            continue
        assert isinstance(error, ServiceError | TransportError | ResponseDecodeError), repr(error)
        assert times <= 1, f"{call} was applied {times} times"
        if not error.outcome_unknown:
            assert times == 0, f"{call} says that nothing was done, and it was: {error!r}"
        assert error.client_token == call.token
        seen = stage.local.requests.matching(operation=STOP, client_token=call.token)
        # A kept connection that turns out to be closed is replaced at no cost of an attempt.
        assert len(seen) <= 2 * error.attempts
        assert len(error.attempt_errors) == error.attempts
    for (_, session_id), session in stage.local.sessions.items():
        stops = sum(applied(stage, call) for call in calls if call.session_id == session_id)
        assert stops <= 1
        assert (session.state == "STOPPED") is (stops == 1)


def resume(stage: Stage, schedule: Schedule, calls: list[Call], outcomes: list[Outcome]) -> None:
    """Repeat every call that failed, with its token: now each session is stopped, once."""
    stage.local.clear_faults()
    failed = [call for call, error in zip(calls, outcomes, strict=True) if error is not None]
    if not failed:
        return
    options = {**stage.options(schedule), "timeout": 5.0}
    for call, error in zip(failed, call_in_threads(options, failed), strict=True):
        times = applied(stage, call)
        if error is None:
            assert times == 1
        else:
            # Another call has stopped the session.
            assert isinstance(error, ConflictException), repr(error)
            assert times == 0
    for session_id in {call.session_id for call in calls}:
        stage.local.requests.assert_stopped_once(session_id)


@pytest.mark.parametrize("make_calls", [call_in_threads, call_in_tasks], ids=["sync", "async"])
def test_exactly_once(make_calls: Any, tmp_path: Path) -> None:  # noqa: ANN401 - one of the two above
    """Through any faults: success is exactly one change, and no error is wrong about it."""
    stage = Stage(tmp_path)
    ran = succeeded = unknown = 0

    @settings(max_examples=SCHEDULES, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(SCHEDULE)
    def run(schedule: Schedule) -> None:
        nonlocal ran, succeeded, unknown
        stage.set_up(schedule)
        calls = [
            Call(session_id, f"token-{number}")
            for number, session_id in enumerate(schedule.sessions)
        ]
        restarter = threading.Thread(target=stage.restart_when_due)
        restarter.start()
        try:
            outcomes = make_calls(stage.options(schedule), calls)
        finally:
            stage.finish()
            restarter.join()
            # What is still being answered is finished or given up; the journal and the file stay.
            stage.local.close()
            stage.local.start()
        check(stage, calls, outcomes)
        resume(stage, schedule, calls, outcomes)
        ran += 1
        succeeded += outcomes.count(None)
        unknown += sum(error is not None and error.outcome_unknown for error in outcomes)

    try:
        run()
    finally:
        stage.local.close()
        print(  # noqa: T201 - what was tried is a part of the result
            f"\n{ran} schedules: {succeeded} calls succeeded, {unknown} did not know"
        )
    assert ran >= SCHEDULES
    assert succeeded > SCHEDULES / 4
    assert unknown > SCHEDULES / 20
