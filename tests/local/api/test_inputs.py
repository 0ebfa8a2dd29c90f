from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from nimble_stop.local.api.answer import Refusal
from nimble_stop.local.api.inputs import check_accept, read_body, read_query, read_token

JSON: dict[bytes, list[bytes]] = {b"content-type": [b"application/json"]}


def refused(operation: str, body: bytes, content_type: bytes = b"application/json") -> Refusal:
    """Read a body that is to be refused."""
    headers = {b"content-type": [content_type]} if content_type else {}
    with pytest.raises(Refusal) as caught:
        read_body(operation, body, headers)
    return caught.value


def test_an_empty_body_has_awss_own_words() -> None:
    """The service's answer to an empty body is known word for word."""
    refusal = refused("StopStreamingSession", b"")
    assert (refusal.code, refusal.message) == (
        "ValidationException",
        "Unknown error parsing request body",
    )


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b"null",
        b"[]",
        b'"RETAIN"',
        b" ",
        b'{"x": NaN}',
        b'{"x": "\\ud800"}',
        b"[" * 100_000,
        b'{"volumeRetentionMode": 5}',
        b'{"volumeRetentionMode": ["RETAIN"]}',
    ],
)
def test_what_is_no_object_of_strings(body: bytes) -> None:
    """Bad JSON, JSON that is no object, and values of a wrong type are SerializationException."""
    refusal = refused("StopStreamingSession", body)
    assert (refusal.code, refusal.status) == ("SerializationException", 400)


@pytest.mark.parametrize("tags", ['"x"', "[]", '{"a": 1}', '{"a": null}'])
def test_tags_are_a_map_of_strings(tags: str) -> None:
    """Tags of another shape are SerializationException and named."""
    body = f'{{"launchProfileId": "lp", "tags": {tags}}}'.encode()
    refusal = refused("CreateStreamingSession", body)
    assert refusal.code == "SerializationException"
    assert "'/tags'" in refusal.message


def test_an_unknown_retention() -> None:
    """The message names the member and lists the values, as AWS does."""
    refusal = refused("StopStreamingSession", b'{"volumeRetentionMode": "KEEP"}')
    assert (refusal.code, refusal.status) == ("ValidationException", 400)
    assert refusal.message == (
        "1 validation error detected. Value at '/volumeRetentionMode' failed to satisfy "
        "constraint: Member must satisfy enum value set: [RETAIN, DELETE]"
    )


def test_all_that_is_wrong_is_named_at_once() -> None:
    """Several broken constraints are counted and listed in one message."""
    body = b'{"ec2InstanceType": "t2.nano", "streamingImageId": "%s"}' % (b"!" * 23)
    refusal = refused("CreateStreamingSession", body)
    assert refusal.message.startswith("4 validation errors detected. ")
    for part in (
        "'/launchProfileId' failed to satisfy constraint: Member must not be null",
        "'/ec2InstanceType' failed to satisfy constraint: Member must satisfy enum value set",
        "length less than or equal to 22",
        "regular expression pattern",
    ):
        assert part in refusal.message


def test_a_pattern_covers_the_whole_value() -> None:
    """A line feed at the end of an image's id is not overlooked."""
    body = b'{"launchProfileId": "lp", "streamingImageId": "abc\\n"}'
    refusal = refused("CreateStreamingSession", body)
    assert "'/streamingImageId' failed to satisfy constraint" in refusal.message


def test_known_members_are_kept_and_others_ignored() -> None:
    """Null is as if not sent, and what the operation does not know is left out."""
    body = b'{"launchProfileId": "lp", "ownedBy": null, "new": 1, "tags": {"a": "\\u00fc"}}'
    assert read_body("CreateStreamingSession", body, JSON) == {
        "launchProfileId": "lp",
        "tags": {"a": "ü"},
    }


@pytest.mark.parametrize(
    "operation", ["GetStreamingSession", "ListStreamingSessions", "DeleteStreamingSession"]
)
@pytest.mark.parametrize(("body", "headers"), [(b"{}", JSON), (b"{}", {}), (b"", JSON)])
def test_operations_without_a_body(
    operation: str, body: bytes, headers: dict[bytes, list[bytes]]
) -> None:
    """Where no body is modelled, a body or its media type is 415."""
    assert read_body(operation, b"", {}) == {}
    with pytest.raises(Refusal) as caught:
        read_body(operation, body, headers)
    assert (caught.value.code, caught.value.status) == ("UnsupportedMediaTypeException", 415)


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/json",
        b"application/json; charset=utf-8",
        b'Application/JSON;charset="UTF-8"',
        b"application/json; version=1",
    ],
)
def test_parameters_of_the_media_type_are_ignored(content_type: bytes) -> None:
    """The media type may be written in every usual way."""
    assert read_body("StopStreamingSession", b"{}", {b"content-type": [content_type]}) == {}


@pytest.mark.parametrize(
    "content_type", [b"", b"text/plain", b"application/jsonx", b"application/json, text/plain"]
)
def test_other_media_types(content_type: bytes) -> None:
    """A body of another type, or of none, is 415."""
    refusal = refused("StopStreamingSession", b"{}", content_type)
    assert (refusal.code, refusal.status) == ("UnsupportedMediaTypeException", 415)


@pytest.mark.parametrize(
    "accept",
    [
        None,
        b"application/json",
        b"*/*",
        b"text/html, application/*;q=0.1",
        b"application/json;q=0.001, */*;q=0",
        b"Application/JSON; version=1",
    ],
)
def test_callers_that_take_json(accept: bytes | None) -> None:
    """An Accept header may allow the answer in every way, or be missing."""
    check_accept({} if accept is None else {b"accept": [accept]})


@pytest.mark.parametrize(
    "accept", [b"text/html", b"application/hal+json", b"*/*, application/json;q=0.0", b"", b";,"]
)
def test_callers_that_do_not_take_json(accept: bytes) -> None:
    """An Accept header that excludes the answer is 406."""
    with pytest.raises(Refusal) as caught:
        check_accept({b"accept": [accept]})
    assert (caught.value.code, caught.value.status) == ("NotAcceptableException", 406)


def test_an_encoded_body() -> None:
    """A compressed body is 415."""
    with pytest.raises(Refusal) as caught:
        read_body("StopStreamingSession", b"{}", {**JSON, b"content-encoding": [b"gzip"]})
    assert caught.value.status == 415


@given(st.binary())
def test_no_body_does_more_than_fail(body: bytes) -> None:
    """Whatever bytes come, they are read or refused."""
    with suppress(Refusal):
        assert read_body("StopStreamingSession", body, JSON).keys() <= {"volumeRetentionMode"}


@pytest.mark.parametrize(
    ("sent", "token"), [([], None), ([b"t"], "t"), ([b"x" * 64], "x" * 64), ([b"\xfc"], "ü")]
)
def test_tokens(sent: list[bytes], token: str | None) -> None:
    """A token of 1 to 64 characters is taken as it is, and it may be missing."""
    assert read_token({b"x-amz-client-token": sent} if sent else {}) == token


@pytest.mark.parametrize(
    ("sent", "said"), [(b"", "greater than or equal to 1"), (b"x" * 65, "less than or equal to 64")]
)
def test_tokens_of_a_wrong_length(sent: bytes, said: str) -> None:
    """A token that is too short or too long is ValidationException."""
    with pytest.raises(Refusal, match=said) as caught:
        read_token({b"x-amz-client-token": [sent]})
    assert caught.value.code == "ValidationException"


def test_query() -> None:
    """Values are decoded once, a plus sign stays, and what has no value is empty."""
    assert read_query(b"ownedBy=a%20b+c&x") == {"ownedBy": "a b+c", "x": ""}
    assert read_query(b"&&x=1&&") == {"x": "1"}
    assert read_query(b"") == {}


@pytest.mark.parametrize("query", [b"a=1&%61=2", b"a=%ff"])
def test_bad_queries(query: bytes) -> None:
    """A name that comes twice and text that is not UTF-8 are ValidationException."""
    with pytest.raises(Refusal) as caught:
        read_query(query)
    assert caught.value.code == "ValidationException"
