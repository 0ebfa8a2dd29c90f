"""Tables that are made of the code when the documentation is built, so that they cannot be wrong.

Each directive, such as ``{errors-table}``, writes Markdown and has the page's own parser read it.
"""

from __future__ import annotations

import re
from inspect import cleandoc
from typing import TYPE_CHECKING, Final

import attrs
from sphinx.util.docutils import SphinxDirective

from nimble_stop import RetryPolicy, Timeouts, exceptions
from nimble_stop._api import response as _response
from nimble_stop._api.errors import (
    _THROTTLING_CODES,  # pyright: ignore[reportPrivateUsage] - it is shown, not used
)
from nimble_stop._call.engine import RetryQuota
from nimble_stop._config import options as _defaults
from nimble_stop._transport.shared import MAX_IDLE_SECONDS
from nimble_stop.exceptions import NimbleStopError, ServiceError
from nimble_stop.local import EnvironmentFormat, FaultRule
from nimble_stop.local.api.answer import STATUSES
from nimble_stop.local.endpoint_options import DEFAULT_KEY, DEFAULT_REGION_NAME
from nimble_stop.local.environment import endpoint_environment
from nimble_stop.local.faults.rules import kinds_of_faults
from nimble_stop.local.studio.lifecycle import STATUS_OF_STATE, TRANSITIONS
from nimble_stop.local.studio.session_operations import PAGE_SIZE
from nimble_stop.local.web.handler import BODY_BYTES, BODY_SECONDS
from nimble_stop.local.web.server_thread import FIELD_BYTES, HEADERS, IDLE_SECONDS, LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

_POLICY: Final[dict[str, Callable[[float], tuple[str, str]]]] = {
    "max_attempts": lambda value: (str(value), "attempts in all"),
    "base_delay": lambda value: (
        f"{value:g} s",
        "the first delay at most, after failures that pass",
    ),
    "throttling_base_delay": lambda value: (f"{value:g} s", "the same after throttling"),
    "max_backoff": lambda value: (f"{value:g} s", "the longest delay"),
    "retry_conflicts": lambda value: ("yes" if value else "no", "whether conflicts are retried"),
}
_RETRYABLE: Final = {True: "yes", False: "no", None: "not known"}


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines
    )


def _tree(kind: type[NimbleStopError]) -> Iterable[type[NimbleStopError]]:
    """List the public exceptions, each before those under it, as they stand in the code."""
    if kind.__name__ in exceptions.__all__:
        yield kind
    for below in kind.__subclasses__():
        yield from _tree(below)


def _own_attributes(kind: type[NimbleStopError]) -> list[str]:
    """List what an exception has beyond what every exception has."""
    root = vars(NimbleStopError()).keys() | vars(NimbleStopError).keys()
    own = [name for name in vars(kind()) if name not in root and not name.startswith("_")]
    properties = [
        name
        for base in kind.__mro__
        for name, value in vars(base).items()
        if isinstance(value, property) and name not in root
    ]
    return sorted({*own, *properties})


def errors() -> str:
    """Write one row for every exception."""
    service = _own_attributes(ServiceError)

    def attributes(kind: type[NimbleStopError]) -> str:
        own = _own_attributes(kind)
        if issubclass(kind, ServiceError) and kind is not ServiceError:
            return "those of `ServiceError`" if own == service else f"`{own}`"
        return ", ".join(f"`{name}`" for name in own)

    rows = [
        (
            f"{{py:exc}}`~nimble_stop.{kind.__name__}`",
            str(STATUSES.get(kind.__name__, "any" if hasattr(kind(), "http_status") else "-")),
            _RETRYABLE[kind().retryable],
            attributes(kind) or "-",
            kind.advice,
        )
        for kind in _tree(NimbleStopError)
        if kind is not NimbleStopError
    ]
    return table(("Exception", "HTTP", "Retryable", "Attributes of its own", "Advice"), rows)


def throttling_codes() -> str:
    """List the error codes that ask for fewer requests."""
    return ", ".join(f"`{code}`" for code in sorted(_THROTTLING_CODES)) + "\n"


def statuses() -> str:
    """Write the error codes that the endpoint knows, and their statuses."""
    return table(
        ("Code", "HTTP"), [(f"`{code}`", str(status)) for code, status in STATUSES.items()]
    )


def transitions() -> str:
    """Write the table that the lifecycle is made of."""
    rows = [
        (
            f"`{operation}`",
            ", ".join(f"`{state}`" for state in sorted(change.allowed_from)) or "nothing",
            f"`{change.in_progress}`",
            f"`{change.done}`",
            f"`{change.failed}`",
            ", ".join(f"`{name}`" for name in change.sets) or "-",
        )
        for operation, change in TRANSITIONS.items()
    ]
    return table(("Operation", "Allowed from", "Answers with", "Then", "If it fails", "Sets"), rows)


def status_codes() -> str:
    """Write which status code goes with which state."""
    return table(
        ("State", "Status code"),
        [(f"`{state}`", f"`{code}`") for state, (code, _) in STATUS_OF_STATE.items()],
    )


def defaults() -> str:
    """Write every number that holds unless somebody says otherwise."""
    timeouts, policy = Timeouts(), RetryPolicy()
    rows = [
        ("`deadline`", f"{_defaults.DEADLINE_SECONDS:g} s", "a whole call"),
        ("`timeout`, `Timeouts.connect`", f"{timeouts.connect:g} s", "a new connection"),
        ("`timeout`, `Timeouts.read`", f"{timeouts.read:g} s", "from then to the last byte"),
        ("`max_connections`", f"{_defaults.MAX_CONNECTIONS}", "kept open for reuse"),
        *(
            (f"`RetryPolicy.{field.name}`", *_POLICY[field.name](getattr(policy, field.name)))
            for field in attrs.fields(RetryPolicy)
        ),
        ("retry quota", f"{RetryQuota().available}", "units; shared by the calls of a client"),
        ("`wait_until_stopped(deadline=)`", f"{_defaults.WAIT_SECONDS:g} s", "a whole wait"),
        (
            "`wait_until_stopped(poll_interval=)`",
            f"{_defaults.POLL_SECONDS:g} s",
            "between two polls",
        ),
        (
            "`stop_sessions(max_concurrency=)`",
            f"{_defaults.MAX_CONCURRENCY}",
            "stops in flight",
        ),
        ("a kept connection", f"{MAX_IDLE_SECONDS:g} s", "without use; not configurable"),
        ("answer's body", f"{_response.MAX_BODY_BYTES // 1024} KiB", "at most; not configurable"),
    ]
    return table(("Setting", "Default", "For"), rows)


def fault_kinds() -> str:
    """Write what each fault does, where it acts, and its keys in a file."""
    rows = [
        (
            f"{{py:class}}`~nimble_stop.local.{kind.__name__}`",
            kind.point.__name__.removesuffix("Fault").lower(),
            cleandoc(kind.__doc__ or "").partition("\n")[0].replace("``", "`"),
            ", ".join(f"`{name}`" for name in _keys(kind)) or "-",
        )
        for kind in kinds_of_faults()
    ]
    return table(("Fault", "Point", "What happens", "Keys"), rows)


def fault_classes() -> str:
    """Describe each kind of fault by its docstring."""
    lines = [f".. autoclass:: nimble_stop.local.{kind.__name__}" for kind in kinds_of_faults()]
    return "\n\n".join(["```{eval-rst}", *lines, "```"]) + "\n"


def fault_rule() -> str:
    """Write the keys that every fault in a file has."""
    arguments = re.findall(
        r"^    (\w+): (.*(?:\n     .*)*)", cleandoc(FaultRule.__doc__ or ""), re.MULTILINE
    )
    names = _keys(FaultRule)
    rows = [
        (f"`{name}`", re.sub(r"\s+", " ", text).replace("None", "`null`"))
        for name, text in arguments
        if name in names and name != "fault"
    ]
    return table(("Key", "Meaning"), rows)


def _keys(kind: type) -> list[str]:
    return [field.name for field in attrs.fields(kind) if field.init]


def limits() -> str:
    """Write what the endpoint takes from a client."""
    kib = 1024
    rows = [
        ("time that a connection waits for a request's head", f"{IDLE_SECONDS:g} s"),
        ("time for a request's body", f"{BODY_SECONDS:g} s"),
        ("a request's body", f"{BODY_BYTES // kib} KiB"),
        ("a request's target", f"{LINE_BYTES // kib} KiB"),
        ("one header", f"{FIELD_BYTES // kib} KiB"),
        ("headers of a request", f"{HEADERS}"),
        ("sessions in a page of a list", f"{PAGE_SIZE}"),
    ]
    return table(("What", "At most"), rows)


def environment_formats() -> str:
    """Write what leads to an endpoint, in each format."""
    shown = endpoint_environment(
        "http://127.0.0.1:8080", region_name=DEFAULT_REGION_NAME, key=DEFAULT_KEY, environ={}
    )
    return "".join(
        f"`--env-format {name}`\n\n```text\n{shown.render(name)}```\n\n"
        for name in EnvironmentFormat
    )


def _directive(write: Callable[[], str]) -> type[SphinxDirective]:
    """Make a directive whose Markdown a function writes."""

    class FromCode(SphinxDirective):
        def run(self) -> list[nodes.Node]:
            return self.parse_text_to_nodes(write())

    return FromCode


def setup(app: Sphinx) -> ExtensionMetadata:
    """Make the directives known."""
    for name, write in {
        "defaults-table": defaults,
        "environment-formats": environment_formats,
        "errors-table": errors,
        "fault-classes": fault_classes,
        "fault-kinds-table": fault_kinds,
        "fault-rule-table": fault_rule,
        "limits-table": limits,
        "status-codes-table": status_codes,
        "statuses-table": statuses,
        "throttling-codes": throttling_codes,
        "transitions-table": transitions,
    }.items():
        app.add_directive(name, _directive(write))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
