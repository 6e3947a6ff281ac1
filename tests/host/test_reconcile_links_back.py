# SPDX-License-Identifier: GPL-2.0-or-later
"""The host turns directories into links, and the links into directories again, as in a rollback."""

import pytest
from host import Host
from image import publish
from microos import MicroOS
from packages import Package
from reconciled import UPPER, directory, enter, link, on_host, overlay
from truth import OVERLAY

pytestmark = pytest.mark.usefixtures("database_and_files_agree")

ONE, TWO = "/usr/lib/one", "/usr/lib/two"


def again(*files: str, version: str = "3", gone: str = "two", paths: tuple[str, ...] = (ONE,)) -> Package:
    """A version of the package `filesystem` in which these paths are directories again, as in version 1."""
    script = "".join(f"[ ! -L {path} ] || rm {path}; mkdir -p {path}\n" for path in paths)
    content = {f"{ONE}/{name}": name for name in files}
    scripts = f"%pretrans\n{script}rm -rf /usr/lib/{gone}\n"
    return Package("filesystem", version, files=content, directories=paths, scripts=scripts)


def files_in_upper(host: Host, *folders: str) -> str:
    return host.run("find", *(f"{UPPER}{folder}" for folder in folders), "!", "-type", "d", check=False).stdout


def show(host: Host, script: str) -> str:
    return host.run(*OVERLAY, "sh", "-c", script).stdout


@pytest.mark.parametrize("what", ["own", "mine"])
def test_links_between_both_places(host: Host, what: str) -> None:
    publish(host, directory(ONE, "theirs"))
    on_host(host, "install", "filesystem")
    if what == "own":
        links = {f"{TWO}/foo": "../one/foo", f"{ONE}/bar": "../two/bar"}
        publish(host, Package("own", files={f"{ONE}/foo": "foo", f"{TWO}/bar": "bar"}, links=links))
        overlay(host, "install", "own")
    else:
        show(host, f"mkdir {TWO}; cd {ONE}; echo foo > foo; ln -s ../two/bar bar")
        show(host, f"cd {TWO}; echo bar > bar; ln -s ../one/foo foo")
    look = f"cd {ONE}; cat foo bar ../two/foo ../two/bar; readlink bar ../two/foo"
    before = show(host, look)
    publish(host, link(ONE, "two", f"{TWO}/theirs"))
    on_host(host, "update")
    assert enter(host) == []
    assert show(host, f"cd {ONE}; cat foo bar; ls") == "foo\nbar\nbar\nfoo\ntheirs\n"
    publish(host, again("theirs"))
    on_host(host, "update")
    assert enter(host) == []
    assert show(host, look) == before


@pytest.mark.parametrize("what", ["own", "mine"])
def test_equal_files_at_both_places(host: Host, what: str) -> None:
    """There is one of them while both places are one, and two again after that, of which one can be changed."""
    publish(host, directory(ONE, "theirs"))
    on_host(host, "install", "filesystem")
    if what == "own":
        publish(host, Package("own", files={f"{ONE}/foo": "foo", f"{TWO}/foo": "foo"}))
        overlay(host, "install", "own")
    else:
        show(host, f"mkdir {TWO}; echo foo > {ONE}/foo; cp -a {ONE}/foo {TWO}/foo; ln -s x {ONE}/x; ln -s x {TWO}/x")
    look = f"cat {ONE}/foo {TWO}/foo; readlink {ONE}/x {TWO}/x || true"
    before = show(host, look)
    publish(host, link(ONE, "two", f"{TWO}/theirs"))
    on_host(host, "update")
    assert enter(host) == []
    publish(host, again("theirs"))
    on_host(host, "update")
    assert enter(host) == []
    assert show(host, look) == before
    assert show(host, f"[ {ONE}/foo -ef {TWO}/foo ] || echo two") == "two\n"


def test_links_of_a_package_that_is_gone_stay_gone(host: Host) -> None:
    publish(host, directory(ONE, "theirs"))
    on_host(host, "install", "filesystem")
    publish(host, Package("own", files={f"{ONE}/foo": "foo"}, links={f"{TWO}/foo": "../one/foo"}))
    overlay(host, "install", "own")
    publish(host, link(ONE, "two", f"{TWO}/theirs"))
    on_host(host, "update")
    overlay(host, "remove", "own")
    publish(host, again("theirs"))
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "ls", f"{TWO}/foo", f"{ONE}/foo", check=False).stdout == ""


def test_a_file_that_was_edited_and_of_which_the_package_listed_the_new_path(host: Host) -> None:
    publish(host, directory(ONE, "theirs"), Package("their", files={f"{ONE}/data": "1"}))
    on_host(host, "install", "filesystem", "their")
    show(host, f"echo edited > {ONE}/data")
    publish(host, link(ONE, "two", f"{TWO}/theirs"), Package("their", "2", files={f"{TWO}/data": "2"}))
    on_host(host, "update")
    assert enter(host) == [f"toy: shadowed: {TWO}/data (the host has another one; the overlay keeps its own)"]
    publish(host, again("theirs"), Package("their", "3", files={f"{ONE}/data": "3"}))
    on_host(host, "update")
    assert enter(host) == [f"toy: shadowed: {ONE}/data (the host has another one; the overlay keeps its own)"]
    assert show(host, f"cat {ONE}/data") == "edited\n"
    assert files_in_upper(host, TWO) == ""
    host.run("rm", f"{UPPER}{ONE}/data")  # rpm -V complains of it


def test_the_users_file_that_was_in_front_of_one_of_the_hosts(host: Host) -> None:
    publish(host, directory(ONE, "theirs"), Package("their", files={f"{TWO}/file": "theirs"}))
    on_host(host, "install", "filesystem", "their")
    show(host, f"echo mine > {ONE}/file")
    publish(host, link(ONE, "two"))
    on_host(host, "update")
    assert len(enter(host)) == 1
    publish(host, again("theirs", gone="nothing"))
    on_host(host, "update")
    assert enter(host) == []
    assert show(host, f"cat {ONE}/file {TWO}/file") == "mine\ntheirs\n"


def test_a_file_in_conflict(host: Host) -> None:
    own = Package("own", files={f"{ONE}/file": "own"})
    publish(host, directory(ONE, "theirs"), own, Package("their", files={"/usr/share/their": ""}))
    on_host(host, "install", "filesystem", "their")
    overlay(host, "install", "own")
    publish(host, link(ONE, "two", f"{TWO}/theirs"), Package("their", "2", files={f"{TWO}/file": "2"}))
    on_host(host, "update")
    assert enter(host) == [f"toy: conflict: {TWO}/file is own 1-1's in the overlay (their 2-1 of the host has it too)"]
    publish(host, again("theirs"), Package("their", "3", files={f"{ONE}/file": "3"}))
    on_host(host, "update")
    assert enter(host) == [f"toy: conflict: {ONE}/file is own 1-1's in the overlay (their 3-1 of the host has it too)"]
    assert show(host, f"cat {ONE}/file") == "own\n"
    overlay(host, "remove", "own")
    assert enter(host) == []
    assert show(host, f"cat {ONE}/file") == "3\n"


def test_what_a_package_of_the_overlays_has_behind_the_link_by_now_stays(host: Host) -> None:
    publish(host, directory(ONE, "theirs"), Package("own", files={f"{ONE}/own": "1"}))
    on_host(host, "install", "filesystem")
    overlay(host, "install", "own")
    publish(host, link(ONE, "two", f"{TWO}/theirs"))
    on_host(host, "update", "filesystem")
    assert enter(host) == []
    publish(host, Package("own", "2", files={f"{TWO}/own": "2"}))
    overlay(host, "update", "own")
    publish(host, again("theirs"))
    on_host(host, "update", "filesystem")
    assert enter(host) == []
    assert show(host, f"cat {TWO}/own; ls {ONE}") == "2\ntheirs\n"


@pytest.mark.parametrize("target", ["aaa", "zzz"])
@pytest.mark.parametrize("between", [False, True], ids=["at once", "one after the other"])
def test_two_links_one_behind_the_other(host: Host, target: str, between: bool) -> None:
    """What the directory had goes to where the first link leads, then with that to where the second one does."""
    publish(host, directory(ONE, "theirs"), Package("own", files={f"{ONE}/own": "own"}))
    on_host(host, "install", "filesystem")
    overlay(host, "install", "own")
    show(host, f"cd {ONE}; echo mine > mine; mkdir deep; echo deep > deep/file")
    look = f"cd {ONE}; cat own mine deep/file theirs"
    publish(host, link(ONE, "mid", "/usr/lib/mid/theirs"))
    on_host(host, "update")
    assert enter(host) == []
    links = {ONE: "mid", "/usr/lib/mid": target}
    move = f"%pretrans\nmv /usr/lib/mid /usr/lib/{target}\n"
    publish(host, Package("filesystem", "3", files={f"/usr/lib/{target}/theirs": "theirs"}, links=links, scripts=move))
    on_host(host, "update")
    assert enter(host) == []
    assert show(host, look) == "own\nmine\ndeep\ntheirs\n"
    if between:
        script = f"%pretrans\nrm /usr/lib/mid; mv /usr/lib/{target} /usr/lib/mid\n"
        files = {"/usr/lib/mid/theirs": "theirs"}
        publish(host, Package("filesystem", "4", files=files, links={ONE: "mid"}, scripts=script))
        on_host(host, "update")
        assert enter(host) == []
        assert show(host, look) == "own\nmine\ndeep\ntheirs\n"
        assert files_in_upper(host, f"/usr/lib/{target}") == ""
    publish(host, again("theirs", version="5", gone="mid"))
    on_host(host, "update")
    assert enter(host) == []
    assert show(host, look) == "own\nmine\ndeep\ntheirs\n"
    assert files_in_upper(host, f"/usr/lib/{target}", "/usr/lib/mid") == ""


@pytest.mark.parametrize("removed", ["conf", "sub", "sub/deep"])
def test_what_was_removed_by_hand_stays_removed(host: Host, removed: str) -> None:
    files = {f"{ONE}/conf": "1", f"{ONE}/sub/a": "1", f"{ONE}/sub/deep/b": "1", f"{ONE}/other": "1"}
    publish(host, directory(ONE), Package("their", files=files, config=tuple(files)))
    on_host(host, "install", "filesystem", "their")
    show(host, f"rm -r {ONE}/{removed}; echo mine > {ONE}/mine")
    publish(host, link(ONE, "two", "/usr/lib/keep"))
    on_host(host, "update")
    assert enter(host) == []
    assert show(host, f"cd {ONE}; cat mine other; [ ! -e {removed} ]") == "mine\n1\n"
    move = f"%pretrans\nrm {ONE}; mv {TWO} {ONE}\n"
    publish(host, Package("filesystem", "3", files={"/usr/lib/keep": ""}, directories=(ONE,), scripts=move))
    on_host(host, "update")
    assert enter(host) == []
    assert show(host, f"cd {ONE}; cat mine other; [ ! -e {removed} ]") == "mine\n1\n"
    host.run("find", f"{UPPER}/usr/lib", "-type", "c", "-delete")  # rpm -V complains of it


def test_a_directory_that_was_removed_stays_removed_where_the_link_leads_to_one_of_other_packages(host: Host) -> None:
    """What others have there shows, and what was removed does not, also once its package lists the new place."""
    removed, theirs = {f"{ONE}/sub/{name}": "1" for name in ("a", "deep/b")}, f"{TWO}/sub/theirs"
    publish(host, directory(ONE), Package("their", files={**removed, f"{ONE}/sub/both/c": "1"}))
    publish(host, Package("other", files={theirs: "2", f"{TWO}/sub/both/d": "2"}))
    on_host(host, "install", "filesystem", "their", "other")
    show(host, f"rm -r {ONE}/sub; mkdir -p {TWO}/sub/both; echo mine | tee {TWO}/sub/mine > {TWO}/sub/both/mine")
    look = f"cd {TWO}/sub; find * -type f | sort"
    publish(host, link(ONE, "two", "/usr/lib/keep"))
    on_host(host, "update", "filesystem")
    assert host.run("cat", f"{TWO}/sub/a").stdout == "1\n"
    assert enter(host) == []
    assert show(host, look) == "both/d\nboth/mine\nmine\ntheirs\n"
    files = {path.replace(ONE, TWO): "2" for path in (*removed, f"{ONE}/sub/both/c", f"{ONE}/new")}
    publish(host, Package("their", "2", files=files))
    on_host(host, "update")
    assert enter(host) == []
    assert show(host, look) == "both/d\nboth/mine\nmine\ntheirs\n"
    assert show(host, f"cat {ONE}/new") == "2\n"
    move = f"%pretrans\nrm {ONE}; mkdir {ONE}; cp -a {TWO}/sub {ONE}; rm -r {ONE}/sub/theirs\n"
    publish(host, Package("filesystem", "3", files={"/usr/lib/keep": ""}, directories=(ONE,), scripts=move))
    publish(host, Package("their", "3", files=removed))
    on_host(host, "update")
    assert enter(host) == []
    assert show(host, f"[ ! -e {ONE}/sub/a ]; [ ! -e {ONE}/sub/deep/b ]; {look}") == "both/d\nboth/mine\nmine\ntheirs\n"
    host.run("find", f"{UPPER}/usr/lib", "-type", "c", "-delete")  # rpm -V complains of it


def test_a_file_that_was_removed_behind_a_link_stays_removed_once_that_is_a_directory(host: Host) -> None:
    publish(host, link(ONE, "two", f"{TWO}/theirs"), Package("their", files={f"{ONE}/conf": "1"}))
    on_host(host, "install", "filesystem", "their")
    show(host, f"rm {ONE}/conf")
    publish(host, again("theirs"), Package("their", "2", files={f"{ONE}/conf": "2"}))
    on_host(host, "update")
    assert enter(host) == []
    assert show(host, f"ls {ONE}") == "theirs\n"
    host.run("find", f"{UPPER}/usr/lib", "-type", "c", "-delete")  # rpm -V complains of it


def test_a_file_that_was_removed_stays_removed_once_its_package_lists_where_the_link_leads(host: Host) -> None:
    publish(host, directory(ONE, "theirs"), Package("their", files={f"{ONE}/conf": "1"}))
    on_host(host, "install", "filesystem", "their")
    show(host, f"rm {ONE}/conf")
    publish(host, link(ONE, "two", f"{TWO}/theirs"), Package("their", "2", files={f"{TWO}/conf": "2"}))
    on_host(host, "update")
    assert enter(host) == []
    assert show(host, f"ls {ONE}") == "theirs\n"
    publish(host, again("theirs"), Package("their", "3", files={f"{ONE}/conf": "3"}))
    on_host(host, "update")
    assert enter(host) == []
    assert show(host, f"ls {ONE}") == "theirs\n"
    host.run("find", f"{UPPER}/usr/lib", "-type", "c", "-delete")  # rpm -V complains of it


def test_what_moved_stays_where_somebody_made_a_directory_in_the_place_of_the_link(host: Host) -> None:
    publish(host, directory(ONE, "theirs"), Package("their"))
    on_host(host, "install", "filesystem")
    show(host, f"echo mine > {ONE}/mine")
    publish(host, link(ONE, "two", f"{TWO}/theirs"))
    on_host(host, "update")
    assert enter(host) == []
    show(host, f"rm {ONE}; mkdir {ONE}")
    on_host(host, "install", "their")
    assert enter(host) == []
    assert show(host, f"cat {TWO}/mine; ls {ONE}") == "mine\n"
    show(host, f"rmdir {ONE}; ln -s two {ONE}")


def test_a_private_directory_is_private_again(host: Host) -> None:
    publish(host, directory(ONE, "theirs"), Package("their", files={f"{TWO}/deep/in/theirs": ""}))
    on_host(host, "install", "filesystem", "their")
    show(host, f"mkdir -p {ONE}/deep/in; chmod 700 {ONE}/deep; echo mine > {ONE}/deep/in/mine")
    publish(host, link(ONE, "two", f"{TWO}/more"))
    on_host(host, "update")
    assert enter(host) == []
    publish(host, again("theirs", gone="nothing"))
    on_host(host, "update")
    assert enter(host) == []
    assert show(host, f"cat {ONE}/deep/in/mine; stat -c %a {ONE}/deep {ONE}/deep/in") == "mine\n700\n755\n"
    host.run("rmdir", f"{UPPER}{TWO}/deep/in", f"{UPPER}{TWO}/deep", check=False)  # rpm -V complains of its mode


def test_a_real_rollback(microos: MicroOS) -> None:
    links = {"/usr/bin/own": "../sbin/own"}
    publish(microos, Package("own", files={"/usr/sbin/own": "#!/bin/sh\necho own"}, links=links))
    overlay(microos, "install", "own")
    show(microos, "echo mine > /usr/sbin/mine")
    look = "sh /usr/sbin/own; cat /usr/sbin/mine; readlink /usr/bin/own; [ ! -e /usr/bin/mine ]"
    before = show(microos, look)
    publish(microos, link("/usr/sbin", "bin"))
    on_host(microos, "install", "filesystem")
    assert enter(microos) == []
    assert show(microos, "readlink /usr/sbin; sh /usr/bin/own; cat /usr/bin/mine") == "bin\nown\nmine\n"
    microos.default(1)
    microos.reboot()
    assert enter(microos) == []
    assert show(microos, look) == before
