from __future__ import annotations

import re

import attrs
import pytest

from nimble_stop.local import Journal, LocalNimble, RequestRecord
from tests.local.support import RECORD

pytest_plugins = ["pytester"]


def stop(session_id: str = "x", *, applied: bool = True, token: str | None = "t") -> RequestRecord:  # noqa: S107  # an idempotency token
    """Note down a stop."""
    return attrs.evolve(RECORD, session_id=session_id, applied=applied, client_token=token)


def journal(*records: RequestRecord, size: int = 100) -> Journal:
    """Make a journal of some requests."""
    made = Journal(size)
    for record in records:
        made.add(record)
    return made


def test_it_is_a_sequence_of_records() -> None:
    """It can be indexed, sliced, iterated over and counted, oldest first."""
    requests = journal(stop("a"), stop("b"), stop("c"))
    assert len(requests) == 3
    assert requests[0].session_id == "a"
    assert [record.session_id for record in requests[1:]] == ["b", "c"]
    assert [record.session_id for record in requests] == ["a", "b", "c"]
    assert repr(requests) == "<Journal of 3 requests>"


def test_what_is_read_is_what_was_there() -> None:
    """Requests that come in while the journal is read do not push others out of sight."""
    requests = journal(stop("a"), stop("b"), size=2)
    read: list[str | None] = []
    for record in requests:
        read.append(record.session_id)
        requests.add(stop("c"))
    assert read == ["a", "b"]


def test_requests_can_be_picked() -> None:
    """Every property that is given has to fit."""
    requests = journal(stop("a"), stop("a", applied=False), stop("b"))
    assert len(requests.matching(session_id="a")) == 2
    assert len(requests.matching(session_id="a", applied=True)) == 1
    assert len(requests.matching(operation="GetStreamingSession")) == 0
    assert len(requests.matching(studio_id="s", client_token="t")) == 3


def test_stopped_once() -> None:
    """A repeated request that changed nothing does not count."""
    requests = journal(stop(), stop(applied=False), stop("y"))
    requests.assert_stopped_once("x")
    requests.assert_stopped_once("x", studio_id="s")
    requests.assert_not_stopped("z")
    requests.assert_attempts(2, session_id="x")
    requests.assert_attempts(3)
    requests.assert_applied(2, operation="StopStreamingSession")
    requests.assert_one_token("x")


def test_a_failed_assertion_shows_the_requests() -> None:
    """The message says what was expected, what was, and by which requests."""
    requests = journal(stop(), stop(token="u"))
    with pytest.raises(AssertionError) as caught:
        requests.assert_stopped_once("x")
    assert str(caught.value) == (
        "StopStreamingSession of session 'x' should have been applied once, and was twice; "
        "the requests were:\n"
        "  StopStreamingSession 's'/'x' -> 200 applied token='t'\n"
        "  StopStreamingSession 's'/'x' -> 200 applied token='u'"
    )


def test_what_did_not_happen() -> None:
    """Every assertion fails when it should, also without any request."""
    requests = journal()
    with pytest.raises(AssertionError, match=r"and was never; the requests were:\n  none"):
        requests.assert_stopped_once("x")
    with pytest.raises(AssertionError, match="have come in 3 times"):
        requests.assert_attempts(3)
    with pytest.raises(AssertionError, match="and carried 0"):
        requests.assert_one_token("x")
    with pytest.raises(AssertionError, match="should have been applied never"):
        journal(stop()).assert_not_stopped("x")
    with pytest.raises(AssertionError, match="and carried 2"):
        journal(stop(), stop(token="u")).assert_one_token("x")
    with pytest.raises(AssertionError, match="and carried 0"):
        journal(stop(token=None)).assert_one_token("x")


def test_none_twice() -> None:
    """All sessions are checked together; the same id in two studios is two sessions."""
    elsewhere = attrs.evolve(RECORD, studio_id="t", session_id="x")
    journal(stop("x"), elsewhere, stop("x", applied=False)).assert_none_stopped_twice()
    with pytest.raises(AssertionError, match="and 1 were more often") as caught:
        journal(stop("x"), stop("y"), stop("y", token="u")).assert_none_stopped_twice()
    assert str(caught.value).count("'y'") == 2
    assert "'x'" not in str(caught.value)


def test_a_long_list_is_cut() -> None:
    """A message shows the newest requests and counts the others."""
    requests = journal(*[stop(applied=False)] * 25)
    with pytest.raises(AssertionError) as caught:
        requests.assert_stopped_once("x")
    lines = str(caught.value).splitlines()
    assert lines[1] == "  (5 more)"
    assert len(lines) == 22


def test_it_keeps_the_newest_and_does_not_guess() -> None:
    """Its memory is bounded, and an assertion that would need what is gone says so."""
    requests = journal(stop("a"), stop("b"), stop("c"), size=2)
    assert [record.session_id for record in requests] == ["b", "c"]
    assert requests.dropped == 1
    with pytest.raises(AssertionError, match="dropped its 1 oldest records and does not know"):
        requests.assert_stopped_once("c")


def test_clearing() -> None:
    """A cleared journal is as new."""
    requests = journal(stop("a"), stop("b"), size=1)
    requests.clear()
    assert (len(requests), requests.dropped) == (0, 0)


def test_a_listener_that_fails_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    """The record is kept, and the failure is logged."""

    def fail(_: RequestRecord) -> None:
        raise BrokenPipeError

    requests = Journal(1, fail)
    requests.add(RECORD)
    assert list(requests) == [RECORD]
    assert "BrokenPipeError" in caplog.text


def known_journal(*records: RequestRecord) -> Journal:
    """Make a journal that knows a session."""
    made = Journal(sessions=lambda: [("studio-1", "artist-1")])
    for record in records:
        made.add(record)
    return made


def test_a_misspelled_operation() -> None:
    """An operation that the API does not have is refused, with the one that was meant."""
    requests = known_journal()
    said = r"did you mean 'StopStreamingSession'\?$"
    with pytest.raises(ValueError, match=said):
        requests.assert_applied(0, operation="StopStreamingSesion")
    with pytest.raises(ValueError, match=said):
        requests.assert_attempts(0, operation="StopStreamingSesion")
    with pytest.raises(ValueError, match=said):
        requests.matching(operation="StopStreamingSesion")


def test_a_session_that_never_was() -> None:
    """Nothing can be asserted of a misspelled session, not even that it was not stopped."""
    requests = known_journal()
    said = r"no session 'artst-1', and no request named it; did you mean 'artist-1'\?"
    for claim in (requests.assert_not_stopped, requests.assert_one_token):
        with pytest.raises(AssertionError, match=said):
            claim("artst-1")
    with pytest.raises(AssertionError, match=said):
        requests.assert_attempts(0, session_id="artst-1")
    with pytest.raises(AssertionError, match=r"no studio 'studio-2'.*'studio-1'"):
        requests.assert_not_stopped("artist-1", studio_id="studio-2")
    requests.assert_not_stopped("artist-1")


def test_a_session_that_a_client_named() -> None:
    """What a client asked for can be asserted of, whether there is such a session or not."""
    known_journal(stop("elsewhere", applied=False)).assert_not_stopped("elsewhere")


def test_the_endpoint_suggests_its_sessions(local: LocalNimble) -> None:
    """While it runs and afterwards, its journal knows which sessions there are."""
    local.requests.assert_not_stopped("session-1")
    local.close()
    local.requests.assert_not_stopped("session-1")
    with pytest.raises(AssertionError, match="did you mean 'session-1'"):
        local.requests.assert_not_stopped("sesion-1")


def test_a_failure_is_shown_where_the_test_fails(pytester: pytest.Pytester) -> None:
    """No frame of the journal's, of the faults' or of attrs' stands in a test's traceback."""
    pytester.makepyfile(
        """
        from nimble_stop.local import Journal, LocalNimble

        def test_one():
            Journal().assert_stopped_once("x")

        def test_two():
            Journal().assert_attempts(1)

        def test_three():
            LocalNimble().inject("ThrottlingException")
        """
    )
    output = pytester.runpytest_inprocess("-p", "no:cacheprovider").stdout.str()
    assert len(re.findall(r"\.py:\d+: ", output)) == 3
    assert "journal.py" not in output
    assert "control.py" not in output
    assert "attrs generated" not in output
