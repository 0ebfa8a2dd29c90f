"""A studio without sockets, and a way to run a `BulkStop` against it in one thread."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import attrs

from nimble_stop._api.response import Response
from nimble_stop._auth.signer import WireRequest
from nimble_stop._call.engine import Engine
from nimble_stop._call.steps import Send, Sign, Sleep, drive
from nimble_stop._flows.bulk import BulkStop
from nimble_stop._flows.results import BulkOptions
from tests.support.clients import make_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nimble_stop import StopResult
    from nimble_stop._call.steps import Effect
    from nimble_stop._flows.bulk import Outcome, Work
    from tests.support.clock import ManualClock


@attrs.define
class Studio:
    """Answers every request of an engine: a stop begins at once, and a list gives the states.

    Args:
        clock: What time it is; sleeping lets it pass.
        settings: Fields of the engine's configuration.
        faults: What the next stops of a session come to instead, by its id.
        states: The sessions that there are besides those stopped, by their ids.
        stops: Id and token of every stop that came in.
        reads: Operation and ids of every request that only reads.
        after_stop: The state that a session shows when it is read after its stop.
    """

    clock: ManualClock
    settings: dict[str, Any] = attrs.field(factory=dict[str, Any])
    faults: dict[str, list[Response | BaseException]] = attrs.field(
        factory=dict[str, list[Response | BaseException]]
    )
    states: dict[str, dict[str, object]] = attrs.field(factory=dict[str, dict[str, object]])
    stops: list[tuple[str, str]] = attrs.field(factory=list[tuple[str, str]])
    reads: list[tuple[str, list[str]]] = attrs.field(factory=list[tuple[str, list[str]]])
    after_stop: str = "STOPPED"
    keeps_track: bool = True
    engine: Engine = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.engine = Engine(make_config(self.clock, **self.settings))

    def plan(self, session_ids: Iterable[str], **options: Any) -> BulkStop:  # noqa: ANN401 - the options of a run
        """Plan a run."""
        return BulkStop(self.engine, session_ids, self.options(**options))

    def options(self, **options: Any) -> BulkOptions:  # noqa: ANN401 - likewise
        """Give the options of a run."""
        given: dict[str, Any] = {
            "studio_id": "studio-1",
            "retention": None,
            "run_id": "run-1",
            "max_concurrency": 8,
            "wait": False,
            "deadline": 900.0,
            **options,
        }
        return BulkOptions(**given)

    def perform(self, effect: Effect) -> object:
        """Do what a step asks for."""
        if isinstance(effect, Sleep):
            self.clock.sleep(effect.seconds)
            return None
        if isinstance(effect, Sign):
            request = effect.request
            return WireRequest(
                method=request.operation.method,
                url=f"http://studio{request.path}?{request.query}",
                headers={**effect.headers, "token": request.client_token or ""},
                body=request.body,
                secrets=(),
            )
        assert isinstance(effect, Send)
        return self._answer(effect.request)

    def _answer(self, wire: WireRequest) -> Response:
        parts = urlsplit(wire.url)
        names = [unquote(name) for name in parts.path.split("/")[4:]]
        if wire.method == "POST":
            return self._stop(names[1], wire.headers["token"])
        if len(names) > 1:
            self.reads.append(("Get", [names[1]]))
            return self._read(names[1])
        ids = parse_qs(parts.query)["sessionIds"][0].split(",")
        self.reads.append(("List", ids))
        found = [self._session(session_id) for session_id in ids]
        return _respond({"sessions": [each for each in found if each["state"] != "DELETED"]})

    def _stop(self, session_id: str, token: str) -> Response:
        if self.keeps_track:
            self.stops.append((session_id, token))
        fault = self.faults.get(session_id)
        if fault:
            outcome = fault.pop(0)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome
        stopped_at = datetime.fromtimestamp(self.clock.epoch, UTC).isoformat()
        session: dict[str, object] = {
            "sessionId": session_id,
            "state": "STOP_IN_PROGRESS",
            "stoppedAt": stopped_at,
        }
        return _respond({"session": session})

    def _read(self, session_id: str) -> Response:
        return _respond({"session": self._session(session_id)})

    def _session(self, session_id: str) -> dict[str, object]:
        return {
            "sessionId": session_id,
            "state": self.after_stop,
            **self.states.get(session_id, {}),
        }


def _respond(body: object) -> Response:
    return Response(200, {}, json.dumps(body).encode())


@attrs.define
class Runner:
    """Runs a plan as the clients do, but one step after the other.

    Args:
        plan: The plan.
        perform: Does what a step asks for.
        pick: Which of the work in flight ends next, given how many there are.
        most: How many stops were in flight at most.
    """

    plan: BulkStop
    perform: Callable[[Effect], object]
    pick: Callable[[int], int] = lambda _: 0
    most: int = 0
    _in_flight: list[Work] = attrs.field(factory=list["Work"])

    def __iter__(self) -> Runner:
        return self

    def __next__(self) -> StopResult:
        plan = self.plan
        while not plan.results:
            while (work := plan.next_work()) is not None:
                plan.submitted(work)
                self._in_flight.append(work)
            self.most = max(self.most, sum(not work.is_poll for work in self._in_flight))
            assert plan.running == len(self._in_flight)
            if self._in_flight and not plan.results:
                work = self._in_flight.pop(self.pick(len(self._in_flight)))
                plan.finish(work, self._do(work))
            elif plan.is_over and not plan.results:
                break
        return plan.take(StopIteration)

    def _do(self, work: Work) -> Outcome:
        try:
            return drive(work.steps, self.perform)
        except BaseException as error:  # noqa: BLE001 - as the clients do
            return error
