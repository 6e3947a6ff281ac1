# SPDX-License-Identifier: GPL-2.0-or-later
"""Job control: commands in a machine stop, go on, go to the background and hear of signals, as any others do."""

import os
import signal

import pytest
from host import Host
from terminal import PROMPT, SHELL, Terminal, shell

WAIT = "sh -c 'echo wait\"\"ing; exec sleep 1000'"


def test_a_command_is_stopped_and_goes_on(host: Host) -> None:
    terminal = shell(host)
    before = terminal.modes()
    terminal.type("toy -- sh -c 'stty -echo raw isig; echo wait\"\"ing; read x; exit 7'\n")
    terminal.expect("waiting")
    for _ in range(2):
        terminal.type("\x1a")
        terminal.expect("Stopped +toy")
        terminal.expect(PROMPT)
        assert terminal.modes() == before
        assert terminal.run("echo $((6 * 7))") == ["42"]
        terminal.type("fg\n")
        terminal.expect("toy --")
        terminal.wait_until_raw()
    terminal.type("\n")
    terminal.expect(PROMPT)
    assert terminal.run("echo $?") == ["7"]


def test_a_stopped_command_goes_on_in_the_background(host: Host) -> None:
    terminal = shell(host)
    terminal.type("toy -- sh -c 'echo wait\"\"ing; read x </root/go; echo $x >/dev/tty'\n")
    host.run("mkfifo", "/root/go")
    terminal.expect("waiting")
    terminal.type("\x1a")
    terminal.expect("Stopped +toy")
    terminal.run("bg")
    host.sh("echo went on > /root/go")
    terminal.expect("went on\r\n")


def test_a_script_is_stopped_and_goes_on(host: Host) -> None:
    host.write("/root/script", f"toy -- {WAIT}\necho status $?\n")
    terminal = shell(host)
    terminal.type("sh /root/script\n")
    terminal.expect("waiting")
    terminal.type("\x1a")
    terminal.expect("Stopped +sh")
    terminal.type("fg\n")
    terminal.expect("sh /root/script")
    terminal.wait_until_raw()
    terminal.type("\x03")
    terminal.expect("status 130")


def test_a_command_in_the_background_reads_once_it_is_in_the_foreground(host: Host) -> None:
    terminal = shell(host)
    terminal.type("toy -- sh -c 'echo beg\"\"un; read word; echo got $word' &\n")
    terminal.expect("begun")
    terminal.type("fg\n")
    terminal.expect("toy -- sh")
    terminal.type("something\n")
    terminal.expect("got something")


def test_job_control_within_a_pipeline(host: Host) -> None:
    terminal = shell(host)
    terminal.type("toy | tee /root/log\n")
    terminal.type("PS1='in$ '\n")
    terminal.expect("[\r\n]in\\$ ")
    terminal.type(f"{WAIT}\n")
    terminal.expect("waiting\r\n")
    terminal.type("\x1a")
    terminal.expect("Stopped +sh")
    terminal.type("kill -KILL %1\n")
    terminal.type(f"{WAIT}\n")
    terminal.expect("[\r\n]waiting\r\n")
    terminal.type("\x03")
    terminal.type("echo where: $TOY.\n")
    terminal.expect("where: toy\\.")
    terminal.type("exit\n")
    terminal.expect("[\r\n]\\$ ")
    assert terminal.run("echo where: $TOY.") == ["where: ."]


def test_an_interrupt_ends_all_of_a_pipeline(host: Host) -> None:
    terminal = shell(host)
    terminal.type(f"yes | toy -- {WAIT} | cat\n")
    terminal.expect("waiting")
    terminal.type("\x03")
    terminal.expect(PROMPT)
    assert terminal.run("echo $?") == ["130"]


def test_no_key_is_the_terminals_own(host: Host) -> None:
    terminal = Terminal(host, "toy", "--", "sh", "-c", "stty raw -echo; echo waiting; head -c 3 | od -An -tx1")
    terminal.expect("waiting")
    terminal.type("\x1d\x1d\x1d")
    terminal.expect("1d 1d 1d")
    assert terminal.end() == 0


SIGNALS = ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "WINCH", "CONT")


@pytest.mark.parametrize("name", SIGNALS)
def test_signals_that_toy_gets_are_the_commands(host: Host, name: str) -> None:
    script = f"trap 'echo caught; exit 9' {name}; echo waiting; while :; do read x </root/never; done"
    host.run("mkfifo", "/root/never")
    terminal = Terminal(host, "toy", "--", "sh", "-c", script)
    terminal.expect("waiting")
    os.kill(terminal.pid, getattr(signal, f"SIG{name}"))
    terminal.expect("caught")
    assert terminal.end() == 9


def test_a_signal_can_stop_toy_and_its_command(host: Host) -> None:
    terminal = shell(host)
    terminal.type(f"toy -- {WAIT} &\n")
    terminal.expect("waiting")
    terminal.type("kill -TSTP $!; until jobs | grep Stopped; do :; done\n")
    terminal.expect("Stopped +toy")
    terminal.type("kill -TERM $!; kill -CONT $!; while wait $!; [ $? != 143 ]; do :; done; echo en''d\n")
    terminal.expect("[\r\n]end\r\n")


@pytest.mark.parametrize("size", [(24, 80), (5, 20), (0, 0)])
def test_the_size_of_the_window(host: Host, size: tuple[int, int]) -> None:
    terminal = Terminal(host, "toy", "--", "stty", "size", size=size)
    assert terminal.rest() == "{} {}\r\n".format(*size).encode()


WATCH = 'trap "stty size </dev/tty >/dev/tty" WINCH; echo wait""ing; while :; do read x </root/never; done'


def test_the_window_changes_its_size(host: Host) -> None:
    host.run("mkfifo", "/root/never")
    terminal = Terminal(host, "toy", "--", "sh", "-c", WATCH)
    terminal.expect("waiting")
    terminal.resize(33, 77)
    terminal.expect("33 77")


def test_the_window_changes_its_size_while_the_command_is_in_the_background(host: Host) -> None:
    terminal = shell(host)
    terminal.type('toy -- sh -c \'echo wait""ing; until stty size </dev/tty | grep "33 77"; do echo; done\' &\n')
    terminal.expect("waiting\r\n")
    terminal.resize(33, 77)
    terminal.expect("[\r\n]33 77\r\n")


def test_nohup(host: Host) -> None:
    host.run("mkfifo", "/root/go")
    terminal = Terminal(host, *SHELL)
    terminal.type("nohup toy -- sh -c 'echo wait\"\"ing; cat /root/go; echo lived' >/root/out 2>&1 &\n")
    host.sh("until grep -q waiting /root/out; do :; done")
    terminal.hang_up()
    host.sh("echo > /root/go; until grep lived /root/out; do :; done")
