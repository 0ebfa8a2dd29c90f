"""A process that answers every request with the same session, and costs next to nothing.

Neither side is measured with our own endpoint, so that its cost is in neither figure.
"""

from __future__ import annotations

import asyncio
import json
import sys
from email.utils import formatdate
from typing import cast

SESSION = {
    "arn": "arn:aws:nimble:us-west-2:123456789012:streaming-session/session-1",
    "automaticTerminationMode": "DEACTIVATED",
    "createdAt": "2023-05-01T10:00:00Z",
    "createdBy": "someone",
    "ec2InstanceType": "g4dn.xlarge",
    "launchProfileId": "profile-1",
    "ownedBy": "someone",
    "sessionId": "session-1",
    "startedAt": "2023-05-01T10:05:00Z",
    "state": "STOP_IN_PROGRESS",
    "statusCode": "STREAMING_SESSION_STOP_IN_PROGRESS",
    "stoppedAt": "2023-05-01T18:00:00Z",
    "tags": {"show": "pilot"},
    "updatedAt": "2023-05-01T18:00:00Z",
    "volumeConfiguration": {"iops": 3000, "size": 500, "throughput": 125},
    "volumeRetentionMode": "RETAIN",
}


def _answer() -> bytes:
    body = json.dumps({"session": SESSION}).encode()
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        "x-amzn-RequestId: 0f4f7f50-0000-4000-8000-000000000000\r\n"
        f"Date: {formatdate(usegmt=True)}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Answering(asyncio.Protocol):
    answer = _answer()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            _, _, rest = head.partition(b"\r\ncontent-length:")
            size = end + 4 + int(rest.split(b"\r\n", 1)[0] or 0)
            if len(self._buffer) < size:
                return
            self._buffer = self._buffer[size:]
            self._transport.write(self.answer)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Answering, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
