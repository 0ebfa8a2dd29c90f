"""What there is while the endpoint runs: an open store, a socket that listens, and a thread.

They are opened together and closed together, in the order that loses nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nimble_stop.local.storage.store import Store
from nimble_stop.local.web.server_thread import ServerThread, listen

if TYPE_CHECKING:
    from nimble_stop.local.service import Service

__all__ = ["Hosting"]


class Hosting:
    """A store and a port that are taken, and the thread that serves them once it is told to.

    Args:
        db: The SQLite file, or ``":memory:"``.
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.

    Raises:
        ConfigurationError: The store or the address cannot be used.
    """

    def __init__(self, db: str, host: str, port: int) -> None:
        self.store: Store = Store(db)
        try:
            self._socket = listen(host, port)
        except BaseException:
            self.store.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        self._thread: ServerThread | None = None

    @property
    def is_serving(self) -> bool:
        """Whether requests are answered, rather than kept waiting."""
        return self._thread is not None

    def serve(self, service: Service) -> None:
        """Answer requests, in a thread of its own, until `close`."""
        self._thread = ServerThread(service, self._socket)
        self._thread.start()

    def close(self) -> None:
        """Stop serving, within about a second, and let go of port and store."""
        if self._thread is not None:
            self._thread.stop()
        self._socket.close()
        self.store.close()
