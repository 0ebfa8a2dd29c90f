from __future__ import annotations

from base64 import b64encode
from importlib.util import find_spec

import pytest

from nimble_stop._config import network as _network
from nimble_stop._config.endpoint_url import parse_endpoint
from nimble_stop._config.network import Proxy, proxy_for
from nimble_stop.exceptions import ConfigurationError

HTTP, HTTPS = "http://api.example:8080", "https://api.example"
PROXY = "http://proxy.example:3128"
# The endpoint, the environment, and the proxy that follows.
CASES: list[tuple[str, dict[str, str], str | None]] = [
    (HTTP, {}, None),
    (HTTP, {"HTTP_PROXY": PROXY}, PROXY),
    (HTTP, {"http_proxy": PROXY}, PROXY),
    (HTTP, {"HTTPS_PROXY": PROXY}, None),
    (HTTPS, {"HTTPS_PROXY": PROXY}, PROXY),
    (HTTPS, {"https_proxy": PROXY}, PROXY),
    (HTTPS, {"HTTP_PROXY": PROXY}, None),
    (HTTPS, {"ALL_PROXY": PROXY}, PROXY),
    (HTTP, {"HTTP_PROXY": ""}, None),
    (HTTP, {"HTTP_PROXY": "http://proxy.example"}, "http://proxy.example:80"),
    (HTTP, {"HTTP_PROXY": "https://proxy.example"}, "https://proxy.example:443"),
    (HTTP, {"HTTP_PROXY": "proxy.example:3128"}, PROXY),
    (HTTP, {"HTTP_PROXY": "http://[::1]:3128/"}, "http://[::1]:3128"),
    (HTTP, {"HTTP_PROXY": "http://user:pass%40word@proxy.example:3128"}, PROXY),
    (HTTPS, {"ALL_PROXY": "socks5h://user:word@proxy.example"}, "socks5h://proxy.example:1080"),
    (HTTP, {"HTTP_PROXY": PROXY, "NO_PROXY": "api.example"}, None),
    (HTTP, {"HTTP_PROXY": PROXY, "no_proxy": "api.example"}, None),
    (HTTP, {"HTTP_PROXY": PROXY, "NO_PROXY": ".example"}, None),
    (HTTP, {"HTTP_PROXY": PROXY, "NO_PROXY": "other.example, api.example:8080"}, None),
    (HTTP, {"HTTP_PROXY": PROXY, "NO_PROXY": "*"}, None),
    (HTTP, {"HTTP_PROXY": PROXY, "NO_PROXY": "other.example"}, PROXY),
    ("http://10.1.2.3", {"HTTP_PROXY": PROXY, "NO_PROXY": "10.0.0.0/8"}, None),
    ("http://127.0.0.1", {"HTTP_PROXY": PROXY, "NO_PROXY": "127.0.0.1"}, None),
]


@pytest.mark.parametrize(("url", "variables", "expected"), CASES)
def test_choice(
    url: str, variables: dict[str, str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy is the one that the environment names for the scheme, if NO_PROXY allows it."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    proxy = proxy_for(parse_endpoint(url, "x"))
    assert (proxy and proxy.url) == expected


@pytest.mark.parametrize(
    ("user", "sent"),
    [
        ("us%40er:p%3Aw", b"us@er:p:w"),
        ("user", b"user:"),
        ("ü:ß", "ü:ß".encode()),
        # What the environment holds is Latin-1, and no UTF-8.
        ("\udcfc:pw", b"\xfc:pw"),
    ],
)
def test_authorization(user: str, sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """User and password become the header that the proxy is sent, and show nowhere."""
    monkeypatch.setenv("HTTP_PROXY", f"http://{user}@proxy.example:3128")

    proxy = proxy_for(parse_endpoint(HTTP, "x"))
    assert proxy
    assert proxy.headers == {"Proxy-Authorization": f"Basic {b64encode(sent).decode()}"}
    assert repr(proxy) == "Proxy(url='http://proxy.example:3128')"


@pytest.mark.parametrize(
    "value",
    [
        "ftp://user:hush@proxy.example:21",
        "http://user:hush@:3128",
        "http://user:hush@proxy.example:99999",
        "http://user:hush@[::1",
        "http://",
    ],
)
def test_no_proxy_url(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything but a proxy's URL is refused, and its password is not quoted."""
    monkeypatch.setenv("HTTP_PROXY", value)

    with pytest.raises(ConfigurationError, match="no proxy URL") as failure:
        proxy_for(parse_endpoint(HTTP, "x"))
    assert "hush" not in str(failure.value)


def test_socks_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SOCKS proxy without PySocks is refused with what to install."""
    monkeypatch.setenv("ALL_PROXY", "socks5h://user:hush@proxy.example:1080")

    def find(name: str) -> object:
        return None if name == "socks" else find_spec(name)

    monkeypatch.setattr(_network, "find_spec", find)

    with pytest.raises(ConfigurationError, match=r"requests\[socks\]") as failure:
        proxy_for(parse_endpoint(HTTP, "x"))
    assert "hush" not in str(failure.value)


def test_kinds() -> None:
    """Which protocol a proxy speaks follows from its URL."""
    kinds = [
        (proxy.is_socks, proxy.is_tls)
        for proxy in (Proxy(f"{scheme}://h:1", "", {}) for scheme in ("http", "https", "socks5"))
    ]
    assert kinds == [(False, False), (False, True), (True, False)]
