"""What ``--debug`` shows, and the rule that no secret is in anything that is written."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator

_SECRETS: Final = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
# AWS's have 40 characters and more. A short one, as tests use, may be a word of any sentence.
_SHORTEST_SECRET: Final = 16


def without_secrets(text: str) -> str:
    """Strike out the secrets that the environment holds, should a text quote one."""
    for name in _SECRETS:
        value = os.environ.get(name, "")
        if len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, f"({name})")
    return text


class _Formatter(logging.Formatter):
    """Log lines with the secrets struck out."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


@contextmanager
def log_lines() -> Generator[None]:
    """Show the library's log lines; no other library's, which may hold secrets."""
    logger = logging.getLogger("nimble_stop")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
