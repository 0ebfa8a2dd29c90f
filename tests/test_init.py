from __future__ import annotations

import subprocess
import sys

import pytest

import nimble_stop
from nimble_stop import exceptions, models
from tests.support.scripted import ScriptedServer, always, answer


def run(code: str) -> list[str]:
    """Run code in a fresh interpreter; give the lines it prints."""
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return finished.stdout.split()


def test_names() -> None:
    """`__all__` is sorted, without doubles, and every name is there."""
    own = [name for name in nimble_stop.__all__ if name not in exceptions.__all__]
    assert own == sorted(own)
    assert len(set(nimble_stop.__all__)) == len(nimble_stop.__all__)
    assert all(getattr(nimble_stop, name) is not None for name in nimble_stop.__all__)
    assert set(nimble_stop.__all__) <= set(dir(nimble_stop))
    assert dir(nimble_stop) == sorted(dir(nimble_stop))


def test_all_models_and_exceptions() -> None:
    """Every model and every exception is found at the top."""
    for module in (exceptions, models):
        for name in module.__all__:
            assert getattr(nimble_stop, name) is getattr(module, name)
            assert name in nimble_stop.__all__


def test_unknown_name() -> None:
    """A name that is not there is an AttributeError like any module's."""
    with pytest.raises(AttributeError, match="module 'nimble_stop' has no attribute 'nothing'"):
        getattr(nimble_stop, "nothing")  # noqa: B009 - types know better


HEAVY = {
    "aiohttp",
    "asyncio",
    "attr",
    "attrs",
    "botocore",
    "cattrs",
    "certifi",
    "requests",
    "ssl",
    "urllib3",
}


IMPORTED = {"nimble_stop", "nimble_stop._version", "nimble_stop.exceptions"}


@pytest.mark.parametrize(
    ("code", "packages", "expected"),
    [
        ("import nimble_stop", {*HEAVY, "nimble_stop"}, IMPORTED),
        (
            "from nimble_stop import NimbleStopError",
            {*HEAVY, "nimble_stop"},
            IMPORTED,
        ),
        ("import nimble_stop.pytest_plugin", HEAVY - {"attr", "attrs", "asyncio"}, set[str]()),
    ],
)
def test_lazy(code: str, packages: set[str], expected: set[str]) -> None:
    """Importing the package loads what is asked for, and no more."""
    loaded = run(
        f"import sys; before = set(sys.modules); {code}\n"
        f"print(*(name for name in set(sys.modules) - before "
        f"if name.partition('.')[0] in {packages!r}))"
    )

    assert set(loaded) == expected


def test_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first call with keys of the environment loads no session of botocore's and no aiohttp."""
    with ScriptedServer(always(answer())) as server:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "AKIAENV",
            "AWS_SECRET_ACCESS_KEY": "env/secret",
            "AWS_REGION": "us-west-2",
            "AWS_ENDPOINT_URL": server.url,
        }.items():
            monkeypatch.setenv(name, value)
        loaded = run(
            "import sys, nimble_stop; nimble_stop.stop_session('studio-1', 'session-1')\n"
            "print(*sys.modules)"
        )

        assert len(server.requests) == 1
    assert {"botocore.auth", "requests.adapters", "cattrs"} <= set(loaded)
    assert {"aiohttp", "asyncio", "botocore.session", "botocore.client"} & set(loaded) == set()


def test_each_name_alone() -> None:
    """Each name can be imported first, in an interpreter of its own."""
    code = (
        "import sys, nimble_stop\nfor name in nimble_stop.__all__:\n"
        "    for module in [m for m in sys.modules if m.startswith('nimble_stop')]:\n"
        "        del sys.modules[module]\n"
        "    exec(f'from nimble_stop import {name}')\nprint('done')"
    )

    assert run(code) == ["done"]


def test_kept() -> None:
    """A name that was loaded is kept, so it is imported once."""
    assert run(
        "import nimble_stop; print('RetryPolicy' in vars(nimble_stop));"
        "nimble_stop.RetryPolicy; print('RetryPolicy' in vars(nimble_stop))"
    ) == ["False", "True"]


def test_version() -> None:
    """The version is the installed package's."""
    from importlib.metadata import version

    assert nimble_stop.__version__ == version("nimble-stop")
