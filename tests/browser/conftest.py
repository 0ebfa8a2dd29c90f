"""What the tests of the live page begin with: a real browser, and an endpoint for it to show.

They need Playwright (``pip install -e '.[browser]'``) and Debian's chromium, and are run by naming
them: ``python -m pytest tests/browser``. Nothing is downloaded.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

from nimble_stop.local import LocalNimble
from tests.browser.support import Watched, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

    from nimble_stop import NimbleClient
    from tests.browser.support import Scheme

_ARGUMENTS: Final = (
    # The tests also run as root in a container.
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    # No host but the endpoint's is asked for anything, by the browser itself either.
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A name that somebody else's server has rebound to this machine.
    "--host-resolver-rules=MAP rebound.example 127.0.0.1",
)
_HEIGHT: Final = 860


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes the screenshot of the documentation."""
    parser.addoption(
        "--write-screenshot",
        type=Path,
        metavar="FILE",
        help="write the screenshot for the documentation to this file",
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Debian's chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("these tests need chromium: apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def local() -> Iterator[LocalNimble]:
    """Run an endpoint whose transitions are completed by hand."""
    with LocalNimble(transition_seconds=None) as local:
        yield local


@pytest.fixture
def client(local: LocalNimble) -> Iterator[NimbleClient]:
    """Make a client of the endpoint."""
    with connect(local) as client:
        yield client


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Watched]]:
    """Give a function that opens a page; at the end it must have had no trouble of its own.

    That is: nothing on the console but what the test expects, no uncaught error, and no request to
    another host.
    """
    opened: list[Watched] = []

    def open_page(
        local: LocalNimble, *, width: int = 1400, scheme: Scheme = "light", path: str = ""
    ) -> Watched:
        context = browser.new_context(
            viewport={"width": width, "height": _HEIGHT},
            color_scheme=scheme,
            permissions=["clipboard-read", "clipboard-write"],
        )
        watched = Watched(context.new_page(), host=urlsplit(local.endpoint_url).netloc)
        opened.append(watched)
        watched.page.goto(f"{local.endpoint_url}/_nimble-stop/{path}")
        return watched

    yield open_page
    for watched in opened:
        watched.page.context.close()
    for watched in opened:
        watched.check()
