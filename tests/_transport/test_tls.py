from __future__ import annotations

import select
import socket
import ssl

import pytest

from nimble_stop._config.endpoint_url import parse_endpoint
from nimble_stop._transport.time_limit import TimeLimit
from nimble_stop._transport.tls import TLS
from nimble_stop.exceptions import (
    ConfigurationError,
    ConnectionFailedError,
    ConnectTimeoutError,
    TLSError,
)
from tests.support.pools import TRUSTED, Pools, exchange
from tests.support.scripted import (
    DATA,
    HANG_GUARD,
    Peer,
    ScriptedServer,
    always,
    answer,
    server_tls,
)


def test_tls(pools: Pools) -> None:
    """A certificate that is trusted is accepted, and the connection is kept."""
    with ScriptedServer(always(answer(b"hi")), tls=server_tls()) as server:
        pool = pools(server.url, ca_bundle=TRUSTED)

        assert [exchange(pool).body for _ in range(3)] == [b"hi"] * 3
        assert server.connections == 1


@pytest.mark.parametrize(
    ("certificate", "trusted", "host", "reason"),
    [
        ("server", None, "127.0.0.1", "certificate verify failed"),
        ("server", "other.crt", "127.0.0.1", "certificate verify failed"),
        ("other", "other.crt", "127.0.0.1", "IP address mismatch"),
        ("other", "other.crt", "localhost", "Hostname mismatch"),
    ],
)
def test_wrong_certificates(
    certificate: str, trusted: str | None, host: str, reason: str, pools: Pools
) -> None:
    """A certificate that is not trusted, or names another host, is refused for good."""
    bundle = trusted and str(DATA / trusted)
    with ScriptedServer(always(answer()), tls=server_tls(certificate)) as server:
        url = server.url.replace("127.0.0.1", host)
        with pytest.raises(TLSError, match=reason) as failure:
            exchange(pools(url, ca_bundle=bundle))

        assert failure.value.retryable is False
        assert server.requests == []


def test_no_tls_there(pools: Pools) -> None:
    """A server that speaks no TLS is refused."""
    with ScriptedServer(lambda peer: peer.send(b"HTTP/1.1 400 Bad\r\n\r\n")) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(TLSError):
            exchange(pools(url, ca_bundle=TRUSTED))


def test_slow_handshake(pools: Pools) -> None:
    """A handshake that does not end is a connect time-out."""
    with ScriptedServer() as server, pytest.raises(ConnectTimeoutError, match="TLS handshake"):
        exchange(pools(server.url.replace("http:", "https:"), ca_bundle=TRUSTED), connect=0.1)


def reset_handshake(peer: Peer) -> None:
    """Reset the connection in the middle of the handshake."""
    peer.receive()
    peer.reset()


def test_handshake_broken_off(pools: Pools) -> None:
    """A handshake that is reset is a failed connection."""
    with (
        ScriptedServer(reset_handshake) as server,
        pytest.raises(ConnectionFailedError, match="broke off the TLS handshake"),
    ):
        exchange(pools(server.url.replace("http:", "https:"), ca_bundle=TRUSTED))


def test_reset_before_the_handshake() -> None:
    """A connection that was reset before the handshake is told, and closed."""
    with ScriptedServer(Peer.reset) as server:
        tls = TLS(parse_endpoint(server.url.replace("http:", "https:"), "the test"), TRUSTED)
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            assert select.select([connection], [], [], HANG_GUARD)[0]
            with pytest.raises(ConnectionFailedError, match="broke off the TLS handshake"):
                tls.wrap(connection, TimeLimit(HANG_GUARD))

            assert connection.fileno() >= 0


def test_old_tls(pools: Pools) -> None:
    """TLS 1.1 is not spoken any more."""
    context = server_tls()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with ScriptedServer(always(answer()), tls=context) as server, pytest.raises(TLSError):
        exchange(pools(server.url, ca_bundle=TRUSTED))


def test_ca_directory(pools: Pools, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A CA bundle may be a directory; an empty one trusts nobody."""
    with ScriptedServer(always(answer()), tls=server_tls()) as server, pytest.raises(TLSError):
        exchange(pools(server.url, ca_bundle=str(tmp_path_factory.mktemp("certificates"))))


def test_bad_bundle(pools: Pools) -> None:
    """A CA bundle that holds no certificates is a configuration error."""
    server = ScriptedServer(always(answer()), tls=server_tls())
    with server, pytest.raises(ConfigurationError, match="CA bundle"):
        exchange(pools(server.url, ca_bundle=str(DATA / "botocore_requests.json")))
