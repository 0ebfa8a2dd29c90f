from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import pytest
from botocore.credentials import Credentials

from nimble_stop import __version__
from nimble_stop._api.operations import LIST_STREAMING_SESSIONS
from nimble_stop._api.request import build_request
from nimble_stop._api.response import Response
from nimble_stop._auth.authentication import Authenticator
from nimble_stop._auth.credentials import CredentialSource
from tests.support.clients import (
    ACCESS_KEY_ID,
    SECRET_ACCESS_KEY,
    SESSION_TOKEN,
    credentials,
    make_config,
)
from tests.support.play import STOP

if TYPE_CHECKING:
    from tests.support.clock import ManualClock

ATTEMPT = {"amz-sdk-invocation-id": "id-1", "amz-sdk-request": "attempt=1; max=3"}


@pytest.fixture
def authenticator(clock: ManualClock) -> Authenticator:
    """Give an authenticator with temporary credentials."""
    config = make_config(clock, "http://127.0.0.1:8080/base")
    return Authenticator(config, CredentialSource(credentials(), None))


def test_headers(authenticator: Authenticator) -> None:
    """A stop carries these headers, and no others."""
    wire = authenticator.sign(STOP, ATTEMPT, 0.0)

    headers = dict(wire.headers)
    authorization = headers.pop("Authorization")
    assert headers == {
        "Host": "127.0.0.1:8080",
        "Content-Type": "application/json",
        "Content-Length": "2",
        "X-Amz-Client-Token": "token-1",
        "X-Amz-Date": "20261123T010203Z",
        "X-Amz-Security-Token": SESSION_TOKEN,
        "User-Agent": (
            f"nimble_stop/{__version__} os/{platform.system().lower()} "
            f"lang/python#{platform.python_version()}"
        ),
        "Accept-Encoding": "identity",
        **ATTEMPT,
    }
    assert authorization.startswith(
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/20261123/us-west-2/nimble/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-client-token;x-amz-date;x-amz-security-token, "
        "Signature="
    )


def test_urls(authenticator: Authenticator) -> None:
    """The URL and the request target hold base path, path and query."""
    request = build_request(LIST_STREAMING_SESSIONS, {"studio_id": "a", "owned_by": "b c"})
    wire = authenticator.sign(request, ATTEMPT, 0.0)

    assert wire.target == "/base/2020-08-01/studios/a/streaming-sessions?ownedBy=b%20c"
    assert wire.url == f"http://127.0.0.1:8080{wire.target}"
    assert (wire.method, wire.body) == ("GET", b"")
    assert "Content-Length" not in wire.headers


def test_skew(authenticator: Authenticator, clock: ManualClock) -> None:
    """A request is dated by the client's clock plus the skew, at the moment of signing."""
    clock.advance(60)

    assert authenticator.sign(STOP, ATTEMPT, 3600.0).headers["X-Amz-Date"] == "20261123T020303Z"


def test_attempts_differ(authenticator: Authenticator, clock: ManualClock) -> None:
    """Every attempt is signed anew, with the token of the first."""
    first = authenticator.sign(STOP, ATTEMPT, 0.0)
    clock.advance(1)
    second = authenticator.sign(STOP, ATTEMPT, 0.0)

    assert first.headers["Authorization"] != second.headers["Authorization"]
    assert first.headers["X-Amz-Client-Token"] == second.headers["X-Amz-Client-Token"]


@pytest.mark.parametrize(
    ("app_id", "word"),
    [("farm", " app/farm"), ("my farm/1\r\nX: ü", " app/my-farm-1--X---"), (None, ""), ("", "")],
)
def test_app_id(app_id: str | None, word: str, clock: ManualClock) -> None:
    """The application's name ends the user agent; whatever breaks a header becomes a hyphen."""
    config = make_config(clock, app_id=app_id)
    wire = Authenticator(config, CredentialSource(credentials(), None)).sign(STOP, ATTEMPT, 0.0)

    python = platform.python_version()
    assert wire.headers["User-Agent"].partition(f"#{python}")[2] == word


def test_nothing_secret_is_shown(authenticator: Authenticator) -> None:
    """Neither the signed request nor the authenticator's parts show a secret."""
    wire = authenticator.sign(STOP, ATTEMPT, 0.0)
    signature = wire.headers["Authorization"].rpartition("=")[2]

    signer = authenticator._signer
    texts = [
        repr(wire),
        str(wire),
        repr(authenticator),
        str(vars(authenticator)),
        str(vars(signer)),
    ]
    for secret in (SECRET_ACCESS_KEY, SESSION_TOKEN, signature):
        assert [text for text in texts if secret in text] == []


@pytest.mark.parametrize("secret", ["signature", "token", "secret key"])
def test_redacted(authenticator: Authenticator, secret: str) -> None:
    """An answer that quotes what was signed is blackened, body and headers."""
    wire = authenticator.sign(STOP, ATTEMPT, 0.0)
    text = {
        "signature": wire.headers["Authorization"].rpartition("=")[2],
        "token": SESSION_TOKEN,
        "secret key": SECRET_ACCESS_KEY,
    }[secret]
    answer = Response(403, {"x-echo": f"<{text}>"}, f'"{text}" and "{text}"'.encode())

    redacted = wire.redact(answer)

    assert (redacted.status, redacted.headers, redacted.body) == (
        403,
        {"x-echo": "<***>"},
        b'"***" and "***"',
    )


def test_other_answers_are_left_alone(authenticator: Authenticator) -> None:
    """An answer that quotes nothing is the same one."""
    answer = Response(200, {"x": "y"}, b"\xff\x00")

    assert authenticator.sign(STOP, ATTEMPT, 0.0).redact(answer) is answer


def test_long_lived(clock: ManualClock) -> None:
    """Long-lived credentials send no token, and blacken nothing by its absence."""
    source = CredentialSource(Credentials("AKIATEST", "secret"), None)
    wire = Authenticator(make_config(clock), source).sign(STOP, ATTEMPT, 0.0)

    assert "X-Amz-Security-Token" not in wire.headers
    assert wire.redact(Response(200, {}, b"abc")).body == b"abc"


def test_may_block(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signing may block until the credentials have been found."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    authenticator = Authenticator(make_config(clock), CredentialSource(None, None))

    assert authenticator.may_block
    authenticator.sign(STOP, {}, 0)
    assert not authenticator.may_block
