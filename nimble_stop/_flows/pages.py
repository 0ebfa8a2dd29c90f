"""Walking through the pages of ListStreamingSessions, without the walking.

`Pages` says what to ask for next and takes the answer; the clients do the asking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nimble_stop._api.arguments import checked_ids
from nimble_stop._api.operations import LIST_STREAMING_SESSIONS, Page
from nimble_stop._api.request import Request, build_request
from nimble_stop.exceptions import RequestValidationError, ResponseDecodeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nimble_stop._call.deadline import Deadline
    from nimble_stop._call.engine import Engine
    from nimble_stop._call.steps import Steps
    from nimble_stop.models import StreamingSession

# Ids go into the query; so many of 36 characters keep the request line below 2 KiB.
_IDS_A_REQUEST: Final = 50


class Pages:
    """One walk through a list of sessions.

    The time between the calls, which is the caller's, does not count for the deadline.
    """

    def __init__(
        self,
        engine: Engine,
        deadline: Deadline,
        filters: Mapping[str, str | None],
        session_ids: Iterable[str] | None,
    ) -> None:
        self._engine = engine
        self._deadline = deadline
        self._filters = filters
        self._id_lists = _id_lists(session_ids)
        self._session_ids = next(self._id_lists)
        self._seen_tokens: set[str] = set()
        self._request = self._next_request(None)
        self._deadline.pause()
        self.exhausted = False

    def next_page(self) -> Steps[tuple[StreamingSession, ...]]:
        """Read the next page; only while `exhausted` is False."""
        self._deadline.resume()
        page = yield from self._engine.call(self._request, self._deadline)
        self._deadline.pause()
        self._turn(page.next_token)
        return page.sessions

    def _next_request(self, next_token: str | None) -> Request[Page]:
        arguments = {"session_ids": self._session_ids, "next_token": next_token}
        return build_request(LIST_STREAMING_SESSIONS, {**self._filters, **arguments})

    def _turn(self, next_token: str | None) -> None:
        if next_token is None:
            self._seen_tokens.clear()
            self._session_ids = next(self._id_lists, None)
            self.exhausted = self._session_ids is None
        elif next_token in self._seen_tokens:
            raise ResponseDecodeError(
                "The service gave the same page token twice; the list would never end."
            )
        else:
            self._seen_tokens.add(next_token)
        self._request = self._next_request(next_token)


def _id_lists(session_ids: Iterable[str] | None) -> Iterator[str | None]:
    """Give the lists of ids to ask for, one request each; one None stands for all sessions."""
    if session_ids is None:
        return iter((None,))
    # An id that came twice would be in the answers to two requests.
    ids = tuple(dict.fromkeys(checked_ids("session_ids", session_ids)))
    if not ids or any("," in session_id for session_id in ids):
        raise RequestValidationError(
            "session_ids must hold at least one id, and no id with a comma in it: the API takes "
            "one list that commas separate."
        )
    return iter([",".join(ids[i : i + _IDS_A_REQUEST]) for i in range(0, len(ids), _IDS_A_REQUEST)])
