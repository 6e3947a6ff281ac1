# SPDX-License-Identifier: GPL-2.0-or-later
"""Which packages are obsolete once another one is installed: names and versions are compared as rpm does."""

import pytest
from tables import package

from toy.database import parse

LESS, GREATER, EQUAL = 2, 4, 8
"""RPMSENSE_LESS and the like (rpm, include/rpm/rpmds.h)."""


@pytest.mark.parametrize(
    ("flags", "limit", "evr", "is_obsolete"),
    [
        (0, "", "1-1", True),
        (LESS, "2", "1-1", True),
        (LESS, "2", "2-1", False),
        (LESS, "2", "2~rc1-1", True),
        (LESS, "2-3", "2-2", True),
        (LESS, "2-3", "2-3", False),
        (LESS | EQUAL, "2", "2-9", True),
        (EQUAL, "2", "2-9", True),
        (EQUAL, "2-1", "2-9", False),
        (GREATER, "2", "3-1", True),
        (LESS, "2", "1:1-1", False),
        (LESS, "1:2", "1:1-1", True),
        (LESS, "1:1", "9-1", True),
        (EQUAL, "1:1", "1-1", False),
    ],
)
def test_versions(flags: int, limit: str, evr: str, is_obsolete: bool) -> None:
    new = package("new-1")._replace(obsoletes=(("old", flags, limit),))
    assert parse.obsoletes(new, "old", evr) == is_obsolete


@pytest.mark.parametrize(("name", "is_obsolete"), [("old", True), ("older", False), ("new", False)])
def test_names(name: str, is_obsolete: bool) -> None:
    new = package("new-1")._replace(obsoletes=(("old", 0, ""), ("new", LESS, "2")), provides=frozenset({"older"}))
    assert parse.obsoletes(new, name, "1-1") == is_obsolete


def test_one_of_several() -> None:
    new = package("new-1")._replace(obsoletes=(("old", LESS, "1"), ("old", EQUAL, "3")))
    assert [parse.obsoletes(new, "old", evr) for evr in ("0-1", "2-1", "3-1")] == [True, False, True]
