from __future__ import annotations

import hashlib
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, strategies as st

from nimble_stop.local.api.answer import STATUSES, Refusal
from nimble_stop.local.api.signature import AccessKey, verify
from tests.local.api.support import exchange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nimble_stop.local.api.exchange import Exchange

KEY = AccessKey("AKID", "s3cret")
TEMPORARY = AccessKey("ASIA", "s3cret", "t0ken")
INCOMPLETE, INVALID = "IncompleteSignatureException", "InvalidSignatureException"
MISMATCH = "The request signature we calculated does not match the signature you provided."
KEYS = {KEY.access_key_id: KEY, TEMPORARY.access_key_id: TEMPORARY}


def signed(
    *,
    method: str = "POST",
    path: str = "/2020-08-01/studios/a/streaming-sessions/b/stop",
    body: bytes = b"{}",
    key: AccessKey = KEY,
    headers: Mapping[str, str] | None = None,
) -> Exchange:
    """Let botocore sign a request."""
    request = AWSRequest(
        method=method,
        url=f"http://localhost:8000{path}",
        data=body,
        headers={"Content-Type": "application/json", "Host": "localhost:8000", **(headers or {})},
    )
    credentials = Credentials(key.access_key_id, key.secret_access_key, key.session_token)
    SigV4Auth(credentials, "nimble", "us-west-2").add_auth(request)
    parts = urlsplit(path)
    return exchange(
        method=method,
        path=parts.path.encode(),
        query=parts.query.encode(),
        headers={
            name.lower().encode(): [value.encode()] for name, value in request.headers.items()
        },
        body=body,
    )


def signing_time(request: Exchange) -> datetime:
    """Return when a request was signed."""
    return datetime.strptime(request.headers[b"x-amz-date"][0].decode(), "%Y%m%dT%H%M%S%z")


def check(request: Exchange, *, now: datetime | None = None, minutes: float = 15) -> str:
    """Verify, at a certain time or now."""
    return verify(
        request,
        keys=KEYS,
        region_name="us-west-2",
        now=(now or datetime.now(UTC)).timestamp(),
        max_skew_seconds=minutes * 60,
    )


def refusal(request: Exchange, *, now: datetime | None = None) -> Refusal:
    """Verify what is to be refused."""
    with pytest.raises(Refusal) as caught:
        check(request, now=now)
    return caught.value


def assert_refused(request: Exchange, code: str, said: str, *, now: datetime | None = None) -> None:
    """Verify what is to be refused with this code, its status and such a message."""
    refused = refusal(request, now=now)
    assert (refused.code, refused.status) == (code, STATUSES[code])
    assert said in refused.message


def with_header(request: Exchange, name: bytes, *values: bytes) -> Exchange:
    """Give a header other values, or none, without signing anew."""
    headers = dict(request.headers)
    headers.pop(name, None)
    if values:
        headers[name] = list(values)
    changed = copy(request)
    changed.headers = headers
    return changed


def with_authorization(request: Exchange, old: bytes, new: bytes) -> Exchange:
    """Change the Authorization header without signing anew."""
    (value,) = request.headers[b"authorization"]
    assert old in value
    return with_header(request, b"authorization", value.replace(old, new))


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
    st.sampled_from([KEY, TEMPORARY]),
)
def test_what_botocore_signs_is_accepted(
    identifier: str, value: str, body: bytes, key: AccessKey
) -> None:
    """Whatever the id, the query and the body: botocore and this verifier agree."""
    if identifier in {".", ".."}:
        identifier = "dots"
    path = f"/x/{quote(identifier, safe='')}?z={quote(value, safe='')}&a=1"
    assert check(signed(path=path, body=body, key=key)) == key.access_key_id


def test_commas_without_spaces_are_understood() -> None:
    """Authorization may be written without spaces after its commas."""
    assert check(with_authorization(signed(), b", ", b",")) == "AKID"


def test_a_request_without_authorization_is_refused() -> None:
    """A request without a signature is refused as such."""
    request = with_header(signed(), b"authorization")
    said = "Missing Authentication Token"
    assert_refused(request, "MissingAuthenticationTokenException", said)


def test_everything_that_is_missing_is_named_at_once() -> None:
    """One message names every missing part."""
    request = with_header(signed(), b"authorization", b"AWS4-HMAC-SHA256 Credential=,x=y")
    request = with_header(request, b"x-amz-date")
    for part in ("'Credential'", "'SignedHeaders'", "'Signature'", "'X-Amz-Date'"):
        assert_refused(request, INCOMPLETE, part)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"Basic dXNlcjpwYXNz", "Unsupported AWS 'algorithm': 'Basic'"),
        (b"AWS4-HMAC-SHA256", "something else than key=value"),
        (b"AWS4-HMAC-SHA256 Credential=a,Credential=b", "something else than key=value"),
        (
            b"AWS4-HMAC-SHA256 Credential=a/b,SignedHeaders=host,Signature=x",
            "exactly 5 slash-delimited elements",
        ),
    ],
)
def test_malformed_authorization(header: bytes, said: str) -> None:
    """What cannot be taken apart is IncompleteSignatureException, and says why."""
    assert_refused(with_header(signed(), b"authorization", header), INCOMPLETE, said)


def test_authorization_twice_is_refused() -> None:
    """Two Authorization headers could be read in two ways."""
    request = signed()
    (value,) = request.headers[b"authorization"]
    twice = with_header(request, b"authorization", value, b"more=1")
    assert_refused(twice, INCOMPLETE, "Authorization header must be sent once.")


@pytest.mark.parametrize(
    ("removed", "named"),
    [
        (b"host;", "'Host'"),
        (b"content-type;", "'content-type'"),
        (b"x-amz-client-token;", "'x-amz-client-token'"),
        (b";x-amz-date", "'x-amz-date'"),
    ],
)
def test_what_matters_must_be_signed(removed: bytes, named: str) -> None:
    """Host, content type and every x-amz header have to be under the signature."""
    request = signed(headers={"X-Amz-Client-Token": "t"})
    assert_refused(with_authorization(request, removed, b""), INVALID, named)


def test_a_signed_header_must_be_there() -> None:
    """A header that is signed and was not sent is named."""
    request = with_authorization(signed(), b"host;", b"host;x-gone;")
    assert_refused(request, INVALID, "'x-gone'")


@pytest.mark.parametrize(
    "date",
    [b"", b"20260102", b"2026-01-02T03:04:05Z", b"20261302T030405Z", b"2026010\xb2T030405Z"],
)
def test_the_form_of_the_date(date: bytes) -> None:
    """A date that is not in ISO 8601's basic format is IncompleteSignatureException."""
    request = with_header(signed(), b"x-amz-date", date)
    assert_refused(request, INCOMPLETE, "ISO-8601 'basic format'")


@pytest.mark.parametrize(
    ("minutes", "said"), [(16, "Signature expired: "), (-16, "Signature not yet current: ")]
)
def test_a_date_more_than_15_minutes_off(minutes: int, said: str) -> None:
    """A signature is good for 15 minutes either way, and no longer."""
    request = signed()
    now = signing_time(request) + timedelta(minutes=minutes)
    said += signing_time(request).strftime("%Y%m%dT%H%M%SZ")
    assert_refused(request, INVALID, said, now=now)
    assert_refused(request, INVALID, " 15 min.)", now=now)
    assert check(request, now=now, minutes=16) == "AKID"


@pytest.mark.parametrize("minutes", [-15, 15])
def test_a_date_exactly_15_minutes_off_is_accepted(minutes: int) -> None:
    """The limit itself is still good."""
    request = signed()
    assert check(request, now=signing_time(request) + timedelta(minutes=minutes)) == "AKID"


def test_the_scopes_day() -> None:
    """A signature whose scope names another day than its date is refused as such."""
    request = signed()
    day = signing_time(request).strftime("%Y%m%d")
    changed = with_authorization(request, f"/{day}/".encode(), b"/20200101/")
    assert_refused(changed, INVALID, f"'20200101' != '{day}'")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"/us-west-2/", b"/us-east-1/", "valid region, not 'us-east-1'"),
        (b"/nimble/", b"/s3/", "correct service: 'nimble'"),
        (b"/aws4_request", b"/aws5_request", "valid terminator: 'aws4_request'"),
    ],
)
def test_the_scope(old: bytes, new: bytes, said: str) -> None:
    """A signature for another region, service or protocol is refused as such."""
    assert_refused(with_authorization(signed(), old, new), INVALID, said)


@pytest.mark.parametrize("access_key_id", ["", "a b", "a/b", "a,b", "ä", "a\n"])
def test_keys_that_cannot_sign(access_key_id: str) -> None:
    """A key id that would not stand in a signature, or no secret, is refused at once."""
    with pytest.raises(ValueError, match="access_key_id must be printable ASCII"):
        AccessKey(access_key_id, "s3cret")
    with pytest.raises(ValueError, match="secret_access_key"):
        AccessKey("AKID", "")


@pytest.mark.parametrize(
    "key",
    [
        AccessKey("NOBODY", "s3cret"),
        AccessKey("ASIA", "s3cret"),
        AccessKey("ASIA", "s3cret", "other"),
        AccessKey("AKID", "s3cret", "t0ken"),
    ],
)
def test_an_unknown_key_or_token(key: AccessKey) -> None:
    """An unknown key is refused, and so is one whose session token is not its own."""
    said = "The security token included in the request is invalid."
    assert_refused(signed(key=key), "UnrecognizedClientException", said)


def test_another_secret() -> None:
    """A signature made with another secret is refused."""
    assert_refused(signed(key=AccessKey("AKID", "other")), INVALID, MISMATCH)


@pytest.mark.parametrize("change", ["method", "path", "query", "body"])
def test_a_changed_request_is_refused(change: str) -> None:
    """Nothing of a request can be changed after it was signed."""
    request = signed()
    parts: dict[str, Any] = {
        "method": request.method,
        "path": request.target.path,
        "query": request.target.query,
        "body": request.body,
        change: "PUT" if change == "method" else b"other",
    }
    changed = exchange(headers=request.headers, **parts)
    assert_refused(changed, INVALID, MISMATCH)


def test_the_stated_hash_must_be_the_bodys() -> None:
    """When the body's hash is sent along it has to be right."""
    right = hashlib.sha256(b"{}").hexdigest()
    assert check(signed(headers={"X-Amz-Content-Sha256": right})) == "AKID"
    for wrong in ("0" * 64, "UNSIGNED-PAYLOAD"):
        request = signed(headers={"X-Amz-Content-Sha256": wrong})
        assert_refused(request, INVALID, "'x-amz-content-sha256' header does not match")


@given(
    st.sampled_from([b"authorization", b"x-amz-date", b"host", b"content-type"]),
    st.binary(),
)
def test_no_bytes_do_more_than_fail(name: bytes, value: bytes) -> None:
    """Whatever bytes a header holds, the request is refused and nothing else happens."""
    request = signed()
    if [value.strip()] == request.headers[name]:
        value += b"x"
    assert refusal(with_header(request, name, value)).status in {400, 403}


@given(st.binary())
def test_no_signature_does_more_than_fail(value: bytes) -> None:
    """Whatever bytes stand for the signature, it does not match."""
    (authorization,) = signed().headers[b"authorization"]
    head, _, _ = authorization.rpartition(b"=")
    refused = refusal(with_header(signed(), b"authorization", head + b"=" + value))
    assert refused.code in {INVALID, INCOMPLETE}


def test_why_a_signature_does_not_match() -> None:
    """What was signed stands beside what was computed of it, and no secret in either."""
    headers = {"Cookie": "a=1, b=2; c3kie", "Proxy-Authorization": "Basic pr0xy"}
    request = signed(
        path="/stop?X-Amz-Signature=qu,ery&a=b",
        key=AccessKey("ASIA", "another", "t0ken"),
        headers=headers,
    )
    verification = refusal(request).verification
    assert verification is not None
    assert verification["sent"].startswith("POST /stop?X-Amz-Signature=***&a=b\n")
    assert "\nauthorization: AWS4-HMAC-SHA256 Credential=ASIA/" in verification["sent"]
    assert "\nhost: localhost:8000\n" in verification["sent"]
    assert verification["canonicalRequest"].startswith("POST\n/stop\n")
    assert verification["stringToSign"].startswith("AWS4-HMAC-SHA256\n")
    assert verification["signedHeaders"] in verification["canonicalRequest"]
    signature = request.headers[b"authorization"][0].rpartition(b"=")[2].decode()
    everything = "\n".join(verification.values())
    for secret in (signature, "t0ken", "qu,ery", "pr0xy", "c3kie", "b=2"):
        assert secret not in everything


def test_secrets_are_not_in_reprs() -> None:
    """Neither the secret key nor the session token is shown."""
    shown = repr(TEMPORARY) + repr(signed(key=TEMPORARY))
    assert "s3cret" not in shown
    assert "t0ken" not in shown
