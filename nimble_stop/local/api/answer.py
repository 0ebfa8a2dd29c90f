"""What the endpoint answers, and the connection that an answer is sent on, without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Protocol

import attrs

from nimble_stop.local.api.refusals import error_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nimble_stop.local.api.refusals import Refusal

__all__ = ["JSON", "SERVER", "Answer", "Delivery", "Wire", "error_answer", "refused"]

JSON: Final = "application/json"
"""The media type of all that the service answers."""

SERVER: Final = "nimble-stop"
"""What the endpoint calls itself in the ``Server`` header."""


class Wire(Protocol):
    """The connection that an answer is sent on."""

    async def send_head(self) -> None:
        """Send the status and the headers, which announce the whole body."""
        ...

    async def send(self, data: bytes) -> None:
        """Send a part of the body."""
        ...

    def close(self) -> None:
        """Close the connection once everything is sent."""
        ...

    def reset(self) -> None:
        """Reset the connection; nothing more is sent."""
        ...


class Delivery(Protocol):
    """A way of sending an answer other than as it is."""

    sends_status: ClassVar[bool]
    """Whether the client gets to see the answer's status."""

    async def deliver(self, wire: Wire, body: bytes) -> None:
        """Send an answer."""
        ...


@attrs.frozen(kw_only=True)
class Answer:
    """What is sent back.

    Args:
        status: The HTTP status.
        body: The whole body.
        headers: All headers but those of the transfer.
        delivery: How it is sent; None sends it as it is.
        error_code: The error code, when it is one of the service's errors.
        applied: Whether the request changed something.
        from_service: Whether the service answers, and nothing in between.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    delivery: Delivery | None = None
    error_code: str | None = None
    applied: bool = False
    from_service: bool = True


def error_answer(
    status: int,
    code: str,
    message: str,
    *,
    reason: str | None = None,
    context: Mapping[str, str],
    headers: Mapping[str, str],
) -> Answer:
    """Make the answer that is one of the service's errors.

    Args:
        status: The HTTP status.
        code: The error code.
        message: What is wrong.
        reason: The body's member ``code``; None repeats the error code.
        context: The body's member ``context``.
        headers: Further headers.
    """
    return Answer(
        status=status,
        body=error_body(reason or code, message, context),
        headers={"Content-Type": JSON, "x-amzn-ErrorType": code, **headers},
        error_code=code,
    )


def refused(refusal: Refusal) -> Answer:
    """Make the answer of a refused request."""
    return error_answer(
        refusal.status,
        refusal.code,
        refusal.message,
        context=refusal.context,
        headers=refusal.headers,
    )
