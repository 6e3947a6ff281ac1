# SPDX-License-Identifier: GPL-2.0-or-later
"""The host turns links into directories, or has them lead elsewhere, while the overlay has something behind them."""

import json
from dataclasses import replace

import pytest
from host import Host
from image import publish
from packages import Package
from reconciled import UPPER, directory, enter, in_upper, link, on_host, overlay
from truth import OVERLAY

pytestmark = pytest.mark.usefixtures("database_and_files_agree")


@pytest.mark.everywhere
def test_a_link_becomes_a_directory(host: Host) -> None:
    publish(host, Package("filesystem", files={"/usr/lib/two/theirs": "theirs"}, links={"/usr/lib/one": "two"}))
    on_host(host, "install", "filesystem")
    files = {"/usr/lib/one/own": "own", "/usr/lib/one/sub/own": "own"}
    publish(host, Package("own", files=files, directories=("/usr/lib/one/sub",)))
    overlay(host, "install", "own")
    host.run(*OVERLAY, "sh", "-c", "echo mine > /usr/lib/one/mine")
    assert in_upper(host, "/usr/lib/two/own")
    publish(host, replace(directory("/usr/lib/one", "theirs"), version="2", scripts="%pretrans\nrm -f /usr/lib/one\n"))
    on_host(host, "update")
    assert host.run("cat", "/usr/lib/one/theirs").stdout == "theirs\n"
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/lib/one/own", "/usr/lib/one/theirs").stdout == "own\ntheirs\n"
    assert host.run(*OVERLAY, "cat", "/usr/lib/one/sub/own").stdout == "own\n"
    # The user's own file is where the user wrote it: nobody can know by which name.
    assert host.run(*OVERLAY, "cat", "/usr/lib/two/mine").stdout == "mine\n"
    overlay(host, "remove", "own")
    assert host.run(*OVERLAY, "ls", "/usr/lib/one").stdout == "theirs\n"


FIRST = Package(
    "filesystem",
    files={"/usr/lib/two/theirs": "theirs", "/usr/lib/three/theirs": "theirs"},
    links={"/usr/lib/one": "two"},
)


def test_a_link_leads_elsewhere(host: Host) -> None:
    publish(host, FIRST)
    on_host(host, "install", "filesystem")
    publish(host, Package("own", files={"/usr/lib/one/own": "own"}))
    overlay(host, "install", "own")
    publish(host, replace(FIRST, version="2", links={"/usr/lib/one": "three"}))
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/lib/one/own", "/usr/lib/three/own").stdout == "own\nown\n"


def test_the_first_link_of_a_chain_becomes_a_directory(host: Host) -> None:
    chain = replace(FIRST, files={"/usr/lib/three/theirs": ""}, links={"/usr/lib/one": "two", "/usr/lib/two": "three"})
    publish(host, chain)
    on_host(host, "install", "filesystem")
    publish(host, Package("own", files={"/usr/lib/one/own": "own"}))
    overlay(host, "install", "own")
    files = {**chain.files, "/usr/lib/one/theirs": "theirs"}
    scripts = "%pretrans\nrm -f /usr/lib/one\n"
    publish(host, replace(chain, version="2", files=files, links={"/usr/lib/two": "three"}, scripts=scripts))
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/lib/one/own", "/usr/lib/one/theirs").stdout == "own\ntheirs\n"


def test_a_link_becomes_a_directory_with_files_of_a_package_that_did_not_change(host: Host) -> None:
    publish(host, link("/usr/lib/one", "two", "/usr/lib/two/also"))
    on_host(host, "install", "filesystem")
    publish(host, Package("tree", files={"/usr/lib/one/theirs": "theirs"}))
    on_host(host, "install", "tree")
    host.run(*OVERLAY, "sh", "-c", "echo edited > /usr/lib/one/theirs; echo mine > /usr/lib/two/mine")
    script = "%pretrans\ncd /usr/lib; rm one; mkdir one; mv two/theirs one/\n"
    publish(host, replace(directory("/usr/lib/one"), version="3", scripts=script))
    on_host(host, "update")
    assert enter(host) == ["toy: shadowed: /usr/lib/one/theirs (the host has another one; the overlay keeps its own)"]
    assert host.run(*OVERLAY, "cat", "/usr/lib/one/theirs", "/usr/lib/two/mine").stdout == "edited\nmine\n"
    assert not in_upper(host, "/usr/lib/two/theirs")
    host.run("rm", "-f", f"{UPPER}/usr/lib/one/theirs")


@pytest.mark.everywhere
def test_what_moved_moves_back_with_the_host(host: Host) -> None:
    publish(host, directory("/usr/lib/one", "theirs"), Package("own", files={"/usr/lib/one/own": "own"}))
    on_host(host, "install", "filesystem")
    overlay(host, "install", "own")
    script = "mkdir /usr/lib/one/mine /usr/lib/two; echo mine > /usr/lib/one/mine/file; echo 1 > /usr/lib/one/name"
    host.run(*OVERLAY, "sh", "-ec", f"{script}; echo 2 > /usr/lib/two/name")
    publish(host, link("/usr/lib/one", "two", "/usr/lib/two/theirs"))
    on_host(host, "update")
    assert enter(host) == [
        "toy: kept: /usr/lib/two/name.rpmsave (it was /usr/lib/one/name; /usr/lib/one is /usr/lib/two on the host now)"
    ]
    look = "cd /usr/lib/one; cat own mine/file theirs name; [ -e ../two ] && cat ../two/name"
    assert host.run(*OVERLAY, "sh", "-c", look).stdout == "own\nmine\ntheirs\n2\n2\n"
    scripts = "%pretrans\ncd /usr/lib; rm one; mkdir one; mv two/theirs one/\n"
    publish(host, replace(directory("/usr/lib/one", "theirs"), version="3", scripts=scripts))
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "sh", "-c", look).stdout == "own\nmine\ntheirs\n1\n2\n"
    assert host.run(*OVERLAY, "ls", "/usr/lib/two").stdout == "name\n"
    assert json.loads(host.sh("cat /var/lib/toy/toy/moved"))["moved"] == {}


def test_a_link_becomes_a_directory_and_the_package_knows_it_by_another_link(host: Host) -> None:
    publish(host, Package("alias", links={"/usr/lib/alias": "one"}), link("/usr/lib/one", "two", "/usr/lib/two/theirs"))
    on_host(host, "install", "alias", "filesystem")
    publish(host, Package("own", files={"/usr/lib/alias/own": "own"}))
    overlay(host, "install", "own")
    scripts = "%pretrans\ncd /usr/lib; rm one; mkdir one\n"
    publish(host, replace(directory("/usr/lib/one", "theirs"), version="3", scripts=scripts))
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/lib/alias/own", "/usr/lib/one/own").stdout == "own\nown\n"


def test_a_link_of_no_package_becomes_a_directory(host: Host) -> None:
    files = {"/usr/lib/one/own": "own", "/usr/lib/one/deep/own": "deep"}
    publish(host, Package("tree", files={"/usr/lib/one/theirs": "theirs"}), Package("own", files=files))
    on_host(host, "install", "tree")
    host.sh("cd /usr/lib; mv one two; ln -s two one")
    overlay(host, "install", "own")
    host.run(*OVERLAY, "sh", "-c", "echo mine > /usr/lib/one/mine")
    assert in_upper(host, "/usr/lib/two/own")
    host.sh("cd /usr/lib; rm one; mv two one")
    on_host(host, "install", "hello")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", *files, "/usr/lib/one/theirs").stdout == "own\ndeep\ntheirs\n"
    assert host.run(*OVERLAY, "cat", "/usr/lib/two/mine").stdout == "mine\n"
    overlay(host, "remove", "own")
