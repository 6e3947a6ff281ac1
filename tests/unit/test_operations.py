# SPDX-License-Identifier: GPL-2.0-or-later
"""What is to be done to the files of an upper, from what becomes of the packages."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pytest
from tables import package, package_file

from toy.overlay.operations import operations


class Case(NamedTuple):
    """Files of packages as `tables.package_file` has them, paths, and what is to be done."""

    retired: str = ""
    kept: str = ""
    freed: str = ""
    uncover: str = ""
    hidden: str = ""
    arrived: str = ""
    follow: str = ""
    drop: str = ""
    visible: str = ""
    """What packages of the host own that are not hidden."""
    other_kind: str = ""
    sweep: bool = False
    done: Mapping[str, object] = {}


CASES = {
    "nothing": Case(),
    "what a retired package has goes, and the host's shows": Case(
        retired="/b /a /d/", done={"remove": ["/b", "/a", "/d"], "show": ["/a", "/b", "/d"]}
    ),
    "what one that stays has as well is left": Case(
        retired="/a /b /d/", kept="/b /d/", done={"remove": ["/a"], "show": ["/a"], "merge": ["/d"]}
    ),
    "what one that stays owns as well, but has not brought, goes": Case(
        retired="/a /b?", kept="/a? /b?", done={"remove": ["/a"]}
    ),
    "what is no longer hidden shows": Case(freed="/b /a", done={"show": ["/a", "/b"]}),
    "what is no longer hidden, but the overlay's, is left": Case(freed="/a", kept="/a"),
    "what is no longer hidden by one, but by another, stays hidden": Case(
        freed="/a /b", hidden="/b", done={"show": ["/a"], "hide": ["/b"]}
    ),
    "what a retired package has, but a hidden one as well, goes and stays hidden": Case(
        retired="/a", hidden="/a", done={"remove": ["/a"], "hide": ["/a"]}
    ),
    "what only hidden packages have is hidden": Case(
        hidden="/c /b /a", visible="/b", done={"hide": ["/a", "/c"]}
    ),
    "what the overlay's have as well is not hidden": Case(hidden="/a /b", kept="/a", done={"hide": ["/b"]}),
    "directories of the overlay's are merged, and nothing else of theirs": Case(
        kept="/d/ /b /c/ /d/a", done={"merge": ["/c", "/d"]}
    ),
    "what is in the way of the host's files is cleared": Case(
        arrived="/d /b /a /c", other_kind="/d /b /a", done={"clear": ["/a", "/b", "/d"]}
    ),
    "what is in the way of the host's directories is not": Case(arrived="/a/", other_kind="/a"),
    "what is in the way of the host's files, but the overlay's, is not": Case(arrived="/a", kept="/a", other_kind="/a"),
    "what is not in the way is not": Case(arrived="/a /b"),
    "directories follow": Case(follow="/b /a /c", done={"follow": ["/a", "/b", "/c"]}),
    "directories are uncovered": Case(uncover="/b /a /c", done={"uncover": ["/a", "/b", "/c"]}),
    "files are dropped": Case(drop="/b /a /c", done={"drop": ["/a", "/b", "/c"]}),
    "whiteouts are swept": Case(sweep=True, done={"sweep": True}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_done(case: Case) -> None:
    planned = operations(
        retired=iter([package("a-1"), package("b-1", *case.retired.split())]),
        kept=iter([package("c-1", *case.kept.split()), package("d-1")]),
        freed=paths(case.freed),
        uncover=paths(case.uncover),
        hidden=iter([package("e-1"), package("f-1", *case.hidden.split())]),
        arrived=map(package_file, case.arrived.split()),
        follow=paths(case.follow),
        is_visible=case.visible.split().__contains__,
        is_other_kind=case.other_kind.split().__contains__,
        sweep=case.sweep,
        drop=paths(case.drop),
    )
    stored = planned._asdict() | {"remove": [each.path for each in planned.remove]}
    assert {what: value for what, value in stored.items() if value} == case.done
    assert isinstance(planned.sweep, bool)


def test_several_packages_count_together() -> None:
    planned = operations(
        retired=[package("a-1", "/a", "/x"), package("b-1", "/b", "/y")],
        kept=[package("c-1", "/x", "/c/"), package("d-1", "/y", "/d/")],
        freed=[],
        uncover=[],
        hidden=[package("e-1", "/e"), package("f-1", "/f")],
        arrived=[],
        follow=[],
        is_visible=lambda _: False,
        is_other_kind=lambda _: False,
        sweep=False,
        drop=[],
    )
    assert [each.path for each in planned.remove] == ["/a", "/b"]
    assert (planned.show, planned.merge, planned.hide) == (["/a", "/b"], ["/c", "/d"], ["/e", "/f"])
    assert (planned.sweep, planned.drop) == (False, [])


def paths(text: str) -> Iterable[str]:
    """Return paths as they are ordered here."""
    return dict.fromkeys(text.split())
