# SPDX-License-Identifier: GPL-2.0-or-later
"""What went wrong, in one line: what could not be done, on which path, and what to type."""

import errno
import os
import re
import subprocess

import pytest

from toy import debug, failure, process
from toy.errors import Attempt, ToyError


class TestWords:
    """`failure.explained`, by itself."""

    @pytest.mark.parametrize("name", [7, None, 0])
    def test_an_error_that_names_no_path(self, name: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.argv", ["toy", "diff", "a b"])
        error = OSError(errno.EBADF, "Bad file descriptor", name)
        assert str(failure.explained(error)) == "Bad file descriptor; to see where: TOY_DEBUG=1 toy diff 'a b'"

    def test_an_error_without_a_number(self) -> None:
        error = OSError("Cannot call rmtree on a symbolic link")
        assert failure.explained(error).what == "Cannot call rmtree on a symbolic link"

    def test_a_bug_is_told_from_what_can_happen(self, capfd: pytest.CaptureFixture[str]) -> None:
        for error, is_bug in ((TypeError("x"), True), (OSError(errno.EIO, "x"), False), (ToyError("x", "y"), False)):
            failure.report(error)
            said = capfd.readouterr().err.splitlines()
            assert len(said) > 1 if is_bug else len(said) == 1
            assert said[-1].startswith("toy: TypeError, a bug of toy's" if is_bug else "toy: x; ")

    def test_paths_of_all_types(self) -> None:
        assert "/a\udcff: Is a dir" in failure.explained(OSError(errno.EISDIR, "Is a directory", b"/a\xff")).what

    def test_the_innermost_attempt_counts(self) -> None:
        with pytest.raises(OSError) as raised, Attempt("enter"), Attempt("write"):
            raise OSError(errno.EIO, "Input/output error", "/a")
        line = r"/a: Input/output error in the file system / \(\w+\) \(cannot write\); the kernel's log says why: .*"
        assert re.fullmatch(line, str(failure.explained(raised.value)))

    def test_the_file_system_is_named_where_it_is_at_fault(self) -> None:
        for number in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS):
            what = failure.explained(OSError(number, os.strerror(number), "/proc/no/such")).what
            assert what == f"/proc/no/such: {os.strerror(number)} in the file system /proc (proc)"
        assert failure.explained(OSError(errno.EACCES, "Permission denied", "/proc/x")).what.endswith("denied")

    def test_of_two_paths_that_one_counts_where_there_is_no_room(self) -> None:
        error = OSError(errno.ENOSPC, "No space left on device", "/usr/a", None, "/proc/b")
        assert failure.explained(error).what.startswith("/proc/b: ")
        error = OSError(errno.ENOSPC, "No space left on device", "/usr/a", None, "b")  # the first was completed
        assert failure.explained(error).what.startswith("/usr/a: ")

    @pytest.mark.parametrize(
        ("number", "path", "command"),
        [
            (errno.ENOSPC, "/usr/no/such", "df --output=avail,iavail,target /usr"),
            (errno.EROFS, "/usr/no/such", "findmnt --target /usr"),
            (errno.ENOENT, "/usr/no/such", "ls -la /usr"),
            (errno.EPERM, "/usr/no such", "lsattr -d /usr /usr"),
            (errno.EACCES, "/etc/passwd", "ls -ldZ /etc/passwd"),
            (
                errno.EISDIR,
                "/var/lib/toy/a b/c",
                "mv --backup=numbered -T '/var/lib/toy/a b/c' '/var/lib/toy/a b/c.away'",
            ),
            (errno.ENOTDIR, "/etc/passwd/x", "ls -ld /etc/passwd"),  # what is not toy's own is not to be moved
            (errno.EMFILE, "/etc", "ulimit -n 1024"),
            (errno.ENOSYS, "", "uname -r"),
        ],
    )
    def test_the_command_is_about_what_there_is(self, number: int, path: str, command: str) -> None:
        assert failure.explained(OSError(number, "", path)).next_step.endswith(f": {command}")

    def test_a_tool_that_is_missing(self) -> None:
        line = (
            "systemd-nspawn is not installed; install it: (zypper|transactional-update pkg) install systemd-container"
        )
        assert re.fullmatch(line, str(process.missing("systemd-nspawn")))
        assert str(process.missing("sh")) == "sh is not installed; find its package: cnf sh"

    def test_a_command_is_shown_as_it_can_be_typed(self) -> None:
        words = ["printf", "[%s]", "a b", "x\n'y'\\z\t", "", "$HOME", "é\x1b"]
        shown = debug.shown(words)
        assert shown.isprintable()
        typed = subprocess.run(["bash", "-c", shown], stdout=subprocess.PIPE, check=True).stdout
        assert typed.decode() == "".join(f"[{word}]" for word in words[2:])

    def test_no_value_of_a_variable_is_shown(self) -> None:
        assert debug.shown(["nspawn", "--setenv=http_proxy=http://user:secret@host", "--setenv=A"]) == (
            "nspawn --setenv=http_proxy --setenv=A"
        )
