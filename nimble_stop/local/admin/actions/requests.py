"""What the admin API does to the journal of requests."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop.local.admin.openapi.schemas import (
    COUNT,
    COUNT_OR_ZERO,
    array,
    object_schema,
    reference,
)
from nimble_stop.local.admin.replies import Content, json_reply, no_content
from nimble_stop.local.admin.routing import Parameter, Route
from nimble_stop.local.api.exchange import RequestRecord
from nimble_stop.models import member_name

if TYPE_CHECKING:
    from nimble_stop.local.admin.context import Context
    from nimble_stop.local.admin.routing import Call

__all__ = ["ROUTES"]

# The fields of a record, each under its name in a query.
_FIELDS: Final = MappingProxyType(
    {member_name(field.name): field.name for field in attrs.fields(RequestRecord)}
)


def list_requests(context: Context, call: Call) -> Content:
    """List the requests that fit, oldest first."""
    wanted = dict(call.parameters)
    after, limit = wanted.pop("after", None), wanted.pop("limit", None)
    journal = context.control.requests
    records = journal[:]
    found = [
        record
        for record in records
        if record.number > int(after or 0)
        and all(getattr(record, _FIELDS[name]) == value for name, value in wanted.items())
    ]
    if limit is not None:
        # Without a number the newest are meant, with one those that come next.
        found = found[-int(limit) :] if after is None else found[: int(limit)]
    return json_reply(
        {
            "requests": [record.to_dict() for record in found],
            "lastNumber": records[-1].number if records else int(after or 0),
            "dropped": journal.dropped,
        }
    )


def clear_requests(context: Context, _: Call) -> Content:
    """Forget the journal's records."""
    context.control.requests.clear()
    return no_content()


ROUTES: Final = (
    Route(
        method="GET",
        path="/requests",
        name="listRequests",
        summary="The requests that came in, oldest first",
        description=(
            "The journal of the requests to AWS's API; those to the admin API are not in it."
        ),
        parameters=(
            Parameter("operation", "Only requests for this operation."),
            Parameter("studioId", "Only requests for this studio."),
            Parameter("sessionId", "Only requests for this session."),
            Parameter("status", "Only requests that were answered with this status.", schema=COUNT),
            Parameter("errorCode", "Only requests answered with this error code."),
            Parameter("after", "Only requests with a greater number.", schema=COUNT_OR_ZERO),
            Parameter(
                "limit",
                "How many at most: of those after `after` the first ones, without it the newest.",
                schema=COUNT,
            ),
        ),
        action=list_requests,
        returns=object_schema(
            {
                "requests": array(reference("Request")),
                "lastNumber": {**COUNT_OR_ZERO, "description": "The number of the newest request."},
                "dropped": {
                    **COUNT_OR_ZERO,
                    "description": "How many are gone because the journal is full.",
                },
            }
        ),
    ),
    Route(
        method="DELETE",
        path="/requests",
        name="clearRequests",
        summary="Clear the journal; its numbers go on",
        action=clear_requests,
        status=204,
        may_wait=False,
    ),
)
"""The routes, in the order of the document."""
