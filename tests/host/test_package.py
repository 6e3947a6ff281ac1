# SPDX-License-Identifier: GPL-2.0-or-later
"""toy's own package: what it brings, what installing and erasing it does, and `make install`."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from host import Host
from image import CHECKOUT, RPMS, SOURCE
from truth import is_current, packages

from toy.headers.headerset import DIRECTORY

MACROS = "--load=/usr/lib/rpm/macros.d/macros.toy"
"""The system's rpm loads it by itself; one that is somewhere else has other macros."""


def test_installing_it_made_the_set(host: Host) -> None:
    assert is_current(host)
    assert host.run("rpm", "-V", "toy").stdout == ""


def test_so_does_rpm_by_hand(host: Host) -> None:
    host.run(*host.rpm, "-e", "toy")
    assert host.run("test", "-e", f"/{DIRECTORY}", check=False).returncode == 1
    host.sh(f"{' '.join(host.rpm)} -i {RPMS}/toy-*.rpm")
    assert is_current(host)
    host.sh(f"{' '.join(host.rpm)} -U --replacepkgs {RPMS}/toy-*.rpm")
    assert is_current(host)


def test_rpmlint_has_nothing_to_say(host: Host, tmp_path: Path) -> None:
    for path in host.sh(f"ls {RPMS}/toy-*.rpm").split():
        shutil.copy(f"{host.upper}{path}", tmp_path)
    macros = CHECKOUT / "rpm-macros"
    rpmlint = Path(sys.executable).with_name("rpmlint")
    files = [macros / "toy.spec", *tmp_path.glob("*.rpm")]
    done = subprocess.run([rpmlint, "--rpmlintrc", macros / "toy-rpmlintrc", *files], capture_output=True, text=True)
    assert "1 packages and 1 specfiles checked; 0 errors, 0 warnings" in done.stdout, done.stdout


def test_macro_and_code_name_the_same_directory(host: Host) -> None:
    assert host.run("rpm", MACROS, "--eval", "%_toy_headersdir").stdout.strip() == f"/{DIRECTORY}"


def test_the_macro_expands_to_every_trigger(host: Host) -> None:
    triggers = host.run("rpm", MACROS, "--eval", "%toy_filetriggers").stdout
    kinds = [line.split()[0] for line in triggers.splitlines() if line.startswith("%")]
    assert kinds == ["%filetriggerin", "%transfiletriggerin", "%transfiletriggerpostun"]
    packaged = host.run("rpm", "-q", "--filetriggers", "toy").stdout
    assert [line.split()[0] for line in packaged.splitlines() if "scriptlet" in line] == [kind[1:] for kind in kinds]


def test_erasing_it_leaves_only_the_machines(host: Host) -> None:
    files = host.run("rpm", "-ql", "toy").stdout.split()
    host.run("toy", "--", "true")
    host.zypper("remove", "toy")
    left = host.run("sh", "-c", 'for file; do [ ! -e "$file" ] || echo "$file"; done', "sh", *files).stdout.split()
    # Of this machine itself, where libzypp is no rpm.
    assert set(left) <= {"/usr/lib/zypp", "/usr/lib/zypp/plugins", "/usr/lib/zypp/plugins/commit"}
    assert host.run("test", "-e", f"/{DIRECTORY}", check=False).returncode == 1
    assert host.run("ls", "/var/lib/toy").stdout.split() == ["toy"]
    host.zypper("install", "toy")
    assert is_current(host)
    assert packages(host, "toy", "--") == packages(host)


@pytest.mark.parametrize("others", ["legacy", "editor library legacy"])
def test_erasing_it_with_others_leaves_no_set(host: Host, others: str) -> None:
    host.sh(f"{' '.join(host.rpm)} -e toy {others}")
    assert host.run("test", "-e", f"/{DIRECTORY}", check=False).returncode == 1


@pytest.mark.parametrize("prefix", ["/usr", "/opt/toy"])
def test_make_install_brings_the_same_files(host: Host, prefix: str) -> None:
    host.run("make", "-C", SOURCE, "install", "DESTDIR=/tmp/dest", f"PREFIX={prefix}")
    made = host.run("find", f"/tmp/dest{prefix}", "!", "-type", "d", "-printf", "%P %m %l\n").stdout
    packaged = host.run("rpm", "-q", "--qf", "[%{FILENAMES} %{FILEMODES:octal} %{FILELINKTOS}\n]", "toy").stdout
    expected = []
    for line in packaged.splitlines():
        path, mode, *target = line.split()
        path = path.removesuffix(".gz")  # some rpms compress manuals
        if not mode.startswith(("04", "4")) and not path.startswith(("/usr/share/doc/", "/usr/share/licenses/")):
            expected.append(" ".join([path.removeprefix("/usr/"), mode[-3:], *target]).strip())
    assert sorted(map(str.strip, made.splitlines())) == sorted(expected)
    version = host.run(f"/tmp/dest{prefix}/bin/toy", "--version").stdout
    assert version.startswith("toy ")


def test_it_runs_with_the_distributions_python_and_writes_no_bytecode(host: Host) -> None:
    assert host.run("head", "-1", "/usr/bin/toy").stdout.startswith("#!/usr/bin/python3 ")
    before = host.run("find", "/usr/lib/toy").stdout
    host.run("toy", "dump")
    assert host.run("find", "/usr/lib/toy").stdout == before
