# SPDX-License-Identifier: GPL-2.0-or-later
"""Running commands in the overlay of a host."""

import subprocess

from host import Host
from truth import OVERLAY


def toy(host: Host, *command: str, **options: object) -> "subprocess.CompletedProcess[str]":
    """Run a command in the overlay."""
    return host.run(*OVERLAY, *command, check=False, **options)  # type: ignore[arg-type]


def start(host: Host, *command: str) -> "subprocess.Popen[bytes]":
    """Start a command in the host, in a process group of its own, and wait for its first line."""
    process = subprocess.Popen(
        host.command("env", "--default-signal", *command),  # the tests may run in a background that ignores some
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"waiting\n"
    return process


def refused(host: Host, *command: str) -> str:
    """Run a command that must fail in toy's way, and return its one line without the "toy: "."""
    done = host.run(*command, check=False)
    assert (done.returncode, done.stdout) == (125, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("toy: ")
    assert "; " in line  # what; what to do now
    return line.removeprefix("toy: ")


def record(host: Host) -> str:
    """Return the machine's fingerprint, with inode and time: it changes whenever a launch had something to do."""
    seen = "/var/lib/toy/toy/seen"
    return host.sh(f"stat --format='%i %y' {seen}; tr '\\0' '\\n' < {seen}")


def until_nothing_is_to_be_done(host: Host) -> None:
    """Launch until a launch has nothing to do: what changed a moment ago is looked at once more."""
    before = None
    toy(host, "true")
    while before != record(host):
        before = record(host)
        toy(host, "true")


def keepers(host: Host, name: str = "") -> list[int]:
    """Return the PIDs of the processes that keep this machine of this host, or all machines."""
    of_host = "--ns $$ --nslist mnt"  # pgrep sees all processes
    wanted = f"^toy: keeper of machine {f'{name}$' if name else ''}"
    return [int(word) for word in host.sh(f"pgrep {of_host} --full '{wanted}' || :").split()]
