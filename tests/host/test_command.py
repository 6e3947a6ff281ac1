# SPDX-License-Identifier: GPL-2.0-or-later
"""A command in the overlay: its status, its arguments, its streams."""

import signal

import pytest
from host import Host
from overlay import toy
from truth import OVERLAY


@pytest.mark.parametrize("status", [0, 1, 2, 42, 125, 128, 255])
def test_exit_status(host: Host, status: int) -> None:
    done = toy(host, "sh", "-c", f"exit {status}")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGSEGV])
def test_exit_status_of_a_command_killed_by_a_signal(host: Host, number: signal.Signals) -> None:
    assert toy(host, "sh", "-c", f"kill -{number.value} $$").returncode == 128 + number


@pytest.mark.parametrize(
    ("command", "status"), [("no-such-command", 127), ("/no/such", 127), ("/etc/passwd", 126), ("/", 126)]
)
def test_a_command_that_cannot_be_run(host: Host, command: str, status: int) -> None:
    done = toy(host, command)
    assert done.returncode == status
    assert done.stdout == ""
    assert command in done.stderr


@pytest.mark.parametrize("words", [["-x", "--", ""], ["two words", "$HOME", "a\nb", "*", "\\t", "'\""], ["ä"]])
def test_arguments_arrive_as_they_are(host: Host, words: list[str]) -> None:
    assert toy(host, "printf", "[%s]", *words).stdout == "".join(f"[{word}]" for word in words)


def test_many_long_arguments_arrive(host: Host) -> None:
    words = [str(number) * 50000 for number in range(10)]
    assert toy(host, "printf", "%s\\n", *words).stdout.split() == words


def test_no_builtin_of_a_shell_is_run(host: Host) -> None:
    assert toy(host, "echo", "a\\tb").stdout == "a\\tb\n"
    assert toy(host, "exit", "3").returncode == 127


def test_pipes(host: Host) -> None:
    data = bytes(range(256)) * 4096
    done = host.run_bytes(*OVERLAY, "sh", "-c", "cat; echo error >&2", content=data)
    assert done.stdout == data
    assert done.stderr == b"error\n"


def test_no_stdin_and_a_closed_stdout(host: Host) -> None:
    assert toy(host, "cat").stdout == ""
    host.sh("toy -- seq 100000 | head -n 1")
