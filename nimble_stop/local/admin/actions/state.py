"""What the admin API does to the endpoint as a whole: its clock and its state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local.admin.inputs import check_members, read_object
from nimble_stop.local.admin.openapi.schemas import object_schema, reference
from nimble_stop.local.admin.replies import Content, Problem, json_reply, no_content
from nimble_stop.local.admin.routing import Route

if TYPE_CHECKING:
    from nimble_stop.local.admin.context import Context
    from nimble_stop.local.admin.routing import Call

__all__ = ["ROUTES"]


def get_clock(context: Context, _: Call) -> Content:
    """Read the sessions' time."""
    return json_reply(context.control.clock_document())


def advance_clock(context: Context, call: Call) -> Content:
    """Let time pass for the sessions."""
    seconds = check_members(call.body, ("advance",)).get("advance")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise Problem(400, f"advance must be a number of seconds, not {seconds!r}.")
    try:
        context.control.advance(float(seconds))
    except OverflowError as error:
        raise Problem(400, "advance is more seconds than there are until the year 9999.") from error
    except ValueError as error:
        raise Problem(400, f"{error}.") from error
    return json_reply(context.control.clock_document())


def export_state(context: Context, _: Call) -> Content:
    """Write down the sessions, the clock and the faults."""
    return json_reply(context.control.export())


def import_state(context: Context, call: Call) -> Content:
    """Replace the sessions, the clock and the faults."""
    document = read_object(call.body)
    try:
        context.control.import_(document)
    except ConfigurationError as error:
        raise Problem(400, error.message) from error
    except (TypeError, ValueError) as error:
        raise Problem(400, f"{str(error).rstrip('.')}.") from error
    return no_content()


def reset_state(context: Context, _: Call) -> Content:
    """Forget everything."""
    context.control.reset()
    return no_content()


_LARGE_BODY: Final = 64 * 1024 * 1024

ROUTES: Final = (
    Route(
        method="GET",
        path="/clock",
        name="getClock",
        summary="The sessions' time",
        action=get_clock,
        returns=reference("Clock"),
    ),
    Route(
        method="POST",
        path="/clock",
        name="advanceClock",
        summary="Let time pass for the sessions",
        description="Signatures and the `Date` header do not notice.",
        action=advance_clock,
        body=object_schema(
            {
                "advance": {
                    "type": "number",
                    "minimum": 0,
                    "description": "How many seconds.",
                }
            }
        ),
        returns=reference("Clock"),
    ),
    Route(
        method="GET",
        path="/state",
        name="exportState",
        summary="The sessions, the clock and the faults as one document",
        description="`PUT` and `nimble-stop serve --seed FILE` take it.",
        action=export_state,
        returns=reference("State"),
    ),
    Route(
        method="PUT",
        path="/state",
        name="importState",
        summary="Replace the sessions, the clock and the faults",
        description=(
            "What the document does not hold is empty afterwards. Client tokens are forgotten, the "
            "journal stays. Nothing is changed when something in it is wrong."
        ),
        action=import_state,
        body=reference("State"),
        max_body_bytes=_LARGE_BODY,
        status=204,
    ),
    Route(
        method="DELETE",
        path="/state",
        name="resetState",
        summary="Forget everything: sessions, client tokens, faults, journal, the time skipped",
        action=reset_state,
        status=204,
    ),
)
"""The routes, in the order of the document."""
