"""The sync client."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self, TypeVar

from nimble_stop._api.request import Request, get_request, stop_request
from nimble_stop._call.steps import Effect, Notify, Send, Sign, drive
from nimble_stop._client.base import BaseClient
from nimble_stop._config.options import MAX_CONCURRENCY, POLL_SECONDS, WAIT_SECONDS
from nimble_stop._transport.requests_transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor

    from nimble_stop._flows.pages import Pages
    from nimble_stop._flows.results import BulkOptions
    from nimble_stop._flows.threads import StopRun
    from nimble_stop.models import StreamingSession, VolumeRetentionMode

ResultT = TypeVar("ResultT")


class NimbleClient(BaseClient):
    """A client of Amazon Nimble Studio's streaming sessions.

    Threads may share a client; processes that fork may too. It keeps connections open: close it,
    or use it as a context manager.

    Every call may raise these, and methods document what else they raise:
    `RequestValidationError` (an argument is invalid; nothing was sent), `ConfigurationError` (there
    are no credentials), `ServiceError` (the service refused; the subclass says why),
    `TransportError` (no answer came, in none of the attempts), `DeadlineExceededError` and
    `ResponseDecodeError` (the answer cannot be understood).

    Args:
        region_name: The AWS region, such as ``"us-west-2"``. Else ``AWS_REGION``,
            ``AWS_DEFAULT_REGION`` or the profile's.
        profile_name: The profile in AWS's shared files. Else ``AWS_PROFILE``.
        endpoint_url: Where requests go. Else ``AWS_ENDPOINT_URL_NIMBLE``, ``AWS_ENDPOINT_URL``,
            the profile's, or AWS's own host in the region, which AWS has closed.
        credentials: botocore credentials, such as ``boto3.Session().get_credentials()`` returns.
            Else whatever botocore's chain finds at the first call.
        timeout: How long one attempt may take: `Timeouts`, or one number of seconds for both of
            its parts.
        deadline: How many seconds a call may take in all: attempts, delays, everything.
        retry: How failed attempts are repeated. Else `RetryPolicy` with ``AWS_MAX_ATTEMPTS`` or
            the profile's ``max_attempts``.
        max_connections: How many connections are kept open for reuse.
        ca_bundle: A file or directory of certificates to trust. Else ``AWS_CA_BUNDLE``, the
            profile's, or certifi's.
        runtime: Clocks, sleep, randomness and ids, for tests.
        on_attempt: Called with an `AttemptRecord` after each attempt, in the thread that made it.
            What it raises is logged, and the call goes on.
        telemetry: ``"opentelemetry"`` makes spans and metrics with the process's providers, if the
            package's extra ``otel`` is installed; None makes none.

    Raises:
        ConfigurationError: There is no region, or a setting is invalid. Credentials are
            searched at the first call.
        RequestValidationError: An argument has the wrong type or range.
    """

    _transport: Transport

    def _open(self) -> None:
        self._transport = Transport(self._config)

    def stop_session(
        self,
        studio_id: str,
        session_id: str,
        *,
        retention: VolumeRetentionMode | str | None = None,
        client_token: str | None = None,
        deadline: float | None = None,
    ) -> StreamingSession:
        """Stop a streaming session.

        The service answers as soon as the stop has begun, as a rule in state
        ``STOP_IN_PROGRESS``. A call that failed is safely repeated with the ``client_token`` of
        its error. See AWS's page on `StopStreamingSession`_.

        Args:
            studio_id: The studio's id.
            session_id: The session's id.
            retention: Whether the session's EBS volumes are kept (``RETAIN``) or deleted
                (``DELETE``). None leaves it to the session's own setting.
            client_token: Makes repeated calls one: 1 to 64 printable ASCII characters. None for
                a new one.
            deadline: How many seconds the call may take in all. None for the client's.

        Returns:
            The session as the service answered.

        Raises:
            ConflictException: Another operation is in progress on the session, or its state
                allows no stop.
            ResourceNotFoundException: The studio or the session does not exist.

        .. _StopStreamingSession:
           https://docs.aws.amazon.com/nimble-studio/latest/api/API_StopStreamingSession.html
        """
        new_token = self._config.runtime.new_id
        request = stop_request(studio_id, session_id, retention, client_token, new_token)
        return self._call(request, deadline)

    def get_session(
        self, studio_id: str, session_id: str, *, deadline: float | None = None
    ) -> StreamingSession:
        """Read a streaming session. See AWS's page on `GetStreamingSession`_.

        Args:
            studio_id: The studio's id.
            session_id: The session's id.
            deadline: How many seconds the call may take in all. None for the client's.

        Returns:
            The session as the service answered.

        Raises:
            ResourceNotFoundException: The studio or the session does not exist.

        .. _GetStreamingSession:
           https://docs.aws.amazon.com/nimble-studio/latest/api/API_GetStreamingSession.html
        """
        return self._call(get_request(studio_id, session_id), deadline)

    def list_sessions(
        self,
        studio_id: str,
        *,
        owned_by: str | None = None,
        created_by: str | None = None,
        session_ids: Iterable[str] | None = None,
        deadline: float | None = None,
    ) -> Iterator[StreamingSession]:
        """List a studio's streaming sessions, page after page, as they are asked for.

        The filters combine. See AWS's page on `ListStreamingSessions`_.

        Args:
            studio_id: The studio's id.
            owned_by: Only sessions that this user owns.
            created_by: Only sessions that this user created.
            session_ids: Only sessions with these ids, at least one; no id may hold a comma.
            deadline: Seconds for the calls for all pages; the time that the caller takes between
                them does not count.

        Returns:
            An iterator over the sessions. Iterating raises the errors of the calls, but for
            `RequestValidationError`, which is raised at once.

        Raises:
            ResponseDecodeError: An answer cannot be understood, or a page token came twice.

        .. _ListStreamingSessions:
           https://docs.aws.amazon.com/nimble-studio/latest/api/API_ListStreamingSessions.html
        """
        from nimble_stop._flows.pages import Pages

        limit = self._engine.deadline(deadline)
        filters = {"studio_id": studio_id, "owned_by": owned_by, "created_by": created_by}
        return self._walk(Pages(self._engine, limit, filters, session_ids))

    def wait_until_stopped(
        self,
        studio_id: str,
        session_id: str,
        *,
        deadline: float = WAIT_SECONDS,
        poll_interval: float = POLL_SECONDS,
        on_poll: Callable[[StreamingSession], object] | None = None,
    ) -> StreamingSession:
        """Wait until a session that is being stopped is ``STOPPED``.

        The first polls come within a second, then every ``poll_interval`` seconds, spread by
        chance. Throttling and outages end a poll and not the wait. A session that is ``READY``
        counts as being stopped only if its times show a stop after its last start: the service
        moves a session to ``STOP_IN_PROGRESS`` before it answers the stop.

        Args:
            studio_id: The studio's id.
            session_id: The session's id.
            deadline: How many seconds to wait; AWS's own waiter waits 900.
            poll_interval: The longest time between two polls, in seconds; AWS's waiter polls
                every 5.
            on_poll: Called with every session that was read.

        Returns:
            The session in state ``STOPPED``.

        Raises:
            StopFailedError: The session went to ``STOP_FAILED``.
            UnexpectedStateError: It is in a state that does not lead to ``STOPPED``: deleted,
                failed otherwise, or ready with no stop under way.
            DeadlineExceededError: It has not stopped in time; the error has the session as it
                was last read.
        """
        from nimble_stop._flows.waiting import wait_until_stopped

        request, limit = get_request(studio_id, session_id), self._engine.deadline(deadline)
        steps = wait_until_stopped(self._engine, request, limit, poll_interval, on_poll)
        return drive(steps, self._perform)

    def stop_sessions(
        self,
        studio_id: str,
        session_ids: Iterable[str],
        *,
        retention: VolumeRetentionMode | str | None = None,
        run_id: str | None = None,
        max_concurrency: int = MAX_CONCURRENCY,
        wait: bool = False,
        executor: Executor | None = None,
    ) -> StopRun:
        """Stop many streaming sessions.

        Failures are values, not exceptions: every id gives one result. The pace follows the
        service's throttling. After whatever happened, a run with the same ``run_id`` completes
        the work and stops nothing twice.

        Args:
            studio_id: The studio's id.
            session_ids: The sessions' ids: any iterable, also an endless one.
            retention: Whether the sessions' EBS volumes are kept (``RETAIN``) or deleted
                (``DELETE``). None leaves it to each session's own setting.
            run_id: A name for this run; the client tokens are derived from it. None for a new
                one; the run has it as ``run_id``.
            max_concurrency: How many stops are in flight at most.
            wait: Whether a session's result comes when it is ``STOPPED``, rather than when its
                stop has begun. A session that is not, within 900 seconds, is a failure.
            executor: Any `concurrent.futures.Executor` to do the work in, such as a process pool
                or Dask's. None for threads of its own.

        Returns:
            An iterator of `StopResult`, one as each session ends.

        Raises:
            RequestValidationError: An argument is invalid. An invalid id among the others is a
                result of its own.
            ConfigurationError: The executor would need the credentials that the client was given.
        """
        options = self._bulk_options(studio_id, retention, run_id, max_concurrency, wait=wait)
        if executor is None:
            return self._run(session_ids, options)
        from nimble_stop._flows.executors import ExecutorRunner
        from nimble_stop._flows.threads import StopRun

        return StopRun(ExecutorRunner(executor, self._run, session_ids, options, self._engine))

    def close(self) -> None:
        """Close the connections, also those of copies made by `with_options`."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, session_ids: Iterable[str], options: BulkOptions) -> StopRun:
        from nimble_stop._flows.threads import StopRun, ThreadRunner

        return StopRun(ThreadRunner(self._engine, self._perform, session_ids, options))

    def _walk(self, pages: Pages) -> Iterator[StreamingSession]:
        while not pages.exhausted:
            yield from drive(pages.next_page(), self._perform)

    def _call(self, request: Request[ResultT], deadline: float | None) -> ResultT:
        return drive(self._engine.call(request, self._engine.deadline(deadline)), self._perform)

    def _perform(self, effect: Effect) -> object:
        if isinstance(effect, Sign):
            return self._signer.sign(effect.request, effect.headers, effect.skew)
        if isinstance(effect, Send):
            return self._transport.exchange(effect)
        if isinstance(effect, Notify):
            with self._logged_failure():
                effect.callback(effect.record)
            return None
        return (self._config.runtime.sleep or time.sleep)(effect.seconds)
