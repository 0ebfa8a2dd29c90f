from __future__ import annotations

import signal
import threading
import time

import pytest

from nimble_stop._call.deadline import Deadline
from nimble_stop._cli.signals import Ending, ending_early, handling


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_lets_the_run_end(number: int) -> None:
    """The run is cancelled from another thread, the person is shown, and nothing is raised."""
    cancelled = threading.Event()
    said: list[str] = []
    ending = Ending()
    with ending_early(ending, cancelled.set, None, said.append):
        signal.raise_signal(number)
        assert cancelled.wait(30)
    assert ending.interrupted
    assert not ending.deadline_exceeded
    assert "Ctrl-C again" in said[0]


def test_the_second_signal_ends_at_once() -> None:
    """Whoever is in a hurry gets the interrupt."""
    ending = Ending()
    with ending_early(ending, lambda: None, None, lambda _: None):
        signal.raise_signal(signal.SIGINT)
        assert ending.interrupted
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_handlers_are_put_back() -> None:
    """After the run a signal does what it did before."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    ending = Ending()
    with ending_early(ending, lambda: None, Deadline(1000, time.monotonic), lambda _: None):
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_the_deadline_cancels_too() -> None:
    """When the time is over, no further stop begins."""
    cancelled = threading.Event()
    ending = Ending()
    with ending_early(ending, cancelled.set, Deadline(0.01, time.monotonic), lambda _: None):
        assert cancelled.wait(30)
    assert ending.deadline_exceeded
    assert not ending.interrupted


def test_a_deadline_that_was_met_does_nothing() -> None:
    """The timer ends with the run."""
    before = threading.active_count()
    ending = Ending()
    with ending_early(ending, lambda: None, Deadline(1000, time.monotonic), lambda _: None):
        assert threading.active_count() == before + 1
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(30)
    assert threading.active_count() == before


def test_a_handler_is_put_back() -> None:
    """Whatever waits is ended by it, and afterwards the signal is what it was."""
    before = signal.getsignal(signal.SIGTERM)
    with (
        pytest.raises(KeyboardInterrupt),
        handling(signal.default_int_handler, signal.SIGTERM),
    ):
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


def test_other_threads_leave_signals_alone() -> None:
    """Only the main thread may handle signals; elsewhere the run goes without."""
    ended: list[bool] = []

    def run() -> None:
        with ending_early(Ending(), lambda: None, None, lambda _: None):
            ended.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert ended == [True]


@pytest.mark.parametrize("seconds", [1e10, 1e300])
def test_a_deadline_may_be_as_long_as_anybody_likes(seconds: float) -> None:
    """A timer that no lock could wait for is as long as one can be, and fails in no thread."""
    ending = Ending()
    with ending_early(ending, lambda: None, Deadline(seconds, time.monotonic), lambda _: None):
        timers = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
        assert [timer.interval for timer in timers] == [threading.TIMEOUT_MAX]
        timers[0].join(0.05)
        assert timers[0].is_alive()
    assert not ending.deadline_exceeded
