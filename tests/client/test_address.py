"""What is typed as the address of a collection."""

from __future__ import annotations

import pytest

from lookalike.client.address import Address, is_address
from lookalike.errors import BadInput


@pytest.mark.parametrize(
    ("text", "server", "collection"),
    [
        ("http://host:8000/cats", "http://host:8000", "cats"),
        ("HTTP://host:8000", "http://host:8000", ""),
        ("http://host:8000/", "http://host:8000", ""),
        ("https://host/images/cats", "https://host/images", "cats"),
        ("https://host/images/", "https://host/images", ""),
        ("http://host/my%20cats", "http://host", "my cats"),
        ("http://host:8000/v1/collections/cats", "http://host:8000", "cats"),
        ("http://host:8000/v1/collections", "http://host:8000", ""),
        ("http://host:8000/v1", "http://host:8000", ""),
        ("http://[::1]:8000/cats", "http://[::1]:8000", "cats"),
    ],
)
def test_the_name_is_the_last_part(text: str, server: str, collection: str) -> None:
    found = Address.parse(text)
    assert (found.server, found.collection) == (server, collection)


def test_a_name_apart_and_a_password_that_is_not_shown() -> None:
    found = Address.parse("https://me:se%40cret@host/images", "cats")
    assert (found.server, found.collection, found.user) == ("https://host/images", "cats", ("me", "se@cret"))
    assert "cret" not in repr(found) + found.shown


@pytest.mark.parametrize("text", ["host:8000/cats", "ftp://host/cats", "http://", "http://host:x/a", "http://h/a?b=1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(BadInput):
        Address.parse(text)


def test_a_folder_is_no_address() -> None:
    assert is_address("https://host/cats")
    assert not is_address("lookalike.collection")
    assert not is_address("http.collection")
