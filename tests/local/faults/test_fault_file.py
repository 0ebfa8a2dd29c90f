from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local import (
    FaultRule,
    Latency,
    ResetAfterChange,
    ServiceFailure,
    StopFails,
    load_faults,
)
from nimble_stop.local.faults import fault_file
from nimble_stop.local.faults.fault_file import (
    describe_rule,
    read_faults,
    read_rule,
    read_rules,
    write_rule,
)

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
    assert [type(rule) for rule in read_rules(json.loads(example))] == [FaultRule, FaultRule]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "must be a list"),
        ("[5]", "[0] must be an object"),
        ("[{}]", "[0].fault must be one of ClockSkew, Latency"),
        ('[{"fault": "Slow"}]', "not 'Slow'"),
        ('[{"fault": ["Latency"]}]', "[0].fault must be one of"),
        ('[{"fault": "Latency"}]', "[0].seconds is missing"),
        ('[{"fault": "Latency", "second": 1}]', "[0].second is no key of Latency; it has"),
        (
            '[{"fault": "Latency", "seconds": "1"}]',
            "[0].seconds must be a finite number, 0 or more, not '1'",
        ),
        ('[{"fault": "Latency", "seconds": -1}]', "[0].seconds must be a finite number"),
        (
            '[{"fault": "WrongDate"}, {"fault": "Latency", "seconds": 1, "times": "x"}]',
            "[1].times must be a whole number",
        ),
        ('[{"fault": "StopFails", "fired": 1}]', "[0].fired is no key of StopFails"),
        (
            '[{"fault": "StopFails", "sesion_id": "x"}]',
            "studio_id, session_id, times, skip, probability, seed; did you mean 'session_id'?",
        ),
        ('[{"fault": "StopFail"}]', "not 'StopFail'; did you mean 'StopFails'?"),
        (
            '[{"fault": "ServiceFailure", "code": "ThrotlingException"}]',
            "did you mean 'ThrottlingException'?",
        ),
        ('[{"fault": "StopFails", "session_id": 5}]', "[0].session_id must be a string, not 5"),
        ('[{"fault": "StopFails", "operation": "Stop"}]', "[0].operation must be one of"),
    ],
)
def test_an_error_names_the_key(text: str, said: str) -> None:
    """Whatever is wrong in a file, one clear error says where."""
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        read_rules(json.loads(text))


def test_an_error_names_the_file(tmp_path: Path) -> None:
    """A file that is not there, not text or not right is named."""
    with pytest.raises(ConfigurationError, match=r"gone\.json.*cannot be read"):
        load_faults(tmp_path / "gone.json")
    path = tmp_path / "faults.json"
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match=r"faults\.json.*cannot be read"):
        load_faults(path)
    for text in ("{", "[" * 100_000):
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=r"faults\.json.*cannot be read"):
            load_faults(path)
    path.write_text("{}")
    with pytest.raises(ConfigurationError, match=r"faults\.json.*must be a list"):
        load_faults(path)


@pytest.mark.parametrize(
    "rule",
    [
        FaultRule(ServiceFailure("ThrottlingException", retry_after=2, headers={"A": "b"})),
        FaultRule(StopFails(), session_id="x", times=2, skip=1, probability=0.5, seed=3),
        FaultRule(Latency(1.5), operation="GetStreamingSession", studio_id="s"),
    ],
)
def test_what_is_written_is_read_again(rule: FaultRule) -> None:
    """A rule is written as the object that makes an equal one."""
    written = json.loads(json.dumps(write_rule(rule)))
    again = read_rule(written, "rule")
    assert again.fault == rule.fault
    assert write_rule(again) == written
    assert describe_rule(rule) == {"id": rule.id, "fired": 0, "left": rule.times, **written}


def test_faults_come_from_programs_and_files(tmp_path: Path) -> None:
    """An option may hold faults, rules, or the path of a file."""
    path = tmp_path / "faults.json"
    path.write_text('[{"fault": "ResetAfterChange"}]')
    rule = FaultRule(Latency(1))
    assert read_faults([Latency(2), rule])[1] is rule
    for given in (path, str(path)):
        assert [rule.fault for rule in read_faults(given)] == [ResetAfterChange()]
