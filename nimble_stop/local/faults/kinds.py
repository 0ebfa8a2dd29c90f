"""What can go wrong on the way: one class a fault.

Each fault derives from the point of a request's course at which it acts. Which requests it happens
to is decided by the rules in `nimble_stop.local.faults.rules`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping  # noqa: TC003  # the admin API reads the fields' types
from email.utils import formatdate
from typing import ClassVar, Final

import attrs
from attrs.validators import optional

from nimble_stop.local.api.answer import STATUSES, Answer, Refusal, Send, refused
from nimble_stop.local.faults import checks, rules

__all__ = [
    "ClockSkew",
    "Latency",
    "ProxyPage",
    "ResetAfterChange",
    "ResetBeforeChange",
    "ServiceFailure",
    "StopFails",
    "TrickledBody",
    "TruncatedBody",
    "WrongDate",
]

_count: Final[checks.Check] = optional(checks.whole_number(0))
_error_status: Final[checks.Check] = optional(checks.whole_number(300, 599))
_text: Final[checks.Check] = optional(checks.printable)


class Latency(rules.ArrivalFault):
    """The request is taken up late, and only then verified and carried out.

    The client may have given up by then; what it asked for happens all the same.

    Args:
        seconds: How long the request waits, in seconds.
    """


class ClockSkew(rules.ClockFault):
    """The server's clock is off, for the signature's date and the ``Date`` header alike.

    Args:
        seconds: How far the clock is ahead, in seconds, a thousand years at most; negative for
            behind.
    """


@attrs.frozen
class ServiceFailure(rules.AnswerFault):
    """The service answers with an error, and nothing is changed.

    Args:
        code: The error code, one of those that AWS documents or its SDKs know, such as
            ``"ThrottlingException"``.
        message: The error's message.
        status: The HTTP status, from 300 to 599; by default the code's own, 500 for an unknown
            code.
        retry_after: Sent as ``Retry-After``, in whole seconds.
        retry_after_milliseconds: Sent as ``x-amz-retry-after``, in milliseconds.
        reason: The body's member ``code``; by default the error code.
        context: The body's member ``context``.
        headers: Further headers, such as a ``Retry-After`` that is no number.
        unknown_code: An error code that nobody knows, instead of `code`.
    """

    code: str = attrs.field(
        default="InternalServerErrorException", validator=checks.one_of(STATUSES)
    )
    message: str = attrs.field(
        default="This error was injected.", kw_only=True, validator=checks.string
    )
    status: int | None = attrs.field(default=None, kw_only=True, validator=_error_status)
    retry_after: int | None = attrs.field(default=None, kw_only=True, validator=_count)
    retry_after_milliseconds: int | None = attrs.field(default=None, kw_only=True, validator=_count)
    reason: str | None = attrs.field(default=None, kw_only=True, validator=_text)
    context: Mapping[str, str] = attrs.field(
        factory=dict[str, str], kw_only=True, validator=checks.string_mapping
    )
    headers: Mapping[str, str] = attrs.field(
        factory=dict[str, str], kw_only=True, validator=checks.headers
    )
    unknown_code: str | None = attrs.field(default=None, kw_only=True, validator=_text)

    @property
    def http_status(self) -> int:
        """The status that is answered."""
        return self.status or STATUSES.get(self.unknown_code or self.code, 500)

    def answer(self) -> Answer:
        """Return the error."""
        waits = {
            "Retry-After": self.retry_after,
            "x-amz-retry-after": self.retry_after_milliseconds,
        }
        given = {name: str(wait) for name, wait in waits.items() if wait is not None}
        return refused(
            Refusal(
                self.unknown_code or self.code,
                self.message,
                self.context,
                status=self.http_status,
                headers={**given, **self.headers},
                reason=self.reason,
            )
        )


@attrs.frozen
class ProxyPage(rules.AnswerFault):
    """Something in between answers with a page of HTML; the request never gets to the service.

    Args:
        status: The HTTP status, from 200 to 599.
        html: The page; by default a plain one that names the status.
    """

    status: int = attrs.field(default=502, validator=checks.whole_number(200, 599))
    html: str | None = attrs.field(default=None, validator=optional(checks.string))

    def answer(self) -> Answer:
        """Return the page."""
        page = self.html or f"<html><body><h1>{self.status}</h1></body></html>"
        return Answer(
            status=self.status,
            body=page.encode(),
            headers={"Content-Type": "text/html", "Server": "proxy"},
            from_service=False,
        )


@attrs.frozen
class ResetAfterChange(rules.DeliveryFault):
    """The connection is reset after the change was made and before it is answered."""

    sends_status: ClassVar[bool] = False

    async def deliver(self, body: bytes, send: Send) -> None:
        """Reset the connection."""
        del body, send
        raise ConnectionResetError


@attrs.frozen
class ResetBeforeChange(rules.AnswerFault):
    """The connection is reset before anything was changed."""

    def answer(self) -> Answer:
        """Return an answer that is never seen."""
        return Answer(status=200, body=b"", delivery=ResetAfterChange())


@attrs.frozen
class TruncatedBody(rules.DeliveryFault):
    """The change is made, and the connection ends in the middle of the answer's body.

    Args:
        keep_bytes: How many bytes of the body are sent, at most all but one; by default half.
    """

    keep_bytes: int | None = attrs.field(default=None, validator=_count)

    async def deliver(self, body: bytes, send: Send) -> None:
        """Send the beginning of the body."""
        keep = len(body) // 2 if self.keep_bytes is None else min(self.keep_bytes, len(body) - 1)
        await send(body[:keep])


@attrs.frozen
class TrickledBody(rules.DeliveryFault):
    """The change is made, and the answer's body comes in small pieces.

    Args:
        seconds_between: How long the client waits for each piece, in seconds.
        piece_bytes: How many bytes a piece has.
    """

    seconds_between: float = attrs.field(default=0.1, validator=checks.number(0))
    piece_bytes: int = attrs.field(default=1, validator=checks.whole_number(1))

    async def deliver(self, body: bytes, send: Send) -> None:
        """Send the body piece by piece; the head does not wait for the first one."""
        await send(b"")
        for start in range(0, len(body), self.piece_bytes):
            await asyncio.sleep(self.seconds_between)
            await send(body[start : start + self.piece_bytes])


@attrs.frozen
class WrongDate(rules.DateFault):
    """The answer's ``Date`` header is wrong, and only that.

    Args:
        seconds: How far the header is ahead of the server's clock, in seconds, a thousand years at
            most; negative for behind.
        text: The header's text, instead of a date.
    """

    seconds: float = attrs.field(default=0.0, validator=rules.offset)
    text: str | None = attrs.field(default=None, kw_only=True, validator=_text)

    def date(self, now: float) -> str:
        """Return the wrong date."""
        return self.text or formatdate(int(now + self.seconds), usegmt=True)


class StopFails(rules.ChangeFault):
    """The stop is accepted, and the session ends in ``STOP_FAILED``.

    Injected for another operation it does the same there: ``CREATE_FAILED``, ``START_FAILED``,
    ``DELETE_FAILED``.

    Args:
        status_code: The failed session's status code.
        status_message: Its status message; by default the state's own.
    """

    default_operation: ClassVar[str | None] = "StopStreamingSession"
