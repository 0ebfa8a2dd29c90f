"""What the tests of the live page share: the page in a browser, and the admin API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from playwright.sync_api import expect

from nimble_stop import NimbleClient

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from playwright.sync_api import Locator, Page

    from nimble_stop.local import LocalNimble

Scheme: TypeAlias = Literal["light", "dark"]
"""What a user prefers."""


class Watched:
    """A page, and the trouble that it had.

    Args:
        page: Playwright's page.
        host: The only host, with its port, that it may talk to.
    """

    def __init__(self, page: Page, host: str) -> None:
        self.page = page
        self.expected_trouble: list[str] = []
        self._trouble: list[str] = []
        page.on("console", lambda message: self._trouble.append(message.text))
        page.on("pageerror", lambda error: self._trouble.append(str(error)))
        page.on("request", lambda request: self._check_host(request.url, host))

    def row(self, table: str, text: str) -> Locator:
        """Find the rows of a table that hold a text: ``sessions``, ``faults`` or ``journal``."""
        return self.page.locator(f"#{table}-table tbody").filter(has_text=text)

    def open_row(self, table: str, text: str) -> Locator:
        """Open a row, and return it with what it opened."""
        row = self.row(table, text)
        row.locator(".toggle").click()
        return row

    def expect_connection(self, text: str) -> None:
        """Wait until the page says how its connection is."""
        expect(self.page.locator("#connection")).to_have_text(text, timeout=15_000)

    def expect_message(self, text: str) -> None:
        """Wait until the page says how an action ended."""
        expect(self.page.locator("#message-text")).to_contain_text(text)

    def command(self, scope: Locator, label: str) -> str:
        """Copy a command line, as a user does."""
        scope.get_by_role("button", name=f"Copy: {label}").click()
        self.expect_message("Copied.")
        copied: str = self.page.evaluate("navigator.clipboard.readText()")
        return copied

    def check(self) -> None:
        """Check that the page had no trouble but what was expected."""
        unexpected = [
            text
            for text in self._trouble
            if not any(expected in text for expected in self.expected_trouble)
        ]
        assert not unexpected

    def _check_host(self, url: str, host: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != host:
            self._trouble.append(f"a request to another host: {url}")


def connect(local: LocalNimble, credentials: Credentials | None = None) -> NimbleClient:
    """Make a client of an endpoint, with its credentials or others."""
    return NimbleClient(
        endpoint_url=local.endpoint_url,
        region_name=local.region_name,
        credentials=credentials or local.credentials,
    )


def ask_admin(local: LocalNimble, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  # JSON
    """Send a request to the admin API, without a client of ours."""
    request = Request(  # noqa: S310  # the endpoint's own address
        f"{local.endpoint_url}/_nimble-stop/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={} if body is None else {"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=10) as response:  # noqa: S310
        text = response.read()
    return json.loads(text) if text else None
