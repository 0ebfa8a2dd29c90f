from __future__ import annotations

import pytest

from nimble_stop.local.admin.access import Access
from nimble_stop.local.admin.replies import Problem

TOKEN = "a-token"


def check_site(host: str | list[str], *, address: str = "127.0.0.1", **headers: str) -> None:
    """Check a request that names a host."""
    hosts = [host] if isinstance(host, str) else host
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    Access(80, hosts=("studio.example", "10.0.0.7")).check_site(sent, hosts, address)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "localhost.",
        "nimble.localhost:80",
        "127.0.0.1:5000",
        "127.9.9.9",
        "[::1]:5000",
        "studio.example:8000",
        "10.0.0.7",
    ],
)
def test_hosts_of_ours(host: str) -> None:
    """Loopback and what was configured is ours, whatever the port and the case."""
    check_site(host)


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example",
        "localhost.evil.example",
        "evillocalhost",
        "127.0.0.1.evil.example",
        "10.0.0.8",
        "[::2]",
        "",
        "localhost@evil.example",
        "localhost/evil",
        "localhost:80:80",
        [],
        ["localhost", "localhost"],
    ],
)
def test_hosts_of_others(host: str | list[str]) -> None:
    """A name that was rebound to our address, no name and several names are refused."""
    with pytest.raises(Problem, match="is not this endpoint's") as caught:
        check_site(host)
    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.7:80", "192.0.2.7"),
        ("192.0.2.7", "::ffff:192.0.2.7"),
        ("[fe80::1]", "fe80::1%eth0"),
        ("[FE80:0::1]", "fe80::1"),
    ],
)
def test_the_address_that_was_connected_to(host: str, address: str) -> None:
    """An address cannot be rebound: the one that a connection came in by is ours."""
    check_site(host, address=address)


@pytest.mark.parametrize("site", ["cross-site", "same-site", ""])
def test_a_request_for_another_site(site: str) -> None:
    """A browser says which site a request is for; a page of another port is another site too."""
    with pytest.raises(Problem, match="another site") as caught:
        check_site("localhost", Sec_Fetch_Site=site)
    assert caught.value.status == 403


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        "http://localhost:3000",
        "http://localhost:80.evil",
        "",
        "file://",
    ],
)
def test_a_foreign_origin(origin: str) -> None:
    """A request from a page of another origin is refused, and so is one that hides its origin."""
    with pytest.raises(Problem, match="origin"):
        check_site("localhost:80", Origin=origin)


@pytest.mark.parametrize("origin", ["http://localhost:80", "https://LocalHost:80"])
def test_our_own_origin(origin: str) -> None:
    """The live page may do everything, also behind a proxy that ends TLS."""
    check_site("localhost:80", Origin=origin, Sec_Fetch_Site="same-origin")


def test_no_token_is_asked_for() -> None:
    """Without a token everybody may pass, and there is nothing to log in with."""
    access = Access(80)
    access.check_token({})
    assert access.log_in("whatever") == {}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_bearer_token(scheme: str) -> None:
    """Scripts send the token."""
    Access(80, TOKEN).check_token({"Authorization": f"{scheme} {TOKEN}"})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer a-toke"},
        {"Authorization": "Bearer a-token-"},
        {"Authorization": "Bearer \udcff"},
        {"Authorization": "Basic YS10b2tlbg=="},
        {"Authorization": TOKEN},
        {"Cookie": f"nimble-stop-80={TOKEN}"},
        {"Cookie": "nimble-stop-80="},
        {"Cookie": "\x00=;;==\udcff"},
    ],
)
def test_without_the_token(headers: dict[str, str]) -> None:
    """Everything else is refused, says what to send and does not repeat what was sent."""
    with pytest.raises(Problem, match="Bearer TOKEN") as caught:
        Access(80, TOKEN).check_token(headers)
    assert caught.value.status == 401
    assert caught.value.headers == {"WWW-Authenticate": 'Bearer realm="nimble-stop"'}
    assert "a-tok" not in caught.value.message


def test_logging_in() -> None:
    """The token is exchanged for a cookie that holds for this endpoint and this process."""
    access = Access(80, TOKEN)
    cookie = access.log_in(TOKEN)["Set-Cookie"]
    assert TOKEN not in cookie
    assert cookie.endswith("; Path=/_nimble-stop/; HttpOnly; SameSite=Strict")
    # What other programs on the host have set is sent along, whatever it is.
    headers = {"Cookie": f'bad="1; {{}}=a b; {cookie.partition(";")[0]}'}
    access.check_token(headers)
    for another in (Access(81, TOKEN), Access(80, TOKEN)):
        with pytest.raises(Problem):
            another.check_token(headers)
    with pytest.raises(Problem, match="wrong"):
        access.check_token({**headers, "Authorization": "Bearer no"})


def test_logging_in_with_another_token() -> None:
    """A wrong token gets no cookie."""
    with pytest.raises(Problem, match="wrong") as caught:
        Access(80, TOKEN).log_in("a-toke")
    assert caught.value.status == 401


def test_logging_out() -> None:
    """The cookie is taken away."""
    cookie = Access(80, TOKEN).log_out()["Set-Cookie"]
    assert cookie.startswith("nimble-stop-80=; ")
    assert cookie.endswith("; Max-Age=0")
