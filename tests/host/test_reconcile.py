# SPDX-License-Identifier: GPL-2.0-or-later
"""Host and overlay both changed: a test per row of what becomes of packages and files, on a real host."""

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest
from backends import needs_openpgp
from host import Host
from image import EDITOR, HELLO, LEGACY, LIBRARY, RPMS, SOURCE, publish
from overlay import start
from packages import Package
from truth import OVERLAY, is_current, packages

UPPER = "/var/lib/toy/toy/overlay"

# So that no database can be copied or made.
BREAK = (
    "mkdir -p /usr/local/bin; cd /usr/local/bin;"
    " for tool in cp rpmdb; do printf '#!/bin/sh\\nexit 1\\n' > $tool; chmod 755 $tool; done"
)
MEND = "rm /usr/local/bin/cp /usr/local/bin/rpmdb"


def program(name: str, version: str, *, more: str = "") -> Package:
    """A package with a program that says its version, a directory, and a file that only this version has."""
    files = {f"/usr/bin/{name}": f"#!/bin/sh\necho {name} {version}", f"/usr/share/{name}/only-{version}": version}
    if more:
        files[more] = version
    return Package(name, version, files=files, directories=(f"/usr/share/{name}",))


TOOL = {version: program("tool", version) for version in "123"}


def overlay(host: Host, *arguments: str) -> str:
    """Run zypper in the overlay."""
    return host.run(*OVERLAY, "zypper", "-n", *arguments).stdout


def on_host(host: Host, *arguments: str) -> None:
    """Run zypper on the host."""
    host.zypper(*arguments)


def enter(host: Host) -> list[str]:
    """Enter the overlay once and return what toy said."""
    return host.run(*OVERLAY, "true").stderr.splitlines()


def in_upper(host: Host, path: str) -> bool:
    return host.run("test", "-e", f"{UPPER}{path}", check=False).returncode == 0


@pytest.fixture(autouse=True)
def database_and_files_agree(host: Host) -> Iterator[None]:
    """Whatever a test does: at its end the overlay's database, set and files are one."""
    yield
    assert is_current(host, *OVERLAY)
    # rpm lists a file that is another package's as well, but as neither missing nor changed.
    complaints = host.run(*OVERLAY, "rpm", "-Va", "--noconfig", check=False).stdout.splitlines()
    assert [line for line in complaints if not line.startswith(".........")] == []
    installed = r"rpm -qa --qf '[%{FILESTATES:fstate} %{FILENAMES}\n]' | sed -n 's/^normal //p'"
    script = f'{installed} | while read -r path; do [ -e "$path" ] || [ -L "$path" ] || echo "$path"; done'
    assert host.run(*OVERLAY, "sh", "-c", script).stdout == ""


@pytest.mark.everywhere
@pytest.mark.parametrize(("ours", "theirs"), [("1", "1"), ("1", "2"), ("2", "3")])
def test_the_host_comes_to_have_the_same_package_or_a_newer_one(host: Host, ours: str, theirs: str) -> None:
    publish(host, TOOL[ours])
    overlay(host, "install", "tool")
    # Built anew: installed in the same second, the same build would leave the same header on both sides.
    host.sh(f"rm -f {RPMS}/{TOOL[theirs].file}")
    publish(host, replace(TOOL[theirs], tags=("Provides: another-build",)))
    on_host(host, "install", "tool")
    assert enter(host) == [f"toy: retired: tool {ours}-1 (host has {theirs}-1)"]
    assert enter(host) == []
    assert host.run(*OVERLAY, "tool").stdout == f"tool {theirs}\n"
    assert "tool-" + theirs in packages(host, *OVERLAY)
    assert not in_upper(host, "/usr/bin/tool")
    assert not in_upper(host, "/usr/share/tool")


@pytest.mark.everywhere
def test_the_host_catches_up_with_an_upgrade_of_the_overlay(host: Host) -> None:
    publish(host, TOOL["1"])
    on_host(host, "install", "tool")
    publish(host, TOOL["2"])
    overlay(host, "update")
    assert host.run(*OVERLAY, "ls", "/usr/share/tool").stdout == "only-2\n"
    publish(host, TOOL["3"])
    on_host(host, "update")
    assert enter(host) == ["toy: retired: tool 2-1 (host has 3-1)"]
    assert host.run(*OVERLAY, "ls", "/usr/share/tool").stdout == "only-3\n"


def test_a_file_that_an_overlays_version_lacked_comes_back_with_the_hosts_next(host: Host) -> None:
    publish(host, program("tool", "1", more="/usr/share/more"))
    on_host(host, "install", "tool")
    publish(host, TOOL["2"])
    overlay(host, "update")
    assert host.run(*OVERLAY, "ls", "/usr/share/more", check=False).returncode == 2
    publish(host, program("tool", "3", more="/usr/share/more"))
    on_host(host, "update")
    assert host.run(*OVERLAY, "cat", "/usr/share/more").stdout == "3\n"


def test_the_overlays_package_is_newer(host: Host) -> None:
    publish(host, TOOL["1"])
    on_host(host, "install", "tool")
    publish(host, TOOL["3"])
    overlay(host, "update")
    host.run("rm", "/srv/repository/tool-3-1.noarch.rpm")
    publish(host, TOOL["2"])
    on_host(host, "update")
    assert packages(host) >= {"tool-2"}
    assert enter(host) == []
    assert "tool-3" in packages(host, *OVERLAY)
    assert "tool-2" not in packages(host, *OVERLAY)
    assert host.run(*OVERLAY, "tool").stdout == "tool 3\n"
    assert host.run(*OVERLAY, "ls", "/usr/share/tool").stdout == "only-3\n"


def test_a_downgrade_in_the_overlay_stays_until_the_host_has_another_version(host: Host) -> None:
    publish(host, TOOL["1"], TOOL["2"])
    on_host(host, "install", "tool")
    overlay(host, "install", "--oldpackage", "tool = 1")
    on_host(host, "install", "hello")
    assert packages(host, *OVERLAY) >= {"tool-1", "hello-1"}
    publish(host, TOOL["3"])
    on_host(host, "update")
    assert enter(host) == ["toy: retired: tool 1-1 (host has 3-1)"]


@pytest.mark.everywhere
def test_what_the_overlay_removed_stays_removed(host: Host) -> None:
    publish(host, TOOL["1"])
    on_host(host, "install", "tool")
    overlay(host, "remove", "tool")
    for version in "23":
        publish(host, TOOL[version])
        on_host(host, "update")
        assert enter(host) == []
        assert not [name for name in packages(host, *OVERLAY) if name.startswith("tool")]
        assert host.run(*OVERLAY, "ls", "/usr/bin/tool", "/usr/share/tool", check=False).stdout == ""


def test_both_removed_it_and_the_host_takes_it_back(host: Host) -> None:
    publish(host, TOOL["1"])
    on_host(host, "install", "tool")
    overlay(host, "remove", "tool")
    on_host(host, "remove", "tool")
    enter(host)
    assert not in_upper(host, "/usr/bin/tool")
    assert not in_upper(host, "/usr/share/tool")
    on_host(host, "install", "tool")
    assert host.run(*OVERLAY, "tool").stdout == "tool 1\n"


@pytest.mark.everywhere
def test_the_host_removed_what_the_overlay_never_touched(host: Host) -> None:
    on_host(host, "remove", "legacy")
    assert "legacy-1" not in packages(host, *OVERLAY)


@pytest.mark.everywhere
def test_a_file_moves_to_another_package_of_the_host(host: Host) -> None:
    overlay(host, "remove", "legacy")
    tags = ("Obsoletes: legacy", "Provides: legacy = 9")
    publish(host, Package("modern", files={**LEGACY.files, "/usr/bin/modern": ""}, tags=tags))
    on_host(host, "install", "modern")
    assert host.run(*OVERLAY, "legacy").stdout == "legacy\n"


def test_a_directory_that_was_made_anew_hides_nothing(host: Host) -> None:
    overlay(host, "remove", "library")
    overlay(host, "install", "library")
    publish(host, replace(LIBRARY, version="2", files={**LIBRARY.files, "/usr/lib/library/new": "2"}))
    on_host(host, "update")
    assert enter(host) == ["toy: retired: library 1-1 (host has 2-1)"]
    assert host.run(*OVERLAY, "cat", "/usr/lib/library/new").stdout == "2\n"


@pytest.mark.everywhere
def test_the_hosts_plugin_in_a_directory_of_the_overlays_package(host: Host) -> None:
    owner = replace(LIBRARY, directories=("/usr/lib/library",), version="2")
    publish(host, owner)
    on_host(host, "update")
    overlay(host, "remove", "library")
    overlay(host, "install", "library")
    publish(host, Package("plugin", files={"/usr/lib/library/plugin": "plugin"}))
    on_host(host, "install", "plugin")
    assert host.run(*OVERLAY, "cat", "/usr/lib/library/plugin").stdout == "plugin\n"


@pytest.mark.everywhere
def test_a_changed_file_and_a_changed_configuration_stay_and_are_named(host: Host) -> None:
    first = replace(EDITOR, name="writer", files={"/usr/bin/writer": "#!/bin/sh", "/etc/writer.conf": "a=1"})
    first = replace(first, config=("/etc/writer.conf",), directories=())
    publish(host, first)
    overlay(host, "install", "writer")
    host.run(*OVERLAY, "sh", "-c", "echo b=2 >> /etc/writer.conf")
    publish(host, replace(first, version="2"))
    on_host(host, "install", "writer")
    assert enter(host) == [
        "toy: retired: writer 1-1 (host has 2-1)",
        "toy: kept: /etc/writer.conf (changed in the overlay)",
    ]
    assert host.run(*OVERLAY, "cat", "/etc/writer.conf").stdout == "a=1\nb=2\n"


def test_a_file_that_another_package_of_the_overlay_has_too(host: Host) -> None:
    shared = {"/usr/share/shared": "the same"}
    one, two = Package("one", files={**shared, "/usr/share/one": "1"}), Package("two", files=shared)
    publish(host, one, two)
    overlay(host, "install", "one", "two")
    publish(host, replace(one, version="2", files={"/usr/share/one": "2"}))
    on_host(host, "install", "one")
    assert enter(host) == ["toy: retired: one 1-1 (host has 2-1)"]
    assert host.run(*OVERLAY, "cat", "/usr/share/shared").stdout == "the same\n"


@pytest.mark.everywhere
def test_a_directory_removed_by_hand_stays_removed(host: Host) -> None:
    host.run(*OVERLAY, "rm", "-r", "/usr/share/doc")
    publish(host, replace(LEGACY, version="2"))
    on_host(host, "update")
    assert host.run(*OVERLAY, "ls", "/usr/share/doc", check=False).returncode == 2
    host.sh(f"rm -rf {UPPER}/usr/share/doc")


def test_any_number_of_kernels(host: Host) -> None:
    host.write("/etc/zypp/zypp.conf", "[main]\nmultiversion = provides:multiversion(kernel)\n")
    kernels = {
        version: Package(
            "kernel", version, files={f"/boot/vmlinuz-{version}": version}, tags=("Provides: multiversion(kernel)",)
        )
        for version in "123"
    }
    publish(host, kernels["1"])
    on_host(host, "install", "kernel")
    publish(host, kernels["2"])
    overlay(host, "install", "kernel = 2")
    publish(host, kernels["3"])
    on_host(host, "install", "kernel = 3")
    assert enter(host) == []
    assert packages(host, *OVERLAY) >= {"kernel-1", "kernel-2", "kernel-3"}
    assert sorted(host.run(*OVERLAY, "sh", "-c", "cat /boot/vmlinuz-[123]").stdout.split()) == ["1", "2", "3"]


@pytest.mark.everywhere
def test_a_reconciliation_that_was_interrupted_is_finished(host: Host) -> None:
    publish(host, TOOL["2"])
    overlay(host, "install", "tool")
    overlay(host, "remove", "legacy")
    on_host(host, "install", "tool", "hello")
    # No database comes about after the files have been dealt with.
    host.sh(BREAK)
    done = host.run(*OVERLAY, "true", check=False)
    assert done.returncode == 125
    host.sh(MEND)
    # Meanwhile the host changes again: it has no tool at all.
    on_host(host, "remove", "tool")
    publish(host, replace(LEGACY, version="2", files={**LEGACY.files, "/usr/bin/legacy-2": ""}))
    on_host(host, "update")
    enter(host)
    assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
    assert host.run(*OVERLAY, "ls", "/usr/bin/tool", "/usr/bin/legacy", "/usr/bin/legacy-2", check=False).stdout == ""


def test_a_damaged_intent_is_named(host: Host) -> None:
    enter(host)
    host.write("/var/lib/toy/toy/intent", "[")
    done: subprocess.CompletedProcess[str] = host.run(*OVERLAY, "true", check=False)
    assert done.returncode == 125
    assert done.stderr.startswith("toy: /var/lib/toy/toy/intent is damaged")
    host.run("rm", "/var/lib/toy/toy/intent")


def test_an_overlay_without_rival_is_left_alone(host: Host) -> None:
    overlay(host, "install", "hello")
    publish(host, replace(EDITOR, version="2"), replace(HELLO, version="2"))
    on_host(host, "update")
    assert enter(host) == []
    assert packages(host, *OVERLAY) == {"editor-2", "library-1", "legacy-1", "hello-1"}


OURS = Package("ours", files={"/usr/share/thing": "ours", "/usr/share/ours": ""})
THEIRS = Package("theirs", files={"/usr/share/thing": "theirs", "/usr/share/theirs": ""})
CONFLICT = "toy: conflict: /usr/share/thing is ours 1-1's in the overlay (theirs 1-1 of the host has it too)"


@pytest.fixture
def conflict(host: Host) -> Host:
    """A host with a new package that has a file of the overlay's package."""
    publish(host, OURS, THEIRS)
    overlay(host, "install", "ours")
    on_host(host, "install", "theirs")
    assert enter(host) == [CONFLICT]
    assert host.run(*OVERLAY, "cat", "/usr/share/thing").stdout == "ours\n"
    return host


def test_a_conflict_stays_when_the_host_updates_its_package(conflict: Host) -> None:
    publish(conflict, replace(THEIRS, version="2", files={"/usr/share/thing": "theirs 2", "/usr/share/theirs-2": ""}))
    on_host(conflict, "update")
    assert enter(conflict) == []
    assert packages(conflict, *OVERLAY) >= {"ours-1", "theirs-2"}
    assert conflict.run(*OVERLAY, "cat", "/usr/share/thing").stdout == "ours\n"


def test_a_conflict_ends_with_the_overlays_package(conflict: Host) -> None:
    overlay(conflict, "remove", "ours")
    assert conflict.run(*OVERLAY, "cat", "/usr/share/thing").stdout == "theirs\n"
    assert enter(conflict) == []
    assert packages(conflict, *OVERLAY) == packages(conflict)
    assert not in_upper(conflict, "/usr/share")


def test_a_conflict_ends_with_the_hosts_package(conflict: Host) -> None:
    on_host(conflict, "remove", "theirs")
    assert enter(conflict) == []
    assert packages(conflict, *OVERLAY) - packages(conflict) == {"ours-1"}


@pytest.mark.everywhere
def test_a_conflict_that_the_overlay_asked_for(host: Host) -> None:
    publish(host, OURS, THEIRS)
    on_host(host, "install", "theirs")
    host.run(*OVERLAY, *host.rpm, "--install", "--replacefiles", f"/srv/repository/{OURS.file}")
    assert enter(host) == []
    publish(host, replace(THEIRS, version="2"))
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/share/thing").stdout == "ours\n"
    overlay(host, "remove", "ours")
    assert host.run(*OVERLAY, "cat", "/usr/share/thing").stdout == "theirs\n"


def test_a_file_of_the_overlay_where_the_host_gets_a_directory(host: Host) -> None:
    publish(host, OURS)
    overlay(host, "install", "ours")
    publish(host, Package("theirs", files={"/usr/share/thing/inner": ""}, directories=("/usr/share/thing",)))
    on_host(host, "install", "theirs")
    assert enter(host) == [
        CONFLICT,
        CONFLICT.replace("/usr/share/thing", "/usr/share/thing/inner"),
    ]


@pytest.mark.everywhere
def test_a_directory_of_the_overlay_where_the_host_gets_a_link(host: Host) -> None:
    publish(host, replace(OURS, files={"/usr/share/thing/inner": ""}))
    overlay(host, "install", "ours")
    publish(host, Package("theirs", links={"/usr/share/thing": "doc"}))
    on_host(host, "install", "theirs")
    assert enter(host) == [CONFLICT]


def test_the_cache_of_libraries_has_both_sides_libraries(host: Host) -> None:
    add = (
        "mkdir -p /opt/{0} && cp -L $(ldconfig -p | sed -n 's/.*libm.so.6 .*=> //p' | head -n 1) /opt/{0} && "
        "echo /opt/{0} > /etc/ld.so.conf.d/{0}.conf && ldconfig"
    )
    host.run(*OVERLAY, "sh", "-c", add.format("ours"))
    host.sh(add.format("theirs"))
    on_host(host, "install", "hello")
    listed = host.run(*OVERLAY, "ldconfig", "-p").stdout
    assert "=> /opt/ours/libm.so.6" in listed
    assert "=> /opt/theirs/libm.so.6" in listed
    host.sh("mv /usr/sbin/ldconfig /usr/sbin/ldconfig.real; echo 'echo broken >&2; exit 1' > /usr/sbin/ldconfig")
    host.sh("chmod 755 /usr/sbin/ldconfig")
    on_host(host, "remove", "hello")
    assert enter(host) == ["toy: stale: /etc/ld.so.cache (ldconfig failed in the overlay)"]
    host.sh("mv /usr/sbin/ldconfig.real /usr/sbin/ldconfig")


def test_a_file_changed_by_hand_is_named_when_the_host_has_a_new_one(host: Host) -> None:
    host.run(*OVERLAY, "sh", "-c", "echo mine >> /etc/editor.conf")
    publish(host, replace(EDITOR, version="2", files={**EDITOR.files, "/etc/editor.conf": "tabs=4"}))
    on_host(host, "update")
    assert enter(host) == ["toy: shadowed: /etc/editor.conf (the host has another one; the overlay keeps its own)"]
    assert host.run(*OVERLAY, "cat", "/etc/editor.conf").stdout == "tabs=8\nmine\n"


IMPORT = f"rpm --import {SOURCE}/tests/support/key.asc"


@pytest.mark.parametrize("key", ["", pytest.param(IMPORT, id="key", marks=needs_openpgp)])
def test_what_the_host_breaks_is_said_once(host: Host, key: str) -> None:
    library, app = Package("lib", tags=("Provides: symbol = 1",)), Package("app", tags=("Requires: symbol = 1",))
    publish(host, library, app)
    on_host(host, "install", "lib")
    overlay(host, "install", "app")
    publish(host, replace(library, version="2", tags=("Provides: symbol = 2",)))
    on_host(host, "update")
    host.change(key or "true")
    assert "broken: " not in host.run("toy", "status").stdout
    assert enter(host) == ["toy: broken: symbol = 1 is needed by app-1-1.noarch (mend it: toy -n toy -- zypper verify)"]
    assert "broken: symbol = 1 is needed by app-1-1.noarch" in host.run("toy", "status").stdout.splitlines()
    assert enter(host) == []
    on_host(host, "install", "hello")
    assert enter(host) == []
    overlay(host, "remove", "app")


def test_a_host_without_the_files_that_it_says_it_has(host: Host) -> None:
    publish(host, TOOL["1"])
    overlay(host, "install", "tool")
    publish(host, TOOL["2"])
    on_host(host, "install", "tool")
    host.change("rm /usr/bin/tool")
    assert enter(host) == [
        "toy: kept: the overlay's tool: not all files of the host's 2-1 are there (see on the host: rpm -V tool)"
    ]
    assert host.run(*OVERLAY, "tool").stdout == "tool 1\n"


def test_a_host_with_headers_of_packages_that_it_does_not_have(host: Host) -> None:
    enter(host)
    overlay(host, "install", "hello")
    publish(host, replace(LEGACY, version="2"))
    on_host(host, "update")
    # As many headers as packages, but one is not in the database, and one is not in the set.
    host.sh("cd /usr/lib/sysimage/rpm-headers; rm editor-*.hdr; cp /var/lib/toy/toy/overlay$PWD/hello-*.hdr .")
    said = enter(host)
    assert [line.split("-1-1")[0] for line in said] == ["toy: header file editor", "toy: header file hello"]
    assert all(line.endswith("was not what the rpm database has; mended") for line in said)
    assert packages(host, *OVERLAY) == {"editor-1", "library-1", "legacy-2", "hello-1"}


def test_a_host_with_a_header_of_a_version_that_it_does_not_have(host: Host) -> None:
    enter(host)
    host.sh("cp /usr/lib/sysimage/rpm-headers/editor-*.hdr /tmp")
    publish(host, replace(EDITOR, version="2"))
    on_host(host, "update")
    enter(host)
    host.sh("cd /usr/lib/sysimage/rpm-headers; rm editor-*.hdr; cp /tmp/editor-*.hdr .")
    assert len(enter(host)) == 2
    assert packages(host, *OVERLAY) == {"editor-2", "library-1", "legacy-1"}


def test_an_overlay_that_was_killed_before_the_host_dropped_what_it_removed(host: Host) -> None:
    script = f"{' '.join(host.rpm)} --erase --notriggers legacy && echo waiting && exec sleep 1000"
    process = start(host, *OVERLAY, "sh", "-c", script)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    on_host(host, "remove", "legacy")
    enter(host)
    on_host(host, "install", "legacy")
    assert host.run(*OVERLAY, "legacy").stdout == "legacy\n"


def test_a_lot_that_happened_is_said_in_a_few_lines(host: Host) -> None:
    many = [Package(f"many-{number}", files={f"/usr/share/many-{number}": ""}) for number in range(8)]
    publish(host, *many)
    overlay(host, "install", *(package.name for package in many))
    on_host(host, "install", *(package.name for package in many))
    said = enter(host)
    assert len(said) == 5
    assert said[-1] == "toy: and 4 more: toy status toy"


def test_the_hosts_package_in_a_conflict_has_its_files_in_var(host: Host) -> None:
    publish(host, OURS, replace(THEIRS, files={**THEIRS.files, "/var/lib/theirs/data": "data"}))
    overlay(host, "install", "ours")
    on_host(host, "install", "theirs")
    assert host.run(*OVERLAY, "cat", "/var/lib/theirs/data").stdout == "data\n"


def test_a_link_of_the_hosts_new_package_where_the_overlay_removed_a_directory(host: Host) -> None:
    host.change("mkdir -p /usr/share/turns")
    host.run(*OVERLAY, "rmdir", "/usr/share/turns")
    publish(host, Package("new", links={"/usr/share/turns": "doc"}, scripts="%pretrans\nrm -rf /usr/share/turns\n"))
    on_host(host, "install", "new")
    assert host.run(*OVERLAY, "readlink", "/usr/share/turns").stdout == "doc\n"


def test_a_directory_that_the_overlays_package_left_empty(host: Host) -> None:
    first = Package("turning", files={"/usr/share/turns/file": ""})
    publish(host, first)
    overlay(host, "install", "turning")
    publish(host, Package("turning", "2", links={"/usr/share/turns": "doc"}))
    on_host(host, "install", "turning")
    assert enter(host) == ["toy: retired: turning 1-1 (host has 2-1)"]
    assert host.run(*OVERLAY, "readlink", "/usr/share/turns").stdout == "doc\n"


def test_a_new_package_in_a_directory_that_somebody_emptied(host: Host) -> None:
    host.change("mkdir -p /usr/share/place/old/inner; touch /usr/share/place/file /usr/share/place/old/inner/file")
    host.run(*OVERLAY, "sh", "-ec", "cd /usr/share; rm -r place; mkdir -p place/old; touch place/own")
    publish(host, Package("new", files={"/usr/share/place/new/file": "", "/usr/share/place/old/new": ""}))
    on_host(host, "install", "new")
    assert host.run(*OVERLAY, "sh", "-c", "cd /usr/share/place; find | sort").stdout.split() == [
        ".", "./new", "./new/file", "./old", "./old/new", "./own",
    ]  # fmt: skip


@pytest.mark.everywhere
def test_a_new_package_in_a_directory_that_somebody_removed(host: Host) -> None:
    host.change("mkdir -p /usr/share/place/inner; touch /usr/share/place/file /usr/share/place/inner/file")
    host.run(*OVERLAY, "rm", "-r", "/usr/share/place")
    publish(host, Package("new", files={"/usr/share/place/inner/new": ""}))
    on_host(host, "install", "new")
    found = host.run(*OVERLAY, "sh", "-c", "cd /usr/share/place; find | sort").stdout.split()
    assert found == [".", "./inner", "./inner/new"]
    # What somebody removed of a package that is there stays removed.
    host.run(*OVERLAY, "rm", "-r", "/usr/share/place")
    publish(host, Package("new", "2", files={"/usr/share/place/inner/new": "", "/usr/share/place/inner/newer": ""}))
    on_host(host, "update")
    assert host.run(*OVERLAY, "ls", "/usr/share/place", check=False).returncode == 2
    host.sh(f"rm -r {UPPER}/usr/share/place")


def test_several_versions_of_which_each_side_removes_one(host: Host) -> None:
    host.write("/etc/zypp/zypp.conf", "[main]\nmultiversion = kernel\n")
    kernels = [Package("kernel", version, files={f"/boot/vmlinuz-{version}": version}) for version in "123"]
    publish(host, *kernels)
    for version in "123":
        on_host(host, "install", f"kernel = {version}")
    overlay(host, "remove", "kernel = 1")
    on_host(host, "remove", "kernel = 2")
    assert "kernel-3" in packages(host, *OVERLAY)
    assert not packages(host, *OVERLAY) & {"kernel-1", "kernel-2"}
    host.run("rm", "/etc/zypp/zypp.conf")
    on_host(host, "remove", "kernel = 1")
    assert "kernel-3" in packages(host, *OVERLAY)


@pytest.mark.everywhere
@pytest.mark.parametrize("lost", ["rpmdb", "intent"])
def test_a_lost_database_loses_no_decision(host: Host, lost: str) -> None:
    publish(host, TOOL["1"])
    overlay(host, "install", "tool")
    overlay(host, "remove", "legacy")
    publish(host, TOOL["2"], replace(LEGACY, version="2"))
    on_host(host, "update")
    on_host(host, "install", "tool")
    if lost == "rpmdb":
        host.run("mv", "/var/lib/toy/toy/rpmdb", "/var/lib/toy/toy/rpmdb.damaged")
    else:  # an intent that comes back after it was carried out
        host.sh(f"{BREAK}; toy -- true || cat /var/lib/toy/toy/intent > /tmp/intent; {MEND}")
    assert enter(host) == ["toy: retired: tool 1-1 (host has 2-1)"]
    if lost == "intent":
        overlay(host, "install", "hello")
        host.run("mv", "/tmp/intent", "/var/lib/toy/toy/intent")
        assert enter(host) == []
        assert host.run(*OVERLAY, "hello").stdout == "Hello, world!\n"
    assert "tool-2" in packages(host, *OVERLAY)
    assert not [name for name in packages(host, *OVERLAY) if name.startswith(("legacy", "tool-1"))]


def test_the_hosts_package_comes_to_be_of_one_architecture(host: Host) -> None:
    machine = host.run("rpm", "--eval", "%_target_cpu").stdout.strip()
    one, two = (Package(name, files={f"/usr/bin/{name}": "#!/bin/sh\necho 1"}) for name in ("one", "two"))
    publish(host, one)
    on_host(host, "install", "one")
    overlay(host, "remove", "one")
    publish(host, two)
    overlay(host, "install", "two")
    for package in (one, two):
        newer = replace(package, version="2", files={f"/usr/bin/{package.name}": "#!/bin/sh\necho 2"}, arch=machine)
        publish(host, newer)
        on_host(host, "install", f"{package.name} = 2")
    assert enter(host) == ["toy: retired: two 1-1 (host has 2-1)"]
    assert host.run(*OVERLAY, "ls", "/usr/bin/one", check=False).returncode == 2
    assert host.run(*OVERLAY, "two").stdout == "2\n"


def test_names_that_are_long_and_nearly_alike(host: Host) -> None:
    alpha, beta = (Package("long-" + 90 * "x" + end, files={f"/usr/share/{end}": ""}) for end in ("alpha", "beta"))
    publish(host, alpha, replace(beta, version="2"))
    overlay(host, "install", alpha.name)
    on_host(host, "install", beta.name)
    assert enter(host) == []
    assert packages(host, *OVERLAY) >= {f"{alpha.name}-1", f"{beta.name}-2"}


@pytest.mark.everywhere
def test_the_hosts_directory_gets_another_mode(host: Host) -> None:
    owner = Package("owner", directories=("/usr/share/owned",))
    publish(host, owner, Package("plug", files={"/usr/share/owned/plug": ""}))
    on_host(host, "install", "owner")
    overlay(host, "install", "plug")
    publish(host, replace(owner, version="2", directory_mode="700"))
    on_host(host, "update")
    assert host.run(*OVERLAY, "stat", "-c", "%a", "/usr/share/owned").stdout == "700\n"


def test_who_may_read_a_configuration_file_is_configuration(host: Host) -> None:
    conf = Package("conf", files={"/etc/conf": "a"}, config=("/etc/conf",))
    publish(host, conf)
    overlay(host, "install", "conf")
    host.run(*OVERLAY, "chmod", "600", "/etc/conf")
    publish(host, replace(conf, version="2"))
    on_host(host, "install", "conf")
    assert enter(host) == [
        "toy: retired: conf 1-1 (host has 2-1)",
        "toy: kept: /etc/conf (changed in the overlay)",
    ]
    assert host.run(*OVERLAY, "stat", "-c", "%a", "/etc/conf").stdout == "600\n"


def test_files_in_the_way_of_the_hosts_new_package_are_named(host: Host) -> None:
    script = "cd /usr/share; echo mine > one; ln -s doc two; mkdir three; touch three/file"
    host.run(*OVERLAY, "sh", "-ec", script)
    publish(host, Package("new", files={"/usr/share/one/in": "", "/usr/share/two/in": "", "/usr/share/three": ""}))
    on_host(host, "install", "new")
    assert enter(host) == [
        "toy: kept: /usr/share/three (changed in the overlay)",
        "toy: shadowed: /usr/share/one (the host has another one; the overlay keeps its own)",
        "toy: shadowed: /usr/share/two (the host has another one; the overlay keeps its own)",
    ]
    host.sh(f"cd {UPPER}/usr/share; rm -r one two three")


def test_a_file_that_the_hosts_update_left_as_it_was(host: Host) -> None:
    host.run(*OVERLAY, "sh", "-c", "echo mine >> /etc/editor.conf")
    publish(host, replace(EDITOR, version="2"))
    on_host(host, "update")
    assert enter(host) == []


@pytest.mark.everywhere
def test_a_cache_that_only_the_overlay_has_stays(host: Host) -> None:
    cache = "/usr/share/icons/mine/icon-theme.cache"
    host.run(*OVERLAY, "sh", "-c", f"mkdir -p {cache.rsplit('/', 1)[0]}; echo mine > {cache}")
    on_host(host, "install", "hello")
    assert host.run(*OVERLAY, "cat", cache).stdout == "mine\n"


def test_the_same_content_with_another_owner_is_a_conflict(host: Host) -> None:
    publish(host, replace(OURS, owner="daemon"), replace(THEIRS, files={"/usr/share/thing": "ours"}))
    overlay(host, "install", "ours")
    on_host(host, "install", "theirs")
    assert enter(host) == [CONFLICT]


def test_one_installation_on_both_sides(host: Host) -> None:
    """As two that fall into one second: the headers are the same, byte for byte."""
    overlay(host, "install", "hello")
    host.sh(f"cp -a {UPPER}/usr/bin/hello /usr/bin")
    host.sh(f"cat {UPPER}/usr/lib/sysimage/rpm-headers/hello*.hdr | rpmdb --importdb")
    assert enter(host) == ["toy: retired: hello 1-1 (host has 1-1)"]
    assert not in_upper(host, "/usr/bin/hello")
    on_host(host, "remove", "hello")
    assert host.run(*OVERLAY, "ls", "/usr/bin/hello", check=False).returncode == 2
