from __future__ import annotations

import copy
import inspect
import pickle
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from nimble_stop import exceptions
from nimble_stop.exceptions import (
    AccessDeniedException,
    ConflictException,
    ConnectionFailedError,
    ConnectionLostError,
    ConnectTimeoutError,
    DeadlineExceededError,
    InternalServerErrorException,
    NimbleStopError,
    ProxyError,
    ReadTimeoutError,
    RequestValidationError,
    ResourceNotFoundException,
    ResponseDecodeError,
    ServiceError,
    ServiceQuotaExceededException,
    StopFailedError,
    ThrottlingException,
    TLSError,
    TransportError,
    UnexpectedStateError,
    ValidationException,
)
from nimble_stop.models import StreamingSession, StreamingSessionState

if TYPE_CHECKING:
    from collections.abc import Callable

ALL = sorted(
    (getattr(exceptions, name) for name in exceptions.__all__), key=lambda kind: kind.__name__
)
SESSION = StreamingSession(
    session_id="session-1", state=StreamingSessionState("STOP_FAILED"), tags={"a": "b"}
)


def pickled(protocol: int) -> Callable[[NimbleStopError], NimbleStopError]:
    """Make a way to copy: through a pickle."""

    def through_a_pickle(error: NimbleStopError) -> NimbleStopError:
        result: NimbleStopError = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301
        return result

    return through_a_pickle


WAYS = [
    copy.copy,
    copy.deepcopy,
    *(pickled(protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)),
]


def filled(kind: type[NimbleStopError]) -> NimbleStopError:
    """Make an error with every attribute set to something that is not its default."""
    error = kind("what happened")
    error.operation = "StopStreamingSession"
    error.client_token = "token-1"
    error.attempts = 3
    error.attempt_errors = ("ReadTimeoutError", "ThrottlingException (HTTP 429)")
    error.waited = 1.25
    error.outcome_unknown = True
    error.retryable = None if error.retryable else True
    if isinstance(error, ServiceError):
        error = kind("what happened", code="Code", context={"key": "value"})  # type: ignore[call-arg]
        assert isinstance(error, ServiceError)
        error.reason = "reason"
        error.http_status = 418
        error.request_id = "request-1"
        error.fault = None
        error.throttling = not error.throttling
        error.retry_after = 2.5
        error.asked_by_aws = True
    if isinstance(error, ResponseDecodeError):
        error.http_status, error.request_id, error.body = 200, "request-1", b"\xff\x00"
    if isinstance(error, StopFailedError | UnexpectedStateError):
        error.session = SESSION
    if isinstance(error, RequestValidationError):
        error.argument = "session_id"
    return error


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ALL)
def test_copies_are_equal(
    kind: type[NimbleStopError], way: Callable[[NimbleStopError], NimbleStopError]
) -> None:
    """Every exception pickles and copies to the same class with the same attributes."""
    error = filled(kind)

    copied = way(error)

    assert type(copied) is kind
    assert vars(copied) == vars(error)
    assert copied.args == error.args
    assert str(copied) == str(error)


@pytest.mark.parametrize("kind", ALL)
def test_message_alone_is_enough(kind: type[NimbleStopError]) -> None:
    """Every exception is made of a message, or of nothing at all."""
    assert kind("what happened").message == "what happened"
    assert kind().message == ""


@pytest.mark.parametrize("kind", ALL)
def test_advice(kind: type[NimbleStopError]) -> None:
    """Every exception says what to do, in a sentence."""
    assert kind.advice[0].isupper()
    assert kind.advice.endswith(".")


@pytest.mark.parametrize("kind", ALL)
def test_docstring(kind: type[NimbleStopError]) -> None:
    """Every exception has a docstring of its own."""
    assert "__doc__" in vars(kind)
    assert vars(kind)["__doc__"]


def test_all_is_complete() -> None:
    """`__all__` lists every public exception of the module, sorted."""
    public = [
        name
        for name, value in vars(exceptions).items()
        if inspect.isclass(value) and issubclass(value, Exception) and not name.startswith("_")
    ]
    assert sorted(public) == sorted(exceptions.__all__)
    assert exceptions.__all__ == sorted(exceptions.__all__)


BRANCHES: list[tuple[type[Exception], list[type[NimbleStopError]]]] = [
    (NimbleStopError, ALL),
    (
        ServiceError,
        [
            AccessDeniedException,
            ConflictException,
            InternalServerErrorException,
            ResourceNotFoundException,
            ServiceQuotaExceededException,
            ThrottlingException,
            ValidationException,
            ServiceError,
        ],
    ),
    (
        TransportError,
        [
            ConnectionFailedError,
            ConnectTimeoutError,
            TLSError,
            ProxyError,
            ConnectionLostError,
            ReadTimeoutError,
            TransportError,
        ],
    ),
    (ConnectionFailedError, [ConnectionFailedError, ConnectTimeoutError]),
    (ConnectionLostError, [ConnectionLostError, ReadTimeoutError]),
    (ValueError, [RequestValidationError]),
]


@pytest.mark.parametrize(("root", "members"), BRANCHES)
def test_hierarchy(root: type[Exception], members: list[type[NimbleStopError]]) -> None:
    """Each class of the tree catches what stands under it, and nothing else."""
    assert {kind for kind in ALL if issubclass(kind, root)} == set(members)


SERVICE_ERRORS = [
    (AccessDeniedException, "client", False, False),
    (ConflictException, "client", None, False),
    (InternalServerErrorException, "server", True, False),
    (ResourceNotFoundException, "client", False, False),
    (ServiceQuotaExceededException, "client", False, False),
    (ThrottlingException, "client", True, True),
    (ValidationException, "client", False, False),
]


@pytest.mark.parametrize(("kind", "fault", "retryable", "throttling"), SERVICE_ERRORS)
def test_retry_advice(
    kind: type[ServiceError],
    fault: str,
    retryable: bool | None,  # noqa: FBT001 - data
    throttling: bool,  # noqa: FBT001 - data
) -> None:
    """Each of the seven says whose fault it is and whether to try again."""
    error = kind("no")

    assert error.code == kind.__name__
    assert (error.fault, error.retryable, error.throttling) == (fault, retryable, throttling)


OUR_ADVICE = [
    (RequestValidationError, False),
    (exceptions.ConfigurationError, False),
    (TransportError, True),
    (ConnectionFailedError, True),
    (ConnectTimeoutError, True),
    (ConnectionLostError, True),
    (ReadTimeoutError, True),
    (ProxyError, True),
    (TLSError, False),
    (DeadlineExceededError, True),
    (ResponseDecodeError, None),
    (StopFailedError, False),
    (UnexpectedStateError, False),
]


@pytest.mark.parametrize(("kind", "retryable"), OUR_ADVICE)
def test_our_retry_advice(kind: type[NimbleStopError], retryable: bool | None) -> None:  # noqa: FBT001 - data
    """Our own errors say whether to try again, or that it is not known."""
    assert kind("no").retryable is retryable


@pytest.mark.parametrize("kind", [kind for kind in ALL if issubclass(kind, TransportError)])
def test_request_sent(kind: type[TransportError]) -> None:
    """Only a connection that was lost after it stood may have carried the request."""
    assert kind("no").request_sent is issubclass(kind, ConnectionLostError)


def test_context_is_read_only() -> None:
    """The context cannot be changed, not even through what it was made of."""
    source = {"a": "b"}
    error = ValidationException("no", context=source)
    source["c"] = "d"

    assert error.context == {"a": "b"}
    with pytest.raises(TypeError):
        error.context["c"] = "d"  # type: ignore[index] # pyright: ignore[reportIndexIssue]


TEXTS = [
    (filled(ConnectionLostError), ["what happened", "3 attempts", "1.25 s"]),
    (filled(ThrottlingException), ["Code: what happened", "HTTP 418", "request id request-1"]),
    (filled(ResponseDecodeError), ["what happened", "HTTP 200", "request id request-1"]),
    (ValidationException("no"), ["ValidationException: no"]),
    (ServiceError(code="Teapot"), ["Teapot"]),
]


@pytest.mark.parametrize(("error", "parts"), TEXTS)
def test_text(error: NimbleStopError, parts: list[str]) -> None:
    """`str()` gives the code, the message and the facts of the call."""
    text = str(error)
    assert [part for part in parts if part not in text] == []
    assert text.startswith(parts[0])


def test_text_without_facts() -> None:
    """`str()` adds no empty parentheses."""
    assert str(ConnectionLostError("what happened")) == "what happened"
    assert str(ResponseDecodeError("what happened")) == "what happened"


@given(
    kind=st.sampled_from(ALL),
    values=st.fixed_dictionaries(
        {
            "client_token": st.none() | st.text(),
            "attempts": st.integers(0, 100),
            "waited": st.floats(0, 1e6),
            "attempt_errors": st.lists(st.text()).map(tuple),
        }
    ),
    message=st.text(),
)
def test_any_values_survive_a_pickle(
    kind: type[NimbleStopError], values: dict[str, object], message: str
) -> None:
    """Whatever the attributes hold, a pickle gives it back, and `str()` does not fail."""
    error = kind(message)
    vars(error).update(values)

    copied = pickle.loads(pickle.dumps(error))  # noqa: S301

    assert vars(copied) == vars(error)
    assert {name: getattr(copied, name) for name in values} == values
    assert str(copied) == str(error)
