from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import example, given, strategies as st

from nimble_stop._api.operations import (
    GET_STREAMING_SESSION,
    LIST_STREAMING_SESSIONS,
    STOP_STREAMING_SESSION,
)
from nimble_stop._api.request import build_request
from nimble_stop._auth.credentials import Keys
from nimble_stop._auth.signing import Signer
from nimble_stop._config.endpoint_url import parse_endpoint
from nimble_stop.exceptions import ResourceNotFoundException
from nimble_stop.local import AccessKey, LocalNimble
from tests._api.test_request import IDS, build
from tests.support.clients import REGION, credentials, make_client
from tests.support.company import leave_alone
from tests.support.vectors import EPOCH, VECTORS, Vector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nimble_stop._api.request import Request
    from nimble_stop._config.endpoint_url import Endpoint

LONG_LIVED = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")


@pytest.fixture(params=["alone", "beside botocore"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign in a process that does not use botocore, and in one that does."""
    if request.param == "alone":
        leave_alone(monkeypatch)


def keys_of(who: Credentials) -> Keys:
    """Give what botocore credentials hold."""
    return Keys(who.access_key or "", who.secret_key or "", who.token)


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


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_botocore_signed_the_same(vector: Vector) -> None:
    """The signature is the one that botocore 1.34.144's own nimble client made."""
    headers = Signer(REGION).sign(
        build(vector),
        parse_endpoint(vector.endpoint, "the test"),
        keys_of(vector.credentials),
        EPOCH,
    )

    signed = {name.lower(): value for name, value in headers.items()}
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


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("who", [LONG_LIVED, credentials()], ids=["long-lived", "temporary"])
@pytest.mark.parametrize("unsigned", REQUESTS, ids=lambda request: request.path + request.query)
@pytest.mark.parametrize("url", ENDPOINTS)
def test_add_auth_signs_the_same(url: str, unsigned: Request[Any], who: Credentials) -> None:
    """The signature is the one that the installed botocore's `add_auth` makes."""
    endpoint = parse_endpoint(url, "the test")
    expected, epoch = signed_by_botocore(unsigned, endpoint, who)

    headers = Signer(REGION).sign(unsigned, endpoint, keys_of(who), epoch)

    assert headers["Authorization"] == expected


@given(
    IDS,
    IDS,
    st.sampled_from([None, "RETAIN", "DELETE"]),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=64),
)
@example("a", "b", None, "two  blanks")
def test_both_ways_sign_the_same(
    studio_id: str, session_id: str, retention: str | None, client_token: str
) -> None:
    """Whatever is sent, what is signed does not depend on whether the process uses botocore."""
    request = build_request(
        STOP_STREAMING_SESSION,
        {"studio_id": studio_id, "session_id": session_id, "retention": retention},
        client_token=client_token,
    )
    endpoint, keys = parse_endpoint("https://h/base//path", "the test"), keys_of(credentials())
    beside = Signer(REGION).sign(request, endpoint, keys, EPOCH)
    with pytest.MonkeyPatch.context() as monkeypatch:
        leave_alone(monkeypatch)
        alone = Signer(REGION).sign(request, endpoint, keys, EPOCH)

    assert alone == beside


DAYS = [0.0, 1.5, EPOCH, EPOCH + 86_400, 951_782_399.999, 253_402_300_799]


@pytest.mark.parametrize("epoch", DAYS)
def test_moment(epoch: float) -> None:
    """A request is dated by the moment that was given, in UTC, in whole seconds."""
    request, keys = REQUESTS[0], keys_of(LONG_LIVED)
    headers = Signer(REGION).sign(request, parse_endpoint("http://h", "x"), keys, epoch)

    date = datetime.fromtimestamp(int(epoch), UTC).strftime("%Y%m%dT%H%M%SZ")
    assert headers["X-Amz-Date"] == date
    assert f"/{date[:8]}/us-west-2/nimble/aws4_request" in headers["Authorization"]


def test_kept_key() -> None:
    """The key of a day is not used for another day, nor for another secret."""
    signer, endpoint = Signer(REGION), parse_endpoint("http://h", "x")
    other = Credentials("AKIDEXAMPLE", "another secret")
    cases = [
        (who, epoch)
        for who in (LONG_LIVED, other, credentials(), LONG_LIVED)
        for epoch in (EPOCH, EPOCH + 86_400, EPOCH)
    ]

    for who, epoch in cases:
        keys = keys_of(who)
        kept = signer.sign(REQUESTS[0], endpoint, keys, epoch)
        assert kept == Signer(REGION).sign(REQUESTS[0], endpoint, keys, epoch)


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


def test_nothing_secret_is_shown() -> None:
    """What a traceback shows of the keys and of what is signed holds none of it."""
    keys = keys_of(credentials())
    seen: list[str] = []

    class Spy(Signer):
        def _canonical(self, signable: Any, keys: Keys) -> Any:  # noqa: ANN401 - private types
            seen.extend([repr(signable), repr(keys), repr(self._last_key)])
            return super()._canonical(signable, keys)

    Spy(REGION).sign(REQUESTS[0], parse_endpoint("http://h", "the test"), keys, EPOCH)

    assert len(seen) == 3
    for secret in (keys.secret_key, keys.token or "", keys.access_key):
        assert [text for text in seen if secret in text] == []
