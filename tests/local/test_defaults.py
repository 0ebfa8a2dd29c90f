from __future__ import annotations

import inspect

from nimble_stop.local import Journal, LocalNimble, defaults
from nimble_stop.local.serve import serve


def test_class_and_command_agree() -> None:
    """What both can be told has the same default in both, and it is the one of the module."""
    of_class = inspect.signature(LocalNimble).parameters
    of_command = inspect.signature(serve).parameters
    shared = of_class.keys() & of_command.keys()
    assert shared == {"db", "host", "port", "region_name", "transition_seconds"}
    for name in shared:
        default = vars(defaults)[name.upper()]
        assert of_class[name].default == of_command[name].default == default


def test_a_journal_alone_is_as_large_as_the_endpoints() -> None:
    """The size of the journal has one default."""
    sizes = inspect.signature(Journal).parameters, inspect.signature(LocalNimble).parameters
    assert sizes[0]["size"].default == sizes[1]["journal_size"].default == defaults.JOURNAL_SIZE


def test_the_endpoint_begins_with_the_defaults() -> None:
    """Key, region and address are the default ones when nothing is said."""
    with LocalNimble() as local:
        assert local.environment["AWS_ACCESS_KEY_ID"] == defaults.ACCESS_KEY.access_key_id
        assert local.region_name == defaults.REGION_NAME
        assert local.endpoint_url.startswith(f"http://{defaults.HOST}:")
