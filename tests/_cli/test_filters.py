from __future__ import annotations

from nimble_stop._cli.filters import Filters


def test_filters_are_reported_in_words() -> None:
    """Every filter is named, and what a terminal would act on is escaped."""
    filters = Filters(
        states=("READY", "STOPPED"),
        owned_by="amara",
        created_by="x\x1b",
        tags=(("a", "b"), ("c", "")),
    )
    assert str(filters) == (
        " in READY or STOPPED owned by amara created by x\\x1b with a=b with c="
    )
    assert str(Filters()) == ""


def test_filters_are_made_of_options() -> None:
    """The options have the filters' names."""
    options = {"states": ("READY",), "owned_by": None, "created_by": None, "tags": ()}
    assert Filters.from_options(options) == Filters(states=("READY",))
