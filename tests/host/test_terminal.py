# SPDX-License-Identifier: GPL-2.0-or-later
"""Terminals and signals, and launches that are killed."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace

import pytest
from host import Host
from image import EDITOR, HELLO, RPMS, publish
from overlay import start, toy
from packages import build
from terminal import Terminal
from truth import OVERLAY, is_current, packages

on_any_terminal = pytest.mark.parametrize("term", ["dumb", "xterm"])


@on_any_terminal
def test_a_terminal_when_there_is_one(host: Host, term: str) -> None:
    script = "test -t 0 && test -t 1 && test -t 2 && tty && stty size"
    terminal = Terminal(host, "toy", "--", "sh", "-c", script, term=term)
    terminal.expect("/dev/")
    assert terminal.end() == 0


def test_a_terminal_on_one_side_only(host: Host) -> None:
    script = "toy -- sh -c 'test -t 0 && ! test -t 1 && read line && echo got $line; exec sleep 1000' | cat"
    terminal = Terminal(host, "sh", "-c", script)
    terminal.type("something\n")
    terminal.expect("got something")
    terminal.type("\x03")
    terminal.end()
    assert toy(host, "true").returncode == 0


@on_any_terminal
@pytest.mark.everywhere
def test_a_shell_and_its_status(host: Host, term: str) -> None:
    terminal = Terminal(host, "toy", term=term)
    terminal.type("echo $((6 * 7)); echo $TOY\n")
    terminal.expect("[\r\n]42\r\ntoy\r\n")  # bash puts something before it on some terminals
    terminal.type("touch /root/was-here; exit 7\n")
    assert terminal.end() == 7
    assert host.run("ls", "/root/was-here").returncode == 0


@on_any_terminal
def test_what_the_command_prints_is_all_that_is_on_the_screen(host: Host, term: str) -> None:
    toy(host, "true")
    terminal = Terminal(host, "toy", "--", "sh", "-c", "env; echo end", term=term)
    lines = terminal.rest().decode().splitlines()
    assert lines[-1] == "end"
    assert f"TERM={term}" in lines
    assert [line for line in lines if "\x1b" in line or line.startswith("SYSTEMD")] == []
    terminal.end()


@on_any_terminal
def test_what_is_typed_ahead_arrives(host: Host, term: str) -> None:
    toy(host, "true")
    terminal = Terminal(host, "toy", "--", "sh", "-c", "read line; echo got $line", term=term)
    terminal.type("something\n")
    terminal.expect("got something")
    assert terminal.end() == 0


@on_any_terminal
def test_interrupting_a_command_of_the_shell(host: Host, term: str) -> None:
    terminal = Terminal(host, "toy", term=term)
    terminal.type("sh -c 'echo wait\"\"ing; exec sleep 1000'\n")
    terminal.expect("waiting\r\n")
    terminal.type("\x03")
    terminal.type("echo status $?\n")
    terminal.expect("status 130")
    terminal.type("exit\n")
    terminal.end()


def test_interrupting_a_command_on_the_terminal(host: Host) -> None:
    terminal = Terminal(
        host, "toy", "--", "sh", "-c", "trap 'echo interrupted; exit 9' INT; echo waiting; sleep 1000 & wait"
    )
    terminal.expect("waiting")
    terminal.type("\x03")
    terminal.expect("interrupted")
    assert terminal.end() == 9


def test_a_terminal_that_goes_away_ends_the_launch(host: Host) -> None:
    terminal = Terminal(host, "toy")
    terminal.type(f"{' '.join(host.rpm)} -e --notriggers legacy; echo do''ne\n")
    terminal.expect("done")
    terminal.hang_up()
    assert "legacy-1" not in packages(host, *OVERLAY)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("kill", [os.kill, os.killpg], ids=["toy", "group"])
def test_signals_reach_the_command(host: Host, number: signal.Signals, kill: Callable[[int, int], None]) -> None:
    script = f"trap 'echo caught; exit 9' {number.value}; echo waiting; sleep 1000 & wait"
    process = start(host, "toy", "--", "sh", "-c", script)
    kill(process.pid, number)
    assert process.communicate() == (b"caught\n", b"")
    assert process.returncode == 9


def test_a_signal_ends_a_command_that_does_not_care(host: Host) -> None:
    process = start(host, "toy", "--", "sh", "-c", "echo waiting; exec sleep 1000")
    os.kill(process.pid, signal.SIGTERM)
    process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert toy(host, "true").returncode == 0


LOOPS = {
    "a loop that takes no notice": "trap '' TERM; echo waiting; while :; do :; done",
    "renames of a directory of the host's, until it works": """
        trap : TERM; echo waiting
        until /usr/bin/python3 -c "import os; os.rename('/usr/share/doc', '/usr/share/papers')"; do :; done
    """,
}


@pytest.mark.parametrize("script", LOOPS.values(), ids=LOOPS)
def test_what_does_not_end_is_killed_after_a_while(host: Host, script: str) -> None:
    process = start(host, "toy", "--", "sh", "-c", f"{script} 2>/dev/null")
    os.kill(process.pid, signal.SIGTERM)
    _, stderr = process.communicate()
    assert "toy: the command did not end in 10 s after SIGTERM, so it is killed" in stderr.decode().splitlines()
    assert process.returncode == 128 + signal.SIGKILL
    assert toy(host, "ls", "-d", "/usr/share/doc").returncode == 0


def test_a_terminals_shell_that_takes_no_notice_is_killed_as_well(host: Host) -> None:
    terminal = Terminal(host, "toy")
    terminal.type("echo lo''oping; while :; do :; done\n")
    terminal.expect("looping")
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.end() == 128 + signal.SIGKILL
    assert toy(host, "true").returncode == 0


def left_over(host: Host) -> str:
    """Return what of a launch is still there: mounts, processes, files that somebody has open."""
    return host.sh("grep -e ' toy ' -e machines /proc/self/mountinfo || :; ls /run /tmp; pgrep -x -f 'sleep 4242' || :")


@pytest.mark.parametrize("kill", [os.kill, os.killpg], ids=["toy", "group"])
@pytest.mark.everywhere
def test_nothing_remains_of_a_killed_launch(host: Host, kill: Callable[[int, int], None]) -> None:
    toy(host, "true")
    before, state = left_over(host), host.sh("ls -A /var/lib/toy/toy")
    assert "nspawn-root" not in before
    process = start(host, "toy", "--", "sh", "-c", "echo waiting; sleep 4242; :")
    assert "4242" not in before
    kill(process.pid, signal.SIGKILL)
    process.communicate()  # ends when the last one that could write has ended
    assert left_over(host) == before
    assert host.sh("ls -A /var/lib/toy/toy") == state
    assert toy(host, "true").returncode == 0


@pytest.mark.everywhere
def test_what_a_killed_launch_did_is_kept(host: Host) -> None:
    build(host, [HELLO], RPMS)
    rpm = " ".join([*host.rpm, "--notriggers"])
    script = f"{rpm} -i {RPMS}/{HELLO.file} >&2; {rpm} -e legacy >&2; echo waiting; sleep 1000"
    process = start(host, "toy", "--", "sh", "-c", script)
    process.kill()
    process.communicate()
    publish(host, replace(EDITOR, version="2"))
    host.zypper("update")
    assert packages(host, *OVERLAY) == {"editor-2", "library-1", "hello-1"}
    assert is_current(host, *OVERLAY)
    assert toy(host, "hello").stdout == "Hello, world!\n"
