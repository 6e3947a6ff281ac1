# SPDX-License-Identifier: GPL-2.0-or-later
"""A file system that is full, read-only or broken: one line that names it, nothing is lost, and no event is."""

import json
import re
import signal

import pytest
from host import Host
from overlay import refused
from reconciled import enter, on_host, overlay
from truth import OVERLAY, is_current, packages

STATE = "/var/lib/toy"
DATABASE = "/usr/lib/sysimage/rpm"
LOG = f"{STATE}/toy/log"
UNTOLD = f"{STATE}/toy/untold"


def happened(host: Host, text: str) -> str:
    """Have an event that nobody was told of yet, and return the line that tells of it."""
    host.write(UNTOLD, json.dumps({"version": 1, "events": [{"kind": "kept", "text": text}]}))
    return f"toy: kept: {text}"


class TestLog:
    """An event is said and logged, whatever happens to the log or to toy."""

    def test_a_log_that_cannot_be_written_hides_no_event(self, host: Host) -> None:
        enter(host)
        host.run("mkdir", LOG)
        said = happened(host, "/a")
        problem = (
            f"toy: the log of machine toy lacks what happened: {LOG}: Is a directory;"
            f" move it away: mv --backup=numbered -T {LOG} {LOG}.away"
        )
        for _ in range(2):
            done = host.run(*OVERLAY, "echo", "in")
            assert (done.stdout, done.stderr.splitlines()) == ("in\n", [said, problem])
        host.sh(problem.partition("away: ")[2])
        assert enter(host) == [said]
        assert host.sh(f"cut -d ' ' -f 2- {LOG}") == "kept: /a\n"
        assert enter(host) == []

    def test_it_hides_no_error(self, host: Host) -> None:
        enter(host)
        said = happened(host, "/a")
        host.sh(f"mkdir {LOG}; echo [ > {STATE}/toy/intent")
        done = host.run(*OVERLAY, "true", check=False)
        assert done.returncode == 125
        assert [line.split(" is ")[0].split(";")[0] for line in done.stderr.splitlines()] == [
            said,
            f"toy: the log of machine toy lacks what happened: {LOG}: Is a directory",
            f"toy: the plan {STATE}/toy/intent",
        ]
        host.sh(f"rmdir {LOG}; rm {STATE}/toy/intent")
        assert enter(host) == [said]
        assert host.sh(f"cut -d ' ' -f 2- {LOG}") == "kept: /a\n"

    def test_a_launch_that_is_killed_loses_no_event(self, host: Host) -> None:
        enter(host)
        points = []
        for call in ("openat", "pread64", "write", "fsync", "unlink"):
            for step in range(1, 20):
                said = happened(host, f"/{call}-{step}")
                command = ("strace", "-qqq", "-o", "/tmp/trace", "-P", LOG, "-P", UNTOLD, "-P", f"{STATE}/toy")
                inject = f"--inject={call}:signal=KILL:when={step}"
                killed = host.run(*command, inject, *OVERLAY, "true", check=False)
                if killed.returncode not in (-signal.SIGKILL, 128 + signal.SIGKILL):
                    break
                points.append((call, step))
                again = enter(host)
                assert again == [said] or (again == [] and said in killed.stderr.splitlines())
                assert said.removeprefix("toy: ") in host.sh(f"cut -d ' ' -f 2- {LOG}").splitlines()
        assert len(points) > 6


def in_memory(host: Host, options: str) -> None:
    """Have the state on a file system of its own."""
    host.sh(f"mount -t tmpfs -o {options} tmpfs {STATE}")


def lacks_room(host: Host) -> bool:
    """Launch, and say whether that failed for want of room: then the last line names a path and the file system."""
    done = host.run(*OVERLAY, "true", check=False)
    if done.returncode == 0:
        return False
    line = done.stderr.splitlines()[-1]
    assert done.returncode == 125
    assert re.match(rf"toy: [^;]*{STATE}/\S+ [^;]*the file system {STATE} \(tmpfs\)[^;]*; [^;]*: (df|du) ", line), line
    return True


def agrees(host: Host) -> bool:
    return host.run(*OVERLAY, "rpm", "-Va", "--noconfig").stdout == "" and is_current(host, *OVERLAY)


class TestRoom:
    """However little room there is: one line that names path and file system, and no launch loses anything."""

    @pytest.mark.parametrize(
        ("option", "least", "step"), [("size={}k", 12, 90), ("nr_inodes={}", 4, 11)], ids=["bytes", "files"]
    )
    def test_for_a_first_launch(self, host: Host, option: str, least: int, step: int) -> None:
        in_memory(host, f"size=4m,{option.format(least)}")
        tries = 1
        while lacks_room(host):
            tries += 1
            host.sh(f"mount -o remount,{option.format(least + tries * step)} {STATE}")
        assert tries > 3
        host.sh(f"mount -o remount,size=64m,nr_inodes=10k {STATE}")
        assert packages(host, *OVERLAY) == packages(host)
        assert agrees(host)

    @pytest.mark.parametrize(
        ("option", "field", "step"),
        [("size={}k", "used", 80), ("nr_inodes={}", "iused", 3)],
        ids=["bytes", "files"],
    )
    def test_after_an_update(self, host: Host, option: str, field: str, step: int) -> None:
        in_memory(host, "size=64m")
        overlay(host, "install", "hello")
        on_host(host, "remove", "legacy")
        said = happened(host, "/a")
        used = int(host.sh(f"df --block-size=1k --output={field} {STATE} | tail -n 1"))
        tries = 0
        host.sh(f"mount -o remount,{option.format(used)} {STATE}")
        while lacks_room(host):
            tries += 1
            host.sh(f"mount -o remount,{option.format(used + tries * step)} {STATE}")
        assert tries > 0
        host.sh(f"mount -o remount,size=64m,nr_inodes=10k {STATE}")
        enter(host)
        assert said.removeprefix("toy: ") in host.sh(f"cut -d ' ' -f 2- {LOG}").splitlines()
        assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
        assert agrees(host)


def test_a_read_only_state(host: Host) -> None:
    in_memory(host, "size=64m")
    overlay(host, "install", "hello")
    host.sh(f"mount -o remount,ro {STATE}")
    assert "findmnt --target" in refused(host, *OVERLAY, "true")
    on_host(host, "remove", "legacy")
    line = refused(host, *OVERLAY, "true")
    assert re.match(rf"{STATE}/toy/\S+: Read-only file system in the file system {STATE} \(tmpfs\) ", line)
    host.sh(f"mount -o remount,rw {STATE}")
    assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
    assert agrees(host)


def test_a_disk_that_is_full_when_sqlite_maps_a_file(host: Host) -> None:
    # With blocks that are smaller than pages, SQLite's -shm has holes when it is mapped.
    host.sh(f"""
        truncate -s 24M /srv/disk; mkfs.ext4 -q -b 1024 -m 0 /srv/disk; mkdir /srv/mnt; mount -o loop /srv/disk /srv/mnt
        cp -a {DATABASE}/. /srv/mnt; mount --bind /srv/mnt {DATABASE}; rm -f {DATABASE}/*-shm {DATABASE}/*-wal
        dd if=/dev/zero of={DATABASE}/fill bs=1k 2>/dev/null || sync
    """)
    tries = 0
    while (done := host.run("toy", "dump", check=False)).returncode:
        tries += 1
        (line,) = done.stderr.splitlines()
        assert done.returncode == 125
        assert re.match(rf"toy: [^;]*{DATABASE}.*the file system {DATABASE} \(ext4\)", line), line
        host.sh(f"rm -f {DATABASE}/*-shm {DATABASE}/*-wal; truncate -s -1k {DATABASE}/fill; sync")
    assert tries > 0


POINTS = {
    "write": ".toy-new",
    "fsync": ".toy-new",
    "renameat": "",
    "mkdir": "rpmdb.new",
    "openat": "rpmdb.new",
    "rename": "rpmdb.new",
}
"""Calls that a launch makes to bring a machine in line, and a path of the machine's that each is about."""


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EROFS"])
def test_an_error_of_the_file_system(host: Host, error: str) -> None:
    in_memory(host, "size=64m")
    overlay(host, "install", "hello")
    on_host(host, "remove", "legacy")
    for call, name in POINTS.items():
        path = f"{STATE}/toy/{name}".rstrip("/")
        command = ("strace", "-qqq", "-o", "/tmp/trace", "-P", path, f"--inject={call}:error={error}")
        line = refused(host, *command, *OVERLAY, "true")
        assert re.match(rf"{STATE}/toy\S*: [^;:]* in the file system {STATE} \(tmpfs\) ", line), (call, line)
        assert "INJECTED" in host.run("cat", "/tmp/trace").stdout
    assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
    assert agrees(host)
