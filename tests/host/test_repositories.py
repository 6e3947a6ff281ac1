# SPDX-License-Identifier: GPL-2.0-or-later
"""Repositories and locks in an overlay that changed its own follow the host's."""

import pytest
from host import Host
from reconciled import UPPER, enter, in_upper, killed_before, on_host, overlay
from truth import OVERLAY

OTHER = "/etc/zypp/repos.d/other.repo"


@pytest.fixture
def zypper(host: Host) -> Host:
    """A host with one more repository, and an overlay that was entered."""
    host.run("zypper", "-n", "addrepo", "--no-gpgcheck", "dir:///srv/repository", "other")
    enter(host)
    return host


def shown(host: Host, *where: str) -> str:
    """What zypper says of the repository."""
    return host.run(*where, "cat", OTHER).stdout


@pytest.mark.everywhere
def test_a_repository_that_both_changed(zypper: Host) -> None:
    overlay(zypper, "modifyrepo", "--disable", "other")
    zypper.run("zypper", "-n", "modifyrepo", "--priority", "50", "other")
    assert enter(zypper) == []
    assert "enabled=0" in shown(zypper, *OVERLAY)
    assert "priority=50" in shown(zypper, *OVERLAY)
    assert "No" in overlay(zypper, "repos", "other").split()
    overlay(zypper, "modifyrepo", "--enable", "other")
    zypper.run("zypper", "-n", "modifyrepo", "--priority", "60", "other")
    assert enter(zypper) == []
    assert shown(zypper, *OVERLAY) == shown(zypper)
    assert not in_upper(zypper, OTHER)


@pytest.mark.everywhere
def test_locks_of_both(zypper: Host) -> None:
    overlay(zypper, "addlock", "mine")
    zypper.run("zypper", "-n", "addlock", "theirs")
    assert enter(zypper) == []
    locks = overlay(zypper, "locks")
    assert "mine" in locks
    assert "theirs" in locks
    zypper.run("zypper", "-n", "removelock", "theirs")
    assert enter(zypper) == []
    locks = overlay(zypper, "locks")
    assert "mine" in locks
    assert "theirs" not in locks


def test_repositories_of_either(zypper: Host) -> None:
    overlay(zypper, "addrepo", "dir:///srv/mine", "mine")
    overlay(zypper, "modifyrepo", "--disable", "other")
    zypper.run("zypper", "-n", "addrepo", "dir:///srv/theirs", "theirs")
    assert enter(zypper) == []
    assert {"mine", "theirs", "other"} <= set(overlay(zypper, "repos").split())
    zypper.run("zypper", "-n", "removerepo", "theirs")
    overlay(zypper, "removerepo", "other")
    zypper.run("zypper", "-n", "modifyrepo", "--priority", "60", "other")
    assert enter(zypper) == []
    assert not {"theirs", "other"} & set(overlay(zypper, "repos").split())


@pytest.mark.parametrize(
    "damage", ["mkfifo", "ln -s /etc/hostname", "mkdir", "printf '[a\\n' >", "head -c 3M /dev/zero >"]
)
def test_what_makes_no_sense_is_left_alone(zypper: Host, damage: str) -> None:
    zypper.sh(f"mkdir -p {UPPER}/etc/zypp/repos.d; {damage} {UPPER}{OTHER}")
    zypper.run("zypper", "-n", "modifyrepo", "--priority", "50", "other")
    assert enter(zypper) == []
    assert "50" not in zypper.sh("cat /etc/hostname")


def test_a_change_of_the_hosts_alone_needs_no_package(zypper: Host) -> None:
    overlay(zypper, "modifyrepo", "--disable", "other")
    enter(zypper)
    assert enter(zypper) == []
    on_host(zypper, "modifyrepo", "--priority", "70", "other")
    assert enter(zypper) == []
    assert "priority=70" in shown(zypper, *OVERLAY)


def test_a_repository_that_the_host_renamed_and_the_overlay_changed(zypper: Host) -> None:
    overlay(zypper, "modifyrepo", "--disable", "other")
    on_host(zypper, "renamerepo", "other", "renamed")
    assert enter(zypper) == []
    assert overlay(zypper, "repos", "renamed").split().count("renamed") > 0
    assert shown(zypper, *OVERLAY) == shown(zypper).replace("enabled=1", "enabled=0")


def test_comments_stay_and_blanks_take_no_time(zypper: Host) -> None:
    blanks = f"k{' ' * 10**6}x"
    edit = f"sed -i 's/enabled=1/enabled=0/' {OTHER}; cat >> {OTHER}"
    zypper.run(*OVERLAY, "sh", "-c", edit, input=f"# mine\n{blanks}\n")
    on_host(zypper, "modifyrepo", "--priority", "70", "other")
    assert enter(zypper) == []
    lines = shown(zypper, *OVERLAY).splitlines()
    assert {"# mine", blanks, "enabled=0", "priority=70"} <= set(lines)


def test_what_both_removed_and_the_host_adds_anew_is_there(zypper: Host) -> None:
    overlay(zypper, "removerepo", "other")
    on_host(zypper, "removerepo", "other")
    assert enter(zypper) == []
    zypper.run("zypper", "-n", "addrepo", "--no-gpgcheck", "dir:///srv/repository", "other")
    assert enter(zypper) == []
    assert "other" in overlay(zypper, "repos").split()
    assert not in_upper(zypper, OTHER)


def test_what_the_overlay_removed_stays_removed_while_the_host_has_it(zypper: Host) -> None:
    overlay(zypper, "removerepo", "other")
    on_host(zypper, "modifyrepo", "--priority", "70", "other")
    assert enter(zypper) == []
    assert "other" not in overlay(zypper, "repos").split()
    more = "[more]\nname=more\nenabled=1\nautorefresh=0\nbaseurl=dir:///srv/repository?more\ngpgcheck=0\n"
    zypper.sh(f"cat >> {OTHER} <<'END'\n{more}END")
    assert enter(zypper) == []
    repositories = overlay(zypper, "repos").split()
    assert "more" in repositories
    assert "other" not in repositories


def test_a_service_that_both_removed_and_the_host_adds_anew_is_there(zypper: Host) -> None:
    add = ("addservice", "--type", "ris", "https://example.com/svc", "svc")
    on_host(zypper, *add)
    assert enter(zypper) == []
    overlay(zypper, "removeservice", "svc")
    on_host(zypper, "removeservice", "svc")
    assert enter(zypper) == []
    on_host(zypper, *add)
    assert enter(zypper) == []
    assert "svc" in overlay(zypper, "services").split()


@pytest.mark.parametrize("how", ["zypper -n removelock theirs", "rm /etc/zypp/locks"])
def test_new_locks_arrive_after_the_overlay_removed_all(zypper: Host, how: str) -> None:
    on_host(zypper, "addlock", "theirs")
    assert enter(zypper) == []
    zypper.run(*OVERLAY, "sh", "-c", how)
    on_host(zypper, "addlock", "more")
    assert enter(zypper) == []
    locks = overlay(zypper, "locks")
    assert "more" in locks
    assert "theirs" not in locks
    on_host(zypper, "removelock", "theirs", "more")
    assert enter(zypper) == []
    on_host(zypper, "addlock", "theirs")
    assert enter(zypper) == []
    assert "theirs" in overlay(zypper, "locks")


@pytest.mark.parametrize("path", ["/etc/zypp/credentials.d/other", "/etc/zypp/vars.d/name"])
def test_credentials_and_variables(zypper: Host, path: str) -> None:
    def on(*where: str, do: str) -> None:
        zypper.run(*where, "sh", "-ec", f"mkdir -p {path.rpartition('/')[0]}; {do}")

    on(do=f"echo username=a > {path}")
    assert enter(zypper) == []
    on(*OVERLAY, do=f"chmod 600 {path}; echo username=a > {path}")
    on(do=f"echo username=b > {path}")
    assert enter(zypper) == []
    assert zypper.run(*OVERLAY, "cat", path).stdout == "username=b\n"
    on(*OVERLAY, do=f"echo username=mine > {path}")
    on(do=f"echo username=c > {path}")
    assert enter(zypper) == [f"toy: shadowed: {path} (the host has another one; the overlay keeps its own)"]
    assert enter(zypper) == []
    on(*OVERLAY, do=f"rm {path}")
    on(do=f"rm {path}")
    assert enter(zypper) == []
    on(do=f"echo username=d > {path}")
    assert enter(zypper) == []
    assert zypper.run(*OVERLAY, "cat", path).stdout == "username=d\n"


def test_what_a_launch_that_was_killed_found_in_them_is_said(zypper: Host) -> None:
    path = "/etc/zypp/vars.d/name"
    zypper.sh(f"mkdir -p {path.rpartition('/')[0]}; echo a > {path}")
    zypper.run(*OVERLAY, "sh", "-c", f"echo mine > {path}")
    zypper.sh(f"echo b > {path}")
    killed_before(zypper, "reconcile/prepare", "happened += reconcile(parts, is_left_alone")
    assert enter(zypper) == [f"toy: shadowed: {path} (the host has another one; the overlay keeps its own)"]
    assert enter(zypper) == []


@pytest.mark.parametrize("change", [["modifyrepo", "--disable"], ["removerepo"]])
def test_the_host_gives_the_file_of_what_the_overlay_changed_another_name(zypper: Host, change: list[str]) -> None:
    overlay(zypper, *change, "other")
    zypper.sh(f"mv {OTHER} /etc/zypp/repos.d/another.repo")
    assert enter(zypper) == []
    repositories = [line.split("|") for line in overlay(zypper, "repos").splitlines() if "|" in line]
    enabled = [fields[3].strip() for fields in repositories if fields[1].strip() == "other"]
    assert enabled == ([] if change == ["removerepo"] else ["No"])
    assert not in_upper(zypper, OTHER)
    on_host(zypper, "modifyrepo", "--priority", "70", "other")
    assert enter(zypper) == []
    path = "/etc/zypp/repos.d/another.repo"
    is_there = "priority=70" in zypper.run(*OVERLAY, "cat", path, check=False).stdout
    assert is_there == (change != ["removerepo"])
