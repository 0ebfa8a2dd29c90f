"""What the admin API does to faults."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local.admin.inputs import read_objects
from nimble_stop.local.admin.openapi.schemas import array, object_schema, one_or_list, reference
from nimble_stop.local.admin.replies import Content, Problem, json_reply, no_content
from nimble_stop.local.admin.routing import Route
from nimble_stop.local.faults.fault_file import describe_rule, read_rule

if TYPE_CHECKING:
    from nimble_stop.local.admin.context import Context
    from nimble_stop.local.admin.routing import Call

__all__ = ["ROUTES"]


def list_faults(context: Context, _: Call) -> Content:
    """List the faults in force."""
    return json_reply({"faults": [describe_rule(rule) for rule in context.control.faults]})


def add_faults(context: Context, call: Call) -> Content:
    """Put one fault into force, or several, all or none."""
    is_list = isinstance(call.body, list)
    try:
        rules = [
            read_rule(entry, f"[{index}]" if is_list else "fault")
            for index, entry in enumerate(read_objects(call.body))
        ]
    except ConfigurationError as error:
        raise Problem(400, error.message) from error
    context.control.inject_rules(rules)
    documents = [describe_rule(rule) for rule in rules]
    return json_reply({"faults": documents} if is_list else documents[0], status=HTTPStatus.CREATED)


def remove_fault(context: Context, call: Call) -> Content:
    """Take one fault out of force."""
    number = call.path["id"]
    try:
        context.control.remove_fault(int(number))
    except ValueError as error:
        ids = ", ".join(str(rule.id) for rule in context.control.faults) or "none"
        raise Problem(404, f"There is no fault {number!r}. In force: {ids}.") from error
    return no_content()


def clear_faults(context: Context, _: Call) -> Content:
    """Take all faults out of force."""
    context.control.clear_faults()
    return no_content()


_FAULTS: Final = object_schema({"faults": array(reference("FaultInForce"))})

ROUTES: Final = (
    Route(
        method="GET",
        path="/faults",
        name="listFaults",
        summary="The faults in force, in the order in which they were added",
        action=list_faults,
        returns=_FAULTS,
        may_wait=False,
    ),
    Route(
        method="POST",
        path="/faults",
        name="addFaults",
        summary="Let something go wrong: one fault, or a list of them",
        description="The objects are those of a fault file, `nimble-stop serve --faults FILE`.",
        action=add_faults,
        body=one_or_list("Fault"),
        status=201,
        returns={"oneOf": [reference("FaultInForce"), _FAULTS]},
        may_wait=False,
    ),
    Route(
        method="DELETE",
        path="/faults",
        name="clearFaults",
        summary="Take all faults out of force",
        action=clear_faults,
        status=204,
        may_wait=False,
    ),
    Route(
        method="DELETE",
        path="/faults/{id}",
        name="removeFault",
        summary="Take one fault out of force",
        action=remove_fault,
        status=204,
        errors=(404,),
        may_wait=False,
    ),
)
"""The routes, in the order of the document."""
