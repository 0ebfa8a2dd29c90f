from __future__ import annotations

import pytest

from nimble_stop.local.admin.actions.page_files import INDEX, read_page_file
from nimble_stop.local.admin.replies import Problem


def test_the_page_is_html() -> None:
    """The page comes with its type and a tag that follows its content."""
    page = read_page_file(INDEX)
    assert page.content.startswith(b"<!DOCTYPE html>")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["ETag"] == read_page_file(INDEX).headers["ETag"]


@pytest.mark.parametrize("name", ["no.css", "../admin.py", "__init__.py", "", "index.html/"])
def test_nothing_else_is_served(name: str) -> None:
    """A name that is no file of the page is refused, and the answer names those that are."""
    with pytest.raises(Problem, match=r"index\.html") as caught:
        read_page_file(name)
    assert caught.value.status == 404
