from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from nimble_stop.local import StopFails
from nimble_stop.local.api.answer import Refusal
from nimble_stop.local.storage.store import Store
from nimble_stop.local.studio.session_operations import PAGE_SIZE, Call, Operations
from tests.local.support import Clock, stored_session

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping


@pytest.fixture
def clock() -> Clock:
    """The server's time."""
    return Clock(1000)


@pytest.fixture
def operations(clock: Clock) -> Generator[Operations]:
    """The operations on a store with one session that is ready; transitions take 10 seconds."""
    store = Store(":memory:", clock)
    made = Operations(store=store, transition_seconds=10, region_name="us-west-2")
    seed(made, "x")
    yield made
    store.close()


def seed(operations: Operations, session_id: str, state: str = "READY", **members: str) -> None:
    """Store a session."""
    session = stored_session(session_id, state=state, due=None, **members)
    with operations.store.transaction() as tables:
        assert tables.add(session)


def stop(
    session_id: str = "x",
    *,
    token: str | None = None,
    body: Mapping[str, object] | None = None,
    caller: str = "AKID",
) -> Call:
    """Call for a stop."""
    return call("Stop", session_id, client_token=token, body=body or {}, caller=caller)


def call(verb: str, session_id: str | None = "x", **more: Any) -> Call:  # noqa: ANN401  # as in Call
    """Call for an operation."""
    noun = "StreamingSessions" if verb == "List" else "StreamingSession"
    arguments: dict[str, Any] = {"caller": "AKID", "studio_id": "s", **more}
    return Call(operation=verb + noun, session_id=session_id, **arguments)


def perform(operations: Operations, wanted: Call) -> Any:  # noqa: ANN401  # JSON holds anything
    """Do it, and read the answer."""
    return json.loads(operations.perform(wanted).body)


def refused(operations: Operations, wanted: Call) -> Refusal:
    """Do what is to be refused."""
    with pytest.raises(Refusal) as caught:
        operations.perform(wanted)
    return caught.value


def state(operations: Operations, session_id: str = "x") -> str:
    """Read a session's state."""
    return str(perform(operations, call("Get", session_id))["session"]["state"])


def test_a_stop_goes_through_its_states(operations: Operations, clock: Clock) -> None:
    """It is answered with STOP_IN_PROGRESS, stays so while it takes, and ends in STOPPED."""
    answered = perform(operations, stop(body={"volumeRetentionMode": "DELETE"}))["session"]
    assert (answered["state"], answered["volumeRetentionMode"]) == ("STOP_IN_PROGRESS", "DELETE")
    clock.now += 9.9
    assert state(operations) == "STOP_IN_PROGRESS"
    clock.now += 0.1
    assert state(operations) == "STOPPED"


def test_reading_applies_nothing(operations: Operations) -> None:
    """Only a request that changes something counts as applied."""
    assert not operations.perform(call("Get")).applied
    assert not operations.perform(call("List", None)).applied
    assert operations.perform(stop()).applied


def test_reading_a_session_is_one_statement(operations: Operations) -> None:
    """Only a session that time changes is read more than once."""
    statements: list[str] = []
    operations.store._database.set_trace_callback(statements.append)
    operations.perform(call("Get"))
    assert len(statements) == 1
    operations.perform(stop())
    statements.clear()
    operations.perform(call("Get"))
    assert len(statements) == 3


def test_without_retention_the_sessions_own_stays(operations: Operations) -> None:
    """A stop that says nothing about volumes leaves the session's own mode."""
    seed(operations, "y", volumeRetentionMode="DELETE")
    assert perform(operations, stop("y"))["session"]["volumeRetentionMode"] == "DELETE"
    assert perform(operations, stop("x"))["session"]["volumeRetentionMode"] == "RETAIN"


def test_the_whole_life(operations: Operations, clock: Clock) -> None:
    """A session is created, stopped, started from a backup and deleted."""
    created = perform(operations, call("Create", None, body={"launchProfileId": "lp"}))["session"]
    session_id = created["sessionId"]
    assert (created["state"], created["createdBy"]) == ("CREATE_IN_PROGRESS", "AKID")
    assert len(session_id) == 22
    clock.now += 10
    assert state(operations, session_id) == "READY"
    operations.perform(stop(session_id))
    clock.now += 10
    started = perform(operations, call("Start", session_id, body={"backupId": "b-1"}))["session"]
    assert (started["state"], started["startedFromBackupId"]) == ("START_IN_PROGRESS", "b-1")
    assert "backupId" not in started
    clock.now += 10
    deleted = perform(operations, call("Delete", session_id))["session"]
    assert deleted["state"] == "DELETE_IN_PROGRESS"
    clock.now += 10
    assert state(operations, session_id) == "DELETED"


@pytest.mark.parametrize("verb", ["Stop", "Start", "Delete"])
def test_while_one_operation_is_in_progress(operations: Operations, verb: str) -> None:
    """Every other one is ConflictException, in AWS's words."""
    operations.perform(stop())
    refusal = refused(operations, call(verb))
    assert (refusal.code, refusal.status) == ("ConflictException", 409)
    assert "Another operation is in progress" in refusal.message
    assert refusal.context["state"] == "STOP_IN_PROGRESS"


@pytest.mark.parametrize(
    "from_state",
    ["STOPPED", "CREATE_FAILED", "STOP_FAILED", "START_FAILED", "DELETE_FAILED"],
)
def test_a_stop_in_another_state(operations: Operations, from_state: str) -> None:
    """A session that is not READY cannot be stopped, and the message names its state."""
    seed(operations, "y", from_state)
    refusal = refused(operations, stop("y"))
    assert refusal.code == "ConflictException"
    assert from_state in refusal.message


@pytest.mark.parametrize("verb", ["Stop", "Start", "Delete", "Get"])
@pytest.mark.parametrize("session_id", ["gone", "../x", "x'; --", "\0", "x" * 1500, "猫"])
def test_an_unknown_session(operations: Operations, verb: str, session_id: str) -> None:
    """Whatever characters an id holds, it is searched for and not found."""
    refusal = refused(operations, call(verb, session_id))
    assert (refusal.code, refusal.status) == ("ResourceNotFoundException", 404)
    assert refusal.message == "Streaming session not found."
    assert refusal.context == {"studioId": "s", "sessionId": session_id}


@pytest.mark.parametrize("verb", ["Stop", "Start", "Delete"])
def test_a_deleted_session(operations: Operations, verb: str) -> None:
    """A deleted session is gone for every operation that changes something."""
    seed(operations, "y", "DELETED")
    assert refused(operations, call(verb, "y")).code == "ResourceNotFoundException"


def test_a_failure_decides_how_a_transition_ends(operations: Operations, clock: Clock) -> None:
    """A stop that is to fail is accepted all the same, and ends in STOP_FAILED."""
    failing = attrs.evolve(stop(), fails=lambda: StopFails("NETWORK_CONNECTION_ERROR"))
    assert perform(operations, failing)["session"]["state"] == "STOP_IN_PROGRESS"
    clock.now += 10
    session = perform(operations, call("Get"))["session"]
    assert (session["state"], session["statusCode"]) == ("STOP_FAILED", "NETWORK_CONNECTION_ERROR")


def test_a_creation_can_fail(operations: Operations, clock: Clock) -> None:
    """A failure applies to a creation as well."""
    creation = call("Create", None, fails=lambda: StopFails("INSUFFICIENT_CAPACITY"))
    session_id = perform(operations, creation)["session"]["sessionId"]
    clock.now += 10
    assert state(operations, session_id) == "CREATE_FAILED"


def test_nobody_is_asked_for_a_failure_when_nothing_changes(operations: Operations) -> None:
    """A refused or repeated request does not use a failure up."""

    def fails() -> StopFails | None:
        raise AssertionError

    operations.perform(stop(token="t"))
    operations.perform(attrs.evolve(stop(token="t"), fails=fails))
    refused(operations, attrs.evolve(stop(), fails=fails))


def test_a_transition_can_wait_until_it_is_completed(operations: Operations, clock: Clock) -> None:
    """Without a duration time alone completes nothing."""
    manual = attrs.evolve(operations, transition_seconds=None)
    manual.perform(stop())
    clock.now += 1_000_000
    assert state(manual) == "STOP_IN_PROGRESS"
    with manual.store.transaction() as tables:
        assert tables.complete(("s", "x"))
    assert state(manual) == "STOPPED"


def test_a_repeated_request_gets_the_first_answer(operations: Operations, clock: Clock) -> None:
    """Byte for byte, whatever has happened since, and nothing happens again."""
    first = operations.perform(stop(token="t"))
    clock.now += 10
    operations.perform(call("Start"))
    clock.now += 10
    again = operations.perform(stop(token="t"))
    assert (first.applied, again.applied) == (True, False)
    assert again.body == first.body
    assert state(operations) == "READY"


@pytest.mark.parametrize(
    "other",
    [
        stop("y", token="t"),
        stop(token="t", body={"volumeRetentionMode": "DELETE"}),
        attrs.evolve(stop(token="t"), studio_id="t"),
        stop("gone", token="t"),
    ],
)
def test_a_token_with_other_parameters(operations: Operations, other: Call) -> None:
    """A token that was used for something else is ValidationException."""
    seed(operations, "y")
    operations.perform(stop(token="t"))
    refusal = refused(operations, other)
    assert (refusal.code, refusal.status) == ("ValidationException", 400)
    assert state(operations, "y") == "READY"


def test_a_token_belongs_to_operation_and_caller(operations: Operations, clock: Clock) -> None:
    """Another operation or another caller can use the same one for itself."""
    operations.perform(stop(token="t"))
    clock.now += 10
    assert operations.perform(call("Start", client_token="t")).applied
    clock.now += 10
    assert operations.perform(stop(token="t", caller="OTHER")).applied


def test_tokens_are_case_sensitive(operations: Operations) -> None:
    """Two tokens that differ in case are two."""
    operations.perform(stop(token="t"))
    assert refused(operations, stop(token="T")).code == "ConflictException"


def test_errors_are_not_remembered(operations: Operations) -> None:
    """A token that met an error is as good as new."""
    assert refused(operations, stop("y", token="t")).code == "ResourceNotFoundException"
    seed(operations, "y")
    assert operations.perform(stop("y", token="t")).applied


def test_a_creations_token_makes_one_session(operations: Operations) -> None:
    """Creating twice with one token makes one session."""
    creation = call("Create", None, client_token="t", body={"launchProfileId": "lp"})
    assert perform(operations, creation) == perform(operations, creation)
    with operations.store.access() as tables:
        assert tables.count() == 2


def ids(answer: Any) -> list[str]:  # noqa: ANN401  # JSON holds anything
    """Read the ids of a page."""
    return [session["sessionId"] for session in answer["sessions"]]


def test_pages(operations: Operations) -> None:
    """A page holds at most 100, and the pages together hold every session once."""
    for number in range(2 * PAGE_SIZE):
        seed(operations, f"y{number}")
    listed: list[str] = []
    query: dict[str, str] = {}
    sizes: list[int] = []
    while True:
        answer = perform(operations, call("List", None, query=query))
        listed += ids(answer)
        sizes.append(len(answer["sessions"]))
        if "nextToken" not in answer:
            break
        query = {"nextToken": answer["nextToken"]}
    assert sizes == [100, 100, 1]
    assert listed == ["x", *(f"y{number}" for number in range(2 * PAGE_SIZE))]


@settings(max_examples=20, deadline=None)
@given(st.sets(st.integers(0, 149)), st.integers(0, 30))
def test_pages_are_stable_under_changes(gone: set[int], new: int) -> None:
    """Sessions that stay are listed exactly once, whatever comes and goes between two pages."""
    store = Store(":memory:", lambda: 0.0)
    operations = Operations(store=store, transition_seconds=0, region_name="us-west-2")
    for number in range(150):
        seed(operations, f"y{number}")
    first = perform(operations, call("List", None))
    for number in gone:
        operations.perform(call("Delete", f"y{number}"))
    for number in range(new):
        seed(operations, f"z{number}")
    query = {"nextToken": first["nextToken"]}
    listed = ids(first) + ids(perform(operations, call("List", None, query=query)))
    store.close()
    assert len(listed) == len(set(listed))
    assert {f"y{number}" for number in range(150) if number not in gone} <= set(listed)


def test_filters(operations: Operations) -> None:
    """Owner, creator and ids narrow a list down, together."""
    seed(operations, "a", ownedBy="me")
    seed(operations, "b", ownedBy="me", createdBy="you")
    for query, expected in (
        ({"ownedBy": "me"}, ["a", "b"]),
        ({"ownedBy": "me", "createdBy": "you"}, ["b"]),
        ({"sessionIds": "x,a,,gone"}, ["x", "a"]),
        ({"ownedBy": ""}, []),
        ({"unknown": "1"}, ["x", "a", "b"]),
    ):
        assert ids(perform(operations, call("List", None, query=query))) == expected


def test_listing_leaves_out_what_is_deleted(operations: Operations, clock: Clock) -> None:
    """A session is listed while it is being deleted, and not afterwards."""
    operations.perform(call("Delete"))
    assert ids(perform(operations, call("List", None))) == ["x"]
    clock.now += 10
    assert perform(operations, call("List", None)) == {"sessions": []}


def test_a_studio_without_sessions_does_not_exist(operations: Operations) -> None:
    """Listing it is ResourceNotFoundException."""
    refusal = refused(operations, call("List", None, studio_id="other"))
    assert (refusal.code, refusal.message) == ("ResourceNotFoundException", "Studio not found.")
    assert refusal.context == {"studioId": "other"}


@pytest.mark.parametrize("token", ["", "x", "!!!!", "ü", "AAAAAAAAAAA=", "A" * 32])
def test_an_unknown_page_token(operations: Operations, token: str) -> None:
    """A token that this list did not give out is ValidationException."""
    refusal = refused(operations, call("List", None, query={"nextToken": token}))
    assert (refusal.code, refusal.status) == ("ValidationException", 400)


@pytest.mark.parametrize("change", ["{}!", "*{}", "{}====", "{}\n", " {}"])
def test_a_changed_page_token(operations: Operations, change: str) -> None:
    """A token that was given out is good as it is, and in no other spelling."""
    for number in range(PAGE_SIZE):
        seed(operations, f"y{number}")
    token = perform(operations, call("List", None))["nextToken"]
    query = {"nextToken": change.format(token)}
    assert refused(operations, call("List", None, query=query)).code == "ValidationException"


def test_a_page_token_of_another_list(operations: Operations) -> None:
    """A token goes with the filters it was made for."""
    for number in range(PAGE_SIZE):
        seed(operations, f"y{number}")
    token = perform(operations, call("List", None))["nextToken"]
    query = {"nextToken": token, "ownedBy": "me"}
    assert refused(operations, call("List", None, query=query)).code == "ValidationException"
