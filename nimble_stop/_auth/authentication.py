"""From a request to the headers of one attempt: credentials of the moment, signature, tracing."""

from __future__ import annotations

import platform
import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from nimble_stop._auth.signing import Signer
from nimble_stop._version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nimble_stop._api.request import Request
    from nimble_stop._api.response import Response
    from nimble_stop._auth.credentials import CredentialSource
    from nimble_stop._config.config import Config

# A real secret is far longer; a placeholder such as "test" may well be a word of an answer.
_SHORTEST_IN_ANSWERS: Final = 8
_SHORTEST_IN_ERRORS: Final = 4
_NOT_IN_USER_AGENT = re.compile(r"[^!$%&'*+\-.^_`|~0-9A-Za-z]")


class _HiddenHeaders(dict[str, str]):
    """Headers whose repr shows none of them: a traceback may print it."""

    def __repr__(self) -> str:
        """Show how many there are."""
        return f"<{len(self)} headers>"


@attrs.frozen
class WireRequest:
    """A signed request, ready for a transport. Its repr shows nothing secret.

    Args:
        method: The HTTP method.
        url: The whole URL.
        target: What stands in the request line.
        headers: All headers.
        body: The body's bytes.
        secrets: What must not show in anything that the answer echoes.
    """

    method: str
    url: str
    target: str
    headers: _HiddenHeaders = attrs.field(converter=_HiddenHeaders)
    body: bytes
    secrets: tuple[bytes, ...] = attrs.field(repr=False)

    def redact(self, response: Response) -> Response:
        """Blacken the secrets in an answer: AWS's own errors quote what was signed."""
        return self._blacken(response, _SHORTEST_IN_ANSWERS)

    def redact_error(self, response: Response) -> Response:
        """Blacken also what is short, in an answer whose words are going to be shown."""
        return self._blacken(response, _SHORTEST_IN_ERRORS)

    def _blacken(self, response: Response, shortest: int) -> Response:
        echo = "\n".join(response.headers.values()).encode() + response.body
        for secret in self.secrets:
            if len(secret) < shortest:
                continue
            if secret in echo:
                response = _without(secret, response)
            # JSON may spell any character another way.
            if b"\\" in echo:
                body = _any_spelling(secret).sub(b"***", response.body)
                response = response._replace(body=body)
        return response


def _any_spelling(secret: bytes) -> re.Pattern[bytes]:
    """Match a secret however a JSON text spells it."""
    characters = ((re.escape(secret[i : i + 1]), secret[i]) for i in range(len(secret)))
    spellings = (rb"(?:%b|\\%b|\\u00(?i:%02x))" % (each, each, code) for each, code in characters)
    return re.compile(b"".join(spellings))


def _without(secret: bytes, response: Response) -> Response:
    text = secret.decode()
    return response._replace(
        headers={name: value.replace(text, "***") for name, value in response.headers.items()},
        body=response.body.replace(secret, b"***"),
    )


class Authenticator:
    """Signs the attempts of one client."""

    def __init__(self, config: Config, credentials: CredentialSource) -> None:
        self._config = config
        self._credentials = credentials
        self._signer = Signer(config.region_name)
        self._user_agent = _user_agent(config.app_id)

    @property
    def may_block(self) -> bool:
        """Whether signing may read files, run processes or ask the network for credentials."""
        return self._credentials.may_block

    def sign(self, request: Request[Any], attempt: Mapping[str, str], skew: float) -> WireRequest:
        """Make an attempt's request.

        Args:
            request: The request, the same for all attempts.
            attempt: The headers that tell this attempt from the others.
            skew: How many seconds the service's clock is ahead of ours.
        """
        endpoint = self._config.endpoint
        keys = self._credentials.frozen()
        headers = self._signer.sign(request, endpoint, keys, self._config.runtime.now() + skew)
        signature = headers["Authorization"].rpartition("=")[2]
        secrets = (keys.secret_key, keys.token or "", signature)
        if request.operation.body is not None:
            headers["Content-Length"] = str(len(request.body))
        return WireRequest(
            method=request.operation.method,
            url=endpoint.url_of(request.path, request.query),
            target=endpoint.target_of(request.path, request.query),
            headers={
                **headers,
                "User-Agent": self._user_agent,
                # What is not compressed cannot swell; answers are small.
                "Accept-Encoding": "identity",
                **attempt,
            },
            body=request.body,
            secrets=tuple(secret.encode() for secret in secrets if secret),
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
