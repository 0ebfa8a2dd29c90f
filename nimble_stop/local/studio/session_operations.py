"""The six operations on streaming sessions, over the store.

This module owns the rule of idempotency: a client token belongs to its caller and its operation;
with the same parameters it is answered with its first answer, byte for byte, and nothing happens;
with any other it is refused. Errors are not remembered.

See https://docs.aws.amazon.com/nimble-studio/latest/api/API_StopStreamingSession.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop.local.api.answer import JSON, Answer, Refusal
from nimble_stop.local.api.operation_table import OPERATIONS
from nimble_stop.local.studio import lifecycle
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nimble_stop.local.faults.rules import ChangeFault
    from nimble_stop.local.storage.store import Store
    from nimble_stop.local.storage.tables import StoredSession, Tables

PAGE_SIZE: Final = 100
"""How many sessions a page of a list holds at most."""

_SESSION_ID_BYTES: Final = 11
_PLACE_LENGTH: Final = 8
_DIGEST_LENGTH: Final = 16


@attrs.frozen(kw_only=True)
class Call:
    """One request for an operation, read and checked.

    Args:
        caller: The access key id of whoever signed it.
        session_id: The session; None for an operation on the studio.
        fails: Called when a change is made; returns how its transition fails, or None.
    """

    operation: str
    caller: str
    studio_id: str
    session_id: str | None = None
    client_token: str | None = None
    query: Mapping[str, str] = attrs.field(factory=dict[str, str])
    body: Mapping[str, object] = attrs.field(factory=dict[str, object])
    fails: Callable[[], ChangeFault | None] = lambda: None


@attrs.frozen(kw_only=True)
class Operations:
    """The operations, on one store.

    A transition takes ``transition_seconds``; None waits for `LocalNimble.complete`.
    """

    store: Store
    transition_seconds: float | None
    region_name: str

    def perform(self, call: Call) -> Answer:
        """Carry out a call; when it is refused, or the store is busy, nothing was changed."""
        if call.operation in lifecycle.TRANSITIONS:
            with self.store.transaction() as tables:
                return self._once(tables, call)
        with self.store.access() as tables:
            if call.session_id is None:
                return _answer(self._list(tables, call))
            return _answer(_session_body(self._find(tables, call)))

    def circumstances(self, now: float, caller: str) -> lifecycle.Circumstances:
        """Return what a session is made with that a caller creates now."""
        due = None if self.transition_seconds is None else now + self.transition_seconds
        return lifecycle.Circumstances(
            region_name=self.region_name, now=now, due=due, caller=caller
        )

    def _once(self, tables: Tables, call: Call) -> Answer:
        """Make a change unless its token says that it was made already."""
        if call.client_token is None:
            return _answer(self._change(tables, call), applied=True)
        parameters = json.dumps((call.studio_id, call.session_id, call.body), sort_keys=True)
        digest = hashlib.sha256(parameters.encode()).digest()
        remembered = tables.recall(call.caller, call.operation, call.client_token)
        if remembered is None:
            body = self._change(tables, call)
            tables.remember(call.caller, call.operation, call.client_token, digest, body)
            return _answer(body, applied=True)
        first_digest, body = remembered
        if first_digest != digest:
            raise Refusal(
                "ValidationException",
                "The client token was used before, with other parameters.",
                {"clientToken": call.client_token},
            )
        return _answer(body)

    def _change(self, tables: Tables, call: Call) -> bytes:
        circumstances = self.circumstances(tables.now, call.caller)
        if call.session_id is None:
            created = lifecycle.new_session(
                call.studio_id,
                secrets.token_hex(_SESSION_ID_BYTES),
                state=str(State.CREATE_IN_PROGRESS),
                members=call.body,
                circumstances=circumstances,
                failure=call.fails(),
            )
            tables.add(created)
            return _session_body(created)
        transition = lifecycle.TRANSITIONS[call.operation]
        session = self._find(tables, call)
        if session.state == State.DELETED:
            raise _not_found(call)
        if session.state not in transition.allowed_from:
            raise _conflict(call, session)
        known = OPERATIONS[call.operation].body or {}
        changed = lifecycle.begin_transition(
            session,
            transition,
            members={known[name].session_member or name: call.body[name] for name in call.body},
            circumstances=circumstances,
            failure=call.fails(),
        )
        tables.change(changed)
        return _session_body(changed)

    def _find(self, tables: Tables, call: Call) -> StoredSession:
        session = tables.find(call.studio_id, call.session_id or "")
        if session is None:
            raise _not_found(call)
        return session

    def _list(self, tables: Tables, call: Call) -> bytes:
        # What becomes DELETED is listed no more.
        tables.complete_due()
        session_ids = call.query.get("sessionIds")
        found = tables.page(
            call.studio_id,
            after=_page_start(tables, call),
            # One more, to know whether there is a next page.
            limit=PAGE_SIZE + 1,
            owned_by=call.query.get("ownedBy"),
            created_by=call.query.get("createdBy"),
            session_ids=None if session_ids is None else session_ids.split(","),
        )
        if not found and not tables.has_studio(call.studio_id):
            raise _not_found(call)
        sessions = found[:PAGE_SIZE]
        answer: dict[str, object] = {"sessions": [session.members for session in sessions]}
        if len(found) > len(sessions):
            answer["nextToken"] = _page_token(tables, call, sessions[-1].sequence)
        return json.dumps(answer).encode()


def _answer(body: bytes, *, applied: bool = False) -> Answer:
    return Answer(status=200, body=body, headers={"Content-Type": JSON}, applied=applied)


def _page_token(tables: Tables, call: Call, sequence: int) -> str:
    """Make a token that only this store takes, and only for the same list."""
    place = sequence.to_bytes(_PLACE_LENGTH)
    filters = [call.query.get(name) for name in ("ownedBy", "createdBy", "sessionIds")]
    message = place + json.dumps([call.studio_id, *filters]).encode()
    digest = hmac.digest(tables.secret, message, "sha256")[:_DIGEST_LENGTH]
    return base64.urlsafe_b64encode(place + digest).decode()


def _page_start(tables: Tables, call: Call) -> int:
    token = call.query.get("nextToken")
    if token is None:
        return 0
    try:
        sequence = int.from_bytes(base64.urlsafe_b64decode(token.encode())[:_PLACE_LENGTH])
    except ValueError:
        sequence = 0
    # The whole text is compared: Base64 has many spellings of the same bytes.
    if not hmac.compare_digest(token.encode(), _page_token(tables, call, sequence).encode()):
        raise Refusal("ValidationException", "The nextToken is not one of this list's.")
    return sequence


def _session_body(session: StoredSession) -> bytes:
    return json.dumps({"session": session.members}).encode()


def _names(call: Call) -> dict[str, str]:
    names = {"studioId": call.studio_id, "sessionId": call.session_id}
    return {name: value for name, value in names.items() if value is not None}


def _not_found(call: Call) -> Refusal:
    what = "Studio" if call.session_id is None else "Streaming session"
    return Refusal("ResourceNotFoundException", f"{what} not found.", _names(call))


def _conflict(call: Call, session: StoredSession) -> Refusal:
    if session.pending is not None:
        message = f"Another operation is in progress: the streaming session is in {session.state}."
    else:
        allowed = " or ".join(sorted(lifecycle.TRANSITIONS[call.operation].allowed_from))
        message = (
            f"The streaming session is in {session.state}; "
            f"{call.operation} needs one that is in {allowed}."
        )
    return Refusal("ConflictException", message, {**_names(call), "state": session.state})
