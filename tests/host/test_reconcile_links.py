# SPDX-License-Identifier: GPL-2.0-or-later
"""The host turns directories into links while the overlay has something in them."""

from dataclasses import replace

import pytest
from host import Host
from image import publish
from packages import Package
from reconciled import UPPER, directory, enter, in_upper, link, on_host, overlay
from truth import OVERLAY

pytestmark = pytest.mark.usefixtures("database_and_files_agree")

OWN = Package("own", files={"/usr/sbin/own": "#!/bin/sh\necho own", "/usr/sbin/deep/data": "own"})


@pytest.mark.everywhere
def test_sbin_becomes_a_link_to_bin(host: Host) -> None:
    publish(host, OWN)
    overlay(host, "install", "own")
    host.run(*OVERLAY, "sh", "-c", "echo mine > /usr/sbin/mine; touch /usr/sbin/useradd")
    publish(host, link("/usr/sbin", "bin"))
    on_host(host, "install", "filesystem")
    assert host.run("readlink", "/usr/sbin").stdout == "bin\n"
    assert enter(host) == []
    assert host.run(*OVERLAY, "readlink", "/usr/sbin").stdout == "bin\n"
    assert host.run(*OVERLAY, "sh", "/usr/sbin/own").stdout == "own\n"
    assert host.run(*OVERLAY, "cat", "/usr/bin/mine", "/usr/bin/deep/data").stdout == "mine\nown\n"
    host.run(*OVERLAY, "sh", "-c", "command -v ldconfig useradd")
    assert not in_upper(host, "/usr/sbin")
    overlay(host, "remove", "own")
    assert host.run(*OVERLAY, "ls", "/usr/bin/own", "/usr/sbin/own", check=False).stdout == ""
    host.run("rm", "-f", f"{UPPER}/usr/bin/useradd")


LINKS = {
    "relative": ("/usr/lib/one", "two"),
    "absolute": ("/usr/lib/one", "/usr/lib/elsewhere/two"),
    "nested": ("/usr/lib/deep/er/one", "../../two"),
    "out of the tree": ("/usr/lib/one", "../../../../../usr/lib/two"),
    "into /var": ("/usr/lib/one", "../../var/lib/two"),
    "in /opt": ("/opt", "/var/opt"),
}


@pytest.mark.everywhere
@pytest.mark.parametrize(("path", "target"), LINKS.values(), ids=LINKS)
def test_a_directory_becomes_a_link(host: Host, path: str, target: str) -> None:
    publish(host, directory(path, "theirs"))
    on_host(host, "install", "filesystem")
    publish(host, Package("own", files={f"{path}/sub/own": "own", f"{path}/own": "own"}))
    overlay(host, "install", "own")
    host.run(*OVERLAY, "sh", "-c", f"echo mine > {path}/mine; echo more >> {path}/sub/mine")
    publish(host, link(path, target))
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "readlink", path).stdout == f"{target}\n"
    names = ("mine", "own", "sub/mine", "sub/own")
    assert host.run(*OVERLAY, "cat", *(f"{path}/{name}" for name in names)).stdout == "mine\nown\nmore\nown\n"
    overlay(host, "remove", "own")
    assert host.run(*OVERLAY, "ls", f"{path}/own", f"{path}/sub/own", check=False).stdout == ""


@pytest.mark.parametrize("version", "12")
def test_names_that_meet_where_the_link_leads(host: Host, version: str) -> None:
    publish(host, directory("/usr/lib/one", "theirs"), Package("their", files={"/usr/lib/two/file": "theirs"}))
    on_host(host, "install", "filesystem", "their")
    publish(host, Package("own", files={"/usr/lib/one/file": "own"}))
    overlay(host, "install", "own")
    host.run(*OVERLAY, "sh", "-c", "echo one > /usr/lib/one/mine; echo two > /usr/lib/two/mine")
    host.run(*OVERLAY, "sh", "-c", "echo same | tee /usr/lib/one/same > /usr/lib/two/same")
    publish(host, link("/usr/lib/one", "two"))
    publish(host, Package("their", version, files={"/usr/lib/two/file": "theirs"}))
    on_host(host, "update")
    assert enter(host) == [
        f"toy: conflict: /usr/lib/two/file is own 1-1's in the overlay (their {version}-1 of the host has it too)",
        "toy: kept: /usr/lib/two/mine.rpmsave (it was /usr/lib/one/mine; /usr/lib/one is /usr/lib/two on the host now)",
    ]
    assert host.run(*OVERLAY, "cat", "/usr/lib/one/file", "/usr/lib/two/mine").stdout == "own\ntwo\n"
    assert host.run(*OVERLAY, "cat", "/usr/lib/two/mine.rpmsave", "/usr/lib/two/same").stdout == "one\nsame\n"


def test_what_the_hosts_packages_have_behind_a_link_into_var_is_there(host: Host) -> None:
    host.sh("rm -r /opt; mkdir -p /var/opt; ln -s var/opt /opt")
    publish(host, Package("vendor", files={"/opt/vendor/tool": "1", "/opt/vendor/lib/data": "1"}))
    enter(host)
    on_host(host, "install", "vendor")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/opt/vendor/tool", "/opt/vendor/lib/data").stdout == "1\n1\n"
    publish(host, Package("vendor", "2", files={"/opt/vendor/tool": "2"}))
    publish(host, Package("own", files={"/opt/vendor/own": "own"}))
    on_host(host, "update")
    overlay(host, "install", "own")
    assert host.run(*OVERLAY, "cat", "/opt/vendor/tool", "/opt/vendor/own").stdout == "2\nown\n"
    assert host.run(*OVERLAY, "ls", "/opt/vendor/lib/data", check=False).stdout == ""


def test_a_link_to_nothing(host: Host) -> None:
    publish(host, directory("/usr/lib/one", "theirs"))
    on_host(host, "install", "filesystem")
    publish(host, Package("own", files={"/usr/lib/one/own": "own"}))
    overlay(host, "install", "own")
    publish(host, replace(link("/usr/lib/one", "nowhere"), scripts="%pretrans\nrm -rf /usr/lib/one\n"))
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/lib/one/own", "/usr/lib/nowhere/own").stdout == "own\nown\n"


def test_the_users_file_meets_one_of_the_hosts(host: Host) -> None:
    publish(host, directory("/usr/lib/one", "theirs"), Package("their", files={"/usr/lib/two/file": "theirs"}))
    on_host(host, "install", "filesystem", "their")
    host.run(*OVERLAY, "sh", "-c", "echo mine > /usr/lib/one/file")
    publish(host, link("/usr/lib/one", "two"))
    on_host(host, "update")
    shadowed = "/usr/lib/two/file (the host has another one; the overlay keeps its own)"
    assert enter(host) == [f"toy: shadowed: {shadowed}"]
    assert host.run(*OVERLAY, "cat", "/usr/lib/two/file").stdout == "mine\n"
    host.run("rm", f"{UPPER}/usr/lib/two/file")  # rpm -V complains of it


def test_the_link_leads_to_what_the_overlay_removed(host: Host) -> None:
    their = Package("their", files={"/usr/lib/two/file": "theirs"}, directories=("/usr/lib/two",))
    publish(host, directory("/usr/lib/one", "theirs"), their)
    on_host(host, "install", "filesystem", "their")
    publish(host, Package("own", files={"/usr/lib/one/own": "own"}))
    overlay(host, "install", "own")
    overlay(host, "remove", "their")
    host.run(*OVERLAY, "sh", "-c", "echo mine > /usr/lib/one/mine")
    publish(host, link("/usr/lib/one", "two"))
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/lib/one/own", "/usr/lib/one/mine").stdout == "own\nmine\n"
    assert host.run(*OVERLAY, "ls", "/usr/lib/two/file", check=False).stdout == ""


def test_a_whiteout_of_a_directory_hides_nothing_else(host: Host) -> None:
    gone = Package("gone", files={"/usr/lib/one/sub/gone": "gone"}, directories=("/usr/lib/one/sub",))
    publish(host, directory("/usr/lib/one", "theirs"), gone)
    publish(host, Package("their", files={"/usr/lib/two/sub/theirs": "theirs"}))
    on_host(host, "install", "filesystem", "their", "gone")
    overlay(host, "remove", "gone")
    publish(host, link("/usr/lib/one", "two"))
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/lib/two/sub/theirs").stdout == "theirs\n"
    assert host.run(*OVERLAY, "ls", "/usr/lib/two/sub/gone", check=False).stdout == ""


def test_the_overlays_package_owns_the_directory_as_well(host: Host) -> None:
    publish(host, directory("/usr/lib/one", "theirs"))
    on_host(host, "install", "filesystem")
    publish(host, Package("own", files={"/usr/lib/one/own": "own"}, directories=("/usr/lib/one",)))
    overlay(host, "install", "own")
    publish(host, link("/usr/lib/one", "two"))
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/lib/two/own").stdout == "own\n"


def test_a_link_that_led_to_what_comes(host: Host) -> None:
    publish(host, Package("own", files={"/usr/sbin/foo": "echo foo"}, links={"/usr/bin/foo": "../sbin/foo"}))
    overlay(host, "install", "own")
    publish(host, link("/usr/sbin", "bin"))
    on_host(host, "install", "filesystem")
    assert enter(host) == []
    assert host.run(*OVERLAY, "sh", "/usr/bin/foo").stdout == "foo\n"
    overlay(host, "remove", "own")


def test_one_directory_by_two_names(host: Host) -> None:
    publish(host, Package("own", files={"/lib/thing": "own"}))
    overlay(host, "install", "own")
    publish(host, Package("theirs", files={"/usr/lib/thing": "theirs"}))
    on_host(host, "install", "theirs")
    conflict = "/usr/lib/thing is own 1-1's in the overlay (theirs 1-1 of the host has it too)"
    assert enter(host) == [f"toy: conflict: {conflict}"]
    assert host.run(*OVERLAY, "cat", "/usr/lib/thing").stdout == "own\n"


def test_a_private_directory_stays_private(host: Host) -> None:
    publish(host, directory("/usr/lib/one", "theirs"), Package("their", files={"/usr/lib/two/sub/theirs": "theirs"}))
    on_host(host, "install", "filesystem", "their")
    host.run(*OVERLAY, "sh", "-c", "mkdir -m 700 /usr/lib/one/sub; echo secret > /usr/lib/one/sub/mine")
    publish(host, link("/usr/lib/one", "two"))
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "stat", "-c", "%a", "/usr/lib/two/sub").stdout == "700\n"
    assert host.run(*OVERLAY, "cat", "/usr/lib/two/sub/mine", "/usr/lib/two/sub/theirs").stdout == "secret\ntheirs\n"


def test_a_script_makes_the_link_that_no_package_owns(host: Host) -> None:
    host.run(*OVERLAY, "sh", "-c", "echo mine > /usr/sbin/mine")
    script = "%post\n[ -L /usr/sbin ] || { cp -an /usr/sbin/. /usr/bin/; rm -r /usr/sbin; ln -s bin /usr/sbin; }\n"
    publish(host, Package("merge", files={"/usr/share/merge": ""}, scripts=script))
    on_host(host, "install", "merge")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/sbin/mine", "/usr/bin/mine").stdout == "mine\nmine\n"
    host.run(*OVERLAY, "sh", "-c", "command -v ldconfig useradd")


@pytest.mark.everywhere
def test_a_script_makes_a_link_where_the_overlay_has_the_users_files_alone(host: Host) -> None:
    publish(host, Package("tree", files={"/usr/lib/tree/deep/one/theirs": "theirs"}))
    on_host(host, "install", "tree")
    host.run(*OVERLAY, "sh", "-c", "echo mine > /usr/lib/tree/deep/one/mine")
    # The package's files are where its header says, by way of the link.
    script = "%post\ncd /usr/lib/tree/deep; [ -L one ] || { mv one two; ln -s two one; }\n"
    publish(host, Package("merge", files={"/usr/share/merge": ""}, scripts=script))
    on_host(host, "install", "merge")
    assert enter(host) == []
    assert host.run(*OVERLAY, "sh", "-c", "cd /usr/lib/tree/deep; cat one/* two/mine").stdout == "mine\ntheirs\nmine\n"
    assert not in_upper(host, "/usr/lib/tree/deep/one")


def test_the_package_of_the_link_was_the_overlays_and_gives_way(host: Host) -> None:
    publish(host, directory("/usr/lib/one", "theirs"))
    on_host(host, "install", "filesystem")
    publish(host, replace(directory("/usr/lib/one", "theirs", "more"), release="2"))
    publish(host, Package("own", files={"/usr/lib/one/own": "own"}))
    host.run(*OVERLAY, "zypper", "-n", "update")
    overlay(host, "install", "own")
    publish(host, link("/usr/lib/one", "two", "/usr/lib/two/theirs"))
    on_host(host, "update")
    assert enter(host) == ["toy: retired: filesystem 1-2 (host has 2-1)"]
    assert host.run(*OVERLAY, "readlink", "/usr/lib/one").stdout == "two\n"
    assert host.run(*OVERLAY, "sh", "-c", "cd /usr/lib/one; cat own theirs; ls").stdout == "own\ntheirs\nown\ntheirs\n"


def test_a_copy_that_nobody_changed_moves_to_nowhere(host: Host) -> None:
    publish(
        host, directory("/usr/lib/one"), Package("tool", files={"/usr/lib/one/tool": "1", "/usr/lib/one/conf": "1"})
    )
    on_host(host, "install", "filesystem", "tool")
    host.run(*OVERLAY, "sh", "-c", "chown root /usr/lib/one/tool; echo mine > /usr/lib/one/conf")
    publish(host, link("/usr/lib/one", "two", "/usr/lib/two/theirs"))
    publish(host, Package("tool", "2", files={"/usr/lib/two/tool": "2", "/usr/lib/two/conf": "2"}))
    on_host(host, "update")
    assert enter(host) == ["toy: shadowed: /usr/lib/two/conf (the host has another one; the overlay keeps its own)"]
    assert host.run(*OVERLAY, "cat", "/usr/lib/one/tool", "/usr/lib/one/conf").stdout == "2\nmine\n"
    host.run("rm", "-f", f"{UPPER}/usr/lib/two/conf")


def test_the_link_leads_to_a_file_that_the_overlay_removed(host: Host) -> None:
    publish(host, Package("foo", files={"/usr/bin/foo": "echo old"}))
    publish(host, Package("foo-ng", files={"/usr/sbin/foo": "echo new"}))
    on_host(host, "install", "foo")
    overlay(host, "remove", "foo")
    overlay(host, "install", "foo-ng")
    publish(host, link("/usr/sbin", "bin"))
    on_host(host, "install", "filesystem")
    assert enter(host) == []
    assert host.run(*OVERLAY, "sh", "/usr/bin/foo").stdout == "new\n"


def test_a_directory_becomes_a_link_to_a_file(host: Host) -> None:
    text = Package("text", files={"/usr/share/text/GPL": "GPL", "/usr/share/text/foo/license": "license"})
    publish(host, replace(text, directories=("/usr/share/text/foo",)))
    on_host(host, "install", "text")
    host.run(*OVERLAY, "sh", "-c", "echo mine > /usr/share/text/foo/mine")
    scripts = "%pretrans\nrm -rf /usr/share/text/foo\n"
    publish(
        host,
        Package(
            "text", "2", files={"/usr/share/text/GPL": "GPL"}, links={"/usr/share/text/foo": "GPL"}, scripts=scripts
        ),
    )
    on_host(host, "update")
    assert enter(host) == ["toy: kept: /usr/share/text/foo (changed in the overlay)"]
    assert host.run(*OVERLAY, "cat", "/usr/share/text/GPL", "/usr/share/text/foo/mine").stdout == "GPL\nmine\n"
    host.run("rm", "-rf", f"{UPPER}/usr/share/text/foo")
