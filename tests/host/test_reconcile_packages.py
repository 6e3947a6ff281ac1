# SPDX-License-Identifier: GPL-2.0-or-later
"""Host and overlay both changed packages: which versions there are then, on a real host."""

from dataclasses import replace

import pytest
from host import Host
from image import LEGACY, RPMS, publish
from packages import Package
from reconciled import TOOL, UPPER, enter, in_upper, on_host, overlay, program
from truth import OVERLAY, packages

pytestmark = pytest.mark.usefixtures("database_and_files_agree")


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
    publish(
        host, Package("modern", files={**LEGACY.files, "/usr/bin/modern": ""}), replace(LEGACY, version="2", files={})
    )
    on_host(host, "install", "modern", "legacy")
    assert host.run(*OVERLAY, "legacy").stdout == "legacy\n"


def test_a_file_that_another_package_of_the_overlay_has_too(host: Host) -> None:
    shared = {"/usr/share/shared": "the same"}
    one, two = Package("one", files={**shared, "/usr/share/one": "1"}), Package("two", files=shared)
    publish(host, one, two)
    overlay(host, "install", "one", "two")
    publish(host, replace(one, version="2", files={"/usr/share/one": "2"}))
    on_host(host, "install", "one")
    assert enter(host) == ["toy: retired: one 1-1 (host has 2-1)"]
    assert host.run(*OVERLAY, "cat", "/usr/share/shared").stdout == "the same\n"


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


def test_one_installation_on_both_sides(host: Host) -> None:
    """As two that fall into one second: the headers are the same, byte for byte."""
    overlay(host, "install", "hello")
    host.sh(f"cp -a {UPPER}/usr/bin/hello /usr/bin")
    host.sh(f"cat {UPPER}/usr/lib/sysimage/rpm-headers/hello*.hdr | rpmdb --importdb")
    assert enter(host) == ["toy: retired: hello 1-1 (host has 1-1)"]
    assert not in_upper(host, "/usr/bin/hello")
    on_host(host, "remove", "hello")
    assert host.run(*OVERLAY, "ls", "/usr/bin/hello", check=False).returncode == 2


@pytest.mark.everywhere
def test_what_gave_way_to_the_host_is_named_if_the_host_loses_it(host: Host) -> None:
    overlay(host, "install", "hello")
    on_host(host, "install", "hello")
    assert enter(host) == ["toy: retired: hello 1-1 (host has 1-1)"]
    publish(host, TOOL["1"])
    on_host(host, "install", "tool")
    assert enter(host) == []
    on_host(host, "remove", "hello")
    line = (
        "hello 1-1 (it was retired since the host had it, and the host has it no longer; "
        "bring it back: toy -n toy -- zypper in hello)"
    )
    assert enter(host) == [f"toy: gone: {line}"]
    assert enter(host) == []
    assert f"gone: {line}" in host.run("toy", "status").stdout
    overlay(host, "in", "hello")
    assert host.run(*OVERLAY, "hello").stdout == "Hello, world!\n"
    on_host(host, "remove", "tool")
    assert enter(host) == []


def test_what_nobody_asked_for_is_not_named(host: Host) -> None:
    publish(host, Package("lib", files={"/usr/lib/lib": ""}))
    publish(host, Package("app", files={"/usr/bin/app": ""}, tags=("Requires: lib",)))
    overlay(host, "install", "app")
    on_host(host, "install", "app")
    assert len(enter(host)) == 2
    on_host(host, "remove", "app", "lib")
    (line,) = enter(host)
    assert line.startswith("toy: gone: app 1-1 ")


def test_what_gave_way_is_not_gone_if_the_host_renames_what_it_gave_way_to(host: Host) -> None:
    overlay(host, "install", "hello")
    on_host(host, "install", "hello")
    assert len(enter(host)) == 1
    tags = ("Obsoletes: hello < 2",)
    publish(host, Package("greetings", "2", files={"/usr/bin/hello": ""}, tags=tags))
    on_host(host, "install", "greetings")
    assert enter(host) == []
    on_host(host, "remove", "greetings")
    assert [line.partition(" (")[0] for line in enter(host)] == ["toy: gone: hello 1-1"]


@pytest.mark.parametrize("side", ["host", "overlay"])
def test_a_package_that_was_relocated(host: Host, side: str) -> None:
    files = {"/opt/movable/a": "1"}
    movable = Package("movable", files=files, directories=("/opt/movable",), tags=("Prefix: /opt/movable",))
    publish(host, movable)
    enter(host)
    where = OVERLAY if side == "overlay" else ()
    host.run(*where, *host.rpm, "-i", "--prefix", "/usr/lib/moved", f"/srv/repository/{movable.file}")
    on_host(host, "install", "hello")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/lib/moved/a").stdout == "1\n"
    assert host.run("toy", "status").stderr == ""
    host.run(*where, *host.rpm, "-e", "movable")  # of whose paths a query by rpm says "(none)"


@pytest.mark.parametrize("of", ["overlay", "host"])
def test_a_conflict_by_name_is_named(host: Host, of: str) -> None:
    own = Package("own", tags=("Conflicts: theirs",) if of == "overlay" else ())
    theirs = Package("theirs", tags=("Conflicts: own",) if of == "host" else ())
    publish(host, own, theirs, Package("itself", tags=("Provides: virtual", "Conflicts: virtual")))
    overlay(host, "install", "own")
    on_host(host, "install", "theirs", "itself")
    problem = "theirs conflicts with own-1-1.noarch" if of == "overlay" else "own conflicts with theirs-1-1.noarch"
    assert enter(host) == [f"toy: broken: {problem} (mend it: toy -n toy -- zypper verify)"]
    assert f"broken: {problem}\n" in host.run("toy", "status").stdout
    assert enter(host) == []
    overlay(host, "remove", "own")
    assert "broken" not in host.run("toy", "status").stdout
