from __future__ import annotations

import logging
import threading
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs
import pytest

from nimble_stop import RetryPolicy, Timeouts
from nimble_stop._api.operations import GET_STREAMING_SESSION
from nimble_stop._api.request import build_request
from nimble_stop._api.response import Response
from nimble_stop._call.engine import Engine, RetryQuota
from nimble_stop._call.record import AttemptRecord, CallRecord
from nimble_stop._config.endpoint_url import parse_endpoint
from nimble_stop.exceptions import (
    AccessDeniedException,
    ConfigurationError,
    ConflictException,
    ConnectionFailedError,
    ConnectionLostError,
    ConnectTimeoutError,
    DeadlineExceededError,
    InternalServerErrorException,
    NimbleStopError,
    ReadTimeoutError,
    RequestValidationError,
    ResponseDecodeError,
    ServiceError,
    ThrottlingException,
    TLSError,
    TransportError,
)
from tests.support.clients import make_config
from tests.support.clock import START, ManualClock
from tests.support.play import OK, SECRET, STOP, Outcome, Play, dated, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

GET = build_request(GET_STREAMING_SESSION, {"studio_id": "studio-1", "session_id": "session-1"})
FAILED = refusal("InternalServerErrorException", 500)
THROTTLED = refusal("ThrottlingException", 429)
CONFLICT = refusal("ConflictException", 409)
TRANSIENT = ConnectionLostError("no")
SLOWED = ThrottlingException("no")


def test_first_attempt(clock: ManualClock) -> None:
    """A success at once is one attempt, without a sleep."""
    play = Play(clock, [OK])

    assert play.call().session_id == "session-1"
    assert len(play.signs) == len(play.sends) == 1
    assert clock.slept == []


@pytest.mark.parametrize(
    ("outcomes", "slept"),
    [
        ([FAILED, OK], [0.025]),
        ([FAILED, FAILED, OK], [0.025, 0.05]),
        ([THROTTLED, OK], [0.5]),
        ([THROTTLED, THROTTLED, OK], [0.5, 1.0]),
        ([FAILED, THROTTLED, OK], [0.025, 1.0]),
        ([ConnectionLostError("no"), ReadTimeoutError("no"), OK], [0.025, 0.05]),
        ([ConnectionFailedError("no"), OK], [0.025]),
        ([refusal("ServiceUnavailable", 503), OK], [0.025]),
        ([refusal("RequestTimeout", 400), OK], [0.025]),
        ([refusal("SlowDown", 503), OK], [0.5]),
        ([refusal("ThrottlingException", 429, x_amz_retry_after="2000"), OK], [2.0]),
        ([refusal("ThrottlingException", 429, x_amz_retry_after="60000"), OK], [5.5]),
        ([refusal("ThrottlingException", 429, Retry_After="7"), OK], [0.5]),
        ([refusal("ThrottlingException", 429, retry_after="7"), OK], [7.0]),
        ([refusal("Unavailable", 503, retry_after="600"), OK], [20.0]),
        ([Response(502, {}, b"<html>Bad gateway</html>"), OK], [0.025]),
        ([Response(429, {}, b""), OK], [0.5]),
    ],
)
def test_retries(outcomes: list[Outcome], slept: list[float], clock: ManualClock) -> None:
    """What can pass is tried again, after AWS's delays."""
    attempts = len(outcomes)
    play = Play(clock, outcomes)

    assert play.call().session_id == "session-1"
    assert len(play.sends) == attempts
    assert clock.slept == pytest.approx(slept)


FINAL: list[tuple[Outcome, type[NimbleStopError]]] = [
    (refusal("AccessDeniedException", 403), AccessDeniedException),
    (CONFLICT, ConflictException),
    (refusal("Unheard", 400), ServiceError),
    (refusal("NotImplemented", 501), ServiceError),
    (refusal("X", 408), ServiceError),
    (Response(307, {"location": "http://elsewhere.example"}, b""), ServiceError),
    (Response(200, {}, b"<html>"), ResponseDecodeError),
    (Response(200, {}, b""), ResponseDecodeError),
    (TLSError("no"), TLSError),
]


@pytest.mark.parametrize(("outcome", "kind"), FINAL)
def test_not_retried(outcome: Outcome, kind: type[NimbleStopError], clock: ManualClock) -> None:
    """What cannot pass, or may have happened, is raised at once."""
    play = Play(clock, [outcome])

    with pytest.raises(kind) as failure:
        play.call()

    assert failure.value.attempts == 1
    assert len(failure.value.attempt_errors) == 1
    assert clock.slept == []


@pytest.mark.parametrize("attempts", [1, 2, 3, 7])
def test_max_attempts(attempts: int, clock: ManualClock) -> None:
    """After the last attempt the error is raised, with all that happened."""
    outcomes: list[Outcome] = [FAILED, ConnectionLostError("no"), THROTTLED, *[FAILED] * 4]
    play = Play(clock, outcomes[:attempts], settings={"retry": RetryPolicy(max_attempts=attempts)})

    with pytest.raises(NimbleStopError) as failure:
        play.call()

    error = failure.value
    assert (error.operation, error.client_token) == ("StopStreamingSession", "token-1")
    assert error.attempts == attempts
    assert (
        error.attempt_errors
        == (
            "InternalServerErrorException (HTTP 500)",
            "ConnectionLostError",
            "ThrottlingException (HTTP 429)",
            *["InternalServerErrorException (HTTP 500)"] * 4,
        )[:attempts]
    )
    assert error.waited == pytest.approx(sum(clock.slept))
    assert len(clock.slept) == attempts - 1
    assert [send.request.headers["amz-sdk-request"] for send in play.sends] == [
        f"attempt={number}; max={attempts}" for number in range(1, attempts + 1)
    ]


def test_one_request_for_all_attempts(clock: ManualClock) -> None:
    """All attempts send the same request under one invocation id; each is signed anew."""
    play = Play(clock, [FAILED, FAILED, OK, OK])
    play.call()
    play.call()

    assert [sign.request for sign in play.signs] == [STOP] * 4
    ids = [sign.headers["amz-sdk-invocation-id"] for sign in play.signs]
    assert ids[0] == ids[1] == ids[2] != ids[3]


def test_conflicts_on_request(clock: ManualClock) -> None:
    """A conflict is retried when the policy says so, like a transient failure."""
    play = Play(clock, [CONFLICT, OK], settings={"retry": RetryPolicy(retry_conflicts=True)})

    play.call()
    assert clock.slept == [0.025]


def test_quota_ends_retries(clock: ManualClock) -> None:
    """With the quota used up nothing is retried any more; successes fill it again."""
    play = Play(clock, [FAILED] * 200)
    tried: list[int] = []
    for _ in range(20):
        with pytest.raises(InternalServerErrorException) as failure:
            play.call()
        tried.append(failure.value.attempts)

    # 500 units pay for 35 retries of 14: seventeen calls with two, one with one.
    assert tried == [3] * 17 + [2] + [1] * 2
    play.outcomes[:] = [OK] * 4 + [FAILED, OK, FAILED, OK]
    for _ in range(6):
        play.call()
    assert play.outcomes == []


def test_failures_give_nothing_back(clock: ManualClock) -> None:
    """A call that fails in the end leaves the quota as its retries left it."""
    play = Play(clock, [THROTTLED] * 300)
    for _ in range(50):
        with pytest.raises(ThrottlingException):
            play.call()

    with pytest.raises(ThrottlingException) as failure:
        play.call()
    assert failure.value.attempts == 1


def test_shared_by_copies(clock: ManualClock) -> None:
    """An engine with other settings shares quota and skew."""
    play = Play(clock, [THROTTLED, dated(OK, START + 3600), *[FAILED] * 40])
    first, stubborn = play.engine, RetryPolicy(max_attempts=99, max_backoff=0.1)
    play.engine = first.with_config(make_config(clock, retry=stubborn))
    play.call()
    with pytest.raises(InternalServerErrorException):
        play.call()
    play.engine = first
    with pytest.raises(InternalServerErrorException) as failure:
        play.call()

    assert failure.value.attempts == 1
    assert first.skew_seconds == pytest.approx(3600, abs=10)


def late(clock: ManualClock, seconds: float, outcome: Outcome) -> Callable[[], Response]:
    """Let an outcome take its time."""

    def come() -> Response:
        clock.advance(seconds)
        if isinstance(outcome, BaseException):
            raise outcome
        assert isinstance(outcome, Response)
        return outcome

    return come


def test_timeouts_of_an_attempt(clock: ManualClock) -> None:
    """Each attempt gets the client's timeouts, and what is left of the deadline."""
    play = Play(clock, [], settings={"timeouts": Timeouts(connect=2, read=3)})
    play.outcomes[:] = [late(clock, 4, FAILED), OK]
    play.call(deadline=10)

    assert [(send.connect, send.read, send.total) for send in play.sends] == [
        (2, 3, 10),
        (2, 3, pytest.approx(10 - 4 - 0.025)),
    ]


def test_deadline_of_the_client(clock: ManualClock) -> None:
    """Without a deadline of its own a call has the client's."""
    play = Play(clock, [OK], settings={"deadline": 12.5})
    play.call()

    assert play.sends[0].total == 12.5


@pytest.mark.parametrize("error", [ReadTimeoutError("late"), ConnectTimeoutError("late")])
def test_deadline_in_an_attempt(error: TransportError, clock: ManualClock) -> None:
    """An attempt that the deadline ends is a DeadlineExceededError that says why."""
    play = Play(clock, [])
    play.outcomes[:] = [late(clock, 10, error)]

    with pytest.raises(DeadlineExceededError, match="The deadline of 10 s") as failure:
        play.call(deadline=10)

    assert failure.value.__cause__ is error
    assert failure.value.attempts == 1
    assert failure.value.client_token == "token-1"
    assert failure.value.outcome_unknown is error.request_sent
    assert clock.slept == []


@pytest.mark.parametrize("error", [ReadTimeoutError("late"), TLSError("late")])
def test_deadline_in_the_last_attempt(error: TransportError, clock: ManualClock) -> None:
    """It is the deadline that ended the call also where no attempt would have followed."""
    play = Play(clock, [], settings={"retry": RetryPolicy(max_attempts=1)})
    play.outcomes[:] = [late(clock, 10, error)]

    with pytest.raises(DeadlineExceededError) as failure:
        play.call(deadline=10)
    assert failure.value.__cause__ is error


def test_no_sleep_beyond_the_deadline(clock: ManualClock) -> None:
    """Where the next attempt would come too late, nothing is waited for."""
    play = Play(clock, [refusal("ThrottlingException", 429, retry_after="20")])

    with pytest.raises(DeadlineExceededError) as failure:
        play.call(deadline=19)

    assert isinstance(failure.value.__cause__, ThrottlingException)
    assert clock.slept == []
    assert failure.value.attempts == 1


def test_refusal_after_the_deadline(clock: ManualClock) -> None:
    """An answer that came is raised, even if it came late: it is final."""
    play = Play(clock, [])
    play.outcomes[:] = [late(clock, 11, CONFLICT)]

    with pytest.raises(ConflictException):
        play.call(deadline=10)


def test_signing_takes_the_deadline(clock: ManualClock) -> None:
    """When credentials took all the time, nothing is sent, and the error says so once."""
    play = Play(clock, [OK], signing=[11.0])

    with pytest.raises(DeadlineExceededError) as failure:
        play.call(deadline=10)

    error = failure.value
    assert play.sends == []
    assert (error.attempts, error.attempt_errors, error.outcome_unknown) == (0, (), False)
    assert str(error).count("The deadline of") == 1
    assert error.__cause__ is None


def test_signing_takes_the_deadline_of_a_retry(clock: ManualClock) -> None:
    """When credentials took the time of a retry, the error describes the attempt before."""
    play = Play(clock, [ConnectionLostError("gone")], signing=[0.0, 11.0])

    with pytest.raises(DeadlineExceededError) as failure:
        play.call(deadline=10)

    assert failure.value.attempts == 1
    assert failure.value.attempt_errors == ("ConnectionLostError",)
    assert failure.value.outcome_unknown


def test_signing_fails(clock: ManualClock) -> None:
    """Without credentials nothing is sent, and no attempt is counted."""
    play = Play(clock, [OK], signing=[ConfigurationError("none")])

    with pytest.raises(ConfigurationError) as failure:
        play.call()

    assert play.sends == []
    assert (failure.value.attempts, failure.value.attempt_errors) == (0, ())
    assert failure.value.client_token == "token-1"


UNKNOWN: list[tuple[list[Outcome], bool]] = [
    ([CONFLICT], False),
    ([ConnectionFailedError("no")] * 3, False),
    ([TLSError("no")], False),
    ([THROTTLED] * 3, False),
    ([FAILED] * 3, True),
    ([ReadTimeoutError("no")] * 3, True),
    ([ConnectionLostError("no"), CONFLICT], True),
    ([FAILED, CONFLICT], True),
    ([Response(200, {}, b"")], True),
    ([Response(504, {}, b"")] * 3, True),
]


@pytest.mark.parametrize(("outcomes", "unknown"), UNKNOWN)
def test_outcome_unknown(outcomes: list[Outcome], clock: ManualClock, *, unknown: bool) -> None:
    """An error says whether the change may have been made all the same."""
    with pytest.raises(NimbleStopError) as failure:
        Play(clock, outcomes).call()

    assert failure.value.outcome_unknown is unknown


def test_reading_changes_nothing(clock: ManualClock) -> None:
    """Whatever becomes of a read, it changed nothing."""
    with pytest.raises(ReadTimeoutError) as failure:
        Play(clock, [ReadTimeoutError("no")] * 3).call(GET)

    assert not failure.value.outcome_unknown
    assert failure.value.client_token is None


def test_skew_is_learned_and_healed(clock: ManualClock) -> None:
    """A refused signature is repeated by the service's clock, which is remembered, and healed."""
    play = Play(clock, [])
    play.outcomes[:] = [
        dated(refusal("InvalidSignatureException", 403), START + 3600),
        dated(OK, START + 3600),
        dated(OK, START + 3600),
        dated(refusal("InvalidSignatureException", 403), START),
        dated(OK, START),
    ]
    for _ in range(3):
        play.call()

    assert [round(sign.skew, -1) for sign in play.signs] == [0, 3600, 3600, 3600, 0]
    assert play.outcomes == []


def test_skew_costs_an_attempt(clock: ManualClock) -> None:
    """A retry for skew is an attempt like any other."""
    play = Play(
        clock,
        [dated(refusal("InvalidSignatureException", 403), START + 3600)],
        settings={"retry": RetryPolicy(max_attempts=1)},
    )

    with pytest.raises(ServiceError) as failure:
        play.call()
    assert failure.value.attempts == 1
    assert play.engine.skew_seconds == 3600


def test_skew_turned_off(clock: ManualClock) -> None:
    """Turned off, no attempt is made for skew."""
    play = Play(
        clock,
        [dated(refusal("InvalidSignatureException", 403), START + 3600)],
        settings={"correct_clock_skew": False},
    )

    with pytest.raises(ServiceError):
        play.call()
    assert play.outcomes == []


def test_service_that_denies_for_good(clock: ManualClock) -> None:
    """A refusal that skew does not heal is raised after the second attempt."""
    denied = dated(refusal("AccessDeniedException", 403), START + 3600)
    play = Play(clock, [denied, denied, OK])

    with pytest.raises(AccessDeniedException) as failure:
        play.call()
    assert failure.value.attempts == 2


def test_closed_service_is_explained(clock: ManualClock) -> None:
    """Where AWS's own host cannot be reached, the error says that the API is closed."""
    endpoint = parse_endpoint("https://nimble.us-west-2.amazonaws.com", "x")
    play = Play(
        clock,
        [ConnectionFailedError("unknown host")] * 3,
        settings={"endpoint": attrs.evolve(endpoint, is_aws=True)},
    )

    with pytest.raises(ConnectionFailedError) as failure:
        play.call()

    text = str(failure.value)
    for part in ("unknown host", "2024-06-19", "endpoint_url=", "nimble-stop serve"):
        assert part in text
    assert text.count("2024-06-19") == 1


def test_other_endpoints_are_not_explained(clock: ManualClock) -> None:
    """Elsewhere the error does not speak of AWS."""
    with pytest.raises(ConnectionFailedError) as failure:
        Play(clock, [ConnectionFailedError("unknown host")] * 3).call()

    assert "AWS" not in str(failure.value)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, MemoryError, RuntimeError])
def test_interruption(kind: type[BaseException], clock: ManualClock) -> None:
    """An interruption is passed on, with a note of how to go on safely."""
    with pytest.raises(kind) as interruption:
        Play(clock, [FAILED, kind("out")]).call()

    notes = interruption.value.__notes__
    assert notes == [
        "StopStreamingSession was interrupted in attempt 2; repeat it with client_token='token-1'"
    ]


def test_interruption_of_a_read(clock: ManualClock) -> None:
    """An interrupted read has no token to go on with."""
    with pytest.raises(KeyboardInterrupt) as interruption:
        Play(clock, [KeyboardInterrupt()]).call(GET)

    assert interruption.value.__notes__ == ["GetStreamingSession was interrupted in attempt 1"]


def test_record(clock: ManualClock) -> None:
    """A record that is passed in describes the call also when it succeeds."""
    record = CallRecord()
    Play(clock, [THROTTLED, OK]).call(record=record)

    assert (record.operation, record.client_token) == ("StopStreamingSession", "token-1")
    assert (record.attempts, record.waited, record.throttled) == (2, 0.5, True)
    assert record.request_id == "request-ok"


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "1", True])
def test_bad_deadlines(seconds: float, clock: ManualClock) -> None:
    """A deadline must be a number of seconds greater than zero."""
    with pytest.raises(RequestValidationError, match=r"^deadline must be"):
        Play(clock, [OK]).call(deadline=seconds)


# What ends the line about each attempt.
LINES: list[tuple[list[Outcome], list[str]]] = [
    ([OK], ["DEBUG 1: ok after 0.000 s, request id request-ok"]),
    (
        [FAILED, ConnectionLostError("gone"), CONFLICT],
        [
            "INFO 1: InternalServerErrorException (HTTP 500) after 0.000 s, request id request-1",
            "INFO 2: ConnectionLostError after 0.000 s, request id none",
            "INFO 3: ConflictException (HTTP 409) after 0.000 s, request id request-1",
        ],
    ),
]


@pytest.mark.parametrize(("outcomes", "lines"), LINES)
def test_log(
    outcomes: list[Outcome],
    lines: list[str],
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log has one line an attempt: what, how it ended, how long, request id, next delay."""
    caplog.set_level(logging.DEBUG, "nimble_stop")
    with suppress(ConflictException):
        Play(clock, outcomes).call()

    where = ", studio 'studio-1', session 'session-1'"
    expected = [line.replace(" ", " StopStreamingSession attempt ", 1) + where for line in lines]
    for index, delay in enumerate(clock.slept):
        expected[index] += f", next attempt in {delay:.3f} s"
    assert [f"{record.levelname} {record.message}" for record in caplog.records] == expected


def test_log_has_the_duration(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    """The log says how long an attempt took."""
    caplog.set_level(logging.DEBUG, "nimble_stop")
    play = Play(clock, [])
    play.outcomes[:] = [late(clock, 1.25, OK)]
    play.call()

    assert "after 1.250 s" in caplog.text


def test_quiet_log(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    """A log that nobody asked for is not written."""
    caplog.set_level(logging.WARNING, "nimble_stop")
    Play(clock, [FAILED, OK]).call()

    assert caplog.record_tuples == []


def test_log_fields(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    """A log record carries the fields of the attempt, and the error's code."""
    caplog.set_level(logging.DEBUG, "nimble_stop")
    Play(clock, [THROTTLED, OK]).call()

    fields = [
        "operation studio_id session_id client_token attempt http_status request_id next_delay",
        "error_code",
    ]
    shown = [
        [getattr(record, name) for name in " ".join(fields).split()] for record in caplog.records
    ]
    call = ["StopStreamingSession", "studio-1", "session-1", "token-1"]
    assert shown == [
        [*call, 1, 429, "request-1", 0.5, "ThrottlingException"],
        [*call, 2, 200, "request-ok", None, None],
    ]


def test_ids_forge_no_log_line(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    """An id with a line break stays on the line of its attempt."""
    caplog.set_level(logging.DEBUG, "nimble_stop")
    arguments = {"studio_id": "a", "session_id": "b\nINFO forged"}
    Play(clock, [OK]).call(build_request(GET_STREAMING_SESSION, arguments))

    assert r"session 'b\nINFO forged'" in caplog.records[0].message


def test_no_attempt_no_record(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    """A failure before the first attempt is no attempt: nothing is logged, nobody is called."""
    caplog.set_level(logging.DEBUG, "nimble_stop")
    records: list[AttemptRecord] = []
    play = Play(clock, [], signing=[ConfigurationError("no credentials")])
    play.engine = Engine(make_config(clock), records.append)

    with pytest.raises(ConfigurationError):
        play.call()

    assert (records, caplog.record_tuples) == ([], [])


def test_on_attempt(clock: ManualClock) -> None:
    """The callback gets the record of each attempt, when it has ended."""
    records: list[AttemptRecord] = []
    play = Play(clock, [], on_attempt=records.append)
    play.outcomes[:] = [late(clock, 1.25, FAILED), ConnectionLostError("gone"), OK]
    play.call()

    assert [(each.attempt, each.http_status, each.seconds) for each in records] == [
        (1, 500, 1.25),
        (2, None, 0.0),
        (3, 200, 0.0),
    ]
    assert [type(each.error) for each in records] == [
        InternalServerErrorException,
        ConnectionLostError,
        type(None),
    ]
    assert [each.next_delay for each in records] == [*clock.slept, None]
    assert records[0].error is not None
    assert records[0].error.client_token == "token-1"


def test_calls_within_a_deadline(clock: ManualClock) -> None:
    """A limit that holds for several calls leaves each of them what is left of it."""
    engine = Play(clock, []).engine
    bounded = engine.with_config(engine._config)
    bounded.limit = engine.deadline(60)
    clock.advance(50)

    assert bounded.deadline(90).remaining == 10
    assert bounded.deadline(5).remaining == 5
    assert engine.deadline(90).remaining == 90


ECHOES = [
    refusal("InvalidSignatureException", 403, f"signature {SECRET} does not match"),
    refusal(SECRET, 403),
    refusal("Denied", 403, x_amzn_requestid=SECRET),
    Response(403, {}, f'{{"code": "x", "context": {{"{SECRET}": "{SECRET}"}}}}'.encode()),
    Response(200, {"x-echo": SECRET}, f"<html>{SECRET}".encode()),
    Response(200, {}, f'{{"session": {{"stoppedAt": "{SECRET}"}}}}'.encode()),
    Response(403, {}, rb'{"message": "\u0035\u0065c2e\u0037 is not it"}'),
    Response(403, {}, rb'{"message": "\5ec2\e7", "code": "x"}'),
]


@pytest.mark.parametrize("echo", range(len(ECHOES)))
def test_echoed_secrets(echo: int, clock: ManualClock) -> None:
    """What the service echoes of the signature reaches neither the error nor its traceback."""
    with pytest.raises(NimbleStopError) as failure:
        Play(clock, [lambda: ECHOES[echo]]).call()

    shown = traceback.TracebackException.from_exception(failure.value, capture_locals=True)
    texts = [str(failure.value), repr(failure.value), str(vars(failure.value)), *shown.format()]
    assert [text for text in texts if SECRET in text] == []


def test_quota_costs() -> None:
    """A transient retry costs 14 units of 500, a throttled one 5."""
    quota = RetryQuota()

    assert quota.available == 500
    assert quota.take(TRANSIENT) == 14
    assert quota.take(SLOWED) == 5
    assert quota.available == 481


def test_quota_comes_back() -> None:
    """A success gives the last retry's cost back, or one unit, and never more than there was."""
    quota = RetryQuota()
    for _ in range(2):
        quota.take(TRANSIENT)
    quota.give_back(14)
    assert quota.available == 486
    quota.give_back(0)
    assert quota.available == 487
    quota.give_back(5)
    quota.give_back(14)
    assert quota.available == 500
    quota.give_back(0)
    assert quota.available == 500


@pytest.mark.parametrize(("error", "retries", "left"), [(TRANSIENT, 35, 10), (SLOWED, 100, 0)])
def test_empty_quota(error: NimbleStopError, retries: int, left: int) -> None:
    """With too little left there is no retry, and nothing is taken."""
    quota = RetryQuota()

    assert sum(quota.take(error) is not None for _ in range(200)) == retries
    assert quota.available == left


def test_small_change_buys_the_cheaper_retry() -> None:
    """What is too little for a transient retry can be enough for a throttled one."""
    quota = RetryQuota(13)

    assert quota.take(TRANSIENT) is None
    assert quota.take(SLOWED) == 5


def test_quota_in_threads() -> None:
    """Units are neither lost nor doubled between threads."""
    quota = RetryQuota(8 * 200 * 5)

    def spend() -> None:
        for _ in range(200):
            assert quota.take(SLOWED) == 5

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert quota.available == 0
