# SPDX-License-Identifier: GPL-2.0-or-later
"""Host and overlay both changed: a test per row of what becomes of packages and files, on a real host."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest
from host import Host
from image import EDITOR, HELLO, LEGACY, LIBRARY, publish
from packages import Package
from truth import OVERLAY, is_current, packages

UPPER = "/var/lib/toy/toy/overlay"


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
    host.run("zypper", "-n", *arguments)


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
    assert host.run(*OVERLAY, "rpm", "-Va", "--noconfig", check=False).stdout == ""
    script = 'rpm -qal | while read -r path; do [ -e "$path" ] || [ -L "$path" ] || echo "$path"; done'
    missing = host.run(*OVERLAY, "sh", "-c", script).stdout.split()
    assert [path for path in missing if path != "(contains"] == []


@pytest.mark.parametrize(("ours", "theirs"), [("1", "1"), ("1", "2"), ("2", "3")])
def test_the_host_comes_to_have_the_same_package_or_a_newer_one(host: Host, ours: str, theirs: str) -> None:
    publish(host, TOOL[ours])
    overlay(host, "install", "tool")
    publish(host, TOOL[theirs])
    on_host(host, "install", "tool")
    assert enter(host) == [f"toy: retired: tool {ours}-1 (host has {theirs}-1)"]
    assert enter(host) == []
    assert host.run(*OVERLAY, "tool").stdout == f"tool {theirs}\n"
    assert "tool-" + theirs in packages(host, *OVERLAY)
    assert not in_upper(host, "/usr/bin/tool")
    assert not in_upper(host, "/usr/share/tool")


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


def test_the_host_removed_what_the_overlay_never_touched(host: Host) -> None:
    on_host(host, "remove", "legacy")
    assert "legacy-1" not in packages(host, *OVERLAY)


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


def test_the_hosts_plugin_in_a_directory_of_the_overlays_package(host: Host) -> None:
    owner = replace(LIBRARY, directories=("/usr/lib/library",), version="2")
    publish(host, owner)
    on_host(host, "update")
    overlay(host, "remove", "library")
    overlay(host, "install", "library")
    publish(host, Package("plugin", files={"/usr/lib/library/plugin": "plugin"}))
    on_host(host, "install", "plugin")
    assert host.run(*OVERLAY, "cat", "/usr/lib/library/plugin").stdout == "plugin\n"


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


def test_a_reconciliation_that_was_interrupted_is_finished(host: Host) -> None:
    publish(host, TOOL["2"])
    overlay(host, "install", "tool")
    overlay(host, "remove", "legacy")
    on_host(host, "install", "tool", "hello")
    # rpmdb fails after the files have been dealt with.
    host.run("mv", "/usr/bin/rpmdb", "/usr/bin/rpmdb.real")
    host.write("/usr/bin/rpmdb", "#!/bin/sh\nexit 1\n")
    host.run("chmod", "755", "/usr/bin/rpmdb")
    done = host.run(*OVERLAY, "true", check=False)
    assert done.returncode == 125
    host.sh("mv /usr/bin/rpmdb.real /usr/bin/rpmdb")
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
