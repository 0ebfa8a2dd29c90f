"""Verification of AWS Signature Version 4, pure.

A request may hold any bytes, and none of them may do more than fail to verify. The messages are
AWS's.
See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop.local.api import canonical
from nimble_stop.local.api.answer import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nimble_stop.local.api.exchange import Exchange

    Headers = Mapping[bytes, list[bytes]]

SERVICE: Final = "nimble"
_TERMINATOR: Final = "aws4_request"
_SCOPE_PARTS: Final = 5
# Commas and slashes part what stands around it.
_KEY_ID: Final = re.compile(r"[!-+\-.0-~]+")
_DATE_FORM: Final = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_REQUIRED_PARTS: Final = ("Credential", "SignedHeaders", "Signature")

_incomplete = partial(Refusal, "IncompleteSignatureException")
_invalid = partial(Refusal, "InvalidSignatureException")


@attrs.frozen
class AccessKey:
    """A key pair that the endpoint accepts.

    Args:
        access_key_id: The public part; it is who the caller is.
        secret_access_key: The secret part.
        session_token: What temporary credentials have to send along; None for long-lived ones.

    Raises:
        ValueError: No request could be signed with such a key.
    """

    access_key_id: str
    secret_access_key: str = attrs.field(repr=False)
    session_token: str | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        if not _KEY_ID.fullmatch(self.access_key_id):
            raise ValueError(
                "access_key_id must be printable ASCII without blanks, commas and slashes, "
                f"not {self.access_key_id!r}"
            )
        if not self.secret_access_key:
            raise ValueError("secret_access_key must not be empty")


def verify(
    exchange: Exchange,
    *,
    keys: Mapping[str, AccessKey],
    region_name: str,
    now: float,
    max_skew_seconds: float,
) -> str:
    """Return the access key id of whoever signed a request; the first check that fails refuses it.

    The times are seconds, ``now`` since 1970 UTC; the signature's date may be off either way.
    """
    said = _parse_authorization(exchange.headers)
    try:
        _check_signed_headers(exchange.headers, set(said.signed_headers))
        _check_date(said.date, now, max_skew_seconds)
        _check_scope(said, region_name)
        key = _find_key(keys, said.access_key_id, exchange.headers)
        _check_signature(exchange, said, key.secret_access_key)
    except Refusal as refusal:
        expected_scope = f"{_basic(now)[:8]}/{region_name}/{SERVICE}/{_TERMINATOR}"
        refusal.verification = canonical.explain_signature(exchange, said, expected_scope)
        raise
    return said.access_key_id


def _single(headers: Headers, name: bytes) -> str:
    # One character a byte: whatever came in survives, and comparing it stays exact.
    return b",".join(headers[name]).decode("latin-1").strip()


def _parse_authorization(headers: Headers) -> canonical.Authorization:
    """Take the header apart; the message names everything that is missing at once."""
    if b"authorization" not in headers:
        raise Refusal("MissingAuthenticationTokenException", "Missing Authentication Token")
    if len(headers[b"authorization"]) > 1:
        raise _incomplete("Authorization header must be sent once.")
    algorithm, _, rest = _single(headers, b"authorization").partition(" ")
    if algorithm != canonical.ALGORITHM:
        raise _incomplete(
            f"Unsupported AWS 'algorithm': {algorithm!r}. Supported: {canonical.ALGORITHM!r}."
        )
    parts: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or name in parts:
            # The part is not quoted: it may be a piece of a secret.
            raise _incomplete("Authorization header holds something else than key=value pairs.")
        parts[name] = value
    missing = [
        f"Authorization header requires {name!r} parameter."
        for name in _REQUIRED_PARTS
        if not parts.get(name)
    ]
    if b"x-amz-date" not in headers:
        missing.append("Authorization header requires existence of a 'X-Amz-Date' header.")
    if missing:
        raise _incomplete(" ".join(missing))
    access_key_id, *scope = parts["Credential"].rsplit("/", _SCOPE_PARTS - 1)
    if len(scope) != _SCOPE_PARTS - 1:
        raise _incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. "
            f"keyid/date/region/service/term, got {parts['Credential']!r}."
        )
    return canonical.Authorization(
        access_key_id,
        "/".join(scope),
        _single(headers, b"x-amz-date"),
        tuple(parts["SignedHeaders"].encode("latin-1").split(b";")),
        parts["Signature"],
    )


def _check_signed_headers(headers: Headers, names: set[bytes]) -> None:
    """Whatever changes a request's meaning must be under the signature."""
    if b"host" not in names:
        raise _invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    for name in headers:
        if (name == b"content-type" or name.startswith(b"x-amz-")) and name not in names:
            text = name.decode("latin-1")
            raise _invalid(f"{text!r} must be a 'SignedHeader' in the AWS Authorization.")
    for name in sorted(names - headers.keys()):
        text = name.decode("latin-1")
        raise _invalid(f"'SignedHeader' {text!r} is not among the request's headers.")


def _check_date(date: str, now: float, max_skew_seconds: float) -> None:
    signed_at = _parse_date(date)
    earliest, latest = now - max_skew_seconds, now + max_skew_seconds
    if signed_at < earliest:
        raise _invalid(
            f"Signature expired: {date} is now earlier than {_basic(earliest)} "
            f"({_basic(now)} - {max_skew_seconds / 60:g} min.)"
        )
    if signed_at > latest:
        raise _invalid(
            f"Signature not yet current: {date} is still later than {_basic(latest)} "
            f"({_basic(now)} + {max_skew_seconds / 60:g} min.)"
        )


def _parse_date(date: str) -> float:
    if _DATE_FORM.fullmatch(date):
        with suppress(ValueError):
            return datetime.fromisoformat(date).timestamp()
    raise _incomplete(
        f"Date must be in ISO-8601 'basic format'. Got {date!r}. "
        "See http://en.wikipedia.org/wiki/ISO_8601"
    )


def _basic(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


def _check_scope(said: canonical.Authorization, region_name: str) -> None:
    day, region, service, terminator = said.scope.split("/")
    if day != said.date[:8]:
        raise _invalid(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
            f"HTTP: {day!r} != {said.date[:8]!r}, from {said.date!r}."
        )
    if region != region_name:
        raise _invalid(
            f"Credential should be scoped to a valid region, not {region!r}; "
            f"this endpoint stands in {region_name!r}."
        )
    if service != SERVICE:
        raise _invalid(f"Credential should be scoped to correct service: {SERVICE!r}.")
    if terminator != _TERMINATOR:
        raise _invalid(f"Credential should be scoped with a valid terminator: {_TERMINATOR!r}.")


def _find_key(keys: Mapping[str, AccessKey], access_key_id: str, headers: Headers) -> AccessKey:
    """Find who is calling; temporary credentials must come with their own token."""
    key = keys.get(access_key_id)
    sent = b",".join(headers.get(b"x-amz-security-token", []))
    expected = b"" if key is None or key.session_token is None else key.session_token.encode()
    if key is None or not hmac.compare_digest(sent, expected):
        raise Refusal(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    return key


def _check_signature(exchange: Exchange, said: canonical.Authorization, secret: str) -> None:
    stated = exchange.headers.get(b"x-amz-content-sha256")
    computed = hashlib.sha256(exchange.body).hexdigest()
    if stated is not None and not hmac.compare_digest(b",".join(stated), computed.encode()):
        raise _invalid(
            "The provided 'x-amz-content-sha256' header does not match what was computed."
        )
    expected = canonical.compute_signature(exchange, said, secret=secret, body_hash=computed)
    if not hmac.compare_digest(expected.encode(), said.signature.encode()):
        raise _invalid(
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method. Consult the service "
            "documentation for details."
        )
