# SPDX-License-Identifier: GPL-2.0-or-later
"""Packages that replace others by name: renamed, split and merged on the host, while the overlay has or lacks them."""

from dataclasses import replace

import pytest
from host import Host
from image import publish
from packages import Package
from reconciled import enter, in_upper, on_host, overlay
from truth import OVERLAY, packages

pytestmark = pytest.mark.usefixtures("database_and_files_agree")

OLD = Package(
    "oldn",
    files={"/usr/bin/name": "#!/bin/sh\necho old", "/usr/share/oldn/data": "1"},
    directories=("/usr/share/oldn",),
)
NEW = Package("newn", "2", files={"/usr/bin/name": "#!/bin/sh\necho new"}, tags=("Obsoletes: oldn < 2",))


def named(host: Host, *where: str) -> list[str]:
    """The packages of these tests that are installed."""
    return sorted(
        name for name in packages(host, *where) if name.startswith(("old", "new", "big", "extra", "whole", "half"))
    )


@pytest.mark.everywhere
def test_what_the_overlay_has_is_renamed_on_the_host(host: Host) -> None:
    publish(host, OLD)
    overlay(host, "install", "oldn")
    publish(host, NEW)
    on_host(host, "install", "newn")
    assert enter(host) == ["toy: retired: oldn 1-1 (host has newn 2-1)"]
    assert enter(host) == []
    assert named(host, *OVERLAY) == ["newn-2"]
    assert host.run(*OVERLAY, "name").stdout == "new\n"
    assert not in_upper(host, "/usr/share/oldn")


def test_a_version_that_is_not_replaced_stays(host: Host) -> None:
    publish(host, replace(OLD, version="2"))
    overlay(host, "install", "oldn")
    publish(host, replace(NEW, files={"/usr/bin/other": ""}))
    on_host(host, "install", "newn")
    assert enter(host) == []
    assert named(host, *OVERLAY) == ["newn-2", "oldn-2"]


@pytest.mark.everywhere
def test_what_the_overlay_removed_stays_removed_under_another_name(host: Host) -> None:
    publish(host, OLD)
    on_host(host, "install", "oldn")
    overlay(host, "remove", "oldn")
    publish(host, NEW)
    on_host(host, "update")
    assert named(host) == ["newn-2"]
    assert enter(host) == []
    assert named(host, *OVERLAY) == []
    assert host.run(*OVERLAY, "name", check=False).returncode == 127
    publish(host, replace(NEW, version="3"))
    on_host(host, "update")
    assert enter(host) == []
    assert named(host, *OVERLAY) == []


def test_two_become_one(host: Host) -> None:
    one, two = Package("old-a", files={"/usr/bin/a": ""}), Package("old-b", files={"/usr/bin/b": ""})
    publish(host, one, two)
    overlay(host, "install", "old-a", "old-b")
    tags = ("Obsoletes: old-a < 2", "Obsoletes: old-b < 2")
    publish(host, Package("new-both", "2", files={**one.files, **two.files}, tags=tags))
    on_host(host, "install", "new-both")
    assert enter(host) == [
        "toy: retired: old-a 1-1 (host has new-both 2-1)",
        "toy: retired: old-b 1-1 (host has new-both 2-1)",
    ]
    assert named(host, *OVERLAY) == ["new-both-2"]


def test_one_becomes_two(host: Host) -> None:
    big = Package("big", files={"/usr/bin/big": "", "/usr/bin/extra": ""})
    publish(host, big)
    overlay(host, "install", "big")
    publish(host, replace(big, version="2", files={"/usr/bin/big": "2"}))
    publish(host, Package("extra", "2", files={"/usr/bin/extra": "2"}, tags=("Obsoletes: big < 2",)))
    on_host(host, "install", "big", "extra")
    assert enter(host) == ["toy: retired: big 1-1 (host has 2-1)"]
    assert named(host, *OVERLAY) == ["big-2", "extra-2"]
    assert host.run(*OVERLAY, "cat", "/usr/bin/extra").stdout == "2\n"


@pytest.mark.everywhere
def test_the_overlay_has_the_new_name_and_the_host_gets_the_old_one(host: Host) -> None:
    publish(host, NEW)
    overlay(host, "install", "newn")
    publish(host, OLD)
    on_host(host, "install", "--oldpackage", "oldn=1")
    assert named(host) == ["oldn-1"]
    assert enter(host) == []
    assert named(host, *OVERLAY) == ["newn-2"]
    assert host.run(*OVERLAY, "name").stdout == "new\n"
    assert host.run(*OVERLAY, "ls", "/usr/share/oldn", check=False).returncode == 2


HALVES = [Package(f"half-{x}", "2", files={f"/usr/bin/{x}": ""}, tags=("Obsoletes: whole < 2",)) for x in "ab"]


@pytest.mark.parametrize("removed", [["half-b"], ["half-a", "half-b"]])
def test_one_became_two_of_which_the_overlay_removed_some_and_the_host_goes_back(
    host: Host, removed: list[str]
) -> None:
    publish(host, Package("whole", files={"/usr/bin/a": "", "/usr/bin/b": ""}), *HALVES)
    on_host(host, "install", "half-a", "half-b")
    overlay(host, "remove", *removed)
    on_host(host, "install", "--oldpackage", "whole=1", "-half-a", "-half-b")
    assert named(host) == ["whole-1"]
    if removed == ["half-b"]:
        why = "removed here, and a part of the host's whole 1-1"
        assert enter(host) == [f"toy: back: half-b 2-1 ({why}; to do without: toy -n toy -- zypper rm whole)"]
        assert host.run("toy", "status").stdout.count("back: half-b 2-1") == 1
    assert enter(host) == []
    assert named(host, *OVERLAY) == (["whole-1"] if removed == ["half-b"] else [])


def test_two_become_one_of_which_the_overlay_removed_one(host: Host) -> None:
    one, two = Package("old-a", files={"/usr/bin/a": ""}), Package("old-b", files={"/usr/bin/b": ""})
    publish(host, one, two)
    on_host(host, "install", "old-a", "old-b")
    overlay(host, "remove", "old-a")
    tags = ("Obsoletes: old-a < 2", "Obsoletes: old-b < 2")
    publish(host, Package("new-both", "2", files={**one.files, **two.files}, tags=tags))
    on_host(host, "install", "new-both")
    why = "removed here, and a part of the host's new-both 2-1"
    assert enter(host) == [f"toy: back: old-a 1-1 ({why}; to do without: toy -n toy -- zypper rm new-both)"]
    assert named(host, *OVERLAY) == ["new-both-2"]


@pytest.mark.parametrize("provides", [(), ("Provides: oldn = 2",)])
def test_what_an_own_package_needs_is_renamed_on_the_host(host: Host, provides: tuple[str, ...]) -> None:
    publish(host, OLD, Package("needy", tags=("Requires: oldn",)))
    on_host(host, "install", "oldn")
    overlay(host, "install", "needy")
    publish(host, replace(NEW, tags=(*NEW.tags, *provides)))
    on_host(host, "install", "newn")
    problem = "oldn is needed by needy-1-1.noarch (mend it: toy -n toy -- zypper verify)"
    assert enter(host) == ([] if provides else [f"toy: broken: {problem}"])
    assert named(host, *OVERLAY) == ["newn-2"]
    overlay(host, "remove", "needy")


def test_only_names_are_obsolete_not_what_is_provided(host: Host) -> None:
    publish(host, replace(OLD, tags=("Provides: virtual = 1",)))
    overlay(host, "install", "oldn")
    publish(host, replace(NEW, files={"/usr/bin/other": ""}, tags=("Obsoletes: virtual < 2",)))
    on_host(host, "install", "newn")
    assert enter(host) == []
    assert named(host, *OVERLAY) == ["newn-2", "oldn-1"]
