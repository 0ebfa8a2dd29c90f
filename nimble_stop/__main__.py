"""``python -m nimble_stop`` and ``nimble-stop``: the command line's way in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

# As for anything unexpected; nimble_stop._cli.failures knows them all, but cannot be loaded here.
_EXIT_CODE = 255


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: The words behind the program's name; those of the process if None.

    Returns:
        The exit code.
    """
    try:
        from nimble_stop._cli.app import run

        return run(sys.argv[1:] if argv is None else argv)
    except ModuleNotFoundError as error:
        package = (error.name or "a package").partition(".")[0]
        print(  # noqa: T201  # nothing better is there yet
            f"nimble-stop: the command line needs {package}, which is not installed; "
            "install it with: pip install 'nimble-stop[cli]'",
            file=sys.stderr,
        )
        return _EXIT_CODE


if __name__ == "__main__":
    sys.exit(main())
