# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that are run by one script: what each gets, and what becomes of the others if one fails."""

import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from toy import limited
from toy.reconcile.in_overlay import Command, run_each


def sh(script: str, *lines: str) -> Command:
    return Command(["sh", "-c", script], lines)


OK = sh("true")
CASES: dict[str, tuple[list[Command], list[str | None], int]] = {
    "none": ([], [], 0),
    "all succeed": ([OK, OK, OK], [None, None, None], 1),
    "one fails": ([OK, sh("exit 3"), OK], [None, "failed", None], 1),
    "one is not there": ([Command(["/there/is/none"]), OK], ["failed", None], 1),
    "one hangs": ([OK, sh("exec sleep 60"), OK], [None, "took more than 1 s", None], 2),
    "one prints without end": ([OK, sh("exec yes >&2"), OK], [None, "took more than 1 s", None], 2),
    "none hangs, but all of them take longer": ([sh("exec sleep 0.7")] * 3, [None, None, None], 1),
    "one ends the script": ([OK, sh("kill -KILL $PPID"), OK], [None, "failed", None], 2),
    "one prints what looks like a status": ([sh("echo 1; echo 1 >&2"), OK], [None, None], 1),
    "one leaves something running that has the input": ([sh("sleep 60 &", *["x" * 1000] * 200), OK], [None, None], 1),
    "what cannot be written in a command line": ([sh("true", "x" * 200_000, "'", "$(exit 1)", "\udcff")], [None], 1),
}


@pytest.mark.parametrize(("commands", "problems", "scripts"), CASES.values(), ids=CASES)
def test_commands(commands: list[Command], problems: list[str | None], scripts: int) -> None:
    count = itertools.count()

    def run(command: Sequence[str], stdin: bytes = b"", lines: int = 0) -> list[str]:
        next(count)
        return limited.run(list(command), seconds=1, stdin=stdin, lines=lines)

    assert run_each(run, commands, "running commands") == problems
    assert next(count) == scripts


def test_each_reads_its_own_input(tmp_path: Path) -> None:
    def run(command: Sequence[str], stdin: bytes = b"", lines: int = 0) -> list[str]:
        return limited.run(list(command), seconds=10, stdin=stdin, lines=lines)

    given: list[list[str]] = [["a b", "", "END", "$x\\n"], [], ["c"]]
    commands = [sh(f"cat > {tmp_path}/{number}", *lines) for number, lines in enumerate(given)]
    assert run_each(run, commands, "running commands") == [None] * 3
    assert [(tmp_path / str(number)).read_text() for number in range(3)] == ["a b\n\nEND\n$x\\n\n", "", "c\n"]


def test_lines_that_nobody_asked_for_give_no_more_time() -> None:
    began = time.monotonic()
    with pytest.raises(limited.TookTooLong) as caught:
        limited.run(["sh", "-c", "while echo x; do sleep 0.3; done"], seconds=1, lines=2)
    assert caught.value.lines == ["x", "x"]
    assert time.monotonic() - began < 10
