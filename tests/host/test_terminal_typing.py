# SPDX-License-Identifier: GPL-2.0-or-later
"""What is typed: the command gets it as far as it reads, and who reads the terminal next gets the rest."""

import pytest
from host import Host
from overlay import toy
from terminal import PROMPT, Terminal, shell

LINES = [f"echo {number}-{'x' * 80}" for number in range(120)]
"""10 kB in all."""

FIT = [f"echo {number}-{'x' * 80}" for number in range(42)]
"""Lines that fit into what a terminal keeps for who does not read, which is 4095 bytes."""


@pytest.fixture
def warm(host: Host) -> Host:
    """A host with a machine that was entered before."""
    toy(host, "true")
    return host


def pasted(terminal: Terminal, first: str, lines: list[str]) -> list[str]:
    """Paste lines of echo after a first one, and return what they print."""
    terminal.type("\n".join([first, *lines, "echo en''d", ""]))
    seen = terminal.shows("[\r\n]end\r\n")
    return [line for line in seen if line.partition("-")[0].isdigit()]


def printed(lines: list[str]) -> list[str]:
    return [line.removeprefix("echo ") for line in lines]


@pytest.mark.parametrize("command", ["true", "sh -c 'echo; exec sleep 0.2'", "no-such-command", "rpm -q editor"])
def test_lines_that_are_pasted_after_a_command_are_for_the_shell(warm: Host, command: str) -> None:
    terminal = shell(warm)
    assert pasted(terminal, f"toy -- {command}", FIT) == printed(FIT)


def test_lines_after_each_of_several_commands(warm: Host) -> None:
    terminal = shell(warm)
    lines = [line for number in range(20) for line in (f"echo {number}-a", f"toy -- echo {number}-b")]
    assert pasted(terminal, "toy -- true", lines) == [f"{number}-{part}" for number in range(20) for part in "ab"]


def test_what_is_typed_ahead_shows_once(warm: Host) -> None:
    warm.run("mkfifo", "/root/go")
    terminal = Terminal(warm, "sh", "-c", "echo wait''ing; read x </root/go; for i in 1 2 3; do toy -- true; done; cat")
    terminal.expect("waiting\r\n")
    terminal.type("typed ahead\n")
    terminal.expect("typed ahead\r\n")
    warm.sh("echo > /root/go")
    terminal.expect("typed ahead\r\n")  # by cat
    terminal.type("\x04")
    assert terminal.rest() == b""


def test_more_than_a_terminal_keeps_is_lost_in_whole_lines_and_said(warm: Host) -> None:
    warm.run("mkfifo", "/root/end")
    terminal = shell(warm)
    terminal.type("toy -- sh -c 'echo wait\"\"ing; read line </root/end'\n")
    terminal.expect("waiting\r\n")
    terminal.type("\n".join([*LINES, ""]))
    warm.sh("echo > /root/end")
    terminal.expect(r"toy: (\d+) bytes that were typed are lost: a terminal keeps 4095 at most")
    terminal.type("echo en''d\n")
    found = [line for line in terminal.shows("[\r\n]end\r\n") if line.partition("-")[0].isdigit()]
    assert found == printed(LINES)[: len(found)]
    assert len(found) > 40


def test_lines_that_are_pasted_into_a_command_arrive(warm: Host) -> None:
    terminal = shell(warm)
    terminal.type("\n".join(["toy -- sh -c 'cat > /root/pasted; wc -l /root/pasted'", *LINES, "\x04"]))
    terminal.expect(f"{len(LINES)} /root/pasted")
    assert warm.run("cat", "/root/pasted").stdout.splitlines() == LINES


def test_the_end_of_input_is_read_once(warm: Host) -> None:
    terminal = shell(warm)
    terminal.type("toy -- cat\n")
    terminal.type("one\n\x04")
    terminal.expect("one\r\n")
    terminal.expect(PROMPT)
    assert terminal.run("echo $((6 * 7))") == ["42"]


def test_what_a_shell_in_the_machine_leaves_is_for_the_one_outside(warm: Host) -> None:
    terminal = shell(warm)
    terminal.type("toy\necho in: $TOY.; exit\necho out: $TOY.\n")
    terminal.expect("[\r\n]in: toy\\.\r\n")
    terminal.expect("[\r\n]out: \\.\r\n")


def test_what_was_typed_before_an_interrupt_is_forgotten(warm: Host) -> None:
    terminal = shell(warm)
    terminal.type("toy -- sh -c 'echo wait\"\"ing; exec sleep 1000'\n")
    terminal.expect("waiting\r\n")
    terminal.type("echo one\necho two\necho thr\x03echo four; echo en''d\n")
    seen = terminal.shows("[\r\n]end\r\n")
    assert "four" in seen
    assert not {"one", "two", "three"} & {*seen}


REPLAY = """
import fcntl, sys, termios
line = sys.stdin.readline()
for each in line * int(sys.argv[1]):
    fcntl.ioctl(0, termios.TIOCSTI, each.encode())
print("replayed")
"""


@pytest.mark.parametrize("times", [1, 2])
def test_a_process_in_the_machine_types_nothing_for_the_host(warm: Host, times: int) -> None:
    # What it puts into its terminal is what was typed there, so that nothing but who read it tells them apart.
    warm.write("/root/replay.py", REPLAY)
    for line in ("touch /root/typed", "echo typed"):
        terminal = shell(warm)
        terminal.type(f"toy -- /usr/bin/python3 /root/replay.py {times}\n")
        terminal.type(f"{line}\n")
        terminal.expect("replayed\r\n")
        terminal.expect(PROMPT)
        assert terminal.run("echo $((6 * 7))") == ["42"]
    assert warm.run("ls", "/root").stdout.split() == ["replay.py"]
