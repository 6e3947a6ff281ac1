# SPDX-License-Identifier: GPL-2.0-or-later
"""%ghost files as distributions have them: caches, links, and configuration. Others are in test_alternatives."""

import pytest
from host import Host
from image import publish
from packages import Package
from reconciled import UPPER, enter, in_upper, on_host, overlay
from truth import OVERLAY

pytestmark = pytest.mark.usefixtures("database_and_files_agree")

CACHE = "/etc/ld.so.cache"


def linker(version: str) -> Package:
    """A package that owns the cache of libraries, as glibc does, and has %post make it."""
    scripts = f"%ghost %attr(644,root,root) {CACHE}\n%post\nldconfig\n"
    return Package("linker", version, files={"/usr/share/linker": version}, scripts=scripts)


def add_libraries(name: str) -> str:
    """Return a script that makes a directory with a library known to ldconfig."""
    library, directory = "$(ldconfig -p | sed -n 's/.*libm.so.6 .*=> //p' | head -n 1)", f"/usr/lib/{name}"
    copy = f"mkdir -p {directory} && cp -L {library} {directory}"
    return f"{copy} && echo {directory} > /etc/ld.so.conf.d/{name}.conf && ldconfig"


def libraries(host: Host) -> list[str]:
    """Return the directories of these tests whose libraries the overlay knows."""
    listed = host.run(*OVERLAY, "ldconfig", "-p").stdout
    return [name for name in ("ours", "theirs") if f"=> /usr/lib/{name}/libm.so.6" in listed]


@pytest.mark.everywhere
def test_a_cache_of_a_retired_package_is_made_anew(host: Host) -> None:
    publish(host, linker("1"))
    overlay(host, "install", "linker")
    host.run(*OVERLAY, "sh", "-c", add_libraries("ours"))
    host.change(add_libraries("theirs"))
    for version in "23":
        publish(host, linker(version))
        on_host(host, "install", "linker")
        assert enter(host) == ([f"toy: retired: linker 1-1 (host has {version}-1)"] if version == "2" else [])
        assert libraries(host) == ["ours", "theirs"]
    assert not in_upper(host, f"{CACHE}.rpmsave")


def test_a_cache_of_a_package_of_the_overlays_own_is_made_anew(host: Host) -> None:
    publish(host, linker("1"), Package("other"))
    overlay(host, "install", "linker")
    host.run(*OVERLAY, "sh", "-c", add_libraries("ours"))
    host.change(add_libraries("theirs"))
    on_host(host, "install", "other")
    assert enter(host) == []
    assert libraries(host) == ["ours", "theirs"]


MIME = "/usr/share/mime"


def mime(version: str) -> Package:
    """A package that owns all that update-mime-database makes, as openSUSE's shared-mime-info does."""
    made = "globs globs2 magic mime.cache subclasses types version XMLnamespaces aliases icons generic-icons treemagic"
    ghosts = [f"%ghost %attr(644,root,root) {MIME}/{name}" for name in made.split()]
    ghosts += [f"%ghost %attr(644,root,root) {MIME}/text/toy-test.xml"]
    pattern = f'<glob pattern="*.toy{version}"/>'
    types = f'<mime-type type="text/toy-test"><comment>{version}</comment>{pattern}</mime-type>'
    info = f'<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">{types}</mime-info>'
    return Package(
        "mime",
        version,
        files={f"{MIME}/packages/toy-test.xml": info},
        scripts="\n".join([*ghosts, "%post", f"update-mime-database {MIME}", ""]),
    )


def test_all_that_belongs_to_the_mime_cache_of_a_retired_package_is_made_anew(host: Host) -> None:
    publish(host, mime("1"))
    overlay(host, "install", "mime")
    assert host.run(*OVERLAY, "grep", "-h", "toy-test", f"{MIME}/globs").stdout == "text/toy-test:*.toy1\n"
    publish(host, mime("2"))
    on_host(host, "install", "mime")
    assert enter(host) == ["toy: retired: mime 1-1 (host has 2-1)"]
    assert host.run(*OVERLAY, "grep", "-h", "toy-test", f"{MIME}/globs").stdout == "text/toy-test:*.toy2\n"
    assert "<comment>2" in host.run(*OVERLAY, "cat", f"{MIME}/text/toy-test.xml").stdout
    assert host.sh(f"find {UPPER} -name '*.rpmsave*'") == ""


NODE = "/etc/alternatives/node-default"


def node(name: str, version: str = "1") -> Package:
    """A package with a link for update-alternatives as openSUSE builds it: what it leads to then is in the header."""
    return Package(
        name,
        version,
        files={f"/usr/bin/{name}": f"#!/bin/sh\necho {name} {version}"},
        ghost_links={NODE: f"/usr/bin/{name}-as-built"},
        scripts=f"""
            %post
            update-alternatives --quiet --admindir /var/lib/alternatives \\
                --install /usr/bin/node-default node-default /usr/bin/{name} 10
            %preun
            [ "$1" -gt 0 ] || update-alternatives --quiet --admindir /var/lib/alternatives \\
                --remove node-default /usr/bin/{name}
        """,
    )


@pytest.mark.everywhere
def test_an_alternative_whose_link_is_a_ghost_follows_the_host(host: Host) -> None:
    publish(host, node("node20"))
    overlay(host, "install", "node20")
    publish(host, node("node20", "2"))
    on_host(host, "install", "node20")
    assert enter(host) == ["toy: retired: node20 1-1 (host has 2-1)"]
    assert host.run(*OVERLAY, "node-default").stdout == "node20 2\n"
    on_host(host, "remove", "node20")
    publish(host, node("node22"))
    on_host(host, "install", "node22")
    assert [line.partition(" (")[0] for line in enter(host)] == ["toy: gone: node20 1-1"]
    assert host.run(*OVERLAY, "node-default").stdout == "node22 1\n"
    assert not in_upper(host, NODE)


def test_two_alternatives_whose_links_are_ghosts_are_no_conflict(host: Host) -> None:
    publish(host, node("node20"), node("node22"))
    overlay(host, "install", "node20")
    on_host(host, "install", "node22")
    assert enter(host) == []
    assert host.run(*OVERLAY, "node-default").stdout in ("node20 1\n", "node22 1\n")


def test_a_file_of_a_retired_package_that_another_one_owns_as_a_ghost(host: Host) -> None:
    shared = "/usr/share/shared"
    publish(host, Package("owner", scripts=f"%ghost %attr(644,root,root) {shared}\n"))
    publish(host, Package("bringer", files={shared: "1"}))
    overlay(host, "install", "owner", "bringer")
    publish(host, Package("bringer", "2", files={shared: "2"}))
    on_host(host, "install", "bringer")
    assert enter(host) == ["toy: retired: bringer 1-1 (host has 2-1)"]
    assert host.run(*OVERLAY, "cat", shared).stdout == "2\n"


CONFIGURATION = "/etc/locale.toy"


def settings(version: str, *, makes: bool = True) -> Package:
    """A package that owns a configuration file which it does not bring, as systemd owns /etc/locale.conf."""
    make = f"[ -e {CONFIGURATION} ] || echo default > {CONFIGURATION}" if makes else ":"
    return Package(
        "settings",
        version,
        files={"/usr/share/settings": version},
        scripts=f"%ghost %config(noreplace) %attr(644,root,root) {CONFIGURATION}\n%post\n{make}\n",
    )


@pytest.mark.everywhere
def test_configuration_that_no_package_brings_stays_and_is_named(host: Host) -> None:
    publish(host, settings("1"))
    overlay(host, "install", "settings")
    host.run(*OVERLAY, "sh", "-c", f"echo mine > {CONFIGURATION}")
    publish(host, settings("2"))
    on_host(host, "install", "settings")
    assert enter(host) == [
        "toy: retired: settings 1-1 (host has 2-1)",
        f"toy: kept: {CONFIGURATION} (changed in the overlay)",
    ]
    assert host.run(*OVERLAY, "cat", CONFIGURATION).stdout == "mine\n"
    assert host.sh(f"find {UPPER} -name '*.rpmsave*'") == ""


def test_configuration_that_is_the_hosts_goes_unsaid(host: Host) -> None:
    publish(host, settings("1"))
    overlay(host, "install", "settings")
    on_host(host, "install", "settings")
    assert enter(host) == ["toy: retired: settings 1-1 (host has 1-1)"]
    assert not in_upper(host, CONFIGURATION)


def test_configuration_that_the_host_has_not_stays_unsaid(host: Host) -> None:
    publish(host, settings("1"), settings("2", makes=False))
    overlay(host, "install", "settings = 1")
    on_host(host, "install", "settings = 2")
    assert enter(host) == ["toy: retired: settings 1-1 (host has 2-1)"]
    assert host.run(*OVERLAY, "cat", CONFIGURATION).stdout == "default\n"
