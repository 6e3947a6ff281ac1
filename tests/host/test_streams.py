# SPDX-License-Identifier: GPL-2.0-or-later
"""What toy prints where that is closed, full, or a pipe that nobody reads: one line if it can be said, status 125."""

import pytest
from host import Host
from overlay import toy
from truth import OVERLAY

SHOWING = ("status", "status --json", "diff", "diff --json", "--help", "status --help", "dump -h", "--version")
"""Arguments with which toy prints on stdout."""

FAILING = ("dump --root /no/such", "--nonsense", "no-verb", "status ..", "diff nobody", "-n", "-n .. -- true")

SILENT = ("dump", "dump --changed", "-- true", "-n toy -- true")

UNUSABLE = {"&-": "it is closed", "/dev/full": "No space left on device"}
"""Where to redirect to, and what is said of that."""


def sh(host: Host, script: str) -> tuple[int, str, str]:
    done = host.run("sh", "-c", script, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def entered(host: Host) -> Host:
    """A host with a machine that has something to show."""
    toy(host, "sh", "-c", "echo > /etc/own")
    return host


@pytest.mark.parametrize("arguments", SHOWING)
def test_stdout_that_takes_nothing(entered: Host, arguments: str) -> None:
    for where, why in UNUSABLE.items():
        line = f"toy: cannot write to stdout: {why}; write it to a file elsewhere: toy {arguments} >FILE\n"
        assert sh(entered, f"toy {arguments} >{where}") == (125, "", line)
        assert sh(entered, f"toy {arguments} >{where} 2>{where}") == (125, "", "")
        assert sh(entered, f"toy {arguments} >{where} 2>{where} <&-") == (125, "", "")


@pytest.mark.parametrize("where", UNUSABLE)
def test_stderr_that_takes_nothing(entered: Host, where: str) -> None:
    for arguments in FAILING:
        assert sh(entered, f"toy {arguments} 2>{where}") == (125, "", "")
        assert sh(entered, f"TOY_DEBUG=1 toy {arguments} 2>{where}") == (125, "", "")


@pytest.mark.parametrize("where", UNUSABLE)
def test_where_nothing_is_printed_may_be_anything(entered: Host, where: str) -> None:
    for arguments in SHOWING:
        assert sh(entered, f"toy {arguments} 2>{where}")[0] == 0
    for arguments in SILENT:
        for streams in (f">{where}", f"2>{where}", f">{where} 2>{where} <&-"):
            assert sh(entered, f"toy {arguments} {streams}") == (0, "", "")


def test_who_has_read_enough_hears_nothing(entered: Host) -> None:
    entered.run("mkfifo", "/tmp/pipe")
    for arguments in SHOWING:
        # The pipe has no reader any more when toy begins.
        assert sh(entered, f"exec 3<>/tmp/pipe 4>/tmp/pipe 3<&-; toy {arguments} >&4") == (0, "", "")


def test_what_is_closed_is_not_taken_for_another_file(entered: Host) -> None:
    # A lock or a database that got the number of stdout would be written to.
    script = "import os; open('/etc/own', 'w').write(' '.join(os.readlink(f'/proc/self/fd/{n}') for n in range(3)))"
    assert sh(entered, f'toy -- /usr/bin/python3 -c "{script}" <&- >&- 2>&-') == (0, "", "")
    paths = toy(entered, "cat", "/etc/own").stdout.split()
    assert [path.endswith("/dev/null") for path in paths] == [True, True, True]


def test_a_command_gets_what_there_is(entered: Host) -> None:
    assert sh(entered, "toy -- echo hi >&-")[0] == 1
    assert sh(entered, "toy -- echo hi >/dev/full")[0] == 1
    assert sh(entered, "toy -- sh -c 'echo hi; exit 3' 2>&-") == (3, "hi\n", "")


def test_what_a_launch_says_does_not_count(entered: Host) -> None:
    entered.run("zypper", "-n", "remove", "legacy")
    entered.sh("echo > /var/lib/toy/toy/base")
    for where in ("/dev/full", "&-"):
        assert sh(entered, f"toy -- sh -c 'exit 4' 2>{where}") == (4, "", "")
    assert entered.run(*OVERLAY, "true").stderr == ""
