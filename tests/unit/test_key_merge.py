# SPDX-License-Identifier: GPL-2.0-or-later
"""Which version of a key counts, the host's or the overlay's."""

import pytest

from toy.database import keyring


@pytest.mark.parametrize(
    ("then", "theirs", "ours", "expected"),
    [
        (None, None, "a", "a"),
        (None, "a", None, "a"),
        (None, "a", "a", "a"),
        (None, "a", "b", "a"),
        ("a", "a", "a", "a"),
        ("a", None, "a", None),
        ("a", "b", "a", "b"),
        ("a", "a", None, None),
        ("a", "a", "b", "b"),
        ("a", "b", None, None),
        ("a", None, "b", "b"),
        ("a", None, None, None),
        ("a", "b", "c", "b"),
    ],
)
def test_which_version_of_a_key_counts(
    then: str | None, theirs: str | None, ours: str | None, expected: str | None
) -> None:
    assert keyring.version_that_counts(ours, theirs, then) == expected
