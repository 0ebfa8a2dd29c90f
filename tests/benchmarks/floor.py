"""The floor: the same libraries joined bare, as a script would use them.

``HTTPAdapter.send`` or ``ClientSession.post``, ``SigV4Auth.add_auth`` and cattrs; no retries, no
deadline, no cap, no typed errors. What nimble_stop takes beyond this is what its safety costs.
"""

from __future__ import annotations

import json
import os
import uuid
from datetime import datetime  # noqa: TC003 - cattrs resolves the annotations
from typing import TYPE_CHECKING, Any

import attrs
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import EnvProvider
from cattrs.preconf.json import make_converter

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aiohttp


@attrs.frozen
class _VolumeConfiguration:
    iops: int | None = None
    size: int | None = None
    throughput: int | None = None


@attrs.frozen
class _Session:
    """What the answer holds, with the names of the wire."""

    arn: str | None = None
    automaticTerminationMode: str | None = None  # noqa: N815 - likewise below
    createdAt: datetime | None = None  # noqa: N815
    createdBy: str | None = None  # noqa: N815
    ec2InstanceType: str | None = None  # noqa: N815
    launchProfileId: str | None = None  # noqa: N815
    ownedBy: str | None = None  # noqa: N815
    sessionId: str | None = None  # noqa: N815
    startedAt: datetime | None = None  # noqa: N815
    state: str | None = None
    statusCode: str | None = None  # noqa: N815
    stoppedAt: datetime | None = None  # noqa: N815
    tags: dict[str, str] = attrs.field(factory=dict[str, str])
    updatedAt: datetime | None = None  # noqa: N815
    volumeConfiguration: _VolumeConfiguration | None = None  # noqa: N815
    volumeRetentionMode: str | None = None  # noqa: N815


class Floor:
    """Stops sessions with nothing but the libraries."""

    def __init__(self) -> None:
        self._endpoint = os.environ["AWS_ENDPOINT_URL_NIMBLE"]
        credentials = EnvProvider().load()
        if credentials is None:
            raise LookupError("the benchmark sets keys in the environment")
        self._auth = SigV4Auth(credentials, "nimble", os.environ["AWS_DEFAULT_REGION"])
        self._converter = make_converter()

    def signed(self, session_id: str) -> tuple[str, Mapping[str, str], bytes]:
        """Give URL, headers and body of a stop."""
        path = f"/2020-08-01/studios/studio-1/streaming-sessions/{session_id}/stop"
        body = json.dumps({"volumeRetentionMode": "RETAIN"}).encode()
        headers = {"Content-Type": "application/json", "X-Amz-Client-Token": str(uuid.uuid4())}
        url = self._endpoint + path
        request = AWSRequest("POST", url, headers, body)
        self._auth.add_auth(request)
        return url, dict(request.headers.items()), body

    def read(self, content: bytes) -> object:
        """Make a session of an answer."""
        return self._converter.structure(json.loads(content)["session"], _Session)


class SyncFloor(Floor):
    """The floor of the sync client."""

    def __init__(self, connections: int = 10) -> None:
        super().__init__()
        import requests
        from requests.adapters import HTTPAdapter

        self._request: Any = requests.Request
        self._adapter = HTTPAdapter(pool_maxsize=connections)

    def stop(self, session_id: str) -> object:
        """Stop a session."""
        url, headers, body = self.signed(session_id)
        prepared = self._request("POST", url, headers, data=body).prepare()
        response = self._adapter.send(prepared, timeout=60)
        response.raise_for_status()
        return self.read(response.content)


class AsyncFloor(Floor):
    """The floor of the async client."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        super().__init__()
        self._session = session

    async def stop(self, session_id: str) -> object:
        """Stop a session."""
        url, headers, body = self.signed(session_id)
        async with self._session.post(url, headers=headers, data=body) as response:
            response.raise_for_status()
            return self.read(await response.read())
