from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from nimble_stop._cli.failures import report
from nimble_stop._cli.global_options import GlobalOptions
from nimble_stop._cli.terminal.logs import log_lines, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "hush-hush-" * 4


@pytest.mark.parametrize(
    "write",
    [
        lambda: logging.getLogger("nimble_stop").debug("quoting %s", SECRET),
        lambda: report(RuntimeError(f"quoting {SECRET}"), GlobalOptions()),
    ],
)
def test_no_secret_is_written(
    write: Callable[[], object],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A secret of the environment is struck out of log lines and errors."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with log_lines():
        write()
    _, err = capsys.readouterr()
    assert "quoting (AWS_SECRET_ACCESS_KEY)" in err
    assert "hush" not in err


def test_the_logger_is_put_back() -> None:
    """The lines are shown while the command runs."""
    logger = logging.getLogger("nimble_stop")
    before = logger.level, list(logger.handlers)
    with log_lines():
        assert (logger.level, list(logger.handlers)) != before
    assert (logger.level, list(logger.handlers)) == before


@pytest.mark.parametrize("secret", ["", "test"])
def test_text_without_secrets_is_left_alone(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret as short as those of tests is no reason to break a command that is to be copied."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    assert without_secrets("nimble-stop stop studio test-1") == "nimble-stop stop studio test-1"
