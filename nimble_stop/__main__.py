"""``python -m nimble_stop`` and ``nimble-stop``: the command line's way in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

# Two of those in nimble_stop._cli.failures, which may be what cannot be loaded.
_INTERRUPTED = 130
_OTHER = 255


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
        return _fail("Interrupted.", _INTERRUPTED)
    except ModuleNotFoundError as error:
        package = (error.name or "a package").partition(".")[0]
        needed = f"the command line needs {package}, which is not installed"
        return _fail(f"{needed}; install it with: pip install 'nimble-stop[cli]'", _OTHER)


def _fail(text: str, code: int) -> int:
    print(f"nimble-stop: {text}", file=sys.stderr)  # noqa: T201  # nothing better is there yet
    return code


if __name__ == "__main__":
    sys.exit(main())
