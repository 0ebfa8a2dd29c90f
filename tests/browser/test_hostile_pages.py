"""What another site's page in the same browser can do to the endpoint: nothing."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Error, expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from nimble_stop.local import LocalNimble


class _HostilePage(BaseHTTPRequestHandler):
    """Answers every request with an empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><title>hostile</title>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Keep quiet."""


@pytest.fixture(params=["127.0.0.1", "localhost"])
def hostile(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """Open a page of another origin, on the endpoint's own site or on another one."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _HostilePage)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://{request.param}:{server.server_address[1]}/")
    yield page
    context.close()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def sessions_url(local: LocalNimble) -> str:
    """Give the address of the sessions of an endpoint that has one."""
    local.add_session(studio_id="studio-1", session_id="session-1")
    return f"{local.endpoint_url}/_nimble-stop/sessions"


def test_it_reads_nothing(hostile: Page, sessions_url: str) -> None:
    """Another origin gets no answer to read."""
    with pytest.raises(Error, match="Failed to fetch"):
        hostile.evaluate("(url) => fetch(url).then((answer) => answer.text())", sessions_url)


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_it_writes_nothing(
    hostile: Page, local: LocalNimble, sessions_url: str, media_type: str
) -> None:
    """A request that a browser sends without asking changes nothing."""
    hostile.evaluate(
        """([url, type]) => fetch(url, {
          method: "POST", mode: "no-cors", headers: {"Content-Type": type},
          body: '{"studioId": "studio-1", "sessionId": "session-2"}',
        }).catch(() => "blocked after it was sent")""",
        [sessions_url, media_type],
    )
    assert len(local.sessions) == 1


def test_a_form_writes_nothing(hostile: Page, local: LocalNimble, sessions_url: str) -> None:
    """A form that is posted from another origin is refused, and changes nothing."""
    with hostile.expect_navigation() as navigation:
        hostile.evaluate(
            """(url) => {
              const form = Object.assign(document.createElement("form"), {
                action: url, method: "post", enctype: "text/plain",
              });
              const name = '{"studioId": "studio-1", "sessionId": "session-2", "x": "';
              form.append(Object.assign(document.createElement("input"), {name, value: '"}'}));
              document.body.append(form);
              form.submit();
            }""",
            sessions_url,
        )
    assert navigation.value is not None
    assert navigation.value.status == 403
    assert len(local.sessions) == 1


def test_it_follows_no_events(hostile: Page, local: LocalNimble) -> None:
    """Another origin's EventSource is refused."""
    state = hostile.evaluate(
        """(url) => new Promise((resolve) => {
          const source = new EventSource(url);
          source.onopen = () => resolve("open");
          source.onerror = () => resolve(source.readyState === 2 ? "refused" : "lost");
        })""",
        f"{local.endpoint_url}/_nimble-stop/events",
    )
    assert state == "refused"


def test_it_cannot_show_the_page_in_a_frame(hostile: Page, local: LocalNimble) -> None:
    """The live page is in no frame of another page, where its buttons could be hidden."""
    hostile.evaluate(
        """(url) => document.body.append(
          Object.assign(document.createElement("iframe"), {src: url}))""",
        f"{local.endpoint_url}/_nimble-stop/",
    )
    frame = hostile.frame_locator("iframe")
    expect(frame.locator("body")).not_to_contain_text("Sessions")
    expect(frame.locator("#sessions")).to_have_count(0)


def test_a_rebound_name_is_refused(browser: Browser, local: LocalNimble) -> None:
    """A name that somebody has rebound to this machine is not the endpoint's own."""
    page = browser.new_page()
    port = urlsplit(local.endpoint_url).port
    answer = page.goto(f"http://rebound.example:{port}/_nimble-stop/sessions")
    assert answer is not None
    assert answer.status == 403
    page.close()
