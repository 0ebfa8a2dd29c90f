"""A session as the store keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from attrs.validators import optional

from nimble_stop.local.faults.checks import number, string

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Pending", "StoredSession"]


@attrs.frozen(kw_only=True)
class Pending:
    """What a session in transition turns into.

    Args:
        state: The next state.
        status_code: The status code that goes with it.
        status_message: The status message that goes with it.
        due: When, in seconds since 1970 UTC of the sessions' time; None waits for
            `LocalNimble.complete`.
    """

    state: str = attrs.field(validator=string)
    status_code: str = attrs.field(validator=string)
    status_message: str = attrs.field(validator=string)
    due: float | None = attrs.field(validator=optional(number()))


@attrs.frozen(kw_only=True)
class StoredSession:
    """One stored session.

    Args:
        studio_id: The studio that it belongs to.
        session_id: Its id, unique in its studio.
        state: Its state.
        status_code: The status code of its state; None when it has none.
        status_message: The status message of its state; None when it has none.
        updated_at: When it was last changed, in seconds since 1970 UTC.
        pending: What it turns into, when it is in transition.
        owned_by: Who owns it.
        created_by: Who created it.
        members: All its other members in wire form.
        sequence: Its place in lists; 0 before it is stored.
    """

    studio_id: str
    session_id: str
    state: str
    status_code: str | None
    status_message: str | None
    updated_at: float
    pending: Pending | None
    owned_by: str | None
    created_by: str | None
    members: Mapping[str, object]
    sequence: int = 0
