"""From the answer to a model, or to the exception for what the service said. Pure.

Nothing else in the package turns a status into an exception. `parse_response` is the mirror image
of `nimble_stop._api.request.build_request`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, TypeVar, cast

from nimble_stop._api.errors import service_error
from nimble_stop.exceptions import ResponseDecodeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nimble_stop._api.operations import Operation

ModelT = TypeVar("ModelT")

_SUCCESS: Final = range(200, 300)


class Response(NamedTuple):
    """An answer, complete and at most as long as the cap allows.

    Its repr shows neither headers nor body: they may quote what was signed.

    Args:
        status: The HTTP status.
        headers: The headers; the names in lower case.
        body: The body's bytes, without any content coding.
        truncated: Whether the body went on beyond the cap.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False
    resent: bool = False

    def __repr__(self) -> str:
        """Show the status alone: the rest may quote what was signed."""
        return f"<{type(self).__name__} {self.status}>"

    @property
    def request_id(self) -> str | None:
        """The service's name for the request."""
        return self.headers.get("x-amzn-requestid") or self.headers.get("x-amz-request-id")


def parse_response(operation: Operation[ModelT], response: Response) -> ModelT:
    """Read the answer to a request.

    Args:
        operation: The operation that was asked for.
        response: The answer.

    Returns:
        The operation's model.

    Raises:
        ServiceError: The service answered with an error; the subclass says which.
        ResponseDecodeError: The status says success, and the body does not hold the model.
    """
    if response.status not in _SUCCESS:
        raise service_error(
            response.status, response.headers, _error_members(response.body), response.request_id
        )
    try:
        if response.truncated:
            raise ValueError("it is too long")  # noqa: TRY301 - one way out for all reasons
        return operation.read(_json_object(response.body))
    except ValueError as error:
        raise ResponseDecodeError(
            f"The answer to {operation.name} cannot be understood: {error}",
            http_status=response.status,
            request_id=response.request_id,
            body=response.body,
        ) from None


def _error_members(body: bytes) -> dict[str, Any]:
    """Give what an error's body says; a proxy's page says nothing that we can read."""
    try:
        return _json_object(body)
    except ValueError:
        return {}


def _json_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object, or raise ValueError, whatever the bytes are."""
    try:
        value: object = json.loads(body.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise ValueError("the body is not UTF-8") from None
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"the body is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise ValueError(f"the body is not a JSON object but {type(value).__name__}")
    return cast("dict[str, Any]", value)


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
