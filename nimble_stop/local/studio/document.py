"""The JSON document of the endpoint's state: of `LocalNimble.export`, seed files and the admin API.

Its members are ``schemaVersion``, ``clock``
(``{"skippedSeconds": number}``), ``sessions`` and ``faults``, each of which may be missing. A
session stands there in wire form with two members more: ``studioId``, and ``transition`` while it
is in one, which says what it turns into and when. A member that is null is left out of the session,
also one that has a default. A fault stands there as in a fault file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import attrs

from nimble_stop.local.faults.checks import number, quote, read_json, suggestion
from nimble_stop.local.faults.fault_file import read_rule, write_rule
from nimble_stop.local.storage.tables import Pending, StoredSession, Tables
from nimble_stop.local.studio.lifecycle import DEFAULTED, Circumstances, new_session
from nimble_stop.local.studio.members import check_identifier, members_to_wire, state_to_wire
from nimble_stop.models import format_timestamp, member_name

if TYPE_CHECKING:
    from nimble_stop.local.faults.rules import FaultRule

DOCUMENT_VERSION: Final = 1
"""The version of the document, its member ``schemaVersion``."""

Seed: TypeAlias = "Mapping[str, object] | Sequence[object] | str | PathLike[str]"
"""A document, its sessions alone, or the path of a JSON file with one of these."""

_MEMBERS: Final = ("schemaVersion", "clock", "sessions", "faults")
# The members of a transition, each with its name in the store.
_TRANSITION: Final = {member_name(field.name): field.name for field in attrs.fields(Pending)}


class SessionExistsError(ValueError):
    """A studio has a session of that id already."""


@attrs.frozen
class State:
    """The state that a document describes.

    Args:
        skipped_seconds: How far the sessions' time is ahead of the server's.
        sessions: Still in JSON's form: what is missing depends on when they are added.
        faults: The rules in force.
    """

    skipped_seconds: float = attrs.field(default=0.0, validator=number(0))
    sessions: Sequence[object] = ()
    faults: Sequence[FaultRule] = ()

    def to_dict(self) -> dict[str, object]:
        """Write the document; its sessions are those of `write_session`."""
        return {
            "schemaVersion": DOCUMENT_VERSION,
            "clock": {"skippedSeconds": self.skipped_seconds},
            "sessions": list(self.sessions),
            "faults": [write_rule(rule) for rule in self.faults],
        }


def read_state(document: object) -> State:
    """Read a document; its sessions are checked when they are added. Errors name the member."""
    members = _object("the document", document, _MEMBERS)
    version = members.get("schemaVersion", DOCUMENT_VERSION)
    if version != DOCUMENT_VERSION:
        raise ValueError(f"schemaVersion must be {DOCUMENT_VERSION}, not {quote(version)}")
    clock = _object("clock", members.get("clock", {}), ("skippedSeconds",))
    faults = enumerate(_list("faults", members.get("faults", [])))
    return State(
        cast("float", clock.get("skippedSeconds", 0.0)),
        _list("sessions", members.get("sessions", [])),
        [read_rule(entry, f"faults[{index}]") for index, entry in faults],
    )


def read_seed(seed: Seed) -> State:
    """Read what a store begins with, as `read_state` does."""
    document: object = seed
    if isinstance(seed, str | PathLike):
        document = read_json(seed, "The seed")
    if isinstance(document, list | tuple):
        document = {"sessions": cast("Sequence[object]", document)}
    return read_state(document)


def read_sessions(entries: Iterable[object], circumstances: Circumstances) -> list[StoredSession]:
    """Read sessions that are given in the document's form; errors name the member."""
    sessions: list[StoredSession] = []
    for index, entry in enumerate(entries):
        try:
            sessions.append(_read_session(entry, circumstances))
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"sessions[{index}]: {error}") from None
    return sessions


def add_sessions(tables: Tables, sessions: Iterable[StoredSession]) -> None:
    """Add sessions as `add_session` does, in a transaction that an error ends."""
    for index, session in enumerate(sessions):
        try:
            add_session(tables, session)
        except SessionExistsError as error:
            raise SessionExistsError(f"sessions[{index}]: {error}") from None


def add_session(tables: Tables, session: StoredSession) -> StoredSession:
    """Add one session; raise `SessionExistsError` when its studio has one of that id."""
    if not tables.add(session):
        raise SessionExistsError(
            f"studio {session.studio_id!r} has a session {session.session_id!r} already"
        )
    return session


def _read_session(entry: object, circumstances: Circumstances) -> StoredSession:
    members = _object("a session", entry)
    for name in ("studioId", "sessionId"):
        if name not in members:
            raise TypeError(f"{name} is missing")
    transition = members.pop("transition", None)
    session = new_session(
        check_identifier("studioId", members.pop("studioId")),
        check_identifier("sessionId", members.pop("sessionId")),
        state=state_to_wire(members.pop("state", "READY")),
        members=members_to_wire(members),
        circumstances=circumstances,
    )
    if transition is None:
        return session
    if session.pending is None:
        raise ValueError(f"transition does not go with the state {session.state}")
    given = _object("transition", transition, _TRANSITION)
    missing = [name for name in _TRANSITION if name not in given]
    if missing:
        raise TypeError(f"transition must have {', '.join(missing)}")
    pending = Pending(**{_TRANSITION[name]: value for name, value in given.items()})
    return attrs.evolve(session, pending=pending)


def write_session(session: StoredSession) -> dict[str, object]:
    """Write a session as the object of which an equal one can be made."""
    return {**dict.fromkeys(DEFAULTED), **describe_session(session)}


def describe_session(session: StoredSession) -> dict[str, object]:
    """Write a session with the members that it has, ``studioId`` and ``transition`` among them."""
    document = {"studioId": session.studio_id, **session.members}
    if session.pending is not None:
        document["transition"] = {
            name: getattr(session.pending, column) for name, column in _TRANSITION.items()
        }
    return document


def describe_clock(tables: Tables) -> dict[str, object]:
    """Write the sessions' time, ``now`` in RFC 3339, together with ``skippedSeconds``."""
    now = datetime.fromtimestamp(tables.now, UTC)
    return {"now": format_timestamp(now), "skippedSeconds": tables.skipped_seconds}


def _object(name: str, value: object, known: Iterable[str] | None = None) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be an object, not {quote(value)}")
    members = dict(cast("Mapping[str, Any]", value))
    for member in members:
        if known is not None and member not in known:
            raise TypeError(
                f"{name} has no member {member!r}; it has {', '.join(known)}"
                f"{suggestion(member, known)}"
            )
    return members


def _list(name: str, value: object) -> Sequence[object]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} must be a list, not {quote(value)}")
    return cast("Sequence[object]", value)
