"""From a request to the signed headers of one attempt. botocore signs; nothing is logged.

Signature Version 4 is botocore's own: canonical request, string to sign, signature. Its
``add_auth`` is not called, because it reads the clock, which may differ from the service's, and
logs the session token.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import platform
import re
import time
from typing import TYPE_CHECKING, Any, Final, cast

import attrs
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from nimble_stop._version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.credentials import Credentials

    from nimble_stop._api.request import Request
    from nimble_stop._auth.credentials import CredentialSource
    from nimble_stop._config.config import Config
    from nimble_stop.exceptions import NimbleStopError

_SERVICE: Final = "nimble"
# A shorter secret is a placeholder that may well be a word of an error message.
_SHORTEST_SECRET: Final = 4
_NOT_IN_USER_AGENT: Final = re.compile(r"[^!$%&'*+\-.^_`|~0-9A-Za-z]")


class _HiddenHeaders(dict[str, str]):
    """Headers, whose names are compared as requests does: without regard to case.

    The repr shows none of them: a traceback may print it.
    """

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(self._spelling(name))

    def __setitem__(self, name: str, text: str) -> None:
        super().__setitem__(self._spelling(name), text)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(self._spelling(str(name)))

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as a dict's
        return super().get(self._spelling(name), default)

    def copy(self) -> _HiddenHeaders:
        return _HiddenHeaders(self)

    def __repr__(self) -> str:
        return f"<{len(self)} headers>"

    def _spelling(self, name: str) -> str:
        lowered = name.lower()
        return next((each for each in self if each.lower() == lowered), name)


@attrs.frozen
class WireRequest:
    """A signed request, ready for a transport. Its repr shows none of the secrets."""

    method: str
    url: str
    headers: _HiddenHeaders = attrs.field(converter=_HiddenHeaders)
    body: bytes
    secrets: tuple[str, ...] = attrs.field(repr=False)

    def redact(self, error: NimbleStopError) -> None:
        """Strike the secrets out of an error: AWS's own answers quote what was signed."""
        # The JSON parser's error, for example, has the whole answer.
        error.__context__ = None
        for secret in self.secrets:
            if len(secret) >= _SHORTEST_SECRET:
                error.args = tuple(_without(secret, each) for each in error.args)
                for name, value in tuple(vars(error).items()):
                    setattr(error, name, _without(secret, value))


def _without(secret: str, value: object) -> object:
    if isinstance(value, str):
        return value.replace(secret, "***")
    if isinstance(value, bytes):
        # JSON may write a slash with a backslash before it.
        escaped = secret.replace("/", "\\/")
        return value.replace(secret.encode(), b"***").replace(escaped.encode(), b"***")
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return {_without(secret, name): _without(secret, each) for name, each in items}
    return value


class _Signable(AWSRequest):
    """A request for botocore to sign. Its body needs no preparing: it is bytes already."""

    @property
    def body(self) -> Any:  # noqa: ANN401 - the stubs say str, but botocore hashes bytes
        return self.data


class Signer:
    def __init__(self, config: Config, credentials: CredentialSource) -> None:
        self._config = config
        self._credentials = credentials
        self._user_agent = _user_agent(config.app_id)

    def sign(self, request: Request[Any], attempt: Mapping[str, str], skew: float) -> WireRequest:
        """Make an attempt's request, with its own headers, which are not signed."""
        endpoint, keys = self._config.endpoint, self._credentials.keys()
        moment = time.gmtime(self._config.runtime.now() + skew)
        timestamp = time.strftime("%Y%m%dT%H%M%SZ", moment)
        headers = {"Host": endpoint.host_header, **request.headers, "X-Amz-Date": timestamp}
        if keys.token:
            headers["X-Amz-Security-Token"] = keys.token
        url = endpoint.url_of(request.path, request.query)
        signable = _Signable(request.operation.method, url, headers, request.body)
        signable.context["timestamp"] = timestamp
        # The keys have all that botocore reads of credentials.
        auth = SigV4Auth(cast("Credentials", keys), _SERVICE, self._config.region_name)
        canonical = auth.canonical_request(signable)
        signature = auth.signature(auth.string_to_sign(signable, canonical), signable)
        # The last line but one holds the names of the signed headers.
        signed_headers = canonical.rsplit("\n", 2)[1]
        if request.body:
            headers["Content-Length"] = str(len(request.body))
        return WireRequest(
            method=request.operation.method,
            url=url,
            headers={
                **headers,
                "Authorization": (
                    f"AWS4-HMAC-SHA256 Credential={auth.scope(signable)}, "
                    f"SignedHeaders={signed_headers}, Signature={signature}"
                ),
                "User-Agent": self._user_agent,
                # What is not compressed cannot swell; answers are small.
                "Accept-Encoding": "identity",
                **attempt,
            },
            body=request.body,
            secrets=(keys.secret_key, keys.token or "", signature),
        )


def _user_agent(app_id: str | None) -> str:
    words = [
        f"nimble_stop/{__version__}",
        f"os/{platform.system().lower()}",
        f"lang/python#{platform.python_version()}",
    ]
    if app_id:
        words.append(f"app/{_NOT_IN_USER_AGENT.sub('-', app_id)}")
    return " ".join(words)
