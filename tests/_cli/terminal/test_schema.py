from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from jsonschema import Draft202012Validator

import nimble_stop
from nimble_stop import exceptions
from nimble_stop._cli.failures import CommandError, error_document, report
from nimble_stop._cli.stopping.presentation import result_document
from nimble_stop._cli.terminal.writing import SCHEMA_VERSION, Output, to_json
from tests._cli.support import SCHEMA, STUDIO, check_document, make_result, validate

if TYPE_CHECKING:
    from collections.abc import Callable

    from nimble_stop.local import LocalNimble
    from tests._cli.support import Cli

ERRORS = [
    kind
    for name in exceptions.__all__
    if issubclass(kind := getattr(exceptions, name), nimble_stop.NimbleStopError)
]


def filled(kind: type[nimble_stop.NimbleStopError]) -> nimble_stop.NimbleStopError:
    """Make an error all of whose attributes have a value, as far as tests know them."""
    values: dict[str, object] = {
        "argument": "session_id",
        "attempt_errors": ("HTTP 500", "HTTP 500"),
        "attempts": 3,
        "body": b"<html>\xff",
        "client_token": "token-1",
        "code": "SomeCode",
        "fault": "server",
        "http_status": 500,
        "operation": "StopStreamingSession",
        "reason": "ABC",
        "request_id": "request-1",
        "retry_after": 2.5,
        "session": nimble_stop.StreamingSession(session_id="artist-1"),
        "waited": 0.75,
    }
    error = kind("It failed.")
    for name in vars(error).keys() & values.keys():
        setattr(error, name, values[name])
    return error


def empty(kind: type[nimble_stop.NimbleStopError]) -> nimble_stop.NimbleStopError:
    """Make an error that knows nothing."""
    return kind()


def test_the_schema_is_one() -> None:
    """It is valid, and its version is the one that is written."""
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$defs"]["schemaVersion"]["const"] == SCHEMA_VERSION


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("make", [filled, empty])
def test_every_attribute_of_an_error_is_there(
    kind: type[nimble_stop.NimbleStopError],
    make: Callable[[type[nimble_stop.NimbleStopError]], nimble_stop.NimbleStopError],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It has its name in camelCase, a value or null, and its place in the schema."""
    error = make(kind)
    document = error_document(error)
    report(CommandError(error, "Smile."), Output.JSON)
    check_document(json.loads(capsys.readouterr().err), "failure")
    for name in vars(error):
        if not name.startswith("_"):
            assert re.sub(r"_(.)", lambda match: match[1].upper(), name) in document
    assert {"type", "message", "advice"} <= set(document)
    assert document["type"] == kind.__name__


def test_the_schema_names_no_attribute_that_there_is_not() -> None:
    """What a program may search for exists in some error."""
    written = {name for kind in ERRORS for name in error_document(kind())}
    assert set(SCHEMA["$defs"]["error"]["properties"]) == written | {"next"}


def test_a_result_has_every_attribute() -> None:
    """A program finds the session or the error, and what it needs to go on."""
    done = result_document(make_result(), "run-1")
    assert done == {
        "sessionId": "artist-1",
        "session": {"state": "STOPPED", "volumeRetentionMode": "RETAIN"},
        "error": None,
        "runId": "run-1",
        "clientToken": "token-1",
        "attempts": 1,
        "repeated": False,
    }
    assert len(attrs.fields(nimble_stop.StopResult)) == len(done) - 1
    failed = result_document(make_result(error=nimble_stop.ConflictException("busy")), "run-1")
    assert failed["session"] is None
    for document in (done, failed):
        check_document(json.loads(to_json(document)), "result")


def test_the_schema_has_every_member_of_a_session() -> None:
    """A program sees what it may find in one."""
    names = {field.name for field in attrs.fields(nimble_stop.StreamingSession)}
    assert len(SCHEMA["$defs"]["sessionMembers"]["properties"]) == len(names)


COMMANDS = [
    (["list", STUDIO], "session"),
    (["show", STUDIO, "artist-1"], "session"),
    (["wait", STUDIO, "review-room"], "session"),
    (["stop", STUDIO, "artist-1", "--wait"], "session"),
    (["stop", STUDIO, "artist-1", "nobody", ".."], "result"),
    (["stop", STUDIO, "--all", "--quiet"], "result"),
    (["stop", STUDIO, "--all", "--dry-run"], "session"),
    (["stop", STUDIO, "nobody"], "session"),
    (["show", STUDIO, ".."], "session"),
    (["show", STUDIO, "artist-1", "--region", "x y"], "session"),
    (["show", STUDIO, "artist-1", "--endpoint-url", "http://127.0.0.1:1"], "session"),
    (["wait", STUDIO, "artist-1"], "session"),
]


@pytest.mark.parametrize("output", ["json", "jsonl"])
@pytest.mark.parametrize(("words", "definition"), COMMANDS, ids=" ".join)
def test_what_commands_write_is_what_the_schema_says(
    words: list[str], definition: str, output: str, studio: LocalNimble, cli: Cli
) -> None:
    """Every object on standard output, and the failure on standard error if there is one."""
    assert studio.sessions
    ran = cli(*words, "--output", output)
    if output == "json" and ran.out:
        validate(ran.json, SCHEMA)
        documents: list[Any] = [ran.json] if ran.out.startswith("{") else ran.json
        for document in documents:
            check_document(document, definition)
    if output == "jsonl":
        for document in ran.lines:
            check_document(document, definition)
    if ran.code:
        check_document(ran.error, "failure")
        assert ran.error["exitCode"] == ran.code
