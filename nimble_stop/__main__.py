"""``python -m nimble_stop`` and ``nimble-stop``: the command line's way in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


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
    except KeyboardInterrupt:
        # Also while the modules are being loaded.
        text, code = "Interrupted.", 130
    except ModuleNotFoundError as error:
        package = (error.name or "a package").partition(".")[0]
        needed = f"the command line needs {package}, which is not installed"
        text, code = f"{needed}; install it with: pip install 'nimble-stop[cli]'", 255
    print(f"nimble-stop: {text}", file=sys.stderr)  # noqa: T201  # nothing better is there yet
    return code


if __name__ == "__main__":
    sys.exit(main())
