# SPDX-License-Identifier: GPL-2.0-or-later
"""A launch with nothing to do does nothing, and none takes a change for nothing."""

import os
import signal
from dataclasses import replace

import pytest
from host import Host
from image import CHECKOUT, EDITOR, RPMS, publish
from overlay import record, start, toy, until_nothing_is_to_be_done
from packages import Package, build
from truth import OVERLAY, is_current, packages

ONE = Package("one", files={"/usr/share/one": "1"})
TWO = replace(ONE, version="2")

HEAVY = {
    "argparse",
    "contextlib",
    "enum",
    "json",
    "pathlib",
    "re",
    "rpm",
    "socket",
    "subprocess",
    "typing",
    "toy.launch.cold",
}
"""Modules that take longer to import than a launch with nothing to do has time for."""


@pytest.fixture
def warm(host: Host) -> Host:
    """A host with a machine that has something of its own, and a launch behind it that had nothing to do."""
    build(host, [ONE, TWO], RPMS)
    toy(host, "zypper", "-n", "install", "hello")
    until_nothing_is_to_be_done(host)
    return host


def test_it_imports_no_more_than_it_needs(warm: Host) -> None:
    done = warm.run("/usr/bin/python3", "-BsS", "-X", "importtime", "/usr/bin/toy", "--", "true")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    folder = {f"toy.launch.{path.stem}" for path in (CHECKOUT / "toy/launch").glob("[!_]*.py")}
    by_keeper = {"toy.launch.host_root", "toy.launch.resolver"}  # while systemd-nspawn is at work
    assert folder - imported == {"toy.launch.cold", "toy.launch.settings", *by_keeper}
    assert imported & HEAVY == set()


def test_who_joins_imports_even_less(warm: Host) -> None:
    process = start(warm, "toy", "--", "sh", "-c", "echo waiting; exec sleep 1000")
    done = warm.run("/usr/bin/python3", "-BsS", "-X", "importtime", "/usr/bin/toy", "--", "true")
    process.terminate()
    process.communicate()
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {name for name in imported if name.startswith("toy.launch.")} == {"toy.launch.launch", "toy.launch.door"}
    assert imported & (HEAVY | {"toy.sessions.host_view", "toy.sessions.keyboard", "toy.sessions.user"}) == set()


LOOKS = ("rpm -qa", "rpm -V editor", "zypper -n search hello")


def test_who_only_looks_changes_nothing(warm: Host) -> None:
    for command in (*LOOKS, "toy status", "toy dump", *(f"toy -- {command}" for command in LOOKS)):
        warm.run(*command.split())
        toy(warm, "true")  # zypper may have made its own cache of what is installed anew, which is shared
        before = record(warm)
        toy(warm, "true")
        assert record(warm) == before, command


@pytest.mark.parametrize(
    "change",
    [
        f"rpm --install {RPMS}/{ONE.file}",
        "echo carol:x:1077:1077::/:/bin/sh >> /etc/passwd",
        "touch /usr/lib/sysimage/rpm/* /etc/rpm",
        "echo d /run/carol > /etc/tmpfiles.d/carol.conf",
        "touch /usr/lib/sysimage/rpm-headers",
    ],
)
def test_a_change_is_followed_once(warm: Host, change: str) -> None:
    warm.sh(change.replace("rpm --install", f"{' '.join(warm.rpm)} --install"))
    toy(warm, "true")
    toy(warm, "true")  # what changed just before the first one is looked at once more
    before = record(warm)
    toy(warm, "true")
    assert record(warm) == before


def test_inode_numbers_that_do_not_last_are_no_change(warm: Host) -> None:
    warm.sh("mkdir /tmp/upper /tmp/work")
    warm.sh("mount -t overlay -o lowerdir=/etc,upperdir=/tmp/upper,workdir=/tmp/work,xino=off overlay /etc")
    until_nothing_is_to_be_done(warm)
    before, number = record(warm), warm.run("stat", "--format=%i", "/etc/rpm").stdout
    warm.sh("echo 2 > /proc/sys/vm/drop_caches")  # dentries and inodes
    assert warm.run("stat", "--format=%i", "/etc/rpm").stdout != number
    toy(warm, "true")
    assert record(warm) == before


def test_commands_in_the_overlay_that_install_nothing_change_nothing(warm: Host) -> None:
    before = record(warm)
    toy(warm, "sh", "-c", "echo x > /etc/x; mkdir /srv/y; useradd bob")
    assert record(warm) == before
    assert toy(warm, "cat", "/etc/x").stdout == "x\n"


@pytest.mark.parametrize(
    "change",
    [
        f"RPM -i --notriggers {RPMS}/{ONE.file}",
        "RPM -e --justdb --notriggers legacy",
        "RPM -e legacy",
        "rpmdb --rebuilddb; RPM -e --notriggers legacy",
        # An older state is put back, with its times.
        "cp -a /usr/lib/sysimage/rpm /tmp/saved; RPM -e legacy; toy -- true;"
        " rm -r /usr/lib/sysimage/rpm; cp -a /tmp/saved /usr/lib/sysimage/rpm",
        # It lies elsewhere, and rpm knows.
        "mv /usr/lib/sysimage/rpm /usr/lib/rpmdb; rm -f /var/lib/rpm; ln -s /usr/lib/rpmdb /var/lib/rpm;"
        " echo '%_dbpath /usr/lib/rpmdb' > /etc/rpm/macros; RPM -e legacy",
        "rm -r /usr/lib/sysimage/rpm-headers",
        "rm /usr/lib/sysimage/rpm-headers/editor*",
        "rm -r /var/lib/toy/toy/rpmdb",
        "toy -- sh -c 'rm -r /usr/lib/sysimage/rpm/*'",
        "rm -r /var/lib/toy/toy/base",
        "rm -r /var/lib/toy/toy/overlay/usr/lib/sysimage/rpm-headers",
        "echo broken > /var/lib/toy/toy/seen",
        ": > /var/lib/toy/toy/seen",
        "truncate --size=-1 /var/lib/toy/toy/seen",
        "RPM --dbpath /var/lib/toy/toy/rpmdb -e --justdb --notriggers legacy",
    ],
)
def test_every_change_is_noticed_by_the_next_launch(warm: Host, change: str) -> None:
    warm.sh(change.replace("RPM", " ".join(warm.rpm)))
    of_host = packages(warm)
    gone = {"legacy-1"} if "--dbpath" in change else set()
    assert packages(warm, *OVERLAY) == (of_host | {"hello-1"}) - gone
    assert is_current(warm, *OVERLAY)
    assert is_current(warm)


def test_a_database_that_went_in_the_overlay_is_made_anew_by_the_next_launch(warm: Host) -> None:
    toy(warm, "sh", "-c", "rm -rf /usr/lib/sysimage/rpm/*")
    assert packages(warm, *OVERLAY) == packages(warm) | {"hello-1"}
    assert is_current(warm, *OVERLAY)


def test_changes_one_right_after_the_other_are_all_noticed(warm: Host) -> None:
    # Whatever the clock's steps: each launch begins as soon as the change is made.
    rpm = " ".join(warm.rpm)
    script = f"""
    for round in 1 2 3 4 5; do
        {rpm} -i --notriggers {RPMS}/{ONE.file}; toy -- rpm -q one
        {rpm} -U --notriggers {RPMS}/{TWO.file}; toy -- rpm -q one
        {rpm} -e --notriggers one; toy -- rpm -q one || :
    done
    """
    said = warm.sh(script).splitlines()
    assert said == 5 * ["one-1-1.noarch", "one-2-1.noarch", "package one is not installed"]


def test_accounts_of_the_host_are_noticed(warm: Host) -> None:
    toy(warm, "useradd", "bob")
    warm.sh("useradd --uid 2000 alice")
    assert toy(warm, "id", "-un", "2000").stdout == "alice\n"


def test_metadata_that_the_host_refreshed_is_noticed(warm: Host) -> None:
    new = Package("new", files={"/usr/share/new": ""})
    publish(warm, new)
    warm.run("zypper", "-n", "refresh")
    assert "new" in toy(warm, "zypper", "-n", "--no-refresh", "search", "new").stdout


def test_an_update_during_a_launch_is_noticed_by_the_next(warm: Host) -> None:
    publish(warm, replace(EDITOR, version="2"))
    process = start(warm, "toy", "--", "sh", "-c", "echo waiting; read line; :")
    warm.run("zypper", "-n", "update")
    process.communicate()
    assert "editor-2" in packages(warm, *OVERLAY)


def test_a_killed_launch_is_no_match_for_the_next(warm: Host) -> None:
    process = start(warm, "toy", "--", "sh", "-c", "zypper -n remove hello >/dev/null; echo waiting; sleep 1000")
    before = record(warm)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert packages(warm, *OVERLAY) == packages(warm)
    assert record(warm) != before
    assert is_current(warm, *OVERLAY)


def test_what_another_directory_of_macros_says_counts(warm: Host) -> None:
    # As with an rpm that lies elsewhere: its configuration comes from the environment.
    warm.sh("cp -r /usr/lib/rpm /usr/lib/rpm2; mv /usr/lib/sysimage/rpm /usr/lib/rpmdb; rm /etc/rpm/macros")
    warm.sh("echo '%_dbpath /usr/lib/rpmdb' >> /usr/lib/rpm2/macros")
    warm.run(*warm.rpm, "--dbpath", "/usr/lib/rpmdb", "--erase", "--justdb", "--notriggers", "legacy")
    toy(warm, "true", env={"RPM_CONFIGDIR": "/usr/lib/rpm2"})
    installed = warm.run("rpm", "--dbpath", "/var/lib/toy/toy/rpmdb", "-qa", "--qf", "%{NAME}\\n").stdout.split()
    assert sorted(installed) == ["editor", "hello", "library", "system", "toy"]


def test_a_database_that_was_removed_in_the_overlay_is_made_anew(warm: Host) -> None:
    toy(warm, "sh", "-c", "rm -rf /usr/lib/sysimage/rpm/*")
    assert packages(warm, *OVERLAY) == packages(warm) | {"hello-1"}
    assert is_current(warm, *OVERLAY)


def test_an_nspawn_that_was_replaced_is_asked_what_it_knows_and_only_once(warm: Host) -> None:
    script = '[ "$1" != --help ] || echo asked >> /var/tmp/asked; exec /usr/bin/systemd-nspawn "$@"'
    warm.write("/usr/local/sbin/systemd-nspawn", f"#!/bin/sh\n{script}\n")
    warm.sh("chmod +x /usr/local/sbin/systemd-nspawn")
    until_nothing_is_to_be_done(warm)
    assert warm.run("cat", "/var/tmp/asked").stdout == "asked\n"
