# SPDX-License-Identifier: GPL-2.0-or-later
"""Header files, stamps and bases that are not what they should be: named, kept or mended."""

from collections.abc import Callable
from shlex import quote as quoted

import pytest
from host import Host
from overlay import refused
from truth import OVERLAY, database, is_current, packages

SET = "/usr/lib/sysimage/rpm-headers"
DATABASE = "/usr/lib/sysimage/rpm"
UPPER_SET = f"/var/lib/toy/toy/overlay{SET}"

DAMAGES = {
    "truncated": "truncate -s 100 {}",
    "empty": ": > {}",
    "garbage": "head -c 3000 /dev/urandom > {}",
    "content of another": f"cat {SET}/system-*.hdr > {{}}",
    "fifo": "rm {}; mkfifo {}",
    "link": "mv {} /tmp/aside; ln -s /tmp/aside {}",
}


@pytest.fixture(params=list(DAMAGES))
def damage(request: pytest.FixtureRequest, host: Host) -> Callable[[str], str]:
    """Damages the one file that a pattern matches, and returns its name."""

    def do(pattern: str) -> str:
        path = host.sh(f"ls {pattern}").strip()
        host.sh(DAMAGES[request.param].replace("{}", path))
        return path

    return do


def test_a_damaged_file_of_the_host_is_written_anew_by_dump(host: Host, damage: Callable[[str], str]) -> None:
    name = damage(f"{SET}/editor-*.hdr").rsplit("/", 1)[1]
    done = host.run("toy", "dump")
    assert (done.stdout, done.stderr) == (
        "",
        f"toy: header file {name} did not match the rpm database; the header set matches it now\n",
    )
    assert is_current(host)
    assert host.run("toy", "dump").stderr == ""


def test_a_damaged_file_of_the_host_is_written_anew_by_a_launch(host: Host, damage: Callable[[str], str]) -> None:
    host.run(*OVERLAY, "true")
    host.zypper("install", "hello")
    name = damage(f"{SET}/hello-*.hdr").rsplit("/", 1)[1]
    done = host.run(*OVERLAY, "rpm", "-q", "hello")
    assert done.stdout == "hello-1-1.noarch\n"
    assert done.stderr == f"toy: header file {name} did not match the rpm database; the header set matches it now\n"
    assert is_current(host)


def test_a_damaged_file_that_a_launch_does_not_need_is_no_matter(host: Host, damage: Callable[[str], str]) -> None:
    damage(f"{SET}/editor-*.hdr")
    done = host.run(*OVERLAY, "rpm", "-q", "editor")
    assert (done.stdout, done.stderr) == ("editor-1-1.noarch\n", "")
    assert database(host, *OVERLAY) == database(host)


def test_a_damaged_file_of_the_overlay_is_written_anew(host: Host, damage: Callable[[str], str]) -> None:
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    name = damage(f"{UPPER_SET}/hello-*.hdr").rsplit("/", 1)[1]
    host.zypper("remove", "legacy")
    done = host.run(*OVERLAY, "rpm", "-q", "hello")
    assert done.stdout == "hello-1-1.noarch\n"
    assert done.stderr == f"toy: header file {name} did not match the rpm database; the header set matches it now\n"
    assert is_current(host, *OVERLAY)


def test_a_damaged_file_that_no_database_has_is_kept_and_named(host: Host, damage: Callable[[str], str]) -> None:
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    path = damage(f"{UPPER_SET}/hello-*.hdr")
    host.sh("mv /var/lib/toy/toy/rpmdb /var/lib/toy/toy/lost")
    before = host.sh(f"ls -l {UPPER_SET}")
    what, _, command = refused(host, *OVERLAY, "true").partition(" any more: ")
    assert what.startswith(f"damaged header file {path}: ")
    assert command.startswith(f"mv --backup=numbered -T {path} {UPPER_SET}.hello-1")
    assert host.sh(f"ls -l {UPPER_SET}") == before
    # The database is found again.
    host.sh("mv /var/lib/toy/toy/lost /var/lib/toy/toy/rpmdb")
    assert "hello-1" in packages(host, *OVERLAY)


FOREIGN = {
    "README": "echo foreign > {}",
    "core": "truncate -s 1T {}",
    "hello-1-1.noarch.hdr": "echo foreign > {}",
    ".hidden~": "echo foreign > {}",
    "directory": "mkdir -p {}/x",
    "link": "ln -s /etc/passwd {}",
    "fifo": "mkfifo {}",
    f"x-1-1.noarch.{'0' * 63}.hdr": "echo foreign > {}",
}


@pytest.mark.parametrize("where", [SET, UPPER_SET])
def test_what_is_no_header_file_is_ignored_and_named(host: Host, where: str) -> None:
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    for name, script in FOREIGN.items():
        host.sh(script.format(f"'{where}/{name}'"))
    before = host.sh(f"ls -A {where} | grep -v .stamp")
    host.zypper("remove", "legacy")
    done = host.run(*OVERLAY, "true")
    assert (done.stdout, done.stderr) == ("", "")
    assert "hello-1" in packages(host, *OVERLAY)
    assert {*before.split("\n")} - {*host.sh(f"ls -A {where}").split("\n")} <= {
        name for name in before.split("\n") if name.startswith("legacy-")
    }
    lines = [
        f"{where}/{name} is not a header file, and is ignored; move it away:"
        f" mv --backup=numbered -T {quoted(f'{where}/{name}')} {quoted(f'{where}.{name}.away')}"
        for name in sorted(FOREIGN)
    ]
    said = host.run("toy", "status").stdout.splitlines()
    assert [line for line in said if line.startswith("foreign: ")] == [f"foreign: {line}" for line in lines]
    done = host.run("toy", "dump")
    assert done.stderr.splitlines() == ([f"toy: {line}" for line in lines] if where == SET else [])
    assert host.run("toy", "dump", "--changed").stderr == ""
    for line in lines:
        host.sh(line.partition("move it away: ")[2])
    assert "foreign: " not in host.run("toy", "status").stdout
    assert is_current(host)
    assert is_current(host, *OVERLAY)


def test_a_file_name_that_is_a_directory(host: Host) -> None:
    path = host.sh(f"ls {SET}/editor-*").strip()
    host.sh(f"rm {path}; mkdir {path}")
    line = refused(host, "toy", "dump")
    aside = f"{path.replace('/editor', '.editor')}.away"
    attempt = "cannot bring the header set in line with the rpm database"
    assert line == f"{path}: Is a directory ({attempt}); move it away: mv --backup=numbered -T {path} {aside}"
    host.sh(line.partition("move it away: ")[2])
    host.run("toy", "dump")
    assert is_current(host)


@pytest.mark.parametrize("content", ["", "[", "{}", "[1]", "null"])
def test_a_damaged_base(host: Host, content: str) -> None:
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    host.run(*OVERLAY, "zypper", "-n", "remove", "legacy")
    host.write("/var/lib/toy/toy/base", content)
    assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}


@pytest.mark.parametrize("content", ["", "[", "{}", "null", '["a",[["x",1,1]]]'])
def test_a_damaged_stamp(host: Host, content: str) -> None:
    host.write(f"{SET}/.stamp", content)
    assert packages(host, *OVERLAY) == packages(host)
    assert is_current(host)
