"""The options of the endpoint, declared once for everybody who offers them.

`LocalNimble`, `nimble_stop.local.serve` and the command line take their names, defaults, checks and
short descriptions from `EndpointOptions`.
"""

from __future__ import annotations

import inspect
import ipaddress
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from os import PathLike
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

import attrs
from attrs.validators import deep_iterable, ge, instance_of, matches_re, min_len, optional

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local.api.signature import AccessKey
from nimble_stop.local.faults import checks
from nimble_stop.local.journal import JOURNAL_SIZE

if TYPE_CHECKING:
    from nimble_stop.local.api.exchange import RequestRecord
    from nimble_stop.local.faults.rules import Fault, FaultRule
    from nimble_stop.local.storage.clock import Clock

_Arguments = ParamSpec("_Arguments")
_Made = TypeVar("_Made")
_Result = TypeVar("_Result")
_Self = TypeVar("_Self")

DEFAULT_KEY: Final = AccessKey("LOCALNIMBLE", "local-nimble-secret-access-key")
"""The access key that is accepted by default. It is no secret: it opens nothing else."""

# One of those in which AWS offered the API.
DEFAULT_REGION_NAME: Final = "us-west-2"
"""The region that signatures must be made for by default."""

# The region is one part of a signature's scope, between slashes, and of host names elsewhere.
_REGION: Final = re.compile(r"(?!\d+\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def _help(text: str, metavar: str | None = None, flag: str | None = None) -> dict[str, str | None]:
    """Describe an option of the command line; an option without this is Python's alone.

    The flag is the option's name where it may be given several times, each time with one value.
    """
    return {"help": text, "metavar": metavar, "flag": flag}


def _check_region(_: object, attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or _REGION.fullmatch(value) is None:
        raise ConfigurationError(
            f"{attribute.name} is {checks.quote(value)}, which is no region name: letters, digits "
            "and hyphens, such as 'us-west-2'."
        )


_seconds: Final[checks.Check] = optional(checks.number(0))
_callable: Final = checks.expect("callable", attrs.validators.is_callable())
_keys: Final = checks.expect(
    "an AccessKey or a sequence of at least one",
    deep_iterable(instance_of(AccessKey), instance_of(Sequence)),
    min_len(1),
)


def _check_keys(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    _keys(instance, attribute, [value] if isinstance(value, AccessKey) else value)


@attrs.frozen(kw_only=True)
class EndpointOptions:
    """What an endpoint can be made with.

    Args:
        db: The SQLite file that keeps the sessions, the answers to client tokens and the time that
            was skipped, also over restarts; ``":memory:"`` keeps nothing.
        host: The address to listen on. One that other machines reach needs an `admin_token`, or
            `admin` switched off.
        port: The port to listen on; 0 takes a free one.
        transition_seconds: How long a transition such as ``STOP_IN_PROGRESS`` takes, in seconds
            (fractions too). With 0 the next request finds it completed. None leaves it to
            `LocalNimble.complete` and `LocalNimble.complete_all`.
        credentials: The key pairs that are accepted, one or several; `DEFAULT_KEY` if None. One
            with a session token is a temporary one.
        region_name: The region that signatures must be made for.
        seed: What the store begins with when it holds no sessions: a document such as
            `LocalNimble.export` returns, a list of sessions, or the path of a JSON file with one of
            these.
        sample: Whether a store without sessions begins with the sample studio.
        faults: What goes wrong from the start: faults and rules, or the path of a JSON file as
            `load_faults` reads it.
        admin: Whether the admin API and the live page are served, under ``/_nimble-stop/``.
        admin_token: What a client of the admin API must prove to know; None asks for nothing.
        admin_hosts: Names of hosts, besides loopback's and ``host``, by which clients reach the
            admin API; any other name is refused.
        clock: The server's clock, seconds since 1970 UTC; for its dates and for signatures.
        max_skew_seconds: How far a signature's date may be off, in seconds; `math.inf` accepts any.
        journal_size: How many requests the journal keeps.
        on_request: Called with each request's record as it is answered, in the server's thread.

    Raises:
        TypeError: An argument is of a wrong type.
        ValueError: An argument has a value that is not allowed.
        ConfigurationError: The region's name is none, or the admin API would be open to other
            machines.
    """

    # SQLite's name for a database that is gone with the process: trying things out leaves nothing.
    db: str = attrs.field(
        default=":memory:",
        validator=checks.string,
        metadata=_help("Keep the sessions in this file over restarts.", "FILE"),
    )
    # Nobody else can reach it there.
    host: str = attrs.field(
        default="127.0.0.1", validator=checks.string, metadata=_help("Where to listen.", "ADDRESS")
    )
    # The system chooses one that is free, so endpoints never get into each other's way.
    port: int = attrs.field(
        default=0,
        validator=checks.whole_number(),
        metadata=_help("The port to listen on; 0 takes a free one.", "NUMBER"),
    )
    # The next request finds a transition completed, so tests need not wait.
    transition_seconds: float | None = attrs.field(
        default=0.0,
        validator=_seconds,
        metadata=_help("How long a state such as STOP_IN_PROGRESS lasts.", "SECONDS"),
    )
    credentials: AccessKey | Sequence[AccessKey] | None = attrs.field(
        default=None, validator=optional(_check_keys)
    )
    region_name: str = attrs.field(
        default=DEFAULT_REGION_NAME,
        validator=_check_region,
        metadata=_help("The region that requests must be signed for.", "REGION"),
    )
    seed: Mapping[str, object] | Sequence[object] | str | PathLike[str] | None = attrs.field(
        default=None,
        validator=optional(
            checks.expect(
                "a document, a list of sessions or a path",
                instance_of((Mapping, Sequence, PathLike)),
            )
        ),
        metadata=_help("Begin with the sessions of this JSON file when there are none.", "FILE"),
    )
    sample: bool = attrs.field(
        default=False,
        validator=checks.boolean,
        metadata=_help("Begin with the sample studio when there are no sessions."),
    )
    faults: Sequence[Fault | FaultRule] | str | PathLike[str] = attrs.field(
        default=(),
        validator=checks.expect("a list of faults or a path", instance_of((Sequence, PathLike))),
        metadata=_help("Let the faults of this JSON file happen.", "FILE"),
    )
    admin: bool = attrs.field(
        default=True,
        validator=checks.boolean,
        metadata=_help("Serve the admin API and the live page."),
    )
    admin_token: str | None = attrs.field(
        default=None,
        repr=False,
        validator=optional(
            checks.expect(
                "a string of printable ASCII without spaces", checks.string, matches_re(r"[!-~]+")
            )
        ),
        metadata=_help("Ask for this token on the admin API and the live page.", "TOKEN"),
    )
    admin_hosts: Sequence[str] = attrs.field(
        default=(),
        validator=checks.expect(
            "a sequence of host names", deep_iterable(checks.string, instance_of((list, tuple)))
        ),
        metadata=_help(
            "Serve the admin API under this host name too; may be repeated.", "NAME", "--admin-host"
        ),
    )
    clock: Clock = attrs.field(default=time.time, validator=_callable)
    # AWS accepts signatures that are at most so old.
    max_skew_seconds: float = attrs.field(
        default=900.0,
        validator=checks.expect("a number, 0 or more", instance_of((int, float)), ge(0)),
    )
    journal_size: int = attrs.field(default=JOURNAL_SIZE, validator=checks.whole_number(0))
    on_request: Callable[[RequestRecord], None] | None = attrs.field(
        default=None, validator=optional(_callable)
    )

    def __attrs_post_init__(self) -> None:
        if self.admin and not self.admin_token and not _is_loopback(self.host):
            raise ConfigurationError(
                f"Other machines reach host {self.host!r}, and with it the admin API, which can "
                "change everything: set admin_token, or switch admin off."
            )

    @property
    def keys(self) -> tuple[AccessKey, ...]:
        """The key pairs that are accepted; the first is the one that clients are given."""
        given = DEFAULT_KEY if self.credentials is None else self.credentials
        return (given,) if isinstance(given, AccessKey) else tuple(given)


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def with_arguments_of(
    made: Callable[_Arguments, _Made],
) -> Callable[
    [Callable[[_Self, _Made], _Result]], Callable[Concatenate[_Self, _Arguments], _Result]
]:
    """Let a method that takes an instance of a class be called with the class's arguments instead.

    What the class refuses is raised where the method was called.
    """
    parameters = inspect.signature(made).parameters

    def decorate(
        method: Callable[[_Self, _Made], _Result],
    ) -> Callable[Concatenate[_Self, _Arguments], _Result]:
        @wraps(method)
        def call(self: _Self, /, *args: _Arguments.args, **keywords: _Arguments.kwargs) -> _Result:
            __tracebackhide__ = True
            for name in keywords:
                if name not in parameters:
                    raise TypeError(
                        f"there is no option {name!r}; the options are {', '.join(parameters)}"
                        f"{checks.suggestion(name, parameters)}"
                    )
            try:
                value = made(*args, **keywords)
            except (TypeError, ValueError) as error:
                raise error.with_traceback(None) from None
            return method(self, value)

        own = next(iter(inspect.signature(method).parameters.values()))
        vars(call)["__signature__"] = inspect.Signature([own, *parameters.values()])
        return call

    return decorate
