"""The request handler: where a request goes, decided from the bytes of its target.

A target under ``/_nimble-stop/`` belongs to the admin API, every other one to the service. The
prefix is compared as it was sent: a target that only decodes to it, or that reaches it through dot
segments, is the service's, which refuses it. So neither can be taken for the other.
"""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Final

from aiohttp import web

from nimble_stop.local.api.answer import refused
from nimble_stop.local.api.refusals import Refusal
from nimble_stop.local.web.admin import ADMIN_PREFIX
from nimble_stop.local.web.messages import deliver, read_body, respond

if TYPE_CHECKING:
    from nimble_stop.local.service import Service
    from nimble_stop.local.web.admin import Admin

__all__ = ["Handler"]

_logger: Final = logging.getLogger("nimble_stop.local")


class Handler:
    """Answers each request; the handler of aiohttp's low-level server.

    Args:
        service: Answers the requests for AWS's operations.
        admin: Answers the requests under `ADMIN_PREFIX`; None leaves them to the service, which
            has no such operation.
    """

    def __init__(self, service: Service, admin: Admin | None) -> None:
        self._service = service
        self._admin = admin

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request. Whatever fails is an answer too."""
        raw_target = request.raw_path.encode("utf-8", "surrogateescape")
        try:
            if self._admin is not None and raw_target.startswith(ADMIN_PREFIX):
                return await self._admin.handle(request, raw_target)
            return await self._ask_service(request, raw_target)
        except ConnectionError:
            # The client is gone; aiohttp notices it when it writes.
            return web.Response()
        except Exception:
            _logger.exception("a request was not answered")
            answer = refused(Refusal("InternalServerErrorException", "The endpoint failed."))
            headers = {"x-amzn-RequestId": str(uuid.uuid4()), **answer.headers}
            return respond(request, answer.status, answer.body, headers)

    async def _ask_service(self, request: web.BaseRequest, raw_target: bytes) -> web.StreamResponse:
        exchange = self._service.open(request.method, raw_target, request.raw_headers)
        try:
            exchange.body = await read_body(request)
        except Refusal as refusal:
            exchange.refusal = refusal
        return await deliver(request, await self._service.answer(exchange))
