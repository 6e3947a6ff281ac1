# SPDX-License-Identifier: GPL-2.0-or-later
"""Each of stdin, stdout and stderr is a terminal or not by itself, and all bytes arrive, also those of a terminal."""

import hashlib

import pytest
from host import Host
from overlay import toy
from terminal import PROMPT, Terminal, shell

WHICH = "which=; for fd in 0 1 2; do [ ! -t $fd ] || which=$which$fd; done; printf '%s' $which >/root/which"


@pytest.mark.parametrize(
    ("line", "terminals"),
    [
        ("toy -- sh /root/which.sh", "012"),
        ("toy -- sh /root/which.sh 2>/root/file", "01"),
        ("toy -- sh /root/which.sh >/root/file", "02"),
        ("toy -- sh /root/which.sh </dev/null", "12"),
        ("toy -- sh /root/which.sh | cat", "02"),
        ("echo | toy -- sh /root/which.sh", "12"),
        ("echo | toy -- sh /root/which.sh 2>&1 | cat", ""),
        ("toy -- sh /root/which.sh >&-", "02"),
        ("toy -- sh /root/which.sh &\nwait", "12"),  # as it is in a script
    ],
)
def test_each_stream_by_itself(host: Host, line: str, terminals: str) -> None:
    host.write("/root/which.sh", WHICH)
    terminal = Terminal(host, "bash", "-c", line)
    assert terminal.end() == 0
    assert host.run("cat", "/root/which").stdout == terminals


def test_what_goes_into_a_file_is_not_on_the_screen(host: Host) -> None:
    terminal = Terminal(host, "sh", "-c", "toy -- sh -c 'echo out; echo err >&2' 2>/root/file")
    assert terminal.rest() == b"out\r\n"
    assert host.run("cat", "/root/file").stdout == "err\n"


ASK = "printf Password: >/dev/tty; read word </dev/tty; echo got $word >/dev/tty"


@pytest.mark.parametrize(
    "line",
    ["toy -- {} | cat", "echo | toy -- {}", "echo | toy -- {} 2>&1 | cat", "toy -- {} </dev/null >/dev/null 2>&1"],
)
def test_a_password_is_asked_for_in_a_pipeline(host: Host, line: str) -> None:
    terminal = shell(host)
    terminal.type(line.format(f"sh -c '{ASK}'") + "\n")
    terminal.expect("[\r\n]Password:")
    terminal.type("secret\n")
    terminal.expect("got secret\r\n")
    terminal.expect(PROMPT)
    assert terminal.run("echo $((6 * 7))") == ["42"]


def test_a_pager_after_a_pipe(host: Host) -> None:
    terminal = shell(host, "xterm")
    before = terminal.modes()
    terminal.type("toy -- seq 1000 | less\n")
    terminal.expect("\r\n23")
    terminal.type("q")
    terminal.expect(PROMPT)
    assert terminal.modes() == before


def test_lines_of_a_pipeline_end_as_others_do(host: Host) -> None:
    script = "toy -- sh -c 'echo one >&2; echo two; echo three >&2' | cat; toy -- echo four </dev/null"
    lines = Terminal(host, "sh", "-c", script).rest().split(b"\r\n")
    assert sorted(lines) == [b"", b"four", b"one", b"three", b"two"]


def test_a_program_that_moves_the_cursor_by_itself_can_do_so_in_a_pipeline(host: Host) -> None:
    script = "stty -opost; printf '1\\n2\\n'; read x; stty opost; echo 3"
    terminal = Terminal(host, "sh", "-c", 'toy -- sh -c "$1" 2>/dev/null', "sh", script)
    terminal.expect("1\n2\n")
    terminal.type("x\n")
    assert terminal.rest().endswith(b"3\r\n")
    terminal.end()


MANY = 100_000_000


def test_all_that_is_printed_on_the_terminal_arrives(host: Host) -> None:
    # The command ends as soon as it has written the last byte.
    host.sh(f"head -c {MANY * 3 // 4} /dev/urandom | base64 --wrap=99 > /tmp/many; cp /tmp/many /root/many")
    terminal = Terminal(host, "sh", "-c", "stty -opost; exec toy -- cat /root/many")
    digest = host.run("sha256sum", "/root/many").stdout.split()[0]
    assert hashlib.sha256(terminal.rest()).hexdigest() == digest


def test_pipes_are_exact(host: Host) -> None:
    host.sh(f"head -c {MANY} /dev/urandom > /root/many")
    host.sh("toy -- cat < /root/many | cmp - /root/many")
    host.sh("cat /root/many | toy -- sh -c 'cmp - /root/many'")
    host.sh("toy -- sh -c 'cat /root/many; echo error >&2' 2>/root/errors | cmp - /root/many")
    assert host.run("cat", "/root/errors").stdout == "error\n"


def test_what_a_reader_leaves_in_a_pipe_is_for_the_next(host: Host) -> None:
    assert host.sh("seq 3 | (toy -- sh -c 'read line; echo $line'; cat)") == "1\n2\n3\n"


def test_a_reader_that_goes_ends_the_command(host: Host) -> None:
    assert host.sh("toy -- yes | head -n 1") == "y\n"
    assert toy(host, "true").returncode == 0
