"""`LocalNimble`: the embedded endpoint as a user holds it.

This module owns its life: when it takes its port and its store, when it serves, and when it lets go
of both. What can be done to it meanwhile is `nimble_stop.local.control`'s.
"""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from nimble_stop.local.control import Control
from nimble_stop.local.endpoint_options import EndpointOptions, with_arguments_of
from nimble_stop.local.endpoint_state import not_running
from nimble_stop.local.environment import Environment, endpoint_environment
from nimble_stop.local.service import Service
from nimble_stop.local.storage.store import Store
from nimble_stop.local.web.admin import Admin
from nimble_stop.local.web.handler import Handler
from nimble_stop.local.web.server_thread import ServerThread, listen, url_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from botocore.credentials import Credentials

__all__ = ["LocalNimble"]


class LocalNimble(Control):
    """A Nimble Studio of your own: a real HTTP server with sessions in a store.

    It checks signatures, keeps state, and lets injected faults happen. Use it as a context manager,
    or call `start` and `close`. Several can run at once. All methods may be called from any thread.
    What needs the store, the port or the sessions raises `RuntimeError` while it is not running.

    Args:
        **options: The fields of `EndpointOptions`, each with its default.

    Raises:
        TypeError: There is no such option, or it is of a wrong type.
        ValueError: An option has a value that is not allowed.
        ConfigurationError: The region's name is none, the file of faults cannot be read, or the
            admin API would be open to other machines.
    """

    @with_arguments_of(EndpointOptions)
    def __init__(self, options: EndpointOptions) -> None:
        super().__init__(options)
        self._port = options.port
        self._listener: socket.socket | None = None
        self._thread: ServerThread | None = None
        self._admin: Admin | None = None
        self._lifecycle = threading.Lock()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<LocalNimble {self.endpoint_url if self._listener else 'not running'}>"

    # Its life

    def bind(self) -> Self:
        """Open the store and take the port, without serving yet. `start` does it by itself.

        Raises:
            ConfigurationError: The store, the seed or the address cannot be used.
            TypeError, ValueError: A value of the seed is not allowed.
        """
        with self._lifecycle:
            self._bind()
        return self

    def start(self) -> Self:
        """Serve, in a thread of its own, until `close`; nothing happens when it serves already.

        It raises what `bind` raises. After `close` it may be called again: the port is the same,
        and so are the sessions when they are in a file.
        """
        with self._lifecycle:
            listener = self._bind()
            if self._thread is None:
                service = Service(self.options, self._operations, self._faults, self.requests)
                self._admin = Admin(self, self._port) if self.options.admin else None
                self._thread = ServerThread(
                    Handler(service, self._admin),
                    listener,
                    tick=self.complete_due_transitions,
                    on_end=self._store.close,
                )
        return self

    def close(self) -> None:
        """Stop serving, within about a second, whatever connections are open.

        The journal stays readable. Calling it again does nothing. Called by a listener to
        requests, in the server's own thread, it returns at once, and the request is still answered.
        """
        with self._lifecycle:
            if self._admin is not None:
                self._admin.close()
                self._admin = None
            if self._open_store is not None:
                self._remember_sessions()
            thread, listener, store = self._thread, self._listener, self._open_store
            self._thread = self._listener = self._open_store = None
        if thread is not None:
            thread.stop()
        elif listener is not None and store is not None:
            listener.close()
            store.close()

    def _bind(self) -> socket.socket:
        if self._listener is not None:
            return self._listener
        with ExitStack() as undo:
            store = Store(self.options.db, self.options.clock, self._sessions_changed)
            undo.callback(store.close)
            listener = undo.enter_context(listen(self.options.host, self._port))
            self._open_store = store
            undo.callback(setattr, self, "_open_store", None)
            self._fill_empty_store()
            undo.pop_all()
        # A restart comes back under the same address.
        self._port = listener.getsockname()[1]
        self._listener = listener
        return listener

    # How to reach it

    @property
    def endpoint_url(self) -> str:
        """The URL to give to a client as ``endpoint_url``."""
        if self._listener is None:
            raise not_running()
        return url_of(self.options.host, self._port)

    @property
    def credentials(self) -> Credentials:
        """The first key pair, as botocore's and so this package's clients take it."""
        from botocore.credentials import Credentials

        key = self.options.keys[0]
        return Credentials(key.access_key_id, key.secret_access_key, key.session_token)

    @property
    def environment(self) -> dict[str, str]:
        """The ``AWS_*`` variables that lead a client of this API here.

        Other variables can still lead it elsewhere; `environment_changes` knows which.
        """
        variables = self.environment_changes().variables
        return {name: value for name, value in variables.items() if name.startswith("AWS_")}

    def environment_changes(self, environ: Mapping[str, str] | None = None) -> Environment:
        """Compute what to change in an environment, the process's by default, to lead it here."""
        return endpoint_environment(
            self.endpoint_url,
            region_name=self.region_name,
            key=self.options.keys[0],
            environ=os.environ if environ is None else environ,
        )
