"""The public interface as type checkers see it. Nothing here is run.

Correct uses must pass mypy and pyright, both strict. Each wrong use is marked with what the
checkers must say; a mark that is not needed is itself an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, assert_type

import nimble_stop
from nimble_stop import (
    ConflictException,
    NimbleClient,
    NimbleStopError,
    RequestValidationError,
    ResponseDecodeError,
    RetryPolicy,
    Runtime,
    ServiceError,
    StopFailedError,
    StreamingSession,
    StreamingSessionState,
    Timeouts,
    TransportError,
    VolumeConfiguration,
    VolumeRetentionMode,
)

if TYPE_CHECKING:
    from botocore.credentials import Credentials


def calls(client: NimbleClient) -> None:
    """Methods of a client, and what they give."""
    assert_type(nimble_stop.stop_session("a", "b"), StreamingSession)
    assert_type(client.stop_session("a", "b", retention="RETAIN"), StreamingSession)
    client.stop_session("a", "b", retention=VolumeRetentionMode.DELETE, client_token="t")
    client.stop_session(studio_id="a", session_id="b", deadline=1)
    assert_type(client.get_session("a", "b", deadline=1.5), StreamingSession)
    assert_type(client.list_sessions("a", session_ids=["b"]), Iterator[StreamingSession])
    assert_type(client.wait_until_stopped("a", "b", on_poll=print), StreamingSession)
    assert_type(client.with_options(deadline=1), NimbleClient)
    assert_type(client.region_name, str)
    assert_type(client.endpoint_url, str)
    assert_type(client.close(), None)


def wrong_calls(client: NimbleClient) -> None:
    """Calls that must not pass."""
    nimble_stop.NimbelClient()  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    client.stop_session("a")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    client.stop_session("a", None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.stop_session("a", "b", "RETAIN")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    client.stop_session("a", "b", retention=1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.stop_session("a", "b", deadline="1")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.stop_session("a", "b", mode="RETAIN")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    client.get_session("a", b"b")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.stop("a", "b")  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    client.region_name = "us-west-2"  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    nimble_stop.stop_session("a", "b", region_name="c")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


def clients(credentials: Credentials) -> None:
    """Ways to make a client."""
    with NimbleClient() as client:
        assert_type(client, NimbleClient)
    NimbleClient(
        region_name="us-west-2",
        profile_name="studio",
        endpoint_url="http://127.0.0.1:8080",
        credentials=credentials,
        timeout=5,
        deadline=30,
        retry=RetryPolicy(max_attempts=5, retry_conflicts=True),
        max_connections=32,
        ca_bundle=Path("ca.pem"),
        runtime=Runtime(sleep=lambda _: None, random=lambda: 0.5),
    )
    NimbleClient(timeout=Timeouts(connect=1, read=2.5), ca_bundle="ca.pem")


def wrong_clients() -> None:
    """Clients that must not pass."""
    NimbleClient("us-west-2")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    NimbleClient(region="us-west-2")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    NimbleClient(timeout="5")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    NimbleClient(retry=3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    NimbleClient(credentials=("a", "b"))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    RetryPolicy(5)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    RetryPolicy().max_attempts = 5  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    Timeouts(total=5)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


def models(session: StreamingSession) -> None:
    """Members of a session, and their types."""
    assert_type(session.session_id, str | None)
    assert_type(session.state, StreamingSessionState | None)
    assert_type(session.stopped_at, datetime | None)
    assert_type(session.tags, Mapping[str, str] | None)
    assert_type(session.volume_configuration, VolumeConfiguration | None)
    assert_type(session.max_backups_to_retain, int | None)
    assert_type(session.to_dict(), dict[str, object])
    assert_type(StreamingSessionState("NEW"), StreamingSessionState)
    text: str = StreamingSessionState.READY
    del text


def wrong_models(session: StreamingSession) -> None:
    """Uses of a session that must not pass."""
    session.state = StreamingSessionState.READY  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    session.sessionId  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] # noqa: B018
    session.stopped_at.isoformat()  # type: ignore[union-attr] # pyright: ignore[reportOptionalMemberAccess]
    StreamingSession("arn")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    VolumeConfiguration(size="500")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def errors(client: NimbleClient) -> StreamingSession | None:
    """What errors carry."""
    try:
        return client.stop_session("a", "b")
    except ConflictException as error:
        assert_type(error.code, str)
        assert_type(error.context, Mapping[str, str])
        assert_type(error.retry_after, float | None)
        assert_type(error.fault, Literal["client", "server"] | None)
    except ServiceError as error:
        assert_type(error.http_status, int | None)
        assert_type(error.request_id, str | None)
        assert_type(error.throttling, bool)
    except ResponseDecodeError as error:
        assert_type(error.body, bytes)
    except TransportError as error:
        assert_type(error.request_sent, bool)
    except StopFailedError as error:
        assert_type(error.session, StreamingSession | None)
    except RequestValidationError as error:
        value: ValueError = error
        del value
    except NimbleStopError as error:
        assert_type(error.client_token, str | None)
        assert_type(error.attempts, int)
        assert_type(error.attempt_errors, tuple[str, ...])
        assert_type(error.retryable, bool | None)
        assert_type(error.message, str)
    return None
