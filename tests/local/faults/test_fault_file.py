from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local import FaultRule, ResetAfterChange, ServiceFailure, load_faults
from nimble_stop.local.faults import fault_file
from nimble_stop.local.faults.fault_file import parse_faults

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_says_what_a_program_says(tmp_path: Path) -> None:
    """Keys are the arguments of faults and rules, by their names in Python."""
    path = tmp_path / "faults.json"
    path.write_text(
        """
        [
            {"fault": "ServiceFailure", "code": "ThrottlingException", "retry_after": 2,
             "operation": "StopStreamingSession", "probability": 0.2, "seed": 7},
            {"fault": "ResetAfterChange", "session_id": "artist-1", "times": 1, "skip": 2}
        ]
        """
    )
    first, second = load_faults(path)
    assert first.fault == ServiceFailure("ThrottlingException", retry_after=2)
    assert (first.operation, first.probability, first.seed) == ("StopStreamingSession", 0.2, 7)
    assert second.fault == ResetAfterChange()
    assert (second.session_id, second.times, second.skip) == ("artist-1", 1, 2)


def test_the_example_of_the_documentation_is_right() -> None:
    """The module's own example can be read."""
    _, _, example = (fault_file.__doc__ or "").partition("Python:\n")
    assert [type(rule) for rule in parse_faults(example)] == [FaultRule, FaultRule]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "are not JSON"),
        ("[" * 100_000, "are not JSON"),
        ("{}", "must be a list"),
        ("[5]", "[0] must be an object"),
        ("[{}]", "[0].fault must be one of ClockSkew, Latency"),
        ('[{"fault": "Slow"}]', "not 'Slow'"),
        ('[{"fault": ["Latency"]}]', "[0].fault must be one of"),
        ('[{"fault": "Latency"}]', "[0].seconds is missing"),
        ('[{"fault": "Latency", "second": 1}]', "[0].second is no key of Latency; it has"),
        ('[{"fault": "Latency", "seconds": "1"}]', "[0].seconds must be a number, not '1'"),
        ('[{"fault": "Latency", "seconds": -1}]', "[0].seconds must be a finite number"),
        (
            '[{"fault": "WrongDate"}, {"fault": "Latency", "seconds": 1, "times": "x"}]',
            "[1].times must be a whole number",
        ),
        ('[{"fault": "StopFails", "fired": 1}]', "[0].fired is no key of StopFails"),
        ('[{"fault": "StopFails", "session_id": 5}]', "[0].session_id must be a string, not 5"),
        ('[{"fault": "StopFails", "operation": "Stop"}]', "[0].operation must be one of"),
    ],
)
def test_an_error_names_the_key(text: str, said: str) -> None:
    """Whatever is wrong in a file, one clear error says where."""
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        parse_faults(text)


def test_an_error_names_the_file(tmp_path: Path) -> None:
    """A file that is not there, not text or not right is named."""
    with pytest.raises(ConfigurationError, match=r"gone\.json.*cannot be read"):
        load_faults(tmp_path / "gone.json")
    path = tmp_path / "faults.json"
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match=r"faults\.json.*cannot be read"):
        load_faults(path)
    path.write_text("{}")
    with pytest.raises(ConfigurationError, match=r"faults\.json.*must be a list"):
        load_faults(path)
