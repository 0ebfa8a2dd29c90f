from __future__ import annotations

import pickle
import random
import time
import uuid

import attrs
import pytest

from nimble_stop import Runtime


def test_defaults() -> None:
    """The clocks are the machine's, and sleep is left to the client."""
    runtime = Runtime()

    assert runtime.monotonic is time.monotonic
    assert runtime.now is time.time
    assert runtime.sleep is None


def test_ids() -> None:
    """Ids are random uuids in lower case, like botocore's tokens."""
    first, second = Runtime().new_id(), Runtime().new_id()

    assert first != second
    assert str(uuid.UUID(first, version=4)) == first == first.lower()


def test_randomness_can_be_seeded() -> None:
    """Random numbers come from the random module, from 0 up to 1, seeded anew after a fork."""
    state = random.getstate()
    try:
        random.seed(1)
        numbers = [Runtime().random() for _ in range(100)]
        random.seed(1)
        assert [random.random() for _ in range(100)] == numbers
    finally:
        random.setstate(state)
    assert all(0 <= number < 1 for number in numbers)


def test_frozen_and_pickled() -> None:
    """A runtime cannot be changed, and the default one pickles."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Runtime().now = time.time  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    assert pickle.loads(pickle.dumps(Runtime())) == Runtime()  # noqa: S301
