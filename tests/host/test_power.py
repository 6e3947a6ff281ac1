# SPDX-License-Identifier: GPL-2.0-or-later
"""Power fails: what is on the disk after each call that synchronizes something is what the next launch finds.

Between two such calls, a file system may write more than it must. The disk of a machine is an image, which is copied
while the process that made the call is stopped.
"""

import os
import re
import signal
import subprocess

import pytest
from host import Host
from image import LEGACY, publish
from packages import Package
from reconciled import TOOL, on_host, overlay
from truth import BOTH, OVERLAY, are_the_same

DISK, COPIES = "/srv/disk", "/srv/copies"

KINDS = ["ext4", "xfs", "btrfs"]
KIND = KINDS if "TOY_TORTURE" in os.environ else ["xfs"]
"""xfs shows the most: it leaves files without content behind."""

CALLS = "fsync,fdatasync,syncfs,sync,sync_file_range,msync"

SEE = ("sh", "-c", "rpm -qa | sort; echo; rpm -Va || :")


def insert(host: Host, kind: str) -> None:
    """Have an empty disk for machines."""
    host.sh(f"mkdir -p {COPIES}; truncate -s 512M {DISK}; mkfs.{kind} -q {DISK}; mount -o loop {DISK} /var/lib/toy")


def copy(host: Host, name: str) -> None:
    host.sh(f"cp --sparse=always {DISK} {COPIES}/{name}")


def put_back(host: Host, name: str) -> None:
    """Have the disk be what it was in a copy, as after a power failure."""
    host.sh(
        f"umount /var/lib/toy; cp --sparse=always {COPIES}/{name} {DISK}; mount -o loop {DISK} /var/lib/toy"
        f" || {{ btrfs device scan --forget; mount -o loop {DISK} /var/lib/toy; }}"
    )


def copies(host: Host, *command: str) -> list[str]:
    """Run a command, and copy the disk whenever a process has synchronized something, and at the end."""
    here, there = os.pipe()
    traced = ("strace", "-f", "-qq", "-o", f"/dev/fd/{there}", "-e", f"trace={CALLS}")
    line = host.command(*traced, f"--inject={CALLS}:signal=SIGSTOP", *OVERLAY, *command)
    process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[there])
    os.close(there)
    names: list[str] = []
    with open(here) as lines:
        for each in lines:
            if stopped := re.match(r"(\d+) +--- stopped by SIGSTOP", each):
                names.append(f"{len(names)}")
                copy(host, names[-1])
                os.kill(int(stopped[1]), signal.SIGCONT)
    assert process.wait() == 0
    copy(host, "end")
    return [*names, "end"]


def seen(host: Host) -> list[str]:
    """Launch, and return what a user can see of the machine, from inside and on the disk."""
    inside = host.run(*OVERLAY, *SEE).stdout.splitlines()
    look = "cd /var/lib/toy/toy; find overlay var hidden ! -name .stamp -printf '%y %m %U:%G %p %l\\n'"
    digests = "find overlay var hidden ! -name .stamp -type f -exec sha256sum {} +"
    return inside + sorted(host.sh(f"{look}; {digests}").splitlines())


def check(host: Host, names: list[str]) -> None:
    """See that after a power failure at each point all is as it is without one, after one launch."""
    wanted, wrong = seen(host), dict[str, tuple[set[str], str]]()
    for name in names:
        put_back(host, name)
        found, again = seen(host), host.run(*OVERLAY, "true")
        if found != wanted or again.stderr:
            wrong[name] = set(found) ^ set(wanted), again.stderr
    assert wrong == {}


@pytest.mark.parametrize("kind", KINDS)
def test_while_an_update_of_the_host_is_followed(host: Host, kind: str) -> None:
    insert(host, kind)
    files = {f"/var/lib/ca-certificates/{number}": f"{number}" for number in range(20)}
    first, second = (Package("certificates", version, files={**files, "/var/lib/ca": version}) for version in "12")
    publish(host, TOOL["1"], first)
    on_host(host, "install", "certificates")
    overlay(host, "install", "tool", "hello")
    overlay(host, "remove", "legacy", "library")
    host.run(*OVERLAY, "sh", "-c", "echo mine > /etc/mine; echo mine > /var/lib/mine")
    publish(host, TOOL["2"], second, Package(LEGACY.name, "2", files={"/usr/bin/legacy-2": "", "/etc/two": "2"}))
    on_host(host, "update")
    on_host(host, "install", "tool")
    host.sh("sync")
    check(host, copies(host, "true"))


@pytest.mark.parametrize("kind", KIND)
def test_while_a_machine_is_made(host: Host, kind: str) -> None:
    insert(host, kind)
    check(host, copies(host, "true"))


@pytest.mark.parametrize("kind", KIND)
def test_while_a_package_is_installed(host: Host, kind: str) -> None:
    insert(host, kind)
    host.run(*OVERLAY, "true")
    host.sh("sync")
    names = copies(host, "zypper", "--non-interactive", "install", "hello")
    for name in names:
        put_back(host, name)
        assert are_the_same(host.run(*OVERLAY, "sh", "-c", BOTH).stdout)
