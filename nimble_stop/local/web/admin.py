"""The admin API on aiohttp: reads a request, has its action done, and sends the reply.

This module owns two rules. Nothing that may wait for the store runs on the event loop. And every
answer, an error too, carries the headers that keep a browser from using it for another site.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop.local.admin import PREFIX
from nimble_stop.local.admin.access import Access
from nimble_stop.local.admin.replies import Problem, json_answer
from nimble_stop.local.admin.routes import ROUTES
from nimble_stop.local.admin.routing import Context, find_route, read_arguments
from nimble_stop.local.api.answer import SERVER, Answer, Refusal
from nimble_stop.local.api.request_target import parse_target
from nimble_stop.local.storage.busy import StoreBusyError
from nimble_stop.local.web.handler import deliver, read_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from nimble_stop.local.control import Control
    from nimble_stop.local.storage.store import Store

_logger: Final = logging.getLogger("nimble_stop.local")

# How many requests may wait for the store at once.
_THREADS: Final = 8
_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "Server": SERVER,
        "X-Content-Type-Options": "nosniff",
    }
)


class Admin:
    """Answers the requests to the admin API of an endpoint with an open store, on a port."""

    def __init__(self, control: Control, store: Store, port: int) -> None:
        options = control.options
        hosts = (options.host, *options.admin_hosts)
        self._context = Context(control, store, Access(port, options.admin_token, hosts))
        # Its own, so that nothing that waits for the store keeps the end of the server waiting.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="nimble-stop-admin")

    def close(self) -> None:
        """End the streams of events, and begin nothing more; called before the store is closed."""
        self._context.is_closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, request: web.BaseRequest, raw_target: bytes) -> web.StreamResponse:
        """Answer one request, whose target as it was sent begins with `PREFIX`.

        Raises:
            ConnectionError: The client is gone.
        """
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        try:
            answer = await self._act(request, raw_target, transport)
        except Problem as problem:
            answer = problem.answer
        except Refusal as refusal:
            answer = Problem(refusal.status, refusal.message).answer
        except StoreBusyError as error:
            answer = Problem(503, f"{error}; nothing was changed.").answer
        except ConnectionError:
            raise
        except Exception:
            if self._context.is_closed:
                # What it needed is gone, and soon the connection would be.
                transport.abort()
                raise ConnectionResetError from None
            _logger.exception("a request to the admin API was not answered")
            answer = Problem(500, "The endpoint failed; its log says why.").answer
        headers = {**_HEADERS, "x-amzn-RequestId": str(uuid.uuid4()), **answer.headers}
        delivery = None if request.method == "HEAD" else answer.delivery
        return await deliver(request, attrs.evolve(answer, headers=headers, delivery=delivery))

    async def _act(
        self, request: web.BaseRequest, raw_target: bytes, transport: asyncio.Transport
    ) -> Answer:
        context, headers = self._context, request.headers
        address: str = transport.get_extra_info("sockname")[0]
        context.access.check_site(headers, headers.getall("Host", []), address)
        target = parse_target(raw_target[len(PREFIX) :])
        route, path = find_route(ROUTES, request.method, target.segments)
        if not route.is_public:
            context.access.check_token(headers)
        body = await read_body(request, route.max_body_bytes)

        def act() -> Answer:
            given = read_arguments(route, path, query=target.query, headers=headers, body=body)
            result = route.action(context, **given)
            if isinstance(result, Answer):
                return result
            if result is None:
                return Answer(status=204, body=b"")
            return json_answer(result, route.status)

        if not route.may_wait:
            return act()
        return await asyncio.get_running_loop().run_in_executor(self._threads, act)
