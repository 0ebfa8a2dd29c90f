"""Settings for tests: an environment, AWS's files, and what a client makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nimble_stop._config.config import resolve
from nimble_stop._config.options import Options
from tests.support.clients import write_aws_files

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from nimble_stop._config.config import Config


class Setup:
    """Environment variables and AWS's two files."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._directory = directory
        self._monkeypatch = monkeypatch

    def __call__(
        self, variables: dict[str, str] | None = None, *, config: str = "", credentials: str = ""
    ) -> None:
        """Set them."""
        files = write_aws_files(self._directory, config=config, credentials=credentials)
        for name, value in {**files, **(variables or {})}.items():
            self._monkeypatch.setenv(name, value)


def resolved(**options: Any) -> Config:  # noqa: ANN401 - a client's own arguments
    """Resolve a configuration, in a region unless another is given."""
    options.setdefault("region_name", "us-west-2")
    return resolve(Options(**options))
