# SPDX-License-Identifier: GPL-2.0-or-later
"""However a command ends, the terminal is as it was before, and nobody waits for ever."""

import os
import signal
from pathlib import Path

import pytest
from host import Host
from overlay import keepers, toy
from terminal import Terminal

RAW = "stty raw -echo; echo waiting; exec sleep 1000"
"""A command that leaves its terminal as few can use it."""


def child(pid: int) -> int:
    """Return the first child of a process."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def around(host: Host, script: str) -> Terminal:
    """Run toy in a script that then says the status, and that is not interrupted itself."""
    terminal = Terminal(host, "sh", "-c", f"trap : INT; echo begins; toy -- sh -c '{script}'; echo status $?; exec cat")
    terminal.expect("begins\r\n")
    return terminal


ENDS = {
    "it ends": ("stty raw -echo; echo waiting", 0),
    "it fails": ("stty raw -echo; echo waiting; exit 3", 3),
    "it crashes": ("stty raw -echo; echo waiting; kill -SEGV $$", 139),
    "it is not found": ("stty raw -echo; echo waiting; exec no-such-command 2>/dev/null", 127),
}


@pytest.mark.parametrize(("script", "status"), ENDS.values(), ids=ENDS)
def test_the_terminal_is_as_before(host: Host, script: str, status: int) -> None:
    terminal = around(host, script)
    before = terminal.modes()
    terminal.expect("waiting")
    terminal.expect(f"status {status}\r\n")
    assert terminal.modes() == before


@pytest.mark.parametrize(
    ("depth", "number", "status"), [(1, signal.SIGTERM, 143), (2, signal.SIGKILL, 137), (3, signal.SIGKILL, 137)]
)
def test_the_terminal_is_as_before_when_something_is_killed(
    host: Host, depth: int, number: signal.Signals, status: int
) -> None:
    # toy itself, what watches the command in the machine, the command.
    terminal = around(host, RAW)
    before = terminal.modes()
    terminal.expect("waiting")
    pid = terminal.pid
    for _ in range(depth):
        pid = child(pid)
    os.kill(pid, number)
    terminal.expect(f"status {status}\r\n")
    assert terminal.modes() == before


def test_the_terminal_is_as_before_when_toy_is_killed(host: Host) -> None:
    terminal = around(host, RAW)
    before = terminal.modes()
    terminal.expect("waiting")
    os.kill(child(terminal.pid), signal.SIGKILL)
    terminal.expect("status 137")
    host.sh("until toy -- true; do :; done")  # the machine has ended, and been entered anew
    assert terminal.modes() == before


@pytest.mark.parametrize("depth", range(1, 6), ids=["unshare", "shell", "nspawn", "its init", "first process"])
def test_the_terminal_is_as_before_when_something_that_runs_the_machine_is_killed(host: Host, depth: int) -> None:
    terminal = around(host, RAW)
    before = terminal.modes()
    terminal.expect("waiting")
    (pid,) = keepers(host)
    for _ in range(depth):
        pid = child(pid)
    os.kill(pid, signal.SIGKILL)
    terminal.expect("status 137\r\n")
    assert terminal.modes() == before
    assert toy(host, "true").returncode == 0


def test_an_interrupt_while_the_machine_comes_up(host: Host) -> None:
    terminal = around(host, "read x; exit 7")
    before = terminal.modes()
    terminal.type("\x03\n")  # whoever gets it: toy, the command, or nobody
    terminal.expect("status (125|130|7)\r\n")
    assert terminal.modes() == before


def test_a_screen_that_is_stopped_holds_nobody(host: Host) -> None:
    terminal = Terminal(host, "toy", "--", "sh", "-c", "echo waiting; exec yes")
    terminal.expect("waiting")
    terminal.type("\x13")
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.end() == 128 + signal.SIGTERM


def test_a_screen_that_nobody_reads_holds_nobody(host: Host) -> None:
    terminal = Terminal(host, "toy", "--", "sh", "-c", "echo waiting; exec yes")
    terminal.expect("waiting")
    os.kill(terminal.pid, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(terminal.pid, 0)[1]) == 128 + signal.SIGTERM


def test_what_is_stopped_goes_on(host: Host) -> None:
    terminal = Terminal(host, "toy", "--", "sh", "-c", "echo waiting; read x; seq 100000; read x")
    terminal.expect("waiting")
    terminal.type("\x13\n\x11")
    terminal.expect("100000\r\n")
    terminal.type("\n")
    assert terminal.end() == 0


@pytest.mark.parametrize("script", ["exec cat", "trap : HUP; exec cat", "exec sleep 1000"])
def test_a_terminal_that_is_closed_ends_the_command(host: Host, script: str) -> None:
    terminal = Terminal(host, "toy", "--", "sh", "-c", f"echo waiting; {script}")
    terminal.expect("waiting")
    terminal.hang_up()
    assert host.run("toy", "status").stdout.count("in use") == 0


def test_a_command_has_time_for_what_it_does_when_the_terminal_is_closed(host: Host) -> None:
    # cat must be there: a signal between fork and exec is lost, since the handler is still the shell's.
    script = "trap 'sleep 1; echo saved > /srv/saved' HUP; sh -c 'echo waiting; exec cat'; echo end"
    terminal = Terminal(host, "toy", "--", "sh", "-c", script)
    terminal.expect("waiting")
    terminal.hang_up()
    assert toy(host, "cat", "/srv/saved").stdout == "saved\n"
