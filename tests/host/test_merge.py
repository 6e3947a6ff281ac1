# SPDX-License-Identifier: GPL-2.0-or-later
"""What the overlay's database is made from: the nearest one there is, and never a wrong one."""

import subprocess
from dataclasses import replace

import awkward
import pytest
import rpm
from host import Host
from image import EDITOR, RPMS, publish
from overlay import start
from packages import Package, build
from truth import OVERLAY, database, is_current, packages

OWN = [Package(f"own-{number}", files={f"/usr/share/own/{number}": ""}) for number in range(8)]
SLOW = Package("slow", files={"/usr/share/slow": ""}, scripts="%post\necho waiting\nread line < /srv/go")
ODD = Package("odd", files={"/usr/share/odd": ""})


def numbers(host: Host, *where: str) -> dict[str, str]:
    """Return hdrNums by NAME-VERSION: a copied database keeps them, one that is built from nothing counts anew."""
    lines = host.run(*where, "rpm", "-qa", "--qf", "%{NAME}-%{VERSION} %{DBINSTANCE}\\n").stdout.splitlines()
    return dict(line.split() for line in lines)


def holds(one: dict[str, str], other: dict[str, str]) -> bool:
    return other.items() <= one.items()


@pytest.fixture
def worn(host: Host) -> Host:
    """A host whose hdrNums have gaps, as after some time."""
    publish(host, replace(EDITOR, version="2"))
    host.zypper("update")
    assert sorted(map(int, numbers(host).values())) != list(range(1, len(numbers(host)) + 1))
    return host


def test_a_new_machine_starts_with_the_hosts(worn: Host) -> None:
    assert numbers(worn, *OVERLAY) == numbers(worn)


@pytest.mark.everywhere
def test_after_a_change_of_the_host_it_is_the_hosts_with_the_overlays_packages(worn: Host) -> None:
    worn.run(*OVERLAY, "zypper", "-n", "install", "hello")
    worn.run(*OVERLAY, "zypper", "-n", "remove", "library")
    publish(worn, replace(EDITOR, version="3"))
    worn.zypper("update")
    now = numbers(worn, *OVERLAY)
    of_host = {name: number for name, number in numbers(worn).items() if not name.startswith("library")}
    assert holds(now, of_host)
    assert now.keys() - of_host.keys() == {"hello-1"}
    assert is_current(worn, *OVERLAY)
    assert worn.run(*OVERLAY, "rpm", "-Va").stdout == ""


def test_an_overlay_of_many_packages_starts_with_its_own(worn: Host) -> None:
    publish(worn, *OWN)
    worn.run(*OVERLAY, "zypper", "-n", "install", *(package.name for package in OWN))
    before = numbers(worn, *OVERLAY)
    publish(worn, replace(EDITOR, version="3"))
    worn.zypper("update")
    now = numbers(worn, *OVERLAY)
    assert now.keys() == before.keys() - {"editor-2"} | {"editor-3"}
    assert holds(now, {name: number for name, number in before.items() if name != "editor-2"})
    assert is_current(worn, *OVERLAY)
    assert worn.run(*OVERLAY, "rpm", "-Va").stdout == ""


def test_removed_on_the_host_while_the_overlay_has_many(worn: Host) -> None:
    publish(worn, *OWN)
    worn.run(*OVERLAY, "zypper", "-n", "install", *(package.name for package in OWN))
    worn.zypper("remove", "legacy", "library")
    assert packages(worn, *OVERLAY) == {"editor-2", *(f"{package.name}-1" for package in OWN)}
    assert is_current(worn, *OVERLAY)


def test_rpm_is_at_work_on_the_host(host: Host) -> None:
    # Its database is open and locked, and the last changes are in SQLite's -wal only. /tmp is private in scriptlets.
    build(host, [SLOW], RPMS)
    host.sh("mkfifo /srv/go")
    process = start(host, *host.rpm, "-i", f"{RPMS}/{SLOW.file}")
    during = packages(host)
    assert packages(host, *OVERLAY) == during
    assert is_current(host, *OVERLAY)
    host.sh("echo > /srv/go")
    process.communicate()
    assert process.returncode == 0
    assert packages(host, *OVERLAY) == packages(host) == during | {"slow-1"}
    assert is_current(host, *OVERLAY)


def test_the_hosts_database_is_never_still(host: Host) -> None:
    # Then there is no copy of it, and the database is built from nothing.
    touch = "echo waiting; while :; do touch /usr/lib/sysimage/rpm/rpmdb.sqlite; done"
    process = start(host, "sh", "-c", touch)
    assert packages(host, *OVERLAY) == packages(host)
    process.kill()
    process.communicate()
    assert is_current(host, *OVERLAY)


@pytest.mark.everywhere
def test_a_copy_that_is_none_is_built_from_nothing(host: Host) -> None:
    # cp loses what it should copy of a database, and says that all is well.
    lose = 'rm -f "$last"/rpmdb.sqlite-wal; truncate --size=8192 "$last"/rpmdb.sqlite'
    script = f'/usr/bin/cp "$@" || exit\nfor last; do :; done\ncase "$last" in */rpmdb.new/) {lose} ;; esac\n'
    host.write("/usr/local/bin/cp", f"#!/bin/sh\n{script}")
    host.sh("chmod 755 /usr/local/bin/cp")
    assert packages(host, *OVERLAY) == packages(host)
    assert database(host, *OVERLAY) == database(host)


def test_the_hosts_database_changes_after_it_was_copied(host: Host) -> None:
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    host.zypper("remove", "legacy")
    before = packages(host)
    install = f"rpm -i --nodeps --justdb --notriggers {RPMS}/legacy-1-1.noarch.rpm"
    path = "/usr/local/bin/cp"
    host.write(path, f'#!/bin/sh\n/usr/bin/cp "$@" && rm {path} && {install}\n')
    host.run("chmod", "755", path)
    assert packages(host, *OVERLAY) - {"hello-1"} in (before, before | {"legacy-1"})
    assert packages(host) == before | {"legacy-1"}
    assert is_current(host, *OVERLAY)
    assert packages(host, *OVERLAY) == packages(host) | {"hello-1"}
    assert is_current(host, *OVERLAY)


def test_a_header_that_rpm_did_not_install_comes_and_goes(host: Host) -> None:
    # It has files, and not their states.
    publish(host, ODD, *OWN)
    host.run(*OVERLAY, "zypper", "-n", "install", *(package.name for package in OWN))
    blob = awkward.of_file(host.upper / f"{RPMS[1:]}/{ODD.file}")
    assert host.run_bytes("rpmdb", "--importdb", content=rpm.header_magic + blob).returncode == 0
    host.run("toy", "dump")
    assert "odd-1" in packages(host, *OVERLAY)
    host.run(*host.rpm, "-e", "--justdb", "odd")
    assert packages(host, *OVERLAY) == packages(host) | {f"{package.name}-1" for package in OWN}
    assert is_current(host, *OVERLAY)


def test_long_work_shows_on_a_terminal_only(host: Host) -> None:
    names = [f"many-{number}" for number in range(300)]
    sections = "%package -n {0}\nSummary: None\n%description -n {0}\nNone.\n%files -n {0}\n"
    host.write("/tmp/many.spec", Package("many").spec + "".join(map(sections.format, names)))
    host.run("rpmbuild", "-bb", "--quiet", "--define", "_rpmdir /tmp/many", "/tmp/many.spec")
    host.sh(f"{' '.join(host.rpm)} -i --nosignature --notriggers /tmp/many/noarch/many-?*-1-1.noarch.rpm")
    done = host.run("toy", "dump")
    assert (done.stdout, done.stderr) == ("", "")
    host.sh("rm -r /usr/lib/sysimage/rpm-headers")
    shown: subprocess.CompletedProcess[str] = host.run("script", "--quiet", "--return", "-c", "toy dump", "/dev/null")
    steps = shown.stdout.splitlines()
    assert any(step.startswith("toy: writing header files of packages: 153 of 30") for step in steps)
    assert steps[-1].strip() == ""  # the line is gone
    assert is_current(host)
