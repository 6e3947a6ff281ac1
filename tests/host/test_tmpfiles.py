# SPDX-License-Identifier: GPL-2.0-or-later
"""What tmpfiles.d has in /run and /var, in an overlay."""

import pytest
from host import Host
from image import publish
from overlay import record, toy, until_nothing_is_to_be_done
from packages import Package
from truth import OVERLAY

LINES = """
d /run/{name} 0750 daemon daemon
d /run/{name}/inner 1777
D /run/{name}-emptied
d! /run/{name}-at-boot
L+ /run/{name}-link - - - - {name}
f+ /run/{name}-file 0640 - daemon - content
d /var/lib/{name} 0750 daemon daemon
v /var/lib/{name}/volume
L /var/lib/{name}-link - - - - {name}
C /var/lib/{name}-copy - - - - /etc/passwd
f /var/lib/{name}-file 0600 - - - new
"""


def package(name: str, lines: str = LINES) -> Package:
    return Package(name, files={f"/usr/lib/tmpfiles.d/{name}.conf": lines.format(name=name)})


SHOWN = "stat --format='%n %a %U %N' /run/{name}* /run/{name}/inner /var/lib/{name}* /var/lib/{name}/volume"


def expected(name: str) -> set[str]:
    directories = [("/run/{name}", "750 daemon"), ("/run/{name}/inner", "1777 root"), ("/var/lib/{name}", "750 daemon")]
    directories += [(path, "755 root") for path in ("/run/{name}-emptied", "/run/{name}-at-boot")]
    directories += [("/var/lib/{name}/volume", "755 root")]
    files = [
        ("/run/{name}-file", "640 root"),
        ("/var/lib/{name}-copy", "644 root"),
        ("/var/lib/{name}-file", "600 root"),
    ]
    links = [f"/{folder}/{name}-link 777 root '/{folder}/{name}-link' -> '{name}'" for folder in ("run", "var/lib")]
    return {f"{path} {looks} '{path}'".format(name=name) for path, looks in directories + files} | set(links)


def shown(host: Host, name: str) -> set[str]:
    return set(toy(host, "sh", "-c", SHOWN.format(name=name)).stdout.splitlines())


@pytest.mark.everywhere
def test_those_of_the_hosts_packages_and_of_the_overlays(host: Host) -> None:
    publish(host, package("theirs"), package("ours"))
    host.zypper("install", "theirs")
    assert shown(host, "theirs") == expected("theirs")
    host.run(*OVERLAY, "zypper", "-n", "install", "ours")
    assert shown(host, "ours") == expected("ours")
    assert shown(host, "theirs") == expected("theirs")
    assert host.run("ls", "/run/ours", check=False).returncode == 2
    host.zypper("remove", "theirs")
    host.run(*OVERLAY, "zypper", "-n", "remove", "ours")
    assert toy(host, "sh", "-c", "ls -d /run/theirs* /run/ours*").stdout == ""
    assert toy(host, "sh", "-c", "ls -d /var/lib/ours /var/lib/theirs").stdout == "/var/lib/ours\n/var/lib/theirs\n"


def test_what_is_in_var_stays(host: Host) -> None:
    paths = [f"/var/lib/kept/{kind}" for kind in ("R", "r", "F", "f+", "w", "L+", "C+", "D", "d=", "L=")]
    toy(host, "sh", "-c", f"mkdir /var/lib/kept; for path in {' '.join(paths)}; do echo content > $path; done")
    lines = "".join(f"{path.rpartition('/')[2]} {path} - - - - /etc/passwd\n" for path in paths)
    host.write("/etc/tmpfiles.d/kept.conf", f"{lines}d /var/lib/missing\nR! /var/lib/kept\nD! /var/lib/kept\n")
    assert toy(host, "cat", *paths).stdout == "content\n" * len(paths)
    assert toy(host, "ls", "-d", "/var/lib/missing").returncode == 0


@pytest.mark.everywhere
def test_run_begins_anew(host: Host) -> None:
    host.write("/etc/tmpfiles.d/some.conf", "d /run/some\nf+! /run/nologin - - - - no\n")
    toy(host, "sh", "-c", "touch /run/some/file /run/other; rmdir /run/lock")
    assert toy(host, "ls", "-A", "/run/some").stdout == ""
    assert toy(host, "sh", "-c", "ls /run/other /run/nologin").stdout == ""
    assert toy(host, "findmnt", "--noheadings", "--output=FSTYPE", "/run").stdout == "tmpfs\n"


def made(host: Host) -> str:
    """Return what changes whenever it was made anew."""
    return host.run("stat", "--format=%i %y", "/var/lib/toy/toy/run").stdout


CHANGES = {
    "added": ("echo d /run/new > /etc/tmpfiles.d/new.conf", "/run/new"),
    "edited": ("echo d /run/edited >> /etc/tmpfiles.d/old.conf", "/run/edited"),
    "gone": ("rm /etc/tmpfiles.d/old.conf", ""),
    "masked": ("toy -- ln -sf /dev/null /etc/tmpfiles.d/old.conf", ""),
    "edited in the overlay": ("toy -- sh -c 'echo d /run/ours >> /etc/tmpfiles.d/ours.conf'", "/run/ours"),
    "copied up": ("toy -- sh -c 'echo d /run/both >> /etc/tmpfiles.d/old.conf'", "/run/both"),
    "removed from /var": ("toy -- rm -r /var/lib/old", "/var/lib/old"),
    "removed within /var": ("toy -- rm -r /var/lib/old/inner", "/var/lib/old/inner"),
    "a link of it removed": ("toy -- rm /var/lib/link", "/var/lib/link"),
    "removed while nobody was in": ("rm -r /var/lib/toy/toy/var/lib/old", "/var/lib/old/inner"),
    "lost": ("rm -r /var/lib/toy/toy/run", "/run/old"),
    "damaged": ("echo x > /var/lib/toy/toy/run.configuration; echo x > /var/lib/toy/toy/run.new", "/run/old"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_noticed_and_nothing_else(host: Host, change: str) -> None:
    host.write("/etc/tmpfiles.d/old.conf", "d /run/old\nd /var/lib/old/inner\nL /var/lib/link - - - - nowhere\n")
    toy(host, "sh", "-c", "mkdir -p /etc/tmpfiles.d; echo d /run/before > /etc/tmpfiles.d/ours.conf")
    before = ""
    while before != made(host):  # as `until_nothing_is_to_be_done`
        until_nothing_is_to_be_done(host)
        before = made(host)
        toy(host, "true")
    before, seen = made(host), record(host)
    assert toy(host, "ls", "-d", "/run/old", "/run/before").returncode == 0
    assert (made(host), record(host)) == (before, seen)
    script, path = CHANGES[change]
    host.sh(script)
    assert toy(host, "stat", path or "/run").returncode == 0
    assert toy(host, "ls", "-d", "/run/old").returncode == (0 if path else 2)
    assert made(host) != before


def test_a_link_in_var_is_not_followed(host: Host) -> None:
    host.write("/etc/tmpfiles.d/some.conf", "d /var/lib/some/inner\n")
    until_nothing_is_to_be_done(host)
    host.sh("mkdir -p /srv/theirs/inner; cd /var/lib/toy/toy/var/lib; rm -r some; ln -s /srv/theirs some")
    before = made(host)
    assert toy(host, "readlink", "/var/lib/some").stdout == "/srv/theirs\n"
    host.sh("rmdir /srv/theirs/inner")
    toy(host, "true")
    assert made(host) == before
    assert host.sh("ls -A /srv/theirs") == ""


FALSE_SED = """#!/bin/sh
[ "$1" = -n ] || exec /usr/bin/true-sed "$@"
cat /names
printf '/var/\\377\\0\\n'
"""


def test_only_a_machines_own_var_is_looked_at(host: Host) -> None:
    """Its shell, its sed and so on are the machine's, and can say anything."""
    toy(host, "cp", "/usr/bin/sed", "/usr/bin/true-sed")
    names = ["/var/../../../../../../srv", "../../../srv", "/srv", "", "/var/lib/" + "long" * 2000, "/var/lib/\1\2"]
    host.write("/var/lib/toy/toy/overlay/names", "\n".join([*names, "/var/lib", ""]))
    host.write("/var/lib/toy/toy/overlay/usr/bin/sed", FALSE_SED)
    host.sh("chmod 755 /var/lib/toy/toy/overlay/usr/bin/sed; echo d /run/new > /etc/tmpfiles.d/new.conf")
    assert toy(host, "ls", "-d", "/run/new").stdout == "/run/new\n"
    assert host.sh("tr '\\0' '\\n' < /var/lib/toy/toy/run.configuration | grep -v '[0-9] /'") == "2\n/var/lib\n"


def test_a_list_without_end_is_not_read(host: Host) -> None:
    toy(host, "cp", "/usr/bin/sed", "/usr/bin/true-sed")
    host.write("/var/lib/toy/toy/overlay/usr/bin/sed", FALSE_SED.replace("cat /names", "head --bytes=1M /dev/zero"))
    host.sh("chmod 755 /var/lib/toy/toy/overlay/usr/bin/sed; echo d /run/new > /etc/tmpfiles.d/new.conf")
    done = toy(host, "true")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "what tmpfiles.d has in /run and /var may be missing in machine toy" in line
    assert "File too large" in line


@pytest.mark.parametrize("path", ["/var/lib/slash/", "/var//lib/double", "/var/lib/\u65e5\u672c"])
def test_odd_paths_come_back(host: Host, path: str) -> None:
    host.write("/etc/tmpfiles.d/odd.conf", f"d {path}\n")
    until_nothing_is_to_be_done(host)
    before = made(host)
    toy(host, "rmdir", path)
    assert toy(host, "ls", "-d", path).stdout == f"{path}\n"
    assert made(host) != before
    before = made(host)
    for locale in ("C.UTF-8", "POSIX"):
        environment = ("env", f"LC_ALL={locale}", "PYTHONUTF8=0", "PYTHONCOERCECLOCALE=0")
        assert host.run(*environment, *OVERLAY, "true").stderr == ""


def test_nothing_in_var_is_made_once(host: Host) -> None:
    host.sh("mkdir -p /etc/tmpfiles.d; for file in $(grep -l /var /usr/lib/tmpfiles.d/*); do"
            " ln -s /dev/null /etc/tmpfiles.d/${file##*/}; done")  # fmt: skip
    until_nothing_is_to_be_done(host)
    before = made(host)
    toy(host, "true")
    assert made(host) == before


def test_a_tree_that_leads_elsewhere_is_no_way_out(host: Host) -> None:
    toy(host, "sh", "-c", "mkdir -p /etc/tmpfiles.d; echo L /run/systemd - - - - /srv > /etc/tmpfiles.d/a.conf")
    host.sh("mkdir -p /srv/netif")
    assert toy(host, "true").returncode == 0
    assert host.sh("ls -A /srv/netif") == ""
