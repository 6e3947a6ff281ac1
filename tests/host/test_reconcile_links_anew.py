# SPDX-License-Identifier: GPL-2.0-or-later
"""The host turns directories into links that the overlay had removed and made anew: they hide all of the host's."""

from dataclasses import replace

import pytest
from host import Host
from image import publish
from packages import Package
from reconciled import directory, enter, in_upper, link, on_host, overlay
from truth import OVERLAY

pytestmark = pytest.mark.usefixtures("database_and_files_agree")

ONE, TWO = "/usr/lib/one", "/usr/lib/two"

APP = Package("app", files={f"{ONE}/data": "1", f"{ONE}/doc/text": "1"}, directories=(ONE, f"{ONE}/doc"))
APP_2 = Package(
    "app",
    "2",
    files={f"{TWO}/data": "2", f"{TWO}/doc/text": "2", f"{TWO}/new": "2"},
    directories=(TWO, f"{TWO}/doc"),
    links={ONE: "two"},
    scripts=f"%pretrans\n[ -L {ONE} ] || rm -rf {ONE}\n",
)


def show(host: Host, script: str) -> str:
    return host.run(*OVERLAY, "sh", "-c", script).stdout


def made_anew(host: Host, name: str) -> None:
    """Remove a package in the overlay, and install it again."""
    overlay(host, "remove", name)
    # Of two installations in one second, rpm makes the same header, as if the overlay's were the host's.
    host.sh(f"while [ $(rpm -q --qf '%{{INSTALLTIME}}' {name}) = $(date +%s) ]; do :; done")
    overlay(host, "install", name)


@pytest.mark.everywhere
def test_its_package_gives_way(host: Host) -> None:
    publish(host, APP, Package("plugin", files={f"{ONE}/plugin": "own"}))
    on_host(host, "install", "app")
    made_anew(host, "app")
    overlay(host, "install", "plugin")
    show(host, f"echo mine | tee {ONE}/mine > {ONE}/doc/mine")
    publish(host, APP_2)
    on_host(host, "update", "app")
    assert enter(host) == ["toy: retired: app 1-1 (host has 2-1)"]
    assert show(host, f"readlink {ONE}; cd {ONE}; cat data doc/text new plugin mine doc/mine") == (
        "two\n2\n2\n2\nown\nmine\nmine\n"
    )
    assert not in_upper(host, ONE)


def test_a_directory_in_it_becomes_a_link(host: Host) -> None:
    publish(host, APP)
    on_host(host, "install", "app")
    made_anew(host, "app")
    show(host, f"echo mine | tee {ONE}/mine > {ONE}/doc/mine")
    files = {f"{ONE}/data": "2", f"{ONE}/text/text": "2", f"{ONE}/new": "2"}
    script = f"%pretrans\n[ -L {ONE}/doc ] || rm -rf {ONE}/doc\n"
    publish(host, replace(APP_2, files=files, directories=(ONE,), links={f"{ONE}/doc": "text"}, scripts=script))
    on_host(host, "update", "app")
    assert enter(host) == ["toy: retired: app 1-1 (host has 2-1)"]
    assert show(host, f"cd {ONE}; cat data doc/text text/text new mine doc/mine") == "2\n2\n2\n2\nmine\nmine\n"


def test_what_another_package_of_the_hosts_had_in_it_stays_removed(host: Host) -> None:
    publish(host, APP, Package("gone", files={f"{ONE}/gone": "1"}), Package("stays", files={f"{TWO}/stays": "1"}))
    on_host(host, "install", "app", "gone", "stays")
    overlay(host, "remove", "gone")
    made_anew(host, "app")
    move = f"%pretrans\n[ -L {ONE} ] || {{ mv {ONE}/gone {TWO}/; rm -rf {ONE}; }}\n"
    publish(host, replace(APP_2, scripts=move), Package("late", files={f"{TWO}/late": "1"}))
    on_host(host, "update", "app")
    on_host(host, "install", "late")
    assert host.run("cat", f"{ONE}/gone").stdout == "1\n"
    assert enter(host) == ["toy: retired: app 1-1 (host has 2-1)"]
    assert show(host, f"cd {ONE}; cat data stays late; ls") == "2\n1\n1\ndata\ndoc\nlate\nnew\nstays\n"


def test_its_package_did_not_change(host: Host) -> None:
    publish(host, directory(ONE, "theirs"), Package("own", files={f"{ONE}/own": "own"}))
    on_host(host, "install", "filesystem")
    overlay(host, "install", "own")
    show(host, f"cp -a {ONE} /tmp/; rm -r {ONE}; mv /tmp/one {ONE}; echo mine > {ONE}/mine")
    publish(host, link(ONE, "two", f"{TWO}/theirs", f"{TWO}/new"))
    on_host(host, "update")
    assert enter(host) == []
    assert show(host, f"readlink {ONE}; cd {ONE}; cat own mine theirs new") == "two\nown\nmine\ntheirs\nnew\n"


def test_somebody_made_it_in_the_place_of_a_link(host: Host) -> None:
    publish(host, link(ONE, "two", f"{TWO}/theirs"))
    on_host(host, "install", "filesystem")
    show(host, f"rm {ONE}; mkdir {ONE}; echo mine > {ONE}/mine")
    publish(host, replace(link(ONE, "two", f"{TWO}/theirs"), version="3"))
    on_host(host, "update")
    assert enter(host) == [f"toy: kept: {ONE} (changed in the overlay)"]
    assert show(host, f"[ ! -L {ONE} ]; ls {ONE}") == "mine\n"
    show(host, f"rm -r {ONE}; ln -s two {ONE}")
