"""What the admin API does to faults, to the journal of requests, and with events."""

from __future__ import annotations

from typing import Final

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local.admin.inputs import read_objects
from nimble_stop.local.admin.replies import EventStream, Problem, wrong_input
from nimble_stop.local.admin.routing import Context, Route
from nimble_stop.local.admin.schemas import (
    COUNT_OR_ZERO,
    Count,
    CountOrZero,
    array,
    described,
    object_schema,
    one_or_list,
    reference,
)
from nimble_stop.local.faults.fault_file import describe_rule, read_rule

__all__ = ["ROUTES"]

_READERS: Final = 100


def list_faults(context: Context) -> dict[str, object]:
    """List the faults in force, in the order in which they were added."""
    return {"faults": [describe_rule(rule) for rule in context.control.faults]}


def add_faults(context: Context, body: object) -> dict[str, object]:
    """Let something go wrong: one fault, or a list of them.

    The objects are those of a fault file, `nimble-stop serve --faults FILE`.
    """
    is_list = isinstance(body, list)
    try:
        rules = [
            read_rule(entry, f"[{index}]" if is_list else "fault")
            for index, entry in enumerate(read_objects(body))
        ]
    except ConfigurationError as error:
        raise wrong_input(error) from error
    context.control.inject_rules(rules)
    documents = [describe_rule(rule) for rule in rules]
    return {"faults": documents} if is_list else documents[0]


def clear_faults(context: Context) -> None:
    """Take all faults out of force."""
    context.control.clear_faults()


def remove_fault(context: Context, id: Count) -> None:  # noqa: A002  # the variable of the path
    """Take one fault out of force."""
    try:
        context.control.remove_fault(id)
    except ValueError as error:
        ids = ", ".join(str(rule.id) for rule in context.control.faults) or "none"
        raise Problem(404, f"There is no fault {id}. In force: {ids}.") from error


def list_requests(
    context: Context,
    *,
    operation: str | None = None,
    studio_id: str | None = None,
    session_id: str | None = None,
    status: Count | None = None,
    error_code: str | None = None,
    after: CountOrZero | None = None,
    limit: Count | None = None,
) -> dict[str, object]:
    """List the requests that came in, oldest first.

    The journal of the requests to AWS's API; those to the admin API are not in it.

    Args:
        context: The endpoint.
        operation: Only requests for this operation.
        studio_id: Only requests for this studio.
        session_id: Only requests for this session.
        status: Only requests that were answered with this status.
        error_code: Only requests answered with this error code.
        after: Only requests with a greater number.
        limit: How many at most: of those after `after` the first ones, without it the newest.
    """
    journal = context.control.requests
    records = journal[:]
    found = [
        record
        for record in records
        if record.number > (after or 0)
        and operation in {None, record.operation}
        and studio_id in {None, record.studio_id}
        and session_id in {None, record.session_id}
        and status in {None, record.status}
        and error_code in {None, record.error_code}
    ]
    if limit is not None:
        found = found[-limit:] if after is None else found[:limit]
    return {
        "requests": [record.to_dict() for record in found],
        "lastNumber": records[-1].number if records else after or 0,
        "dropped": journal.dropped,
    }


def clear_requests(context: Context) -> None:
    """Clear the journal; its numbers go on."""
    context.control.requests.clear()


def read_events(
    context: Context, after: CountOrZero | None = None, last_event_id: CountOrZero | None = None
) -> EventStream:
    """Send what changes and what comes in, as server-sent events.

    Each event has an `id`, an `event` and JSON as `data`:

    - `sessions`: `{"sessions": [...]}`, the sessions that changed, whole. One that was removed has
      the `state` null. The list is null when many changed at once, and all are to be read again.
    - `request`: a request that came in, as `GET requests` lists it.
    - `cleared`: `{}`, the journal was cleared.
    - `faults`: `{"faults": [...]}`, all faults in force, as `GET faults` lists them.
    - `clock`: the clock, as `GET clock` answers it.
    - `reset`: `{}`, everything was reset or imported, and is to be read again.
    - `resync`: `{}`, some events are lost, because the reader was away for too long or is too
      slow; everything is to be read again.

    Comments keep the connection alive. A reader that takes nothing for half a minute is
    disconnected. To miss nothing, open the stream first and read the state then.

    Args:
        context: The endpoint.
        after: The number of the last event seen: those after it are sent first. 0 asks for all
            since the endpoint began. Without it the stream begins with the next event.
        last_event_id: The same, as browsers send it; it goes before `after`.
    """
    if context.control.events.reader_count >= _READERS:
        raise Problem(503, f"{_READERS} readers follow the events already; close some.")
    return EventStream(after if last_event_id is None else last_event_id)


_FAULTS: Final = object_schema({"faults": array(reference("FaultInForce"))})
_REQUESTS: Final = object_schema(
    {
        "requests": array(reference("Request")),
        "lastNumber": described(COUNT_OR_ZERO, "The number of the newest request."),
        "dropped": described(COUNT_OR_ZERO, "How many are gone because the journal is full."),
    }
)

ROUTES: Final = (
    Route("GET", "/faults", list_faults, returns=_FAULTS, may_wait=False),
    Route(
        "POST",
        "/faults",
        add_faults,
        body=one_or_list("Fault"),
        status=201,
        returns={"oneOf": [reference("FaultInForce"), _FAULTS]},
        may_wait=False,
    ),
    Route("DELETE", "/faults", clear_faults, may_wait=False),
    Route("DELETE", "/faults/{id}", remove_fault, errors=(404,), may_wait=False),
    Route("GET", "/requests", list_requests, returns=_REQUESTS),
    Route("DELETE", "/requests", clear_requests, may_wait=False),
    Route(
        "GET", "/events", read_events, returns="text/event-stream", errors=(503,), may_wait=False
    ),
)
"""The routes, in the order of the document."""
