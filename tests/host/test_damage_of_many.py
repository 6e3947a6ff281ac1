# SPDX-License-Identifier: GPL-2.0-or-later
"""Several things that are damaged at once: all that any set or database has is mended by one launch."""

from dataclasses import replace

import pytest
from host import Host
from image import EDITOR, publish
from overlay import toy
from packages import Package
from reconciled import killed_before
from truth import OVERLAY, is_current, packages

STATE = "/var/lib/toy/toy"
SET = "/usr/lib/sysimage/rpm-headers"
UPPER_SET = f"{STATE}/overlay{SET}"
HIDDEN = f"{STATE}/hidden"

MENDED = "did not match the rpm database; the header set matches it now"


def empty(host: Host, *patterns: str) -> None:
    """Empty the header files that match."""
    for pattern in patterns:
        host.sh(f"for file in {pattern}; do test -s $file && truncate -s 0 $file; done")


def test_two_files_of_the_host_and_two_of_the_overlay(host: Host) -> None:
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    publish(host, Package("two", files={"/usr/bin/two": ""}), Package("three", files={"/usr/bin/three": ""}))
    host.run(*OVERLAY, "zypper", "-n", "install", "two")
    host.zypper("install", "three")
    host.zypper("remove", "legacy")
    empty(host, f"{UPPER_SET}/hello-*", f"{UPPER_SET}/two-*", f"{SET}/three-*", f"{SET}/library-*")
    done = toy(host, "true")
    assert (done.returncode, done.stderr.count("toy: header file"), done.stderr.count(MENDED)) == (0, 4, 4)
    assert len(done.stderr.splitlines()) == 4
    assert toy(host, "true").stderr == ""
    assert packages(host, *OVERLAY) == packages(host) | {"hello-1", "two-1"}
    assert is_current(host)
    assert is_current(host, *OVERLAY)


def test_a_hidden_one_is_mended_while_the_host_has_it(host: Host) -> None:
    host.run(*OVERLAY, "zypper", "-n", "remove", "editor")
    empty(host, f"{HIDDEN}/editor-*")
    host.zypper("remove", "legacy")
    assert toy(host, "true").returncode == 0
    host.sh(f"test -s {HIDDEN}/editor-*")
    host.zypper("remove", "editor")
    assert toy(host, "true").stderr == ""
    assert host.sh(f"find {HIDDEN} {STATE}/overlay/usr -name 'editor*'") == ""


def test_a_hidden_one_that_nobody_has_any_more_hides_nothing(host: Host) -> None:
    host.run(*OVERLAY, "zypper", "-n", "remove", "editor", "legacy")
    empty(host, f"{HIDDEN}/editor-*", f"{HIDDEN}/legacy-*")
    host.zypper("remove", "editor")
    done = toy(host, "true")
    assert (done.returncode, len(done.stderr.splitlines()) <= 2) == (0, True), done.stderr
    assert toy(host, "true").stderr == ""
    host.sh(f"test -s {HIDDEN}/legacy-*")
    assert host.sh(f"ls {HIDDEN} | wc -l; ls {STATE}/overlay/usr/bin") == "1\nlegacy\n"
    host.zypper("install", "editor")  # it comes anew, and nobody removed that
    assert packages(host, *OVERLAY) == packages(host) - {"legacy-1"}
    assert toy(host, "test", "-e", "/usr/bin/editor").returncode == 0


@pytest.fixture
def changed(host: Host) -> Host:
    """A host with a machine that removed packages and has one of its own; then the host got other versions."""
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    host.run(*OVERLAY, "zypper", "-n", "remove", "editor", "legacy")
    publish(host, replace(EDITOR, version="2"))
    return host


def updated(host: Host) -> None:
    host.run("zypper", "-n", "update", "editor")


WANTED = {"library-1", "hello-1"}

KILLED_AT = {
    "before anything is done": "carry_out",
    "before the header set is changed": "arrange",
    "before the database is in place": "commit",
    "before the plan is forgotten": "close",
}
"""Functions of toy at whose beginning a launch is killed."""

KILLER = """
import os, sys
sys.path.insert(0, "/usr/lib/toy")
sys.argv = ["toy", "--", "true"]
from toy.reconcile import carry_out, commit, journal, reconcile
from toy.headers import preserve
def die(*_, **__):
    os.kill(os.getpid(), 9)
where = sys.stdin.read()
if where == "carry_out": reconcile.carry_out = die
if where == "arrange": preserve.arrange = carry_out.preserve.arrange = die
if where == "commit": reconcile.commit = die
if where == "close": journal.Journal.close = die
from toy.cli import main
main()
"""


def kill(host: Host, where: str) -> None:
    """Kill a launch at the beginning of a function, when it has recorded its plan."""
    done = host.run("/usr/bin/python3", "-BsSXutf8", "-c", KILLER, input=where, check=False)
    assert done.returncode == 137 or done.returncode == -9, done.stderr
    host.sh(f"test -s {STATE}/intent")


@pytest.mark.parametrize("where", KILLED_AT.values(), ids=KILLED_AT)
@pytest.mark.parametrize("lost", ["base", "base stamp", "base stamp rpmdb", "stamp", "rpmdb"])
def test_what_was_removed_stays_so_with_a_plan_that_was_begun(changed: Host, where: str, lost: str) -> None:
    updated(changed)
    kill(changed, where)
    damage = {"base": f": > {STATE}/base", "stamp": f": > {UPPER_SET}/.stamp", "rpmdb": f"rm -r {STATE}/rpmdb"}
    changed.sh("; ".join(damage[each] for each in lost.split()))
    done = toy(changed, "true")
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) <= 1, done.stderr
    assert packages(changed, *OVERLAY) == WANTED
    assert toy(changed, "sh", "-c", "test ! -e /usr/bin/editor && test -e /usr/bin/hello").returncode == 0
    assert is_current(changed, *OVERLAY)


@pytest.mark.parametrize("lost", ["base", "base stamp", "base stamp rpmdb", "base rpmdb"])
def test_what_was_removed_stays_so_without_base_and_stamp(changed: Host, lost: str) -> None:
    damage = {"base": f": > {STATE}/base", "stamp": f": > {UPPER_SET}/.stamp", "rpmdb": f"rm -r {STATE}/rpmdb"}
    changed.sh("; ".join(damage[each] for each in lost.split()))
    updated(changed)
    done = toy(changed, "true")
    assert done.returncode == 0, done.stderr
    assert packages(changed, *OVERLAY) == WANTED
    assert toy(changed, "sh", "-c", "test ! -e /usr/bin/editor && test -e /usr/bin/hello").returncode == 0
    assert is_current(changed, *OVERLAY)


@pytest.mark.parametrize("how", ["rm", "truncate -s 0"])
def test_database_and_header_are_lost_with_a_plan_that_was_begun(changed: Host, how: str) -> None:
    updated(changed)
    kill(changed, "commit")
    changed.sh(f"rm -r {STATE}/rpmdb; {how} {UPPER_SET}/hello-*")
    done = toy(changed, "true")
    if done.returncode:  # the file is there, and nobody has what was in it
        assert how != "rm"
        (line,) = done.stderr.splitlines()
        changed.sh("mv" + line.partition(": mv")[2])
        done = toy(changed, "true")
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()
    command = "toy -n toy -- zypper in hello"
    assert line == f"toy: gone: hello 1-1 (its header is lost; install it again: {command})"
    assert packages(changed, *OVERLAY) == WANTED - {"hello-1"}
    changed.run(*command.replace("zypper", "zypper -n").split())
    assert packages(changed, *OVERLAY) == WANTED


@pytest.mark.parametrize("is_in_place", [False, True])
def test_the_base_of_a_database_that_is_about_to_be_in_place_is_lost(changed: Host, is_in_place: bool) -> None:
    publish(changed, Package("new", files={"/usr/bin/new": ""}))
    changed.zypper("install", "new")
    updated(changed)
    line = "self._new_base.rename" if is_in_place else "self._new.rename"
    killed_before(changed, "reconcile/journal", line)
    changed.sh(f": > {STATE}/base.new")
    assert toy(changed, "true").returncode == 0
    assert packages(changed, *OVERLAY) == WANTED | {"new-1"}
    assert toy(changed, "sh", "-c", "test ! -e /usr/bin/editor && test -e /usr/bin/hello").returncode == 0
    assert is_current(changed, *OVERLAY)
