# SPDX-License-Identifier: GPL-2.0-or-later
"""`toy --snapshot`: a machine over a snapshot that does not run, with the /etc that it will have."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from etc_overlay import EtcOverlay
from image import publish
from microos import BASE, NEXT, Disk, MicroOS
from overlay import keepers, refused, start
from truth import OVERLAY, is_current, packages


@pytest.fixture
def host(microos: MicroOS) -> MicroOS:
    return microos


@pytest.fixture
def overlaid(disk: Disk, tmp_path: Path) -> Iterator[EtcOverlay]:
    """A host whose /etc is an overlay, with toy on it."""
    with EtcOverlay(disk, tmp_path / "host") as host:
        yield host


class TestSnapshot:
    @pytest.fixture
    def pending(self, host: MicroOS) -> int:
        publish(host, NEXT)
        return host.update(*host.zypper_in_snapshot("install", "editor"))

    @pytest.mark.parametrize("which", ["default", "2"])
    def test_a_preview_of_what_is_pending(self, host: MicroOS, pending: int, which: str) -> None:
        assert pending == 2
        host.write("/home/theirs", "host")
        host.run(*OVERLAY, "zypper", "-n", "install", "hello")
        script = "editor; cat /home/theirs; zypper -n install hello >&2; hello; rpm -Va --noconfig"
        shown = host.run("toy", "--snapshot", which, "--", "sh", "-c", script).stdout
        assert shown == "editor 2\nhostHello, world!\n"
        # It left nothing.
        assert host.run("ls", "-A", "/var/lib/toy").stdout == "toy\n"
        assert host.run("ls", "-A", "/var/lib/machines").stdout.split() == [".toy", "toy"]
        assert host.run(*OVERLAY, "editor").stdout == "editor 1\n"
        assert packages(host, *OVERLAY) == BASE | {"hello-1"}

    def test_a_named_machine_stays(self, host: MicroOS, pending: int) -> None:
        host.run("toy", "-n", "next", "--snapshot", "default", "--", "zypper", "-n", "install", "hello")
        where = ("toy", "-n", "next", "--snapshot", "default", "--")
        assert packages(host, *where) == {"editor-2", "library-1", "legacy-1", "hello-1"}
        assert packages(host, "toy", "-n", "next", "--") == BASE | {"hello-1"}
        host.reboot()
        assert packages(host, "toy", "-n", "next", "--") == {"editor-2", "library-1", "legacy-1", "hello-1"}

    def test_the_running_one(self, host: MicroOS) -> None:
        assert host.run("toy", "--snapshot", "1", "--", "editor").stdout == "editor 1\n"

    def test_the_running_one_while_another_is_applied(self, host: MicroOS, pending: int) -> None:
        host.run("mount", "--rbind", f"/.snapshots/{pending}/snapshot/usr", "/usr")
        assert host.run("toy", "--snapshot", "1", "--", "editor").stdout == "editor 1\n"
        assert host.run(*OVERLAY, "editor").stdout == "editor 2\n"

    def test_the_status_of_a_command_and_of_a_signal(self, host: MicroOS) -> None:
        assert host.run("toy", "--snapshot", "1", "--", "sh", "-c", "exit 7", check=False).returncode == 7

    def test_one_debugs_the_host_from_it(self, host: MicroOS, pending: int) -> None:
        shown = ("sh", "-c", "editor; sed -n 's/NSpid:\\s*//p' /proc/self/status | wc -w; readlink /proc/self/ns/pid")
        said = host.run("toy", "--host", "--snapshot", f"{pending}", "--", *shown).stdout
        assert said == f"editor 2\n1\n{host.sh('readlink /proc/self/ns/pid')}"
        assert host.run("ls", "-A", "/var/lib/toy").stdout == ""

    def test_what_a_killed_one_left_goes_with_the_next(self, host: MicroOS) -> None:
        process = start(host, "toy", "--snapshot", "1", "--", "sh", "-c", "echo waiting; sleep 1000")
        process.kill()
        process.communicate()
        while keepers(host):
            pass  # it ends the machine, and has it locked until then
        assert host.run("ls", "/var/lib/toy").stdout.startswith("snapshot-1-")
        host.run("toy", "--snapshot", "1", "--", "true")
        assert host.run("ls", "-A", "/var/lib/toy").stdout == ""

    @pytest.mark.parametrize("which", ["99", "0", "-1", "x", "", "../1"])
    def test_there_is_no_such_one(self, host: MicroOS, which: str) -> None:
        line = refused(host, "toy", f"--snapshot={which}", "--", "true")
        assert line == f"there is no snapshot {which}; see which there are: ls /.snapshots"
        assert host.run("ls", "-A", "/var/lib/toy").stdout == ""

    def test_what_is_booted_next_is_none(self, host: MicroOS) -> None:
        host.run("btrfs", "subvolume", "set-default", "5", "/var")
        line = refused(host, "toy", "--snapshot", "default")
        assert line == "the default btrfs subvolume is no snapshot; give the number of one: toy --snapshot N"

    def test_there_are_none(self, host: MicroOS) -> None:
        host.run("umount", "/.snapshots")
        assert refused(host, "toy", "--snapshot", "1").startswith("there is no snapshot 1; ")

    def test_one_that_is_in_progress(self, host: MicroOS) -> None:
        script = "toy --snapshot 2 -- true || echo status $?; echo waiting >&2"
        done = host.run("sh", "-c", script, check=False)
        assert "status 125" in done.stdout
        host.write("/run/try", "#!/bin/sh\ntoy --snapshot 2 -- true\necho $? > /var/status\n")
        host.update("sh", "/run/try")
        assert host.run("cat", "/var/status").stdout == "125\n"
        assert host.run("toy", "--snapshot", "2", "--", "editor").stdout == "editor 1\n"


class TestInAnUpdate:
    """In `transactional-update shell` and `run`."""

    LINE = (
        "machines cannot be used in the snapshot of an unfinished update;"
        " leave it (exit), and run toy in the running system"
    )

    STRIPPED = "env --unset=TRANSACTIONAL_UPDATE --unset=TRANSACTIONAL_UPDATE_ROOT"
    """What sudo(8) leaves of the environment."""

    @pytest.mark.parametrize("stripped", ["", STRIPPED])
    @pytest.mark.parametrize(
        "command", ["toy", "toy -- true", "toy -n other", "toy --snapshot default", "toy status", "toy diff other"]
    )
    def test_there_is_no_machine(self, host: MicroOS, command: str, stripped: str) -> None:
        script = f"{stripped} {command} 2>&1 && exit 1; echo $?; ls -d /var/lib/toy /var/lib/machines 2>/dev/null || :"
        assert host.in_update(script) == f"toy: {self.LINE}\n125\n"

    @pytest.mark.parametrize("stripped", ["", STRIPPED])
    @pytest.mark.parametrize("command", ["dump", "init", "--init", "dump --changed", "dump --root /"])
    def test_a_dump_is_for_the_snapshot(self, host: MicroOS, command: str, stripped: str) -> None:
        erase = f"{' '.join(host.rpm)} -e --justdb --notriggers legacy 2>/dev/null"
        assert host.in_update(f"{erase}; {stripped} toy {command} 2>&1") == ""
        host.reboot()
        assert packages(host) == {"editor-1", "library-1"}
        assert is_current(host)

    @pytest.mark.parametrize("asked", ["--help", "--version", "status --help"])
    def test_help_is_everywhere(self, host: MicroOS, asked: str) -> None:
        assert "toy" in host.in_update(f"toy {asked}")

    def test_one_without_the_snapshots_around_it(self, host: MicroOS) -> None:
        said = host.in_update(f"umount /.snapshots; {self.STRIPPED} toy -- true 2>&1 || echo $?")
        assert said == f"toy: {self.LINE}\n125\n"


class TestEtcOfASnapshot:
    """What will be booted is more than what lies in the snapshot."""

    NEW = replace(NEXT, files={**NEXT.files, "/etc/editor.conf": "tabs=16", "/etc/editor.d/new": "new"})

    FILES = "editor.conf editor.d/new changed added"
    SHOW = ("sh", "-c", f"cd /etc; head -v {FILES} 2>&1; id -un 7001; ls; rpm -Va --noconfig")

    SHOWN = "".join(
        f"==> {path} <==\n{content}\n\n"
        for path, content in (("editor.conf", "tabs=16"), ("editor.d/new", "new"), ("changed", "2"), ("added", "2"))
    )

    def update(self, host: MicroOS) -> None:
        """Have an update to be booted, with changes to the running /etc before and after."""
        host.sh("cd /etc; echo one > changed; echo 1 > removed; useradd --uid 7001 before")
        publish(host, self.NEW)
        host.update(*host.zypper_in_snapshot("install", "editor"))
        host.sh("cd /etc; echo 2 > changed; rm removed; mkdir directory; echo 2 > added; echo tabs=9 > editor.conf")

    def shown(self, host: MicroOS) -> str:
        """Return what /etc has over the next boot's snapshot. That is all there is to be said."""
        done = host.run("toy", "--snapshot", "default", "--", *self.SHOW)
        assert done.stderr == ""
        assert host.run("findmnt", "--submounts", "/.snapshots", "--noheadings").stdout.count("\n") == 1
        return done.stdout

    def test_as_an_overlay(self, overlaid: EtcOverlay) -> None:
        self.update(overlaid)
        before = self.shown(overlaid)
        assert before.startswith(f"{self.SHOWN.rstrip()}\nbefore\n")
        assert "\nremoved\n" not in before
        overlaid.reboot()
        assert overlaid.run(*self.SHOW).stdout == before

    def test_as_an_overlay_over_one_that_waits_too(self, overlaid: EtcOverlay) -> None:
        self.update(overlaid)
        before = self.shown(overlaid)
        overlaid.update("touch", "/var/lib/overlay/3/etc/third")
        assert self.shown(overlaid) == before.replace("\nterminfo", "\nterminfo\nthird")
        # Back to the first, from the third.
        overlaid.reboot()
        overlaid.default(1)
        assert "editor.d/new <==" not in self.shown(overlaid)

    def test_changes_of_the_running_one_that_the_boot_brings_over(self, host: MicroOS) -> None:
        self.update(host)
        before = self.shown(host)
        assert before.startswith(f"{self.SHOWN.rstrip()}\nbefore\n")
        assert "\nremoved\n" not in before
        assert "\ndirectory\n" in before
        assert "syncpoint" not in before
        asked = "umask 077; exec toy --snapshot default -- stat --format=%A /etc"
        assert host.run("sh", "-c", asked).stdout == "drwxr-xr-x\n"
        # In the snapshot itself nothing is done before its time.
        assert host.run("cat", "/.snapshots/2/snapshot/etc/changed").stdout == "one\n"
        host.update("true")
        assert self.shown(host) == before

    def test_a_named_machine_follows_it(self, overlaid: EtcOverlay) -> None:
        self.update(overlaid)
        there = ("toy", "-n", "next", "--snapshot", "default", "--")
        overlaid.run(*there, "sh", "-ec", "rm /etc/editor.d/new /etc/added; useradd --uid 7003 ours")
        overlaid.sh("useradd --uid 7002 theirs; echo 3 > /etc/changed")
        script = ("sh", "-c", "cat /etc/editor.conf /etc/changed; id -un ours 7002; ls /etc/editor.d /etc/added 2>&1")
        before = overlaid.run(*there, *script, check=False).stdout
        assert before.startswith("tabs=16\n3\nours\ntheirs\n")
        assert before.endswith("/etc/editor.d:\n")
        assert before.count("/etc/added': No such file") == 1
        overlaid.reboot()
        assert overlaid.run("toy", "-n", "next", "--", *script, check=False).stdout == before

    @pytest.mark.parametrize(
        ("edit", "missing"),
        [
            ("s#upperdir=[^,]*,##", "''"),
            ("s#upperdir=[^,]*#upperdir=/no/such#", "'/no/such'"),
            ("s#lowerdir=[^,]*#lowerdir=/etc/passwd:/no/such#", "'/etc/passwd', '/no/such'"),
            ("s#overlay /etc overlay .*#overlay /etc overlay#", "'', ''"),
        ],
    )
    def test_an_fstab_that_is_no_help(self, overlaid: EtcOverlay, edit: str, missing: str) -> None:
        overlaid.update("true")
        read_only = "btrfs property set -ts /.snapshots/2/snapshot ro"
        overlaid.sh(f"{read_only} false; sed -i '{edit}' /.snapshots/2/snapshot/etc/fstab; {read_only} true")
        done = overlaid.run("toy", "--snapshot", "default", "--", "cat", "/etc/editor.conf")
        assert done.stdout == "tabs=8\n"
        what = "part of the snapshot's /etc is not shown, since its fstab has layers that are no directories"
        assert done.stderr == f"toy: {what}: {missing}\n"
