# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel that is too old for what shows the host's root, and a caller whose system calls are filtered.

A filter of system calls, as systemd's SystemCallFilter= makes one, stands for the old kernel.
"""

import errno

import pytest
from host import Host
from overlay import start, toy, until_nothing_is_to_be_done
from truth import OVERLAY

DENY = """
import ctypes, os, struct, sys
number, error, *command = sys.argv[1:]
program = [(0x20, 0, 0, 0), (0x15, 0, 1, int(number)), (0x06, 0, 0, 0x50000 | int(error)), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in program))
header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
prctl = ctypes.CDLL(None).prctl
assert prctl(38, 1, 0, 0, 0) == prctl(22, 2, header, 0, 0) == 0
os.execvp(command[0], command)
"""
CALLS = {"open_tree": 428, "move_mount": 429, "mount_setattr": 442}
MKNOD = 133


def without(call: int, error: int = errno.ENOSYS) -> tuple[str, ...]:
    return "/usr/bin/python3", "-c", DENY, f"{call}", f"{error}"


@pytest.mark.parametrize("call", CALLS)
def test_an_old_kernel_has_machines_without_the_root_of_the_host(host: Host, call: str) -> None:
    until_nothing_is_to_be_done(host)  # what reads databases is confined by mount_setattr
    note = f"toy: the host's root does not show at /run/host: {call}: Function not implemented"
    note += "; see how old this kernel is: uname -r\n"
    done = host.run(*without(CALLS[call]), *OVERLAY, "echo", "in")
    assert (done.stdout, done.stderr) == ("in\n", note)
    assert toy(host, "ls", "/run/host/usr").returncode == 0


@pytest.mark.parametrize("call", CALLS)
def test_an_old_kernel_cannot_show_the_host(host: Host, call: str) -> None:
    process = start(host, *OVERLAY, "sh", "-c", "echo waiting; exec sleep 1000")
    done = host.run(*without(CALLS[call]), "toy", "--host", "--", "true", check=False)
    why = "Function not implemented (cannot enter machine toy); see how old this kernel is: uname -r"
    assert (done.returncode, done.stdout, done.stderr) == (125, "", f"toy: {call}: {why}\n")
    process.terminate()
    process.communicate()


@pytest.mark.parametrize("options", [(), ("--host",)])
def test_filters_of_who_makes_a_machine_are_its_own_alone(host: Host, options: tuple[str, ...]) -> None:
    # A service, say, with system calls that it is to do without, and NoNewPrivileges=.
    script = "mknod /srv/fifo p; grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status"
    filtered = without(MKNOD, errno.EPERM)
    process = start(host, *filtered, "toy", "--", "sh", "-c", "echo waiting; exec sleep 1000")
    joined = host.run("toy", *options, "--", "sh", "-c", script)
    assert joined.stdout.split() == ["NoNewPrivs:", "0", "Seccomp:", "0"]
    assert host.run(*filtered, "toy", *options, "--", "sh", "-c", script).stdout.split()[1::2] == ["1", "2"]
    process.terminate()
    process.communicate()
