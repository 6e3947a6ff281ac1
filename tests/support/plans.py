# SPDX-License-Identifier: GPL-2.0-or-later
"""A plan with something of each kind, and the same as toy stored it before stored plans had a version."""

from tables import file, package_file

from toy.events import Event
from toy.headers import header
from toy.headers.changes import UpperSet
from toy.headers.header import Header, QuotedName
from toy.overlay.operations import Operations
from toy.reconcile.plan import Plan
from toy.reconcile.retired import Retired
from toy.reconcile.triggers import Run

((C, _),) = header.file_names([Header("c", "1", "1", "noarch", b"\x00\xff")])
"""The name of a stand-in's file."""

PLAN = Plan(
    base=frozenset({file("a-1"), file("b-1")}),
    host=frozenset({file("a-2"), file("b-1")}),
    upper=UpperSet(frozenset({C}), frozenset({file("b-1")})),
    stand_ins={C: b"\x00\xff"},
    operations=Operations(
        remove=[package_file("/usr/bin/a"), package_file("/usr/share/a/")],
        uncover=["/opt/a"],
        show=["/usr/bin/a"],
        merge=["/usr/share/c"],
        clear=["/etc/x"],
        follow=["/srv"],
        hide=["/usr/bin/b"],
        sweep=True,
        drop=["/etc/ld.so.cache"],
    ),
    caches=[("/etc/ld.so.cache", ["ldconfig"])],
    events=[Event("retired", "a 1-1 (host has 2-1)")],
    triggers=[Run("t 1-1", ["sh", "-c", "script"], ["/usr/share/fonts/a"], "t")],
    retired={"a": Retired("a 1-1", (QuotedName("a"),))},
)

BY_PLACE = [
    sorted(PLAN.host),
    [[file("a-2")], [file("a-1")]],
    [[C], [file("b-1")]],
    {C: "AP8="},
    [
        [
            ["/usr/bin/a", 33188, "sha256:content", "", False, "root:root"],
            ["/usr/share/a", 16877, "", "", False, "root:root"],
        ],
        ["/opt/a"],
        ["/usr/bin/a"],
        ["/usr/share/c"],
        ["/etc/x"],
        ["/srv"],
        ["/usr/bin/b"],
        True,
        ["/etc/ld.so.cache"],
    ],
    [["/etc/ld.so.cache", ["ldconfig"]]],
    [["retired", "a 1-1 (host has 2-1)"]],
]
"""The same plan as toy stored it before its stored plans had a version (commit e1490c2)."""
