"""The admin API: what a program in any language may do to the endpoint, beside AWS's paths."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from aiohttp import web

from nimble_stop.local.api.refusals import Refusal

if TYPE_CHECKING:
    from nimble_stop.local.api.routes import Target
    from nimble_stop.local.control import Control

__all__ = ["Admin"]


class Admin:
    """Answers the requests under ``/_nimble-stop/``.

    Args:
        control: The endpoint's sessions, faults, journal, clock and events. Its methods may be
            called from any thread and may wait for a busy store: run those that touch the store
            with `asyncio.to_thread`, so that other requests go on.
    """

    def __init__(self, control: Control) -> None:
        self._control = control

    async def handle(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """Answer one request.

        Args:
            request: The request; `nimble_stop.local.web.request_body.read_body` reads its body.
            target: Its target behind the prefix; ``segments`` are decoded.

        Raises:
            Refusal: The request is refused; the handler writes the response.
        """
        if request.method == "GET" and target.segments == ("health",):
            return web.json_response(
                {"status": "ok"}, headers={"x-amzn-RequestId": str(uuid.uuid4())}
            )
        raise Refusal(
            "UnknownOperationException", "The admin API has no such path; it has GET health."
        )
