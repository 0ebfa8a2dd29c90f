"""`LocalNimble`: the embedded endpoint as a user holds it.

This module owns its life: when it takes its port and its store, when it serves, and when it lets go
of both. What can be done to it meanwhile is `nimble_stop.local.control`'s.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Self

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local.control import Control, not_running
from nimble_stop.local.endpoint_options import EndpointOptions, with_arguments_of
from nimble_stop.local.environment import Environment, endpoint_environment
from nimble_stop.local.service import Service
from nimble_stop.local.storage.busy import StoreBusyError
from nimble_stop.local.storage.store import Store
from nimble_stop.local.studio.document import State, read_seed
from nimble_stop.local.studio.sample import SAMPLE_STUDIO_ID, sample_sessions
from nimble_stop.local.studio.session_operations import Operations
from nimble_stop.local.web.admin import Admin
from nimble_stop.local.web.handler import Handler
from nimble_stop.local.web.server_thread import ServerThread, listen, url_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from botocore.credentials import Credentials

    from nimble_stop.local.storage.tables import Tables


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
                operations = self._operations
                service = Service(self.options, operations, self._faults, self.requests)
                if self.options.admin:
                    self._admin = Admin(self, operations.store, self._port)
                handler = Handler(service, self._admin)
                self._thread = ServerThread(handler, listener, on_end=operations.store.close)
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
            thread, listener, opened = self._thread, self._listener, self._open
            if opened is not None:
                # The journal's assertions ask for them.
                with suppress(StoreBusyError, sqlite3.Error), opened.store.access() as tables:
                    self._last_keys = tables.keys()
            self._thread = self._listener = self._open = None
        if thread is not None:
            thread.stop()
        elif listener is not None and opened is not None:
            listener.close()
            opened.store.close()

    def _bind(self) -> socket.socket:
        if self._listener is not None:
            return self._listener
        with ExitStack() as undo:
            options = self.options
            store = Store(options.db, options.clock, self.events.publish_sessions)
            undo.callback(store.close)
            listener = undo.enter_context(listen(options.host, self._port))
            self._open = Operations(
                store=store,
                transition_seconds=options.transition_seconds,
                region_name=options.region_name,
            )
            undo.callback(setattr, self, "_open", None)
            if options.seed is not None or options.sample:
                self._fill()
            undo.pop_all()
        # A restart comes back under the same address.
        self._port = listener.getsockname()[1]
        self._listener = listener
        return listener

    def _fill(self) -> None:
        """Add what the options say, when there are no sessions."""
        seed = self.options.seed
        try:
            state = State() if seed is None else read_seed(seed)
            if self._use(lambda tables: self._add_first(tables, state)):
                self._faults.add(state.faults)
        except (TypeError, ValueError) as error:
            if isinstance(seed, str | os.PathLike):
                raise ConfigurationError(f"In {str(seed)!r}: {error}.") from error
            raise

    def _add_first(self, tables: Tables, state: State) -> bool:
        # In one transaction with what is added: two processes may open one new file at once.
        if tables.count():
            return False
        tables.skip(state.skipped_seconds)
        if self.options.sample:
            self._add(tables, sample_sessions(SAMPLE_STUDIO_ID, tables.now))
        self._add(tables, state.sessions)
        return True

    # How to reach it

    @property
    def region_name(self) -> str:
        """The region to give to a client."""
        return self.options.region_name

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
