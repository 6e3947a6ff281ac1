# SPDX-License-Identifier: GPL-2.0-or-later
"""%ghost files and alternatives, which scripts make and no package brings, after the host changed."""

import pytest
from host import Host
from image import publish
from packages import Package
from reconciled import enter, in_upper, on_host, overlay
from truth import OVERLAY

pytestmark = pytest.mark.usefixtures("database_and_files_agree")

TOOL = "update-alternatives --admindir /var/lib/alternatives"


def editor(name: str, priority: int, version: str = "1") -> Package:
    """A package with an editor, which %post registers as an alternative for edi, with a slave."""
    slave = f"--slave /usr/share/edi.txt edi.txt /usr/share/{name}.txt"
    return Package(
        name,
        version,
        files={f"/usr/bin/{name}": f"#!/bin/sh\necho {name} {version}", f"/usr/share/{name}.txt": f"{name} {version}"},
        scripts=f"""
            %post
            {TOOL} --quiet --install /usr/bin/edi edi /usr/bin/{name} {priority} {slave}
            %preun
            [ "$1" -gt 0 ] || {TOOL} --quiet --remove edi /usr/bin/{name}
        """,
    )


A, B = editor("edi-a", 10), editor("edi-b", 5)


def edi(host: Host) -> str:
    """What the alternative is in the overlay."""
    return host.run(*OVERLAY, "sh", "-c", "edi; cat /usr/share/edi.txt").stdout


@pytest.mark.everywhere
def test_a_provider_of_the_overlay_is_retired_and_gone(host: Host) -> None:
    publish(host, A, B)
    on_host(host, "install", "edi-b")
    overlay(host, "install", "edi-a")
    assert edi(host) == "edi-a 1\nedi-a 1\n"
    on_host(host, "install", "edi-a")
    assert enter(host) == ["toy: retired: edi-a 1-1 (host has 1-1)"]
    assert edi(host) == "edi-a 1\nedi-a 1\n"
    on_host(host, "remove", "edi-a")
    assert [line.partition(" (")[0] for line in enter(host)] == ["toy: gone: edi-a 1-1"]
    assert edi(host) == "edi-b 1\nedi-b 1\n"
    assert not in_upper(host, "/usr/bin/edi")
    on_host(host, "remove", "edi-b")
    assert enter(host) == []
    assert host.run(*OVERLAY, "ls", "/usr/bin/edi", "/etc/alternatives/edi", check=False).stdout == ""


@pytest.mark.everywhere
def test_the_host_loses_its_provider_and_the_overlay_keeps_its_own(host: Host) -> None:
    publish(host, A, B)
    on_host(host, "install", "edi-a")
    overlay(host, "install", "edi-b")
    host.run(*OVERLAY, "sh", "-c", f"{TOOL} --quiet --set edi /usr/bin/edi-b; {TOOL} --quiet --auto edi")
    on_host(host, "remove", "edi-a")
    assert enter(host) == []
    assert edi(host) == "edi-b 1\nedi-b 1\n"


def test_what_somebody_chose_in_the_overlay_stays_as_long_as_it_is_there(host: Host) -> None:
    publish(host, A, B, Package("other"))
    on_host(host, "install", "edi-a", "edi-b")
    host.run(*OVERLAY, "sh", "-c", f"{TOOL} --quiet --set edi /usr/bin/edi-b")
    on_host(host, "install", "other")
    assert enter(host) == []
    assert edi(host) == "edi-b 1\nedi-b 1\n"
    on_host(host, "remove", "edi-b")
    assert enter(host) == []
    assert edi(host) == "edi-a 1\nedi-a 1\n"
    assert not in_upper(host, "/etc/alternatives/edi")


STATES = {
    "nonsense": "nonsense",
    "binary": "auto\\n/usr/bin/edi\\n\\n\\377\\000\\n10\\n\\n",
    "another link": "auto\\n/etc/passwd\\nshadow\\n/etc/shadow\\n\\n/usr/bin/gone\\n10\\n\\n\\n",
    "a name that is too long": f"auto\\n/usr/bin/edi\\n\\n/usr/{'x' * 300}\\n10\\n\\n",
    "a path that leads out": "auto\\n/usr/bin/edi\\n../../x\\n/y\\n\\n/usr/bin/gone\\n10\\n\\n\\n",
}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_a_state_that_somebody_made_up(host: Host, state: str) -> None:
    host.run(*OVERLAY, "sh", "-c", f"mkdir -p /var/lib/alternatives; printf '{state}' > /var/lib/alternatives/edi")
    host.run(*OVERLAY, "touch", "/etc/passwd", "/etc/alternatives/of-the-overlay")
    on_host(host, "install", "hello")
    assert enter(host) == []
    assert host.run(*OVERLAY, "grep", "-c", "^root:", "/etc/passwd").stdout == "1\n"


def test_a_link_of_alternatives_that_leads_to_a_name_that_is_too_long(host: Host) -> None:
    publish(host, A)
    overlay(host, "install", "edi-a")
    host.run(*OVERLAY, "ln", "-sf", "x" * 300, "/etc/alternatives/edi")
    on_host(host, "install", "hello")
    (line,) = enter(host)
    assert line.startswith("toy: stale: /etc/alternatives (update-alternatives failed for: edi; see: ")


def write_state(host: Host, name: str, gone: int) -> None:
    """Write a state of the overlay's with a program that is there, and some that are not."""
    mine = f"/usr/bin/{name}-mine\n5\n\n"
    programs = "".join(f"/usr/bin/gone-{number}\n10\n" for number in range(gone))
    make = f"mkdir -p /var/lib/alternatives; cp -P /bin/true /usr/bin/{name}-mine; cat > /var/lib/alternatives/{name}"
    for known in (mine, programs + mine):
        host.run(*OVERLAY, "sh", "-c", make, input=f"auto\n/usr/bin/{name}\n\n{known}")
        make = f"{TOOL} --quiet --auto {name}; cat > /var/lib/alternatives/{name}"


def test_many_programs_that_are_gone_take_one_run(host: Host) -> None:
    for name in ("one", "two"):
        write_state(host, name, gone=200)
    on_host(host, "install", "hello")
    said = host.run(*OVERLAY, "true", env={"TOY_DEBUG": "1"}).stderr
    assert sum("systemd-nspawn" in line for line in said.splitlines()) <= 3  # one is the launch, one tmpfiles.d(5)'s
    for name in ("one", "two"):
        assert "gone" not in host.run(*OVERLAY, "cat", f"/var/lib/alternatives/{name}").stdout
        assert host.run(*OVERLAY, "readlink", f"/etc/alternatives/{name}").stdout == f"/usr/bin/{name}-mine\n"


def test_what_fails_is_named(host: Host) -> None:
    write_state(host, "one", gone=1)
    host.run(*OVERLAY, "sh", "-c", "cp -P /bin/false $(command -v update-alternatives)")
    on_host(host, "install", "hello")
    see = f"see: toy -n toy -- {TOOL} --get-selections"
    assert enter(host) == [f"toy: stale: /etc/alternatives (update-alternatives failed for: one; {see})"]


GHOSTS = ("/usr/share/ghost/data", "/usr/share/ghost/link")


def ghost(version: str, *, makes: bool = True) -> Package:
    """A package that owns a file and a link which only its %post makes."""
    data, link = GHOSTS
    make = f"echo {version} > {data}; ln -sfn {version} {link}" if makes else ":"
    return Package(
        "ghost",
        version,
        files={"/usr/share/ghost/own": version},
        directories=("/usr/share/ghost",),
        scripts=f"%ghost %attr(644,root,root) {data}\n%ghost {link}\n%post\n{make}\n",
    )


def contents(host: Host) -> str:
    """The content and the target of the ghosts in the overlay."""
    return host.run(*OVERLAY, "sh", "-c", f"cat {GHOSTS[0]}; readlink {GHOSTS[1]}").stdout


@pytest.mark.everywhere
def test_ghosts_of_a_retired_package_give_way_to_the_hosts(host: Host) -> None:
    publish(host, ghost("1"))
    overlay(host, "install", "ghost")
    assert contents(host) == "1\n1\n"
    publish(host, ghost("2"))
    on_host(host, "install", "ghost")
    assert enter(host) == [
        "toy: retired: ghost 1-1 (host has 2-1)",
        *(f"toy: kept: {path}.rpmsave (it was {path}, of which the host has its own now)" for path in GHOSTS),
    ]
    assert contents(host) == "2\n2\n"
    assert host.run(*OVERLAY, "cat", f"{GHOSTS[0]}.rpmsave").stdout == "1\n"
    assert enter(host) == []


def test_equal_ghosts_leave_nothing_behind(host: Host) -> None:
    publish(host, ghost("1"))
    overlay(host, "install", "ghost")
    on_host(host, "install", "ghost")
    assert enter(host) == ["toy: retired: ghost 1-1 (host has 1-1)"]
    assert contents(host) == "1\n1\n"
    assert not in_upper(host, "/usr/share/ghost")


def test_ghosts_that_the_host_has_not_made_stay(host: Host) -> None:
    publish(host, ghost("1"))
    overlay(host, "install", "ghost")
    publish(host, ghost("2", makes=False))
    on_host(host, "install", "ghost")
    assert enter(host) == ["toy: retired: ghost 1-1 (host has 2-1)"]
    assert contents(host) == "1\n1\n"


@pytest.mark.everywhere
def test_the_overlay_removed_a_provider_of_the_hosts(host: Host) -> None:
    publish(host, A, B, Package("other"))
    on_host(host, "install", "edi-a", "edi-b")
    overlay(host, "remove", "edi-a")
    assert edi(host) == "edi-b 1\nedi-b 1\n"
    on_host(host, "install", "other")
    assert enter(host) == []
    assert edi(host) == "edi-b 1\nedi-b 1\n"


def test_the_overlay_removes_its_own_provider_and_the_host_has_one(host: Host) -> None:
    publish(host, A, B)
    enter(host)
    overlay(host, "install", "edi-b")
    on_host(host, "install", "edi-a")
    assert enter(host) == []
    overlay(host, "remove", "edi-b")
    assert edi(host) == "edi-a 1\nedi-a 1\n"


def test_the_host_gets_the_overlays_provider_in_an_older_version_and_loses_it(host: Host) -> None:
    publish(host, A, B, editor("edi-c", 7))
    on_host(host, "install", "edi-b")
    publish(host, editor("edi-a", 10, "2"))
    overlay(host, "install", "edi-a", "edi-c")
    on_host(host, "install", "edi-a-1", "edi-c")
    enter(host)
    on_host(host, "remove", "edi-c")
    enter(host)
    assert edi(host) == "edi-a 2\nedi-a 2\n"
    on_host(host, "remove", "edi-a")
    enter(host)
    assert edi(host) == "edi-a 2\nedi-a 2\n"


@pytest.mark.parametrize("choice", ["--auto edi", "--set edi /usr/bin/edi-b"])
def test_the_link_that_people_use_was_the_hosts(host: Host, choice: str) -> None:
    publish(host, B)
    on_host(host, "install", "edi-b")
    publish(host, A, editor("edi-b", 5, "2"))
    overlay(host, "install", "edi-a", "edi-b")
    host.run(*OVERLAY, "sh", "-c", f"{TOOL} --quiet {choice}")
    before = edi(host)
    on_host(host, "remove", "edi-b")
    assert enter(host) == []
    assert edi(host) == before


@pytest.mark.parametrize("priority", [5, 20])
def test_the_overlays_provider_made_no_link_of_its_own(host: Host, priority: int) -> None:
    publish(host, A, editor("edi-b", priority))
    on_host(host, "install", "edi-a")
    overlay(host, "install", "edi-b")
    on_host(host, "remove", "edi-a")
    assert enter(host) == []
    assert edi(host) == "edi-b 1\nedi-b 1\n"


def test_another_priority_and_another_slave_of_the_hosts_program(host: Host) -> None:
    publish(host, A, B)
    on_host(host, "install", "edi-a", "edi-b")
    host.run(*OVERLAY, "sh", "-c", f"{TOOL} --quiet --set edi /usr/bin/edi-b; {TOOL} --quiet --auto edi")
    overlay(host, "install", "hello")
    slave = "--slave /usr/share/edi.txt edi.txt /usr/share/other.txt"
    register = f"%post\n{TOOL} --quiet --install /usr/bin/edi edi /usr/bin/edi-b 20 {slave}\n"
    files = {"/usr/bin/edi-b": "#!/bin/sh\necho edi-b 2", "/usr/share/other.txt": "other"}
    publish(host, Package("edi-b", "2", files=files, scripts=register))
    on_host(host, "update")
    assert enter(host) == []
    assert edi(host) == "edi-b 2\nother\n"


def test_the_host_has_a_packages_file_where_the_alternative_was(host: Host) -> None:
    publish(host, A, B)
    on_host(host, "install", "edi-a")
    overlay(host, "install", "edi-b")
    scripts = f"%pre\n{TOOL} --quiet --remove edi /usr/bin/edi-a || :\n"
    files = {"/usr/bin/edi-a": "#!/bin/sh\necho edi-a 2"}
    publish(host, Package("edi-a", "2", files=files, links={"/usr/bin/edi": "edi-a"}, scripts=scripts))
    on_host(host, "update", "edi-a")
    assert enter(host) == []
    assert host.run(*OVERLAY, "edi").stdout == "edi-a 2\n"


def test_the_overlay_removed_all_of_the_hosts_and_the_host_gets_another(host: Host) -> None:
    publish(host, A, B, editor("edi-c", 7))
    on_host(host, "install", "edi-b")
    overlay(host, "remove", "edi-b")
    for package in ("hello", "edi-c"):
        on_host(host, "install", package)
        assert enter(host) == []
    assert edi(host) == "edi-c 1\nedi-c 1\n"


def test_the_overlay_removed_all_of_the_hosts_but_not_what_the_host_gets_below_them(host: Host) -> None:
    publish(host, A, B, editor("edi-c", 3), editor("edi-d", 2))
    on_host(host, "install", "edi-a", "edi-b")
    overlay(host, "remove", "edi-a", "edi-b")
    on_host(host, "install", "edi-c")
    assert enter(host) == []
    assert edi(host) == "edi-c 1\nedi-c 1\n"
    on_host(host, "install", "edi-d")
    assert enter(host) == []
    assert edi(host) == "edi-c 1\nedi-c 1\n"
    on_host(host, "remove", "edi-c")
    assert enter(host) == []
    assert edi(host) == "edi-d 1\nedi-d 1\n"
    on_host(host, "remove", "edi-a", "edi-b")
    assert enter(host) == []
    assert edi(host) == "edi-d 1\nedi-d 1\n"
