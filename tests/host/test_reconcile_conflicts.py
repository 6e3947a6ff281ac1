# SPDX-License-Identifier: GPL-2.0-or-later
"""A package of the overlay's and one of the host's have the same file, or one breaks the other."""

from dataclasses import replace

import pytest
from backends import needs_openpgp
from host import Host
from image import SOURCE, publish
from packages import Package
from reconciled import UPPER, enter, in_upper, on_host, overlay
from truth import OVERLAY, packages

pytestmark = pytest.mark.usefixtures("database_and_files_agree")


OURS = Package("ours", files={"/usr/share/thing": "ours", "/usr/share/ours": ""})


THEIRS = Package("theirs", files={"/usr/share/thing": "theirs", "/usr/share/theirs": ""})


CONFLICT = "toy: conflict: /usr/share/thing is ours 1-1's in the overlay (theirs 1-1 of the host has it too)"


@pytest.fixture
def conflict(host: Host) -> Host:
    """A host with a new package that has a file of the overlay's package."""
    publish(host, OURS, THEIRS)
    overlay(host, "install", "ours")
    on_host(host, "install", "theirs")
    assert enter(host) == [CONFLICT]
    assert host.run(*OVERLAY, "cat", "/usr/share/thing").stdout == "ours\n"
    return host


def test_a_conflict_stays_when_the_host_updates_its_package(conflict: Host) -> None:
    publish(conflict, replace(THEIRS, version="2", files={"/usr/share/thing": "theirs 2", "/usr/share/theirs-2": ""}))
    on_host(conflict, "update")
    assert enter(conflict) == []
    assert packages(conflict, *OVERLAY) >= {"ours-1", "theirs-2"}
    assert conflict.run(*OVERLAY, "cat", "/usr/share/thing").stdout == "ours\n"


@pytest.mark.everywhere
def test_a_copy_of_another_file_of_the_hosts_package_follows_the_host(host: Host) -> None:
    theirs = replace(THEIRS, files={**THEIRS.files, "/usr/share/copied": "1"}, links={"/usr/share/led": "doc"})
    publish(host, OURS, theirs)
    overlay(host, "install", "ours")
    on_host(host, "install", "theirs")
    assert enter(host) == [CONFLICT]
    host.run(*OVERLAY, "touch", "/usr/share/copied")
    host.run(*OVERLAY, "chown", "-h", "root:root", "/usr/share/led")
    files = {**THEIRS.files, "/usr/share/copied": "2"}
    publish(host, replace(theirs, version="2", files=files, links={"/usr/share/led": "man"}))
    on_host(host, "update", "theirs")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/share/copied").stdout == "2\n"
    assert host.run(*OVERLAY, "readlink", "/usr/share/led").stdout == "man\n"
    assert not in_upper(host, "/usr/share/copied")


def test_a_link_of_a_package_in_conflict_that_leads_elsewhere_now(host: Host) -> None:
    host.change("mkdir -p /usr/share/one /usr/share/two")
    theirs = replace(THEIRS, links={"/usr/share/place": "one"})
    publish(host, OURS, theirs)
    overlay(host, "install", "ours")
    on_host(host, "install", "theirs")
    publish(host, Package("inside", files={"/usr/share/place/inside": "1"}))
    assert enter(host) == [CONFLICT]
    overlay(host, "install", "inside")
    publish(host, replace(theirs, version="2", links={"/usr/share/place": "two"}))
    on_host(host, "update", "theirs")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/share/place/inside").stdout == "1\n"


def test_a_conflict_ends_with_the_overlays_package(conflict: Host) -> None:
    overlay(conflict, "remove", "ours")
    assert conflict.run(*OVERLAY, "cat", "/usr/share/thing").stdout == "theirs\n"
    assert enter(conflict) == []
    assert packages(conflict, *OVERLAY) == packages(conflict)
    assert not in_upper(conflict, "/usr/share")


def test_a_conflict_ends_with_the_hosts_package(conflict: Host) -> None:
    on_host(conflict, "remove", "theirs")
    assert enter(conflict) == []
    assert packages(conflict, *OVERLAY) - packages(conflict) == {"ours-1"}


@pytest.mark.everywhere
def test_a_conflict_that_the_overlay_asked_for(host: Host) -> None:
    publish(host, OURS, THEIRS)
    on_host(host, "install", "theirs")
    host.run(*OVERLAY, *host.rpm, "--install", "--replacefiles", f"/srv/repository/{OURS.file}")
    assert enter(host) == []
    publish(host, replace(THEIRS, version="2"))
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/share/thing").stdout == "ours\n"
    overlay(host, "remove", "ours")
    assert host.run(*OVERLAY, "cat", "/usr/share/thing").stdout == "theirs\n"


def test_a_file_of_the_overlay_where_the_host_gets_a_directory(host: Host) -> None:
    publish(host, OURS)
    overlay(host, "install", "ours")
    publish(host, Package("theirs", files={"/usr/share/thing/inner": ""}, directories=("/usr/share/thing",)))
    on_host(host, "install", "theirs")
    assert enter(host) == [
        CONFLICT,
        CONFLICT.replace("/usr/share/thing", "/usr/share/thing/inner"),
    ]


@pytest.mark.everywhere
def test_a_directory_of_the_overlay_where_the_host_gets_a_link(host: Host) -> None:
    publish(host, replace(OURS, files={"/usr/share/thing/inner": "ours"}))
    overlay(host, "install", "ours")
    publish(host, Package("theirs", links={"/usr/share/thing": "doc"}))
    on_host(host, "install", "theirs")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/share/thing/inner", "/usr/share/doc/inner").stdout == "ours\nours\n"


def test_a_second_conflict_between_the_same_two(conflict: Host) -> None:
    more = {"/usr/share/more": "ours"}
    newer = replace(OURS, version="2", files={**OURS.files, **more})
    publish(conflict, newer)
    conflict.run(*OVERLAY, *conflict.rpm, "--upgrade", "--replacefiles", f"/srv/repository/{newer.file}")
    publish(conflict, replace(THEIRS, version="2", files={**THEIRS.files, "/usr/share/more": "theirs"}))
    on_host(conflict, "update", "theirs")
    assert enter(conflict) == [
        "toy: conflict: /usr/share/more is ours 2-1's in the overlay (theirs 2-1 of the host has it too)"
    ]
    assert conflict.run(*OVERLAY, "cat", "/usr/share/thing", "/usr/share/more").stdout == "ours\nours\n"
    on_host(conflict, "remove", "theirs")
    assert enter(conflict) == []
    assert conflict.run(*OVERLAY, "cat", "/usr/share/thing", "/usr/share/more").stdout == "ours\nours\n"


@pytest.mark.everywhere
def test_three_of_the_overlay_share_a_file_and_the_host_gets_one_after_the_other(host: Host) -> None:
    three = [Package(name, files={"/usr/share/shared": "same", f"/usr/share/{name}": name}) for name in "abc"]
    publish(host, *three)
    overlay(host, "install", "a", "b", "c")
    for name in "ab":
        on_host(host, "install", name)
        assert enter(host) == [f"toy: retired: {name} 1-1 (host has 1-1)"]
        assert host.run(*OVERLAY, "cat", "/usr/share/shared").stdout == "same\n"
    overlay(host, "remove", "c")
    assert host.run(*OVERLAY, "cat", "/usr/share/shared").stdout == "same\n"
    assert not in_upper(host, "/usr/share/c")
    publish(host, *(replace(each, version="2", files={"/usr/share/shared": "new"}) for each in three[:2]))
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/share/shared").stdout == "new\n"


BEFORE = Package("theirs", files={"/usr/share/thing": "a file"})
AFTER = Package(
    "theirs", "2", files={"/usr/share/thing/inner": "theirs"}, directories=("/usr/share/thing",),
    scripts="%pretrans\nrm -rf /usr/share/thing\n",
)  # fmt: skip


@pytest.mark.parametrize(("before", "after"), [(BEFORE, AFTER), (replace(AFTER, version="0"), BEFORE)])
def test_a_copy_of_a_file_where_the_host_gets_a_directory_and_the_reverse(
    host: Host, before: Package, after: Package
) -> None:
    publish(host, before)
    on_host(host, "install", "theirs")
    host.run(*OVERLAY, "sh", "-c", "chown root $(find /usr/share/thing)")
    publish(host, replace(after, scripts="%pretrans\nrm -rf /usr/share/thing\n"))
    on_host(host, "update")
    assert enter(host) == []
    (path,) = after.files
    assert host.run(*OVERLAY, "cat", path).stdout == f"{after.files[path]}\n"


def test_the_overlays_package_below_a_file_that_became_a_directory(host: Host) -> None:
    publish(host, BEFORE)
    on_host(host, "install", "theirs")
    own = Package("ours", files={"/usr/share/thing/own": "ours"}, scripts="%pretrans\nrm -rf /usr/share/thing\n")
    publish(host, own)
    host.run(*OVERLAY, *host.rpm, "--install", "--replacefiles", f"/srv/repository/{own.file}")
    assert host.run(*OVERLAY, "cat", "/usr/share/thing/own").stdout == "ours\n"
    publish(host, AFTER)
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/share/thing/own", "/usr/share/thing/inner").stdout == "ours\ntheirs\n"


IMPORT = f"rpm --import {SOURCE}/tests/support/key.asc"


@pytest.mark.parametrize("key", ["", pytest.param(IMPORT, id="key", marks=needs_openpgp)])
def test_what_the_host_breaks_is_said_once(host: Host, key: str) -> None:
    library, app = Package("lib", tags=("Provides: symbol = 1",)), Package("app", tags=("Requires: symbol = 1",))
    publish(host, library, app)
    on_host(host, "install", "lib")
    overlay(host, "install", "app")
    publish(host, replace(library, version="2", tags=("Provides: symbol = 2",)))
    on_host(host, "update")
    host.change(key or "true")
    assert "broken: " not in host.run("toy", "status").stdout
    assert enter(host) == ["toy: broken: symbol = 1 is needed by app-1-1.noarch (mend it: toy -n toy -- zypper verify)"]
    assert "broken: symbol = 1 is needed by app-1-1.noarch" in host.run("toy", "status").stdout.splitlines()
    assert enter(host) == []
    on_host(host, "install", "hello")
    assert enter(host) == []
    overlay(host, "remove", "app")


def test_a_lot_that_happened_is_said_in_a_few_lines(host: Host) -> None:
    many = [Package(f"many-{number}", files={f"/usr/share/many-{number}": ""}) for number in range(8)]
    publish(host, *many)
    overlay(host, "install", *(package.name for package in many))
    on_host(host, "install", *(package.name for package in many))
    said = enter(host)
    assert len(said) == 5
    assert said[-1] == "toy: and 4 more events; see: toy status toy"


def test_the_hosts_package_in_a_conflict_has_its_files_in_var(host: Host) -> None:
    publish(host, OURS, replace(THEIRS, files={**THEIRS.files, "/var/lib/theirs/data": "data"}))
    overlay(host, "install", "ours")
    on_host(host, "install", "theirs")
    assert host.run(*OVERLAY, "cat", "/var/lib/theirs/data").stdout == "data\n"


def test_files_in_the_way_of_the_hosts_new_package_are_named(host: Host) -> None:
    script = "cd /usr/share; echo mine > one; ln -s doc two; mkdir three; touch three/file"
    host.run(*OVERLAY, "sh", "-ec", script)
    publish(host, Package("new", files={"/usr/share/one/in": "", "/usr/share/two/in": "", "/usr/share/three": ""}))
    on_host(host, "install", "new")
    assert enter(host) == [
        "toy: kept: /usr/share/three (changed in the overlay)",
        "toy: shadowed: /usr/share/one (the host has another one; the overlay keeps its own)",
        "toy: shadowed: /usr/share/two (the host has another one; the overlay keeps its own)",
    ]
    host.sh(f"cd {UPPER}/usr/share; rm -r one two three")


def test_the_same_content_with_another_owner_is_a_conflict(host: Host) -> None:
    publish(host, replace(OURS, owner="daemon"), replace(THEIRS, files={"/usr/share/thing": "ours"}))
    overlay(host, "install", "ours")
    on_host(host, "install", "theirs")
    assert enter(host) == [CONFLICT]
