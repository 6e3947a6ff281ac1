# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules for packages by themselves: several versions and architectures, and headers that stand for others.

What becomes of one package is in test_planner.
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import pytest
from tables import package

from toy.headers import header
from toy.headers.changes import UpperSet
from toy.headers.header import HeaderFile, QuotedName
from toy.reconcile import rules


def file(name: str) -> HeaderFile:
    """Return the header file of NAME-VERSION.ARCH; after a slash follows what tells two builds apart."""
    name_and_version, _, arch = name.partition("/")[0].rpartition(".")
    return HeaderFile(f"{name_and_version}-1.{arch}.{hashlib.sha256(name.encode()).hexdigest()}.hdr")


class Case(NamedTuple):
    """Sets of packages, NAME-VERSION.ARCH each, and what is to become of them."""

    base: str = ""
    host: str = ""
    merged: str = ""
    own: str = ""
    hidden: str = ""
    retired: str = ""
    unsound: str = ""
    several: str = ""
    obsoleted: str = ""
    """Packages, each with a colon and what rpm would erase if it installed it, joined by commas."""
    damaged: str = ""
    """Packages of the host whose files are not there."""
    returned: str = ""
    """Packages of the host, each with a colon and what the overlay removed of them, joined by commas."""


X, I5, N = "x86_64", "i586", "noarch"

CASES = {
    "nobody changed anything": Case(base=f"a-1.{X}", host=f"a-1.{X}", merged=f"a-1.{X}"),
    "packages that nobody touched do not matter": Case(
        base=f"a-1.{X} b-1.{X}", host=f"a-1.{X} b-2.{X}", merged=f"a-1.{X} b-1.{X} c-1.{X}", own=f"c-1.{X}"
    ),
    "one is removed, and another one changes on the host": Case(
        base=f"a-1.{X} b-1.{X}", host=f"a-1.{X} b-2.{X}", merged=f"b-1.{X}", hidden=f"a-1.{X}"
    ),
    "both installed the very same one, of which the files are there": Case(
        host=f"a-1.{X}", merged=f"a-1.{X}", retired=f"a-1.{X}"
    ),
    "both installed the very same one, of which the host's files are missing": Case(
        host=f"a-1.{X}", merged=f"a-1.{X}", unsound=f"a-1.{X}", damaged=f"a-1.{X}"
    ),
    "another architecture is no rival": Case(host=f"a-2.{X}", merged=f"a-1.{I5}", own=f"a-1.{I5}"),
    "of two architectures, the one that changed is": Case(
        base=f"a-1.{X} a-1.{I5}",
        host=f"a-3.{X} a-1.{I5}",
        merged=f"a-2.{X} a-2.{I5}",
        own=f"a-2.{I5}",
        hidden=f"a-1.{I5}",
        retired=f"a-2.{X}",
    ),
    "it ceased to be noarch: the newer one stays": Case(
        base=f"a-1.{N}", host=f"a-2.{X}", merged=f"a-3.{N}", own=f"a-3.{N}", hidden=f"a-2.{X}"
    ),
    "it came to be noarch: the overlay's gives way": Case(host=f"a-2.{N}", merged=f"a-1.{X}", retired=f"a-1.{X}"),
    "it came to be noarch, and was removed": Case(base=f"a-1.{X}", host=f"a-2.{N}", hidden=f"a-2.{N}"),
    "of noarch and two architectures, each is by itself": Case(
        base=f"a-1.{X}",
        host=f"a-1.{X} a-1.{I5}",
        merged=f"a-2.{N}",
        own=f"a-2.{N}",
        hidden=f"a-1.{X}",
    ),
    "also if one of the two did not change": Case(
        base=f"a-1.{X}", host=f"a-1.{X} a-1.{I5}", merged=f"a-1.{X} a-2.{N}", own=f"a-2.{N}"
    ),
    "of another package's two architectures, nothing follows": Case(
        base=f"b-1.{X} b-1.{N}", host=f"a-2.{X} b-1.{X} b-1.{N}", merged=f"a-1.{N} b-1.{X} b-1.{N}", retired=f"a-1.{N}"
    ),
    "of two versions on the host, the one that shows stays": Case(
        base=f"a-1.{X}", host=f"a-1.{X} a-0.{X}", merged=f"a-1.{X} a-2.{X}", own=f"a-2.{X}", hidden=f"a-0.{X}"
    ),
    "newer than one of two on the host: the host's count": Case(
        host=f"a-1.{X} a-3.{X}", merged=f"a-2.{X}", retired=f"a-2.{X}"
    ),
    "newer than both on the host: both are hidden": Case(
        host=f"a-1.{X} a-2.{X}", merged=f"a-3.{X}", own=f"a-3.{X}", hidden=f"a-1.{X} a-2.{X}"
    ),
    "one of two of the overlay's is newer: both stay": Case(
        host=f"a-2.{X}", merged=f"a-1.{X} a-3.{X}", own=f"a-1.{X} a-3.{X}", hidden=f"a-2.{X}"
    ),
    "one of two on the host lacks files: both are hidden, and that one is named": Case(
        host=f"a-2.{X} a-3.{X}",
        merged=f"a-1.{X}",
        own=f"a-1.{X}",
        hidden=f"a-2.{X} a-3.{X}",
        unsound=f"a-2.{X}",
        damaged=f"a-2.{X}",
    ),
    "another one that lacks files does not matter": Case(
        host=f"a-2.{X} b-1.{X}", merged=f"a-1.{X}", retired=f"a-1.{X}", damaged=f"b-1.{X}"
    ),
    "two packages: newer": Case(
        host=f"a-1.{X} b-1.{X}",
        merged=f"a-2.{X} b-2.{X}",
        own=f"a-2.{X} b-2.{X}",
        hidden=f"a-1.{X} b-1.{X}",
    ),
    "two packages: older": Case(
        host=f"a-2.{X} b-2.{X}", merged=f"a-1.{X} b-1.{X}", retired=f"a-1.{X} b-1.{X}"
    ),
    "two packages: removed": Case(
        base=f"a-1.{X} b-1.{X}", host=f"a-2.{X} b-2.{X}", hidden=f"a-2.{X} b-2.{X}"
    ),
    "two packages: the host's lack files": Case(
        host=f"a-2.{X} b-2.{X}",
        merged=f"a-1.{X} b-1.{X}",
        own=f"a-1.{X} b-1.{X}",
        hidden=f"a-2.{X} b-2.{X}",
        unsound=f"a-2.{X} b-2.{X}",
        damaged=f"a-2.{X} b-2.{X}",
    ),
    "several versions: one that was removed stays removed, others show": Case(
        base=f"k-1.{X}", host=f"k-1.{X} k-2.{X}", hidden=f"k-1.{X}", several="k"
    ),
    "several versions: the same one gives way": Case(
        host=f"k-1.{X}/host k-2.{X}",
        merged=f"k-1.{X}/own k-3.{X}",
        own=f"k-3.{X}",
        retired=f"k-1.{X}/own",
        several="k",
    ),
    "renamed on the host: the overlay's gives way": Case(
        host=f"new-2.{X}", merged=f"old-1.{X}", retired=f"old-1.{X}", obsoleted=f"new-2.{X}:old-1.{X}"
    ),
    "renamed on the host, which has an older one as well: the overlay's gives way, and both of the host's show": Case(
        host=f"new-2.{X} old-1.{X}",
        merged=f"old-2.{X}",
        retired=f"old-2.{X}",
        obsoleted=f"new-2.{X}:old-2.{X},old-1.{X}",
    ),
    "renamed on the host, but not this version: both are there": Case(
        host=f"new-2.{X}", merged=f"old-3.{X}", own=f"old-3.{X}", obsoleted=f"new-2.{X}:old-1.{X}"
    ),
    "renamed on the host, where files are missing: the overlay's stays": Case(
        host=f"new-2.{X}",
        merged=f"old-1.{X}",
        own=f"old-1.{X}",
        hidden=f"new-2.{X}",
        unsound=f"new-2.{X}",
        damaged=f"new-2.{X}",
        obsoleted=f"new-2.{X}:old-1.{X}",
    ),
    "two became one: both give way": Case(
        host=f"both-2.{X}",
        merged=f"a-1.{X} b-1.{X}",
        retired=f"a-1.{X} b-1.{X}",
        obsoleted=f"both-2.{X}:a-1.{X},b-1.{X}",
    ),
    "one became two: the overlay's gives way": Case(
        host=f"a-2.{X} more-2.{X}", merged=f"a-1.{X}", retired=f"a-1.{X}", obsoleted=f"more-2.{X}:a-1.{X}"
    ),
    "what the overlay removed is renamed on the host: it stays removed": Case(
        base=f"old-1.{X}", host=f"new-2.{X}", hidden=f"new-2.{X}", obsoleted=f"new-2.{X}:old-1.{X}"
    ),
    "what the overlay removed has its older name again: it stays removed": Case(
        base=f"new-2.{X}", host=f"old-1.{X}", hidden=f"old-1.{X}", obsoleted=f"new-2.{X}:old-1.{X}"
    ),
    "what the overlay removed has its older name again, which the overlay shows": Case(
        base=f"new-2.{X} old-2.{X}", host=f"old-1.{X}", merged=f"old-2.{X}", obsoleted=f"new-2.{X}:old-1.{X}",
        returned=f"old-1.{X}:new-2.{X}",
    ),
    "what the overlay updated has its older name again: both are there": Case(
        base=f"new-2.{X}", host=f"old-1.{X}", merged=f"new-3.{X}", own=f"new-3.{X}", obsoleted=f"new-2.{X}:old-1.{X}"
    ),
    "what the overlay removed is renamed, and has another version at once": Case(
        base=f"old-1.{X} new-2.{X}", host=f"new-3.{X}", hidden=f"new-3.{X}", obsoleted=f"new-3.{X}:old-1.{X}"
    ),
    "what the overlay removed is on the host beside what would replace it": Case(
        base=f"old-1.{X}", host=f"old-1.{X} new-2.{X}", hidden=f"old-1.{X}", obsoleted=f"new-2.{X}:old-1.{X}"
    ),
    "two became one, and the overlay had removed one of them: that one is there": Case(
        base=f"a-1.{X} b-1.{X}",
        host=f"both-2.{X}",
        merged=f"b-1.{X}",
        obsoleted=f"both-2.{X}:a-1.{X},b-1.{X}",
        returned=f"both-2.{X}:a-1.{X}",
    ),
    "what the overlay removed became a part of what it shows": Case(
        base=f"old-1.{X} new-1.{X}",
        host=f"new-2.{X}",
        merged=f"new-1.{X}",
        obsoleted=f"new-2.{X}:old-1.{X}",
        returned=f"new-2.{X}:old-1.{X}",
    ),
    "two become one again, and the overlay had removed one of them: that one is there": Case(
        base=f"a-2.{X} b-2.{X}",
        host=f"whole-1.{X}",
        merged=f"b-2.{X}",
        obsoleted=f"a-2.{X}:whole-1.{X} b-2.{X}:whole-1.{X}",
        returned=f"whole-1.{X}:a-2.{X}",
    ),
    "two become one again, and the overlay had removed both": Case(
        base=f"a-2.{X} b-2.{X}",
        host=f"whole-1.{X}",
        hidden=f"whole-1.{X}",
        obsoleted=f"a-2.{X}:whole-1.{X} b-2.{X}:whole-1.{X}",
    ),
    "two become one again, and the overlay had removed one and updated the other: that one stays": Case(
        base=f"a-2.{X} b-2.{X}",
        host=f"whole-1.{X}",
        merged=f"b-3.{X}",
        own=f"b-3.{X}",
        hidden=f"whole-1.{X}",
        obsoleted=f"a-2.{X}:whole-1.{X} b-2.{X}:whole-1.{X} b-3.{X}:whole-1.{X}",
    ),
    "a part goes into its older self, and the overlay had removed the part": Case(
        base=f"big-2.{X} part-2.{X}",
        host=f"big-1.{X}",
        merged=f"big-2.{X}",
        obsoleted=f"part-2.{X}:big-1.{X}",
        returned=f"big-1.{X}:part-2.{X}",
    ),
    "what an own package replaces is not removed": Case(
        base=f"old-1.{X}",
        host=f"both-2.{X}",
        merged=f"new-1.{X}",
        own=f"new-1.{X}",
        obsoleted=f"new-1.{X}:old-1.{X} both-2.{X}:old-1.{X}",
    ),
    "two became one, and the overlay had removed both": Case(
        base=f"a-1.{X} b-1.{X}", host=f"both-2.{X}", hidden=f"both-2.{X}", obsoleted=f"both-2.{X}:a-1.{X},b-1.{X}"
    ),
    "the overlay renamed it before the host did: the host's counts": Case(
        base=f"old-1.{X}",
        host=f"new-2.{X}/host",
        merged=f"new-2.{X}/own",
        retired=f"new-2.{X}/own",
        obsoleted=f"new-2.{X}/host:old-1.{X} new-2.{X}/own:old-1.{X}",
    ),
    "the overlay updated it, and the host renamed the older one: both are there": Case(
        base=f"old-1.{X}", host=f"new-2.{X}", merged=f"old-3.{X}", own=f"old-3.{X}", obsoleted=f"new-2.{X}:old-1.{X}"
    ),
    "the overlay has the new name, and the host gets the old one: that is hidden": Case(
        host=f"old-1.{X}", merged=f"new-2.{X}", own=f"new-2.{X}", hidden=f"old-1.{X}", obsoleted=f"new-2.{X}:old-1.{X}"
    ),
    "the overlay has the new name and the old one, and the host gets the old one: that is there": Case(
        host=f"old-2.{X}",
        merged=f"old-1.{X} new-2.{X}",
        own=f"new-2.{X}",
        retired=f"old-1.{X}",
        obsoleted=f"new-2.{X}:old-2.{X},old-1.{X}",
    ),
    "what gives way itself hides nothing": Case(
        host=f"old-1.{X} new-3.{X}", merged=f"new-2.{X}", retired=f"new-2.{X}", obsoleted=f"new-2.{X}:old-1.{X}"
    ),
    "keys are nobody's rivals": Case(
        base=f"gpg-pubkey-1.{N}",
        host=f"gpg-pubkey-1.{N} gpg-pubkey-3.{N}",
        merged=f"gpg-pubkey-2.{N}",
        own=f"gpg-pubkey-2.{N}",
        hidden=f"gpg-pubkey-1.{N}",
    ),
}  # fmt: skip


def related(text: str) -> dict[HeaderFile, set[HeaderFile]]:
    """Return the header files of packages, by that of another one: as `Case.obsoleted`."""
    pairs = (each.partition(":") for each in text.split())
    return {file(one): {*map(file, others.split(","))} for one, _, others in pairs}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_becomes_of_packages(case: Case) -> None:
    def files(names: str) -> frozenset[HeaderFile]:
        return frozenset(map(file, names.split()))

    decision = rules.decide(
        base=files(case.base),
        host=files(case.host),
        merged=files(case.merged),
        is_newer=lambda one, other: header.label(one) > header.label(other),
        is_sound=lambda each: each not in files(case.damaged),
        several=set(map(QuotedName, case.several.split())),
        obsoleted=related(case.obsoleted),
    )
    upper = UpperSet(files(case.own), files(case.hidden))
    assert decision.upper == upper
    assert decision.retired.keys() == files(case.retired)
    assert decision.unsound.keys() == files(case.unsound)
    assert decision.returned == related(case.returned)


STANDING_IN = {
    "one installation": ([f"a-1.{X}/b"], [f"a-1.{X}/a"], {f"a-1.{X}/b": f"a-1.{X}/a"}),
    "the same version, but installed again": ([f"a-1.{X}/other"], [f"a-1.{X}/a"], {}),
    "another version": ([f"a-2.{X}/b"], [f"a-1.{X}/a"], {}),
    "none": ([f"a-1.{X}/b"], [], {}),
    "each for one of two": (
        [f"a-1.{X}/b", f"c-1.{X}/d"],
        [f"c-1.{X}/c", f"a-1.{X}/a"],
        {f"a-1.{X}/b": f"a-1.{X}/a", f"c-1.{X}/d": f"c-1.{X}/c"},
    ),
}
"""Installations are told by letters: a and b are one, so are c and d."""


@pytest.mark.parametrize(("own", "removed", "pairs"), STANDING_IN.values(), ids=STANDING_IN)
def test_which_header_stands_for_which(own: list[str], removed: list[str], pairs: dict[str, str]) -> None:
    installations = {file(f"a-1.{X}/{letter}"): "first" for letter in "ab"}
    installations |= {file(f"c-1.{X}/{letter}"): "second" for letter in "cd"}
    found = rules.amended(
        {*map(file, own)},
        {*map(file, removed)},
        lambda each: package("x-1")._replace(installation=installations.get(each, each)),
    )
    assert found == {file(one): file(other) for one, other in pairs.items()}


@pytest.mark.parametrize(
    ("own", "hidden", "found"),
    [
        ([f"a-1.{X}/b", f"c-1.{X}"], [f"a-1.{X}/a", f"d-1.{X}"], [f"a-1.{X}/b"]),
        ([f"a-2.{X}"], [f"a-1.{X}"], []),
        ([f"a-1.{I5}"], [f"a-1.{X}"], []),
        ([f"a-1.{X}"], [], []),
    ],
)
def test_which_header_may_stand_for_one(own: Iterable[str], hidden: Iterable[str], found: Iterable[str]) -> None:
    upper = UpperSet({*map(file, own)}, {*map(file, hidden)})
    assert rules.perhaps_standing_in(upper) == {*map(file, found)}
