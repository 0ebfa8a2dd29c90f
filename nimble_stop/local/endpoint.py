"""`LocalNimble`: the embedded endpoint as a user holds it.

This module owns what a user can tell it: where it stands, how it begins and ends, what is in it
and what goes wrong. What is answered is decided in `nimble_stop.local.service`.
"""

from __future__ import annotations

import math
import re
import threading
import time
from typing import TYPE_CHECKING, Final, Self

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local import defaults
from nimble_stop.local.api.signature import AccessKey
from nimble_stop.local.control import Control, not_running
from nimble_stop.local.defaults import REGION_NAME as DEFAULT_REGION_NAME
from nimble_stop.local.service import Service
from nimble_stop.local.storage.store import Store
from nimble_stop.local.web.admin import Admin
from nimble_stop.local.web.handler import Handler
from nimble_stop.local.web.server_thread import ServerThread, listen, url_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from botocore.credentials import Credentials

    from nimble_stop.local.request_record import RequestRecord
    from nimble_stop.local.studio.clock import Clock

__all__ = ["DEFAULT_REGION_NAME", "LocalNimble"]

# The region is one part of a signature's scope, between slashes.
_REGION: Final = re.compile(r"(?!\d+\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)


class LocalNimble(Control):
    """A Nimble Studio of your own: a real HTTP server with sessions in a store.

    It checks signatures, keeps state and can be told to fail. Use it as a context manager, or call
    `start` and `close`. All methods may be called from any thread.

    Args:
        db: The SQLite file that keeps everything, also over restarts; ``":memory:"`` keeps nothing.
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.
        transition_seconds: How long a transition such as ``STOP_IN_PROGRESS`` takes, in seconds
            (fractions too). With 0 the next request finds it completed. None leaves it to
            `complete` and `complete_all`.
        credentials: The key pairs that are accepted, one or several; one of its own if None. One
            with a session token is a temporary one.
        region_name: The region that signatures must be made for.
        clock: The server's clock, seconds since 1970 UTC; for its dates and for signatures.
        max_skew_seconds: How far a signature's date may be off; `math.inf` accepts any.
        journal_size: How many requests the journal keeps.
        on_request: Called with each request as it is answered, in the server's thread.

    Raises:
        ValueError: An argument cannot be used.
        ConfigurationError: The region's name is none.
    """

    def __init__(
        self,
        *,
        db: str = defaults.DB,
        host: str = defaults.HOST,
        port: int = defaults.PORT,
        transition_seconds: float | None = defaults.TRANSITION_SECONDS,
        credentials: AccessKey | Sequence[AccessKey] | None = None,
        region_name: str = defaults.REGION_NAME,
        clock: Clock = time.time,
        max_skew_seconds: float = defaults.MAX_SKEW_SECONDS,
        journal_size: int = defaults.JOURNAL_SIZE,
        on_request: Callable[[RequestRecord], None] | None = None,
    ) -> None:
        if transition_seconds is not None and not 0 <= transition_seconds < math.inf:
            raise ValueError(
                "transition_seconds must be a finite number, 0 or more, or None, "
                f"not {transition_seconds!r}"
            )
        if not max_skew_seconds >= 0:
            raise ValueError(f"max_skew_seconds must be 0 or more, not {max_skew_seconds!r}")
        if journal_size < 0:
            raise ValueError(f"journal_size must be 0 or more, not {journal_size!r}")
        if credentials is None:
            credentials = defaults.ACCESS_KEY
        keys = (credentials,) if isinstance(credentials, AccessKey) else tuple(credentials)
        if not keys:
            raise ValueError("credentials must hold at least one key pair")
        if _REGION.fullmatch(region_name) is None:
            raise ConfigurationError(
                f"region_name is {region_name!r}, which is no region name: letters, digits and "
                "hyphens, such as 'us-west-2'."
            )
        super().__init__(
            transition_seconds=transition_seconds,
            access_key_id=keys[0].access_key_id,
            region_name=region_name,
            clock=clock,
            journal_size=journal_size,
            on_request=on_request,
        )
        self._db = db
        self._host = host
        self._port = port
        self._keys = keys
        self._clock = clock
        self._max_skew_seconds = max_skew_seconds
        self._listener: socket.socket | None = None
        self._thread: ServerThread | None = None
        self._lifecycle = threading.Lock()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<LocalNimble {self.endpoint_url if self._listener else 'not running'}>"

    # Its life

    def bind(self) -> Self:
        """Open the store and take the port, without serving yet. `start` does it by itself.

        Raises:
            ConfigurationError: The store or the address cannot be used.
        """
        with self._lifecycle:
            self._bind()
        return self

    def _bind(self) -> socket.socket:
        if self._listener is None:
            store = Store(self._db)
            try:
                self._listener = listen(self._host, self._port)
            except BaseException:
                store.close()
                raise
            self._open_store = store
            # A restart comes back under the same address.
            self._port = self._listener.getsockname()[1]
        return self._listener

    def start(self) -> Self:
        """Serve, in a thread of its own, until `close`.

        After `close` it may be called again: the port is the same, and so are the sessions when
        they are in a file.

        Raises:
            ConfigurationError: The store or the address cannot be used.
        """
        with self._lifecycle:
            listener = self._bind()
            if self._thread is None:
                self._thread = ServerThread(
                    Handler(self._make_service(), Admin(self)),
                    listener,
                    tick=self.complete_due_transitions,
                    on_end=self._store.close,
                )
                self._thread.start()
        return self

    def _make_service(self) -> Service:
        return Service(
            operations=self._operations,
            keys={key.access_key_id: key for key in self._keys},
            region_name=self._region_name,
            clock=self._clock,
            max_skew_seconds=self._max_skew_seconds,
            faults=self._faults,
            journal=self._journal,
        )

    def close(self) -> None:
        """Stop serving, within about a second, whatever connections are open.

        The journal stays readable. Calling it again does nothing.
        """
        with self._lifecycle:
            thread, listener, store = self._thread, self._listener, self._open_store
            self._thread = self._listener = self._open_store = None
        self.events.disconnect()
        if thread is not None:
            thread.stop()
        elif listener is not None and store is not None:
            listener.close()
            store.close()

    # How to reach it

    @property
    def endpoint_url(self) -> str:
        """The URL to give to a client as ``endpoint_url``.

        Raises:
            RuntimeError: It is not running, so it has no port yet.
        """
        if self._listener is None:
            raise not_running()
        return url_of(self._host, self._port)

    @property
    def region_name(self) -> str:
        """The region to give to a client."""
        return self._region_name

    @property
    def credentials(self) -> Credentials:
        """The first key pair, as botocore's and so this package's clients take it."""
        from botocore.credentials import Credentials

        key = self._keys[0]
        return Credentials(key.access_key_id, key.secret_access_key, key.session_token)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that lead a client of this API here.

        Raises:
            RuntimeError: It is not running, so it has no port yet.
        """
        key = self._keys[0]
        variables = {
            "AWS_ENDPOINT_URL_NIMBLE": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            "AWS_DEFAULT_REGION": self._region_name,
        }
        if key.session_token is not None:
            variables["AWS_SESSION_TOKEN"] = key.session_token
        return variables
