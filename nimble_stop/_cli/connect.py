"""The client that a command works with, and the embedded endpoint of ``--local``.

The rule of this module: with ``--local`` nothing of AWS's configuration is read, so that it works,
and works the same, wherever it is tried.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import click

from nimble_stop import exceptions
from nimble_stop._config.options import DEADLINE_SECONDS, POLL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Generator

    from nimble_stop import NimbleClient
    from nimble_stop._call.deadline import Deadline
    from nimble_stop._cli.command import GlobalOptions

# Long enough for a person to see STOP_IN_PROGRESS, short enough to wait for.
_LOCAL_TRANSITION_SECONDS: Final = 2.0
# So that the wait for it does not outlast it by much.
_LOCAL_POLL_SECONDS: Final = 0.5
# No file can be there.
_NO_FILES: Final = dict.fromkeys(
    ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), f"{os.devnull}/none"
)
_HINT: Final = (
    "The command line's options are --region, --profile and --endpoint-url. "
    "To try without AWS, add --local."
)


@contextmanager
def open_client(
    options: GlobalOptions, *, deadline: Deadline | None = None
) -> Generator[NimbleClient]:
    """Make the client that the options ask for, and its endpoint if it is the embedded one."""
    from nimble_stop import NimbleClient
    from nimble_stop._client.base import bounded

    other = "--endpoint-url" if options.endpoint_url is not None else "--profile"
    if options.local is not None and (options.endpoint_url or options.profile_name) is not None:
        raise click.UsageError(
            f"--local brings its own endpoint and credentials; leave {other} out."
        )
    with ExitStack() as stack:
        if options.local is not None:
            stack.enter_context(_embedded_endpoint(options.local, options.region_name))
        try:
            client = NimbleClient(
                region_name=options.region_name,
                profile_name=options.profile_name,
                endpoint_url=options.endpoint_url,
                deadline=DEADLINE_SECONDS if deadline is None else deadline.seconds,
            )
            stack.enter_context(client)
            try:
                yield client if deadline is None else bounded(client, deadline)
            except exceptions.NimbleStopError as error:
                explain_answer(error, client)
                raise
        except exceptions.ConfigurationError as error:
            # Not the embedded endpoint's: that one is set up already.
            error.add_note(_HINT)
            raise


@contextmanager
def _embedded_endpoint(db: str, region_name: str | None) -> Generator[None]:
    """Run the embedded endpoint, and hide what the environment has of AWS's but the way there."""
    from nimble_stop.local import LocalNimble
    from nimble_stop.local.endpoint_options import DEFAULT_REGION_NAME

    with LocalNimble(
        db=db,
        transition_seconds=_LOCAL_TRANSITION_SECONDS,
        sample=True,
        region_name=region_name or DEFAULT_REGION_NAME,
    ) as local:
        before = dict(os.environ)
        others = {name: value for name, value in before.items() if not name.startswith("AWS_")}
        os.environ.clear()
        os.environ.update(local.environment_changes(before).applied_to(others | _NO_FILES))
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def explain_answer(error: exceptions.NimbleStopError, client: NimbleClient) -> None:
    """Say whose an answer is that a proxy gave: the service names every request, a proxy none."""
    from nimble_stop._config.endpoint_url import parse_endpoint
    from nimble_stop._config.network import proxy_for

    if (
        not isinstance(error, (exceptions.ServiceError, exceptions.ResponseDecodeError))
        or error.request_id is not None
    ):
        return
    proxy = proxy_for(parse_endpoint(client.endpoint_url, "endpoint_url"))
    # One that has a note is explained already.
    if proxy is not None and not hasattr(error, "__notes__"):
        error.add_note(
            f"The answer has no request id: it is the proxy's, {proxy.url}, and not the service's. "
            "Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY."
        )


def poll_seconds(options: GlobalOptions) -> float:
    """Choose the longest time between two polls of a wait."""
    return POLL_SECONDS if options.local is None else _LOCAL_POLL_SECONDS
