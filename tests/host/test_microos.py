# SPDX-License-Identifier: GPL-2.0-or-later
"""Where toy's users are: snapshots, a root that cannot be written, and mounts below it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from etc_overlay import EtcOverlay
from image import EDITOR, RPMS, publish
from microos import Disk, MicroOS, shared
from overlay import record, refused, start, until_nothing_is_to_be_done
from packages import Package
from truth import OVERLAY, header_set, is_current, packages

BASE = {"editor-1", "library-1", "legacy-1"}

BARE = Package("bare")
"""A package without a file: no trigger of toy's runs for it."""

NEXT = replace(EDITOR, version="2", files={**EDITOR.files, "/usr/bin/editor": "#!/bin/sh\necho editor 2"})


@pytest.fixture
def host(microos: MicroOS) -> MicroOS:
    return microos


@pytest.fixture
def overlaid(disk: Disk, tmp_path: Path) -> Iterator[EtcOverlay]:
    """A host whose /etc is an overlay, with toy on it."""
    with EtcOverlay(disk, tmp_path / "host") as host:
        yield host


def in_snapshot(host: MicroOS, number: int) -> tuple[str, ...]:
    """Return what goes before a command to run it in a snapshot, as it is."""
    return ("chroot", f"/.snapshots/{number}/snapshot")


def agrees(host: MicroOS) -> None:
    """See that database, set and files of the overlay are one."""
    assert is_current(host, *OVERLAY)
    assert host.run(*OVERLAY, "rpm", "-Va", "--noconfig", check=False).stdout == ""


def test_the_first_run_needs_no_reboot(host: MicroOS) -> None:
    assert host.run("touch", "/usr/file", check=False).returncode == 1
    assert packages(host, *OVERLAY) == BASE
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    assert host.run(*OVERLAY, "hello").stdout == "Hello, world!\n"
    assert packages(host, *OVERLAY) == BASE | {"hello-1"}
    agrees(host)
    assert packages(host) == BASE


@pytest.mark.parametrize("breakage", ["rm -r {}", "rm {}/editor-*", "rm {}/.stamp", "echo > {}/.stamp"])
def test_the_first_run_of_a_host_without_a_set_or_with_a_stale_one(host: MicroOS, breakage: str) -> None:
    headers = '"$TRANSACTIONAL_UPDATE_ROOT"/usr/lib/sysimage/rpm-headers'
    host.update("sh", "-c", breakage.format(headers))
    host.reboot()
    before = host.sh("ls -l /usr/lib/sysimage/rpm-headers 2>&1 || :")
    assert packages(host, *OVERLAY) == BASE
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    agrees(host)
    assert host.sh("ls -l /usr/lib/sysimage/rpm-headers 2>&1 || :") == before
    host.zypper("remove", "legacy")
    assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
    agrees(host)


def test_an_update_leaves_the_new_snapshots_set_current_and_the_running_one_alone(host: MicroOS) -> None:
    publish(host, NEXT, BARE)
    before = header_set(host)
    number = host.update(*host.zypper_in_snapshot("install", "editor", "bare", "hello"))
    assert is_current(host, *in_snapshot(host, number))
    assert packages(host, *in_snapshot(host, number)) == {"editor-2", "library-1", "legacy-1", "bare-1", "hello-1"}
    assert header_set(host) == before
    assert is_current(host)
    number = host.update(*host.zypper_in_snapshot("remove", "bare"))
    assert is_current(host, *in_snapshot(host, number))
    assert "bare-1" not in packages(host, *in_snapshot(host, number))


def test_the_overlay_follows_updates_and_rollbacks(host: MicroOS) -> None:
    publish(host, NEXT, BARE)
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    host.zypper("install", "editor", "bare")
    assert host.run(*OVERLAY, "editor").stdout == "editor 2\n"
    assert packages(host, *OVERLAY) == {"editor-2", "library-1", "legacy-1", "bare-1", "hello-1"}
    agrees(host)
    host.default(1)
    host.reboot()
    assert host.run(*OVERLAY, "editor").stdout == "editor 1\n"
    assert packages(host, *OVERLAY) == BASE | {"hello-1"}
    agrees(host)


def test_what_the_host_comes_to_have_is_retired(host: MicroOS) -> None:
    publish(host, NEXT)
    host.run(*OVERLAY, "zypper", "-n", "install", "hello", "editor")
    host.run(*OVERLAY, "zypper", "-n", "remove", "legacy")
    host.zypper("install", "editor", "hello")
    said = host.run(*OVERLAY, "true").stderr
    assert "toy: retired: editor 2-1 (host has 2-1)\n" in said
    assert packages(host, *OVERLAY) == {"editor-2", "library-1", "hello-1"}
    agrees(host)


def test_the_overlay_is_over_what_runs_and_not_over_what_is_booted_next(host: MicroOS) -> None:
    publish(host, NEXT)
    host.run(*OVERLAY, "true")
    host.update(*host.zypper_in_snapshot("install", "editor"))
    assert host.run(*OVERLAY, "editor").stdout == "editor 1\n"
    assert packages(host, *OVERLAY) == BASE
    agrees(host)


def test_the_overlay_is_over_what_was_applied(host: MicroOS) -> None:
    # As transactional-update apply does it.
    publish(host, NEXT)
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    host.run(*OVERLAY, "sh", "-c", "echo mine > /usr/local/mine; echo mine > /usr/mine")
    number = host.update(*host.zypper_in_snapshot("install", "editor"))
    for name in ("usr", "etc"):
        host.run("mount", "--rbind", f"/.snapshots/{number}/snapshot/{name}", f"/{name}")
    assert host.run("editor").stdout == "editor 2\n"
    assert host.run(*OVERLAY, "sh", "-c", "editor; hello; cat /usr/mine").stdout == "editor 2\nHello, world!\nmine\n"
    assert packages(host, *OVERLAY) == {"editor-2", "library-1", "legacy-1", "hello-1"}
    agrees(host)
    host.run(*OVERLAY, "zypper", "-n", "remove", "library")
    host.reboot()
    assert host.run(*OVERLAY, "cat", "/usr/local/mine", "/usr/mine").stdout == "mine\nmine\n"
    assert packages(host, *OVERLAY) == {"editor-2", "legacy-1", "hello-1"}
    agrees(host)


def test_etc_as_an_overlay_mount(host: MicroOS) -> None:
    # As in MicroOS before transactional-update 5.
    host.sh("mkdir -p /var/lib/overlay/upper /var/lib/overlay/work")
    options = "lowerdir=/etc,upperdir=/var/lib/overlay/upper,workdir=/var/lib/overlay/work"
    host.sh(f"mount -t overlay -o {options} overlay /etc; echo host > /etc/host")
    assert host.run(*OVERLAY, "cat", "/etc/host").stdout == "host\n"
    host.run(*OVERLAY, "sh", "-c", "echo overlay > /etc/host; useradd --uid 7003 ours")
    host.run("useradd", "-u", "7002", "theirs")
    assert host.run(*OVERLAY, "cat", "/etc/host").stdout == "overlay\n"
    assert host.run(*OVERLAY, "id", "-un", "ours").stdout == "ours\n"
    assert host.run(*OVERLAY, "id", "-un", "theirs").stdout == "theirs\n"
    assert host.run("cat", "/etc/host").stdout == "host\n"


def test_a_set_that_is_not_what_its_stamp_says(host: MicroOS) -> None:
    # rpm marks a file of the first package's as replaced in its header, and its header stays so.
    one, other = (Package(name, files={"/usr/share/common": name}) for name in ("one", "other"))
    publish(host, one, other)
    rpm = " ".join(host.rpm)
    host.change(f"{rpm} -i {RPMS}/{one.file}")
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    host.change(f"{rpm} -i --replacefiles --notriggers {RPMS}/{other.file}")
    assert packages(host, *OVERLAY) == BASE | {"one-1", "other-1", "hello-1"}
    host.change(f"{rpm} -e --notriggers other")
    for _ in range(2):
        assert packages(host, *OVERLAY) == BASE | {"one-1", "hello-1"}
        assert is_current(host, *OVERLAY)
    assert not is_current(host)
    host.change(f"{rpm} -e legacy")
    assert packages(host, *OVERLAY) == {"editor-1", "library-1", "one-1", "hello-1"}
    assert is_current(host, *OVERLAY)


@pytest.mark.parametrize("breakage", [":", "rm -r {}"])
def test_a_launch_after_a_reboot_has_nothing_to_do(host: MicroOS, breakage: str) -> None:
    host.change(breakage.format("/usr/lib/sysimage/rpm-headers"))
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    until_nothing_is_to_be_done(host)
    before = record(host)
    host.reboot()
    assert host.run(*OVERLAY, "hello").stdout == "Hello, world!\n"
    assert record(host) == before
    host.zypper("remove", "legacy")
    assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
    assert record(host) != before


class TestToyItselfInAnUpdate:
    """Its package comes and goes in a new snapshot, the plugin at work being the running host's, if it has one."""

    SET = "/usr/lib/sysimage/rpm-headers"

    def test_the_package_goes(self, host: MicroOS) -> None:
        number = host.update(*host.zypper_in_snapshot("remove", "toy"))
        assert host.run(*in_snapshot(host, number), "test", "-e", self.SET, check=False).returncode == 1
        assert is_current(host)
        # Nor is one made by a later update, before the reboot.
        number = host.update(*host.zypper_in_snapshot("remove", "legacy"))
        assert host.run(*in_snapshot(host, number), "test", "-e", self.SET, check=False).returncode == 1

    def test_the_package_comes_back(self, host: MicroOS) -> None:
        host.update(*host.zypper_in_snapshot("remove", "toy"))
        number = host.update(*host.zypper_in_snapshot("install", "toy"))
        assert is_current(host, *in_snapshot(host, number))

    def test_the_package_comes_to_a_host_without_it(self, host: MicroOS) -> None:
        host.zypper("remove", "toy")
        assert host.run("test", "-e", self.SET, check=False).returncode == 1
        number = host.update(*host.zypper_in_snapshot("install", "toy"))
        assert is_current(host, *in_snapshot(host, number))
        host.reboot()
        assert packages(host, *OVERLAY) == BASE

    def test_the_package_has_a_set_that_is_missing(self, host: MicroOS) -> None:
        host.update("sh", "-c", f'rm -r "$TRANSACTIONAL_UPDATE_ROOT{self.SET}"')
        number = host.update(*host.zypper_in_snapshot("remove", "legacy"))
        assert is_current(host, *in_snapshot(host, number))


class TestSystemExtensions:
    """systemd-sysext(8) mounts an overlay over /usr, and anew whenever there is another extension."""

    @pytest.fixture
    def extended(self, host: MicroOS) -> MicroOS:
        host.sh("mount --make-rshared /")  # as systemd has it
        self.extend(host, "one", "1")
        host.run("systemd-sysext", "merge")
        assert host.run("one").stdout == "1\n"
        return host

    @staticmethod
    def extend(host: MicroOS, name: str, says: str) -> None:
        """Make an extension with a program, or another version of it."""
        root = f"/run/extensions/{name}/usr"
        host.write(f"{root}/lib/extension-release.d/extension-release.{name}", "ID=_any\n")
        host.write(f"{root}/bin/{name}", f"#!/bin/sh\necho {says}\n")
        host.run("chmod", "755", f"{root}/bin/{name}")

    def test_they_come_change_and_go_between_launches(self, extended: MicroOS) -> None:
        host = extended
        host.run(*OVERLAY, "zypper", "-n", "install", "hello")
        done = host.run(*OVERLAY, "sh", "-ec", "one; hello; echo ours > /usr/bin/ours")
        assert (done.stdout, done.stderr) == ("1\nHello, world!\n", "")
        agrees(host)
        self.extend(host, "one", "2")
        self.extend(host, "two", "2")
        host.run("systemd-sysext", "refresh")
        done = host.run(*OVERLAY, "sh", "-ec", "one; two; hello; cat /usr/bin/ours")
        assert (done.stdout, done.stderr) == ("2\n2\nHello, world!\nours\n", "")
        host.run(*OVERLAY, "zypper", "-n", "remove", "legacy")
        agrees(host)
        host.run("systemd-sysext", "unmerge")
        assert host.run(*OVERLAY, "sh", "-c", "one; two; legacy; hello; cat /usr/bin/ours").stdout == (
            "Hello, world!\nours\n"
        )
        assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
        agrees(host)
        assert packages(host) == BASE
        assert host.run("legacy").stdout == "legacy\n"

    def test_an_update_with_one_merged(self, extended: MicroOS) -> None:
        host = extended
        publish(host, NEXT)
        host.run(*OVERLAY, "zypper", "-n", "install", "hello")
        host.zypper("install", "editor")
        host.sh("mount --make-rshared /")
        self.extend(host, "one", "1")
        host.run("systemd-sysext", "merge")
        assert host.run(*OVERLAY, "sh", "-ec", "one; editor; hello").stdout == "1\neditor 2\nHello, world!\n"
        assert packages(host, *OVERLAY) == {"editor-2", "library-1", "legacy-1", "hello-1"}
        agrees(host)

    def test_what_was_changed_of_one_stays(self, extended: MicroOS) -> None:
        host = extended
        host.run(*OVERLAY, "sh", "-c", "echo echo mine >> /usr/bin/one")
        host.run("systemd-sysext", "unmerge")
        assert host.run(*OVERLAY, "one").stdout == "1\nmine\n"


class TestMountsBelowTheRoot:
    def test_they_show_and_what_is_written_stays_in_the_overlay(self, host: MicroOS) -> None:
        places = [f"/{name}" for name in shared() if name not in ("var", "root")]
        for place in places:
            host.write(f"{place}/theirs", "host")
        script = "cat $1/theirs && echo ours > $1/theirs && echo ours > $1/ours"
        for place in places:
            assert host.run(*OVERLAY, "sh", "-c", script, "sh", place).stdout == "host"
            assert host.run(*OVERLAY, "cat", f"{place}/theirs", f"{place}/ours").stdout == "ours\nours\n"
            assert host.run("cat", f"{place}/theirs").stdout == "host"
            assert host.run("test", "-e", f"{place}/ours", check=False).returncode == 1
        host.zypper("remove", "legacy")
        for place in places:
            assert host.run(*OVERLAY, "cat", f"{place}/theirs").stdout == "ours\n"

    def test_a_package_with_files_there(self, host: MicroOS) -> None:
        files = {"/opt/optional/file": "1", "/usr/local/bin/optional": "1"}
        publish(host, Package("optional", files=files, directories=("/opt/optional",)))
        host.run(*OVERLAY, "zypper", "-n", "install", "optional")
        agrees(host)
        host.zypper("remove", "legacy")
        agrees(host)
        host.run(*OVERLAY, "zypper", "-n", "remove", "optional")
        left = "for path in /opt/optional /usr/local/bin/optional; do [ ! -e $path ] || echo $path; done"
        assert host.run(*OVERLAY, "sh", "-c", left).stdout == ""

    def test_one_that_is_no_more_or_is_new(self, host: MicroOS) -> None:
        host.write("/home/theirs", "host")
        host.run(*OVERLAY, "sh", "-c", "echo ours > /home/ours")
        host.run("umount", "/home")
        assert host.run(*OVERLAY, "ls", "/home").stdout == "ours\n"
        host.sh(
            "mkdir /srv/disk; truncate -s 200M /srv/image; mkfs.btrfs -q /srv/image; mount -o loop /srv/image /home"
        )
        host.write("/home/new", "host")
        assert host.run(*OVERLAY, "ls", "/home").stdout == "new\nours\n"

    def test_those_that_cannot_be_below_an_overlay_are_read_only(self, host: MicroOS) -> None:
        # An overlay over an overlay is as deep as the kernel has them. With the vfat of /boot/efi it is the same.
        script = "mkdir -p $1 $1.upper $1.work; mount -t overlay -o lowerdir=$2,upperdir=$1.upper,workdir=$1.work o $1"
        host.run("sh", "-ec", script, "sh", "/srv/one", "/home")
        host.run("sh", "-ec", script, "sh", "/srv/two", "/srv/one")
        host.write("/srv/two/file", "host")
        assert host.run(*OVERLAY, "cat", "/srv/two/file").stdout == "host"
        assert host.run(*OVERLAY, "sh", "-c", "touch /srv/one/ours; touch /srv/two/ours", check=False).returncode == 1
        assert host.run(*OVERLAY, "ls", "/srv/one", "/srv/two").stdout == "/srv/one:\nours\n\n/srv/two:\nfile\n"

    def test_one_over_another_and_one_in_another(self, host: MicroOS) -> None:
        host.sh("mkdir /home/in /srv/one /srv/two; echo one > /srv/one/file; echo two > /srv/two/file")
        host.sh("mount --bind /srv/one /home/in; mount --bind /srv/two /home/in")
        assert host.run(*OVERLAY, "cat", "/home/in/file").stdout == "two\n"
        # All that was mounted in /home is below this, and is not seen any more.
        host.sh("mkdir /srv/three; echo three > /srv/three/file; mount --bind /srv/three /home")
        assert host.run(*OVERLAY, "sh", "-c", "cat /home/file; ls /home/in").stdout == "three\n"
        host.sh('mkdir -p "/srv/three/a b:c,d\\e"; mount --bind /srv/one "/home/a b:c,d\\e"')
        assert host.run(*OVERLAY, "cat", "/home/a b:c,d\\e/file").stdout == "one\n"

    def test_memory_and_what_lies_in_it_does_not_show(self, host: MicroOS) -> None:
        host.sh("mount -t tmpfs tmpfs /home; mkdir /home/disk; mount --bind /srv /home/disk")
        assert host.run(*OVERLAY, "ls", "-A", "/home").stdout == ""

    @pytest.mark.parametrize("instead", ["ln -s /etc home", "ln -s / home", "echo file > home", "mknod home c 0 0"])
    def test_nothing_is_followed_out_of_the_overlay(self, host: MicroOS, instead: str) -> None:
        host.write("/home/theirs", "host")
        host.run(*OVERLAY, "true")
        host.sh(f"cd /var/lib/toy/toy/overlay; rmdir home; {instead}")
        before = host.sh("ls -lR /etc | md5sum")
        assert host.run(*OVERLAY, "sh", "-c", "touch /home/file; ls /home/theirs", check=False).returncode == 2
        assert host.sh("ls -lR /etc | md5sum") == before


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
        assert host.run("ls", "-A", "/var/lib/toy").stdout == ""

    def test_what_a_killed_one_left_goes_with_the_next(self, host: MicroOS) -> None:
        process = start(host, "toy", "--snapshot", "1", "--", "sh", "-c", "echo waiting; sleep 1000")
        process.kill()
        process.communicate()
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
        assert line == "what will be booted next is no snapshot; give the number of one: toy --snapshot N"

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

    STRIPPED = "env --unset=TRANSACTIONAL_UPDATE --unset=TRANSACTIONAL_UPDATE_ROOT"
    """What sudo(8) leaves of the environment."""

    @pytest.mark.parametrize("stripped", ["", STRIPPED])
    @pytest.mark.parametrize(
        "command", ["toy", "toy -- true", "toy -n other", "toy --snapshot default", "toy status", "toy diff other"]
    )
    def test_there_is_no_machine(self, host: MicroOS, command: str, stripped: str) -> None:
        script = f"{stripped} {command} 2>&1 && exit 1; echo $?; ls -d /var/lib/toy /var/lib/machines 2>/dev/null || :"
        said = "toy: this is the snapshot of an update, not the running system; leave it, and run toy there"
        assert host.in_update(script) == f"{said}\n125\n"

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
        assert (
            said == "toy: this is the snapshot of an update, not the running system; leave it, and run toy there\n125\n"
        )


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
        assert done.stderr == f"toy: not all of the snapshot's /etc shows; in its fstab, no directory: {missing}\n"
