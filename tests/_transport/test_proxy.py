from __future__ import annotations

from base64 import b64encode

import pytest

from nimble_stop._config.endpoint_url import parse_endpoint
from nimble_stop._transport.proxy import Proxy, proxy_for
from nimble_stop.exceptions import ConfigurationError

HTTP, HTTPS = "http://api.example:8080", "https://api.example"
PROXY = "http://proxy.example:3128"
# The endpoint, the environment, and the proxy that follows.
CASES: list[tuple[str, dict[str, str], Proxy | None]] = [
    (HTTP, {}, None),
    (HTTP, {"HTTP_PROXY": PROXY}, Proxy("proxy.example", 3128)),
    (HTTP, {"http_proxy": PROXY}, Proxy("proxy.example", 3128)),
    (HTTP, {"HTTPS_PROXY": PROXY}, None),
    (HTTPS, {"HTTPS_PROXY": PROXY}, Proxy("proxy.example", 3128)),
    (HTTPS, {"https_proxy": PROXY}, Proxy("proxy.example", 3128)),
    (HTTPS, {"HTTP_PROXY": PROXY}, None),
    (HTTPS, {"ALL_PROXY": PROXY}, Proxy("proxy.example", 3128)),
    (HTTP, {"HTTP_PROXY": ""}, None),
    (HTTP, {"HTTP_PROXY": "http://proxy.example"}, Proxy("proxy.example", 80)),
    (HTTP, {"HTTP_PROXY": "proxy.example:3128"}, Proxy("proxy.example", 3128)),
    (HTTP, {"HTTP_PROXY": "http://[::1]:3128/"}, Proxy("::1", 3128)),
    (HTTP, {"HTTP_PROXY": PROXY, "NO_PROXY": "api.example"}, None),
    (HTTP, {"HTTP_PROXY": PROXY, "no_proxy": "api.example"}, None),
    (HTTP, {"HTTP_PROXY": PROXY, "NO_PROXY": ".example"}, None),
    (HTTP, {"HTTP_PROXY": PROXY, "NO_PROXY": "other.example, api.example:8080"}, None),
    (HTTP, {"HTTP_PROXY": PROXY, "NO_PROXY": "*"}, None),
    (HTTP, {"HTTP_PROXY": PROXY, "NO_PROXY": "other.example"}, Proxy("proxy.example", 3128)),
    ("http://10.1.2.3", {"HTTP_PROXY": PROXY, "NO_PROXY": "10.0.0.0/8"}, None),
    ("http://127.0.0.1", {"HTTP_PROXY": PROXY, "NO_PROXY": "127.0.0.1"}, None),
    (
        HTTP,
        {"HTTP_PROXY": "http://us%40er:p%3Aw@proxy.example:3128"},
        Proxy("proxy.example", 3128, "Basic " + b64encode(b"us@er:p:w").decode()),
    ),
    (
        HTTP,
        {"HTTP_PROXY": "http://user@proxy.example:3128"},
        Proxy("proxy.example", 3128, "Basic " + b64encode(b"user:").decode()),
    ),
    (
        HTTP,
        {"HTTP_PROXY": "http://ü:ß@proxy.example:3128"},
        Proxy("proxy.example", 3128, "Basic " + b64encode("ü:ß".encode()).decode()),
    ),
    (
        # What the environment holds is Latin-1, and no UTF-8.
        HTTP,
        {"HTTP_PROXY": "http://\udcfc:pw@proxy.example:3128"},
        Proxy("proxy.example", 3128, "Basic " + b64encode(b"\xfc:pw").decode()),
    ),
]


@pytest.mark.parametrize(("url", "variables", "expected"), CASES)
def test_choice(
    url: str, variables: dict[str, str], expected: Proxy | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy is the one that the environment names for the scheme, if NO_PROXY allows it."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert proxy_for(parse_endpoint(url, "x")) == expected


@pytest.mark.parametrize(
    "value",
    [
        "socks5://user:hush@proxy.example:1080",
        "https://user:hush@proxy.example",
        "http://user:hush@:3128",
        "http://user:hush@proxy.example:99999",
        "http://user:hush@[::1",
        "http://",
    ],
)
def test_no_http_proxy(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything but an HTTP proxy is refused, and its password is not quoted."""
    monkeypatch.setenv("HTTP_PROXY", value)

    with pytest.raises(ConfigurationError, match="no HTTP proxy URL") as failure:
        proxy_for(parse_endpoint(HTTP, "x"))
    assert "hush" not in str(failure.value)


CONNECTS = [
    (HTTPS, "api.example:443"),
    ("https://api.example:8443/base", "api.example:8443"),
    ("https://[::1]", "[::1]:443"),
]


@pytest.mark.parametrize(("url", "authority"), CONNECTS)
def test_connect(url: str, authority: str) -> None:
    """A tunnel is asked for by host and port, with the proxy's own authorization only."""
    proxy = Proxy("proxy.example", 3128, "Basic abc")

    assert proxy.connect_request(parse_endpoint(url, "x")).decode() == (
        f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"
        "Proxy-Authorization: Basic abc\r\n\r\n"
    )


def test_shown() -> None:
    """A proxy is shown without what authorizes."""
    proxy = Proxy("proxy.example", 3128, "Basic hush")

    assert (str(proxy), proxy.url) == ("proxy.example:3128", "http://proxy.example:3128")
    assert "hush" not in repr(proxy)
    assert Proxy("proxy.example", 3128).headers == {}
    assert Proxy("::1", 3128).url == "http://[::1]:3128"
