"""An independent client for the tests: http.client for the bytes, botocore for the signature."""

from __future__ import annotations

import http.client
import json
import shlex
import socket
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlsplit

import attrs
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from nimble_stop.local import RequestRecord
from nimble_stop.local.studio.lifecycle import Circumstances, new_session

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from botocore.credentials import Credentials

    from nimble_stop.local.storage.tables import StoredSession

RECORD = RequestRecord(
    time=datetime(2026, 1, 2, tzinfo=UTC),
    method="POST",
    path="/x",
    operation="StopStreamingSession",
    studio_id="s",
    session_id="x\n",
    caller="AKID",
    client_token="t",
    attempt="attempt=1",
    invocation_id="i",
    user_agent="u",
    body=b"{}",
    status=200,
    error_code=None,
    request_id="r",
    applied=True,
    faults=(),
    seconds=0.1,
)
"""A record of a stop."""

PREFIX = "/2020-08-01/studios"


class Endpoint(Protocol):
    """What the client needs to know of an endpoint, wherever it runs."""

    @property
    def endpoint_url(self) -> str:
        """Where it is."""
        ...

    @property
    def credentials(self) -> Credentials:
        """Whom it knows."""
        ...

    @property
    def region_name(self) -> str:
        """The region it stands in."""
        ...


@attrs.define
class Clock:
    """The server's clock, which a test sets."""

    now: float = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@attrs.frozen
class Elsewhere:
    """An endpoint in another process, or seen through other credentials."""

    endpoint_url: str
    credentials: Credentials
    region_name: str


@attrs.frozen
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401  # JSON holds anything
        """The body, read."""
        return json.loads(self.body)

    @property
    def session(self) -> dict[str, Any]:
        """The session in the body."""
        session: dict[str, Any] = self.json["session"]
        return session

    @property
    def error(self) -> str | None:
        """The error code in the header."""
        return self.headers.get("x-amzn-errortype")


def segment(text: str) -> str:
    """Encode an id as one segment of a path."""
    return quote(text, safe="")


def session_path(studio_id: str, session_id: str, action: str = "") -> str:
    """Write the path of a session, or of something to do with it."""
    path = f"{PREFIX}/{segment(studio_id)}/streaming-sessions/{segment(session_id)}"
    return f"{path}/{action}" if action else path


def sessions_path(studio_id: str, query: str = "") -> str:
    """Write the path of a studio's sessions."""
    return f"{PREFIX}/{segment(studio_id)}/streaming-sessions{query}"


def signed_headers(
    local: Endpoint,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Let botocore sign a request."""
    unsigned = dict(headers or {})
    if body is not None:
        unsigned.setdefault("Content-Type", "application/json")
    if token is not None:
        unsigned["X-Amz-Client-Token"] = token
    request = AWSRequest(
        method=method, url=local.endpoint_url + path, data=body or b"", headers=unsigned
    )
    SigV4Auth(local.credentials, "nimble", local.region_name).add_auth(request)
    return dict(request.headers.items())


def call(
    local: Endpoint,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Send a signed request on a connection of its own."""
    signed = signed_headers(local, method, path, body=body, token=token, headers=headers)
    return send(local, method, path, body=body, headers=signed)


def send(
    local: Endpoint, method: str, path: str, *, body: bytes | None, headers: Mapping[str, str]
) -> Reply:
    """Send a request as it is on a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(local.endpoint_url).netloc, timeout=10)
    try:
        connection.request(method, path, body=body, headers=dict(headers))
        response = connection.getresponse()
        answered = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, answered, response.read())
    finally:
        connection.close()


def stop(
    local: Endpoint,
    studio_id: str,
    session_id: str,
    *,
    token: str | None = None,
    body: bytes = b"{}",
) -> Reply:
    """Stop a session."""
    return call(local, "POST", session_path(studio_id, session_id, "stop"), body=body, token=token)


def get(local: Endpoint, studio_id: str, session_id: str) -> Reply:
    """Read a session."""
    return call(local, "GET", session_path(studio_id, session_id))


def stop_bytes(local: Endpoint, **headers: str) -> bytes:
    """Write a signed stop of studio-1's session-1 as it goes over the wire."""
    path = session_path("studio-1", "session-1", "stop")
    signed = {
        **signed_headers(local, "POST", path, body=b"{}", token="t"),
        "Host": urlsplit(local.endpoint_url).netloc,
        "Content-Length": "2",
        **headers,
    }
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in signed.items())]
    return "\r\n".join([*lines, "", "{}"]).encode()


@contextmanager
def connect(local: Endpoint) -> Generator[socket.socket]:
    """Open a bare connection."""
    url = urlsplit(local.endpoint_url)
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        yield connection


def exchange_bytes(local: Endpoint, data: bytes, *, half_close: bool = False) -> bytes:
    """Send bytes and read until the server closes, or until it has answered once."""
    with connect(local) as connection:
        try:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            # It may have said no before everything was sent.
            pass
        return receive(connection)


def receive(connection: socket.socket) -> bytes:
    """Read an answer with its body, or what came of it until the end."""
    received = b""
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionError:
            return received
        received += piece
        head, separator, body = received.partition(b"\r\n\r\n")
        if not piece or (separator and len(body) >= _content_length(head)):
            return received


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def stored_session(
    session_id: str,
    *,
    studio_id: str = "s",
    state: str = "READY",
    due: float | None = None,
    **members: object,
) -> StoredSession:
    """Make a session for a store."""
    circumstances = Circumstances(region_name="us-west-2", now=0, due=due, caller="c")
    return new_session(
        studio_id, session_id, state=state, members=members, circumstances=circumstances
    )


SERVE = """
import json, sys
from nimble_stop.local import AccessKey, LocalNimble
from nimble_stop.local.serve import LineWriter, serve

options = json.loads(sys.argv[1])
if "key" in options:
    options["credentials"] = AccessKey(*options.pop("key"))
log = LineWriter(sys.stderr)
local = LocalNimble(**options, on_request=lambda record: log.write_line(str(record)))
ready = lambda local: print(local.environment_changes().render("export"), flush=True)
ended = serve(local, on_ready=ready)
log.close()
print("ended by", ended)
"""


@contextmanager
def serving(**options: object) -> Generator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Run the endpoint in a process of its own, and read the environment that it prints."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, json.dumps(options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process, read_exports(process)
        finally:
            process.kill()


def read_exports(process: subprocess.Popen[str]) -> dict[str, str]:
    """Read the lines that a shell would evaluate, up to the empty one."""
    environment: dict[str, str] = {}
    while line := (process.stdout or sys.stdin).readline().strip():
        if line.startswith("export "):
            name, _, value = shlex.split(line)[1].partition("=")
            environment[name] = value
    return environment
