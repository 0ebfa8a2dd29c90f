"""Plays a call of the engine against outcomes that a test wrote down. No sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from nimble_stop._api.operations import STOP_STREAMING_SESSION
from nimble_stop._api.request import build_request
from nimble_stop._api.response import Response
from nimble_stop._auth.signer import WireRequest
from nimble_stop._call.engine import Engine
from nimble_stop._call.steps import Notify, Send, Sign, Sleep, drive
from tests.support.clients import make_config

if TYPE_CHECKING:
    from nimble_stop._api.request import Request
    from nimble_stop._call.record import AttemptRecord, CallRecord
    from nimble_stop._call.steps import Effect
    from nimble_stop.models import StreamingSession
    from tests.support.clock import ManualClock

SECRET = "5ec2e7"
Outcome: TypeAlias = Response | BaseException | Callable[[], Response]

STOP: Request[StreamingSession] = build_request(
    STOP_STREAMING_SESSION,
    {"studio_id": "studio-1", "session_id": "session-1"},
    client_token="token-1",
)
OK = Response(200, {"x-amzn-requestid": "request-ok"}, b'{"session": {"sessionId": "session-1"}}')


def refusal(code: str, status: int = 400, message: str = "no", **headers: str) -> Response:
    """Make an error answer; underscores in a header's name become hyphens."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(
        status,
        {"x-amzn-errortype": code, "x-amzn-requestid": "request-1", **names},
        json.dumps({"message": message}).encode(),
    )


def dated(response: Response, epoch: float) -> Response:
    """Put a Date on an answer."""
    headers = {**response.headers, "date": formatdate(epoch, usegmt=True)}
    return Response(response.status, headers, response.body)


def _copy(outcomes: Iterable[Outcome]) -> list[Outcome]:
    return list(outcomes)


@attrs.define
class Play:
    """One client's engine, and everything that its calls asked for.

    Args:
        clock: What time it is.
        outcomes: What each Send comes to, in order; whatever can be called is called for it.
        signing: What each Sign takes, in seconds, or fails with.
        settings: Fields of the configuration.
        on_attempt: The client's callback.
    """

    clock: ManualClock
    outcomes: list[Outcome] = attrs.field(converter=_copy)
    signing: list[float | BaseException] = attrs.field(factory=list[float | BaseException])
    settings: dict[str, Any] = attrs.field(factory=dict[str, Any])
    on_attempt: Callable[[AttemptRecord], object] | None = None
    signs: list[Sign] = attrs.field(factory=list[Sign])
    sends: list[Send] = attrs.field(factory=list[Send])
    engine: Engine = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.engine = Engine(make_config(self.clock, **self.settings), self.on_attempt)

    def call(
        self,
        request: Request[StreamingSession] = STOP,
        *,
        deadline: float | None = None,
        record: CallRecord | None = None,
    ) -> StreamingSession:
        """Run a call to its end."""
        steps = self.engine.call(request, self.engine.deadline(deadline), record)
        return drive(steps, self._perform)

    def _perform(self, effect: Effect) -> object:
        if isinstance(effect, Sign):
            return self._sign(effect)
        if isinstance(effect, Sleep):
            self.clock.sleep(effect.seconds)
            return None
        if isinstance(effect, Notify):
            effect.callback(effect.record)
            return None
        self.sends.append(effect)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome if isinstance(outcome, Response) else outcome()

    def _sign(self, effect: Sign) -> WireRequest:
        self.signs.append(effect)
        took = self.signing.pop(0) if self.signing else 0.0
        if isinstance(took, BaseException):
            raise took
        self.clock.advance(took)
        return WireRequest(
            method=effect.request.operation.method,
            url="http://127.0.0.1:1/",
            headers=dict(effect.headers),
            body=effect.request.body,
            secrets=(SECRET,),
        )
