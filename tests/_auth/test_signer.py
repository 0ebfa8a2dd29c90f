from __future__ import annotations

import asyncio
import logging
import platform
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, strategies as st

from nimble_stop import AsyncNimbleClient, __version__
from nimble_stop._api.operations import (
    GET_STREAMING_SESSION,
    LIST_STREAMING_SESSIONS,
    STOP_STREAMING_SESSION,
)
from nimble_stop._api.request import build_request
from nimble_stop._auth.credentials import CredentialSource
from nimble_stop._auth.signer import Signer, WireRequest
from nimble_stop._config.endpoint_url import parse_endpoint
from nimble_stop.exceptions import ResourceNotFoundException, ResponseDecodeError, ServiceError
from nimble_stop.local import AccessKey, LocalNimble
from tests._api.test_request import IDS, build
from tests.support.clients import (
    ACCESS_KEY_ID,
    REGION,
    SECRET_ACCESS_KEY,
    SESSION_TOKEN,
    credentials,
    make_client,
    make_config,
)
from tests.support.clock import ManualClock
from tests.support.play import STOP
from tests.support.scripted import Received, ScriptedServer, always, answer
from tests.support.vectors import EPOCH, VECTORS, Vector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nimble_stop._api.request import Request
    from nimble_stop._config.endpoint_url import Endpoint

ATTEMPT = {"amz-sdk-invocation-id": "id-1", "amz-sdk-request": "attempt=1; max=3"}
LONG_LIVED = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")


def sign(
    request: Request[Any],
    who: Credentials,
    epoch: float = EPOCH,
    url: str = "http://127.0.0.1:8080",
    **settings: Any,  # noqa: ANN401 - a configuration's own fields
) -> WireRequest:
    """Sign a request at a moment."""
    config = make_config(ManualClock(epoch), url, **settings)
    return Signer(config, CredentialSource(who, None)).sign(request, ATTEMPT, 0.0)


def signed_by_botocore(
    unsigned: Request[Any], endpoint: Endpoint, who: Credentials
) -> tuple[str, float]:
    """Have botocore's own `add_auth` sign a request; give the signature and its moment."""
    theirs = AWSRequest(
        method=unsigned.operation.method,
        url=endpoint.url_of(unsigned.path, unsigned.query),
        headers={"Host": endpoint.host_header, **unsigned.headers},
        data=unsigned.body,
    )
    SigV4Auth(who, "nimble", REGION).add_auth(theirs)
    moment = datetime.strptime(theirs.headers["X-Amz-Date"], "%Y%m%dT%H%M%S%z")
    return theirs.headers["Authorization"], moment.timestamp()


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_botocore_signed_the_same(vector: Vector) -> None:
    """The signature is the one that botocore 1.34.144's own nimble client made."""
    wire = sign(build(vector), vector.credentials, url=vector.endpoint)

    signed = {name.lower(): value for name, value in wire.headers.items()}
    for name in ("authorization", "x-amz-date", "x-amz-security-token", "x-amz-client-token"):
        assert signed.get(name) == vector.headers.get(name)


ENDPOINTS = [
    "https://nimble.us-west-2.amazonaws.com",
    "http://127.0.0.1:8080",
    "http://localhost:80",
    "https://localhost:443/",
    "https://host.example:8443/base/path/",
    "http://[::1]:8080",
    "http://host.example/a%20b",
]
REQUESTS: list[Request[Any]] = [
    build_request(
        STOP_STREAMING_SESSION,
        {"studio_id": "a b", "session_id": "ü/%2F", "retention": "DELETE"},
        client_token="token 1",
    ),
    build_request(GET_STREAMING_SESSION, {"studio_id": "a", "session_id": "~*'()!"}),
    build_request(LIST_STREAMING_SESSIONS, {"studio_id": "a"}),
    build_request(
        LIST_STREAMING_SESSIONS,
        {
            "studio_id": "a",
            "owned_by": "o w=n&e+r",
            "session_ids": "b,c",
            "next_token": "x==/+",
            "created_by": "",
        },
    ),
]


@pytest.mark.parametrize("who", [LONG_LIVED, credentials()], ids=["long-lived", "temporary"])
@pytest.mark.parametrize("unsigned", REQUESTS, ids=lambda request: request.path + request.query)
@pytest.mark.parametrize("url", ENDPOINTS)
def test_add_auth_signs_the_same(url: str, unsigned: Request[Any], who: Credentials) -> None:
    """The signature is the one that the installed botocore's `add_auth` makes."""
    endpoint = parse_endpoint(url, "the test")
    expected, epoch = signed_by_botocore(unsigned, endpoint, who)

    wire = sign(unsigned, who, epoch, url)

    assert wire.headers["Authorization"] == expected


DAYS = [0.0, 1.5, EPOCH, EPOCH + 86_400, 951_782_399.999, 253_402_300_799]


@pytest.mark.parametrize("epoch", DAYS)
def test_moment(epoch: float) -> None:
    """A request is dated by the moment that was given, in UTC, in whole seconds."""
    headers = sign(REQUESTS[0], LONG_LIVED, epoch).headers

    date = datetime.fromtimestamp(int(epoch), UTC).strftime("%Y%m%dT%H%M%SZ")
    assert headers["X-Amz-Date"] == date
    assert f"/{date[:8]}/us-west-2/nimble/aws4_request" in headers["Authorization"]


@pytest.fixture(scope="module")
def local() -> Iterator[LocalNimble]:
    """Run an endpoint that accepts the tests' credentials, with no sessions."""
    frozen = credentials().get_frozen_credentials()
    key = AccessKey(frozen.access_key or "", frozen.secret_key or "", frozen.token)
    with LocalNimble(credentials=key, region_name=REGION) as endpoint:
        yield endpoint


@given(IDS, IDS, st.sampled_from([None, "RETAIN", "DELETE"]))
def test_independent_verifier(
    local: LocalNimble, studio_id: str, session_id: str, retention: str | None
) -> None:
    """The embedded endpoint, which shares no code with the signer, accepts every signature."""
    with make_client(local.endpoint_url) as client, pytest.raises(ResourceNotFoundException):
        client.stop_session(studio_id, session_id, retention=retention)

    record = local.requests[-1]
    assert (record.studio_id, record.session_id) == (studio_id, session_id)
    assert record.caller == credentials().access_key


def signature_of(received: Received, url: str) -> str:
    """Sign what a server received with botocore."""
    theirs = AWSRequest(received.line.split()[0], f"{url}{received.target}", received.headers)
    theirs.context["timestamp"] = received.headers["x-amz-date"]
    for name in set(theirs.headers) - {"host", "x-amz-date", "x-amz-security-token"}:
        del theirs.headers[name]
    auth = SigV4Auth(credentials(), "nimble", REGION)
    return auth.signature(auth.string_to_sign(theirs, auth.canonical_request(theirs)), theirs)


def test_escapes_are_signed_as_they_are_sent() -> None:
    """The libraries send the escapes of a base path in upper case, and so they are signed."""

    async def get(url: str) -> None:
        async with AsyncNimbleClient(
            endpoint_url=url, region_name=REGION, credentials=credentials()
        ) as client:
            await client.get_session("a", "b")

    with ScriptedServer(always(answer())) as server:
        with make_client(f"{server.url}/a%2fb%c3%bc") as client:
            client.get_session("a", "b")
        asyncio.run(get(f"{server.url}/a%2fb%c3%bc"))
        path = "/a%2Fb%C3%BC/2020-08-01/studios/a/streaming-sessions/b"
        assert server.targets == [path, path]
        for received in server.requests:
            signature = received.headers["authorization"].rpartition("=")[2]
            assert signature == signature_of(received, server.url)


@pytest.fixture
def signer(clock: ManualClock) -> Signer:
    """Give a signer with temporary credentials."""
    config = make_config(clock, "http://127.0.0.1:8080/base")
    return Signer(config, CredentialSource(credentials(), None))


def test_headers(signer: Signer) -> None:
    """A stop carries these headers, and no others."""
    headers = dict(signer.sign(STOP, ATTEMPT, 0.0).headers)

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


def test_urls(signer: Signer) -> None:
    """The URL holds base path, path and query; a read has no body."""
    request = build_request(LIST_STREAMING_SESSIONS, {"studio_id": "a", "owned_by": "b c"})
    wire = signer.sign(request, ATTEMPT, 0.0)

    target = "/base/2020-08-01/studios/a/streaming-sessions?ownedBy=b%20c"
    assert wire.url == f"http://127.0.0.1:8080{target}"
    assert (wire.method, wire.body) == ("GET", b"")
    assert "Content-Length" not in wire.headers


def test_skew(signer: Signer, clock: ManualClock) -> None:
    """A request is dated by the client's clock plus the skew, at the moment of signing."""
    clock.advance(60)

    assert signer.sign(STOP, ATTEMPT, 3600.0).headers["X-Amz-Date"] == "20261123T020303Z"


@pytest.mark.parametrize(
    ("app_id", "word"),
    [("farm", " app/farm"), ("my farm/1\r\nX: ü", " app/my-farm-1--X---"), (None, ""), ("", "")],
)
def test_app_id(app_id: str | None, word: str) -> None:
    """The application's name ends the user agent; whatever breaks a header becomes a hyphen."""
    wire = sign(STOP, LONG_LIVED, app_id=app_id)

    python = platform.python_version()
    assert wire.headers["User-Agent"].partition(f"#{python}")[2] == word


def test_nothing_secret_is_shown(signer: Signer) -> None:
    """Neither the signed request nor the signer's parts show a secret."""
    wire = signer.sign(STOP, ATTEMPT, 0.0)
    signature = wire.headers["Authorization"].rpartition("=")[2]

    texts = [
        repr(wire),
        str(wire),
        repr(signer),
        str(vars(signer)),
        repr(signer._credentials.keys()),
    ]
    for secret in (SECRET_ACCESS_KEY, SESSION_TOKEN, signature):
        assert [text for text in texts if secret in text] == []


def test_signing_logs_nothing(signer: Signer, caplog: pytest.LogCaptureFixture) -> None:
    """botocore, which signs, writes neither the token nor the signature to its log."""
    caplog.set_level(logging.DEBUG)
    signer.sign(STOP, ATTEMPT, 0.0)

    assert caplog.record_tuples == []


@pytest.mark.parametrize("secret", ["signature", "token", "secret key"])
def test_redact(signer: Signer, secret: str) -> None:
    """An error that quotes what was signed loses it: text, context, reason and body."""
    wire = signer.sign(STOP, ATTEMPT, 0.0)
    text = {
        "signature": wire.headers["Authorization"].rpartition("=")[2],
        "token": SESSION_TOKEN,
        "secret key": SECRET_ACCESS_KEY,
    }[secret]
    refused = ServiceError(f"<{text}> is not it", context={text: text})
    refused.reason = refused.request_id = text
    slashed = text.replace("/", "\\/").encode()
    unread = ResponseDecodeError("no", body=b"1 " + text.encode() + b" 2 " + slashed)

    wire.redact(refused)
    wire.redact(unread)

    assert refused.message == "<***> is not it"
    assert (refused.reason, refused.request_id) == ("***", "***")
    assert refused.context == {"***": "***"}
    assert unread.body == b"1 *** 2 ***"


def test_placeholders_are_left_alone() -> None:
    """A secret of three letters is a placeholder, and no word of an error is struck out for it."""
    wire = sign(STOP, Credentials("AKIATEST", "not"))
    error = ServiceError("Session not-1 is not there")

    wire.redact(error)

    assert "X-Amz-Security-Token" not in wire.headers
    assert error.message == "Session not-1 is not there"
