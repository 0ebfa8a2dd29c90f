"""The points of a request's course at which a fault can act: one base class each.

A fault is one class. It derives from the class of its point and implements that point's method; its
fields, with attrs' validators, are its arguments in Python and its keys in a file. Nothing else has
to know it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from nimble_stop.local.api.answer import Answer, Wire

__all__ = [
    "AnswerFault",
    "ArrivalFault",
    "ChangeFault",
    "ClockFault",
    "DateFault",
    "DeliveryFault",
    "Fault",
    "kinds_of_faults",
]

_kinds: Final[dict[str, type[Fault]]] = {}


def kinds_of_faults() -> tuple[type[Fault], ...]:
    """List all kinds of faults that are defined, by name."""
    return tuple(_kinds[name] for name in sorted(_kinds))


class Fault:
    """Anything that can go wrong; see the classes derived from it."""

    point: ClassVar[type[Fault]]
    """The class of the point at which it acts."""

    default_operation: ClassVar[str | None] = None
    """The only operation that a rule without an operation lets it happen to; None for all."""

    def __init_subclass__(cls) -> None:
        """Register a fault under its name, and a point as such."""
        if Fault in cls.__bases__:
            cls.point = cls
        else:
            _kinds[cls.__name__] = cls


class ArrivalFault(Fault):
    """Acts when a request has arrived, before anything is done."""

    @property
    def delay_seconds(self) -> float:
        """How long the request waits before it is taken up."""
        raise NotImplementedError


class ClockFault(Fault):
    """Acts when the server reads its clock."""

    @property
    def offset_seconds(self) -> float:
        """How far the server's clock is ahead of the time; negative for behind."""
        raise NotImplementedError


class AnswerFault(Fault):
    """Acts instead of the operation: nothing is changed."""

    def answer(self) -> Answer:
        """Return what is answered."""
        raise NotImplementedError


class ChangeFault(Fault):
    """Acts when an operation begins a transition."""

    def failure(self) -> tuple[str, str | None]:
        """Return the status code and the status message of the session that fails.

        The message is None for the one that belongs to the failed state.
        """
        raise NotImplementedError


class DeliveryFault(Fault):
    """Acts when the change is made and the answer is sent."""

    sends_status: ClassVar[bool] = True
    """Whether the client gets to see the answer's status."""

    async def deliver(self, wire: Wire, body: bytes) -> None:
        """Send the answer.

        Args:
            wire: The connection.
            body: The answer's whole body.
        """
        raise NotImplementedError


class DateFault(Fault):
    """Acts on the answer's ``Date`` header, and only that."""

    def date(self, now: float) -> str:
        """Return the header's text.

        Args:
            now: The server's time, in seconds since 1970 UTC.
        """
        raise NotImplementedError
