# SPDX-License-Identifier: GPL-2.0-or-later
"""Which packages an overlay has otherwise than its host, as `toy status` lists them."""

import pytest
from tables import file
from world import World

from toy.headers import header
from toy.headers.changes import UpperSet
from toy.headers.header import Header, HeaderFile
from toy.report.versions import versions, versions_by_names

LISTED = {
    "nothing": ("", "", "", ""),
    "one of its own": ("a-1", "", "a 1-1, None", ""),
    "one removed": ("", "a-1", "", "a None, 1-1"),
    "another version": ("a-2", "a-1", "a 2-1, 1-1", ""),
    "another build": ("a-1/again", "a-1", "a 1-1, 1-1", ""),
    "several": ("b-1 a-2", "c-1 a-1", "a 2-1, 1-1; b 1-1, None", "c None, 1-1"),
    "two of one name": ("kernel-2 kernel-3", "", "kernel 2-1, 3-1, None", ""),
    "two of the host's for one": ("a-3", "a-1 a-2", "a 3-1, 1-1, 2-1", ""),
}
"""What the overlay's own header files and those it hides are, and what is listed as added and as removed."""


@pytest.mark.parametrize("case", LISTED)
def test_what_is_listed(case: str) -> None:
    own, removed, *listed = LISTED[case]
    ours, theirs = (frozenset(map(file, labels.split())) for labels in (own, removed))
    world = World()
    packages = {file(label): world.package(label) for label in f"{own} {removed}".split()}
    for found in (versions(ours, theirs, packages), versions(ours, theirs, {})):
        assert ["; ".join(f"{each.name} {each.overlay}, {each.host}" for each in side) for side in found] == listed
        assert {each.arch for side in found for each in side} <= {"noarch"}


def test_a_stand_in_is_not_listed() -> None:
    upper = UpperSet(frozenset({file("a-1/amended"), file("b-1")}), frozenset({file("a-1"), file("c-1")}))
    added, gone = versions_by_names(upper)
    assert ([each.name for each in added], [each.name for each in gone]) == (["b"], ["c"])


@pytest.mark.parametrize("name", ["x" * 200, "b\u00fccher", "_hidden", "a package"])
def test_a_name_that_no_file_can_have(name: str) -> None:
    """The two sides are those of one package also if only one header can be read."""

    def named(version: str) -> HeaderFile:
        ((found, _),) = header.file_names([Header(name, version, "1", "noarch", version.encode())])
        return found

    package = World().package("any-2")._replace(name=name)
    added, gone = versions({named("2")}, {named("1")}, {named("2"): package})
    assert [(each.name, each.overlay, each.host) for each in added] == [(name, "2-1", "1-1")]
    assert gone == []
