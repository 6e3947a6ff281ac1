# SPDX-License-Identifier: GPL-2.0-or-later
"""The mounts of a launch: what the kernel says of them, how long their options may be, what cannot be had by them."""

import json
import subprocess
from pathlib import Path

import pytest
from host import Host
from overlay import start, toy, until_nothing_is_to_be_done
from truth import OVERLAY

from toy.filesystem.fields import escaped, unescaped

OVERLAPPING = "is in-use as upperdir/workdir of another mount"
"""What the kernel has in its log where uppers lie in one another, or one is mounted twice."""

OPTIONS = "index=off,metacopy=off,redirect_dir=off,xino=off"

LONG = "/".join(3 * ["x" * 100])
"""More than the 255 bytes that the new mount API takes in an option."""

LONGER = "/".join(21 * ["x" * 100])
"""Twice as much is more than the 4095 bytes that mount(2) takes in all options."""


def mount_disks(host: Host, *points: str) -> None:
    """Mount a file system of its own at each of these places of the host, with a file in it."""
    script = 'mkdir -p "$1" "/var/disks$1"; mount --bind "/var/disks$1" "$1"; echo host > "$1/theirs"'
    for point in points:
        host.run("sh", "-ec", script, "sh", point)


def mount_too_deep(host: Host, *points: str) -> None:
    """Mount at each of these places as many overlays over one another as the kernel takes, with a file in it."""
    script = f"""
    below=$(mktemp -d)
    mkdir -p "$1" $below/zero/disk $below/one $below/two; echo host > $below/zero/theirs
    mount -t overlay -o lowerdir=$below/zero:$below/one,{OPTIONS} one $below/one
    mount -t overlay -o lowerdir=$below/one:$below/two,{OPTIONS} two "$1"
    """
    for point in points:
        host.run("sh", "-ec", script, "sh", point)


def status(host: Host) -> tuple[list[str], dict[str, list[str]]]:
    """Return what `toy status` says of mounts, in text and as JSON."""
    lines = host.run("toy", "status").stdout.splitlines()
    found = json.loads(host.run("toy", "status", "--json").stdout)
    return (
        [line for line in lines if line.startswith(("read-only: ", "missing: "))],
        {name: found[name] for name in ("read_only", "missing")},
    )


@pytest.mark.parametrize("path", ["/opt/x", "/a b\\040\t", "/\x1b[2J\r\n", "/é\udcff\u2028", "/a:b,c#d"])
def test_a_field_stands_for_a_path(path: str) -> None:
    field = escaped(path)
    assert field.isprintable() and " " not in field
    assert unescaped(field) == path


class TestUppersInOneAnother:
    """Where file systems are mounted below the root."""

    POINTS = ("/usr/local", "/usr/local/in", "/opt", "/srv")

    def test_the_kernel_does_not_warn(self, host: Host) -> None:
        mount_disks(host, *self.POINTS)

        def warnings() -> int:
            marker = f"a test begins in {host.root}"
            Path("/dev/kmsg").write_text(marker)
            host.run(*OVERLAY, "touch", *(f"{point}/ours" for point in self.POINTS))
            log = subprocess.run(["dmesg"], check=True, capture_output=True, text=True).stdout
            return log.rpartition(marker)[2].count(OVERLAPPING)

        # The log is the whole machine's, and somebody else's tests may have the kernel warn.
        assert 0 in (warnings() for _ in range(20))

    def test_what_is_done_on_both_sides_of_a_mount_point_stays(self, host: Host) -> None:
        mount_disks(host, *self.POINTS)
        prepare = "for where in $(echo share local local/in); do cd /usr/$where; mkdir gone dir; echo 1 > dir/1; done"
        host.sh(prepare)
        script = """
        for where in /usr/share /usr/local /usr/local/in; do
            cd $where
            mkdir new; echo ours > new/file; mv new moved
            rmdir gone
            rm -r dir; mkdir dir; echo 2 > dir/2
            [ ! -e theirs ] || { cp theirs copy; echo ours >> theirs; ln theirs linked; }
        done
        """
        look = "cd /usr; find share/dir share/moved local -printf '%p %y %m %n %s\\n' | sort"
        host.run(*OVERLAY, "sh", "-ec", script)
        shown = host.run(*OVERLAY, "sh", "-c", look).stdout
        assert {"local/in/moved/file", "local/in/dir/2", "local/moved/file"} <= set(shown.split())
        assert "local/gone" not in shown
        assert host.run(*OVERLAY, "sh", "-c", look).stdout == shown
        upper = host.sh("cd /var/lib/toy/toy/overlay/usr; find share/moved local -type f").split()
        assert {"share/moved/file", "local/moved/file", "local/theirs", "local/in/moved/file"} <= set(upper)

    def test_what_was_written_shows_whatever_is_mounted(self, host: Host) -> None:
        mount_disks(host, *self.POINTS)
        host.run(*OVERLAY, "touch", *(f"{point}/ours" for point in self.POINTS))
        for gone in ("/usr/local/in", "/opt", "/usr/local"):
            host.run("umount", gone)
            host.run(*OVERLAY, "ls", *(f"{point}/ours" for point in self.POINTS))
        host.run(*OVERLAY, "touch", "/usr/local/later")
        mount_disks(host, "/usr/local", "/usr/local/in")
        names = ("ours", "later", "in/ours", "in/theirs", "theirs")
        host.run(*OVERLAY, "ls", *(f"/usr/local/{name}" for name in names))


class TestLongPaths:
    """Paths in the options of a mount."""

    MACHINE = "m" * 64

    def test_longer_than_the_new_mount_api_takes(self, host: Host) -> None:
        points = (f"/opt/{LONG}", f"/srv/{LONG}/a b:c,d\\e")
        mount_disks(host, *points)
        for point in points:
            done = host.run(
                "toy", "-n", self.MACHINE, "--", "sh", "-ec", 'cat "$1/theirs"; touch "$1/ours"', "sh", point
            )
            assert (done.stdout, done.stderr) == ("host\n", "")
            assert (host.toy / self.MACHINE / f"overlay{point}/ours").exists()

    def test_longer_than_the_kernel_takes(self, host: Host) -> None:
        mount_disks(host, f"/opt/{LONGER}", "/opt/short")
        done = toy(host, "sh", "-c", f"cat /opt/{LONGER}/theirs; touch /opt/short/ours /opt/{LONGER}/ours")
        assert done.stdout == "host\n"
        assert f"toy: not as on the host: /opt/{LONGER} (read-only); see: toy status toy\n" in done.stderr
        assert "Read-only file system" in done.stderr
        assert host.run(*OVERLAY, "ls", "/opt/short").stdout == "ours\ntheirs\n"


class TestLimits:
    """What a machine has only read-only, or not at all."""

    def test_a_launch_says_it_once_and_status_always(self, host: Host) -> None:
        mount_too_deep(host, "/opt/deep", "/srv/deep")
        mount_disks(host, "/opt/disk")
        host.sh("mkdir /etc/memory; mount -t tmpfs tmpfs /etc/memory")
        said = "toy: not as on the host: /etc/memory (missing), /opt/deep (read-only); see: toy status toy\n"
        assert toy(host, "true").stderr == said
        done = toy(host, "sh", "-c", "cat /opt/deep/theirs; ls /etc/memory; touch /opt/disk/ours")
        assert (done.stdout, done.stderr) == ("host\n", "")
        lines = [
            "read-only: /opt/deep (the kernel mounts no overlay over it)",
            "read-only: /srv/deep (the kernel mounts no overlay over it)",
            "missing: /etc/memory (toy cannot show what is mounted there on the host)",
        ]
        found = {"read_only": ["/opt/deep", "/srv/deep"], "missing": ["/etc/memory"]}
        assert status(host) == (lines, found)
        mount_too_deep(host, "/usr/deep")
        assert toy(host, "true").stderr == "toy: not as on the host: /usr/deep (read-only); see: toy status toy\n"
        host.sh("umount /opt/deep /srv/deep /usr/deep /etc/memory")
        assert toy(host, "true").stderr == ""
        assert status(host) == ([], {"read_only": [], "missing": []})
        mount_too_deep(host, "/opt/deep")
        assert toy(host, "true").stderr == "toy: not as on the host: /opt/deep (read-only); see: toy status toy\n"

    def test_what_is_in_one_another(self, host: Host) -> None:
        mount_too_deep(host, "/opt/deep")
        mount_disks(host, "/opt/deep/disk", "/opt/deep/disk/in")
        done = toy(host, "sh", "-ec", "touch /opt/deep/disk/ours /opt/deep/disk/in/ours; cat /opt/deep/theirs")
        assert (done.returncode, done.stdout) == (0, "host\n")
        assert toy(host, "touch", "/opt/deep/ours").returncode == 1
        assert host.run(*OVERLAY, "ls", "/opt/deep/disk/in").stdout == "ours\ntheirs\n"

    def test_awkward_names(self, host: Host) -> None:
        names = ["/opt/a b\\c\n*", "/opt/\x1b[2J", "/opt/é", "/opt/a\rb"]
        mount_too_deep(host, *names)
        assert "\x1b" not in toy(host, "true").stderr
        assert toy(host, "true").stderr == ""
        lines, found = status(host)
        assert sorted(found["read_only"]) == sorted(names)
        assert not any("\x1b" in line for line in lines)

    def test_a_launch_with_nothing_to_do_says_it_as_well(self, host: Host) -> None:
        until_nothing_is_to_be_done(host)
        mount_too_deep(host, "/opt/deep")
        assert "/opt/deep (read-only)" in toy(host, "true").stderr

    def test_a_damaged_record_is_none(self, host: Host) -> None:
        toy(host, "true")
        host.write("/var/lib/toy/toy/limits", " read-only:\\9 read-only:x read-only:/opt/\\999 read-only")
        assert status(host) == ([], {"read_only": [], "missing": []})

    def test_as_many_as_users_may_mount(self, host: Host) -> None:
        # fusermount(1) leaves each of them 1,000, one in the other.
        script = """if True:
            import ctypes, os
            os.mkdir("/srv/many"); os.chdir("/srv/many")
            for _ in range(1100):
                assert ctypes.CDLL(None).mount(b"tmpfs", b".", b"tmpfs", 0, None) == 0
                os.chdir(os.getcwd())
                os.mkdir("d")
                os.chdir("d")
        """
        host.run("/usr/bin/python3", "-c", script)
        done = toy(host, "ls", "-A", "/srv/many")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_who_does_not_answer_is_not_asked(self, host: Host) -> None:
        # Nobody reads from this /dev/fuse. As user, one can say as well that its source is a disk's.
        options = "fd=3,rootmode=40000,user_id=0,group_id=0,allow_other"
        script = f"""
        mkdir /opt/fuse; exec 3<>/dev/fuse; mount -i -t fuse -o {options} /dev/disk /opt/fuse
        mkdir /srv/share; mount -t tmpfs //server/share /srv/share
        echo waiting; exec sleep 1000
        """
        process = start(host, "sh", "-ec", script)
        done = toy(host, "true", timeout=120)
        assert (done.returncode, done.stderr) == (
            0,
            "toy: not as on the host: /opt/fuse (missing); see: toy status toy\n",
        )
        assert status(host)[1] == {"read_only": [], "missing": ["/opt/fuse", "/srv/share"]}
        process.kill()
        process.communicate()
