# SPDX-License-Identifier: GPL-2.0-or-later
"""The host that demo and tests start from: a few installed packages, a repository, and toy from its own rpm."""

import os
from pathlib import Path

from host import Host
from packages import Package, build

CHECKOUT = Path(__file__).resolve().parents[2]
SOURCE = "/usr/src/toy"
"""A copy of the checkout: nothing in a host writes to the checkout itself, wherever that is."""

DATABASE = "/usr/lib/sysimage/rpm"
"""Where openSUSE has the rpm database."""

CONFIGURATION = os.environ.get("RPM_CONFIGDIR", "/usr/lib/rpm")
"""Where rpm has its own configuration, see tests/README.md."""

REPOSITORY = "/srv/repository"
RPMS = "/srv/rpms"
"""Where built packages wait until `publish` puts them into the repository."""

# Provides what the packages here and toy's own need. The files are this machine's own, whoever installed them.
SYSTEM = Package(
    "system",
    files={"/usr/lib/system-release": "A host for toy's tests"},
    tags=(
        "Provides: glibc /bin/sh util-linux systemd-container rpm = 4.18 python3-rpm = 4.18",
        "Provides: /usr/bin/python3 user(daemon) group(daemon)",
    ),
)
EDITOR = Package(
    "editor",
    files={"/usr/bin/editor": "#!/bin/sh\necho editor 1", "/etc/editor.conf": "tabs=8"},
    config=("/etc/editor.conf",),
    directories=("/var/lib/editor",),
)
LIBRARY = Package("library", files={"/usr/lib/library/lib.so.1": "one"}, links={"/usr/lib/library/lib.so": "lib.so.1"})
LEGACY = Package("legacy", files={"/usr/bin/legacy": "#!/bin/sh\necho legacy"})
HELLO = Package("hello", files={"/usr/bin/hello": "#!/bin/sh\necho 'Hello, world!'"})


def make(directory: Path) -> Path:
    """Build the host below `directory`, and return the directory that a `Host` takes as `like`."""
    opt = directory / "upper" / "opt"
    opt.mkdir(parents=True)
    os.setxattr(opt, "trusted.overlay.opaque", b"y")  # what this machine has there may take gigabytes to be moved
    with Host(directory, binds={CHECKOUT: "/mnt"}) as host:
        for path in ("/etc/rpm/macros", f"{CONFIGURATION}/macros.d/macros.dbpath"):
            if host.run("rpm", "--eval", "%_dbpath").stdout != f"{DATABASE}\n":  # another rpm reads perhaps no /etc/rpm
                host.write(path, f"%_dbpath {DATABASE}\n")
        # Where libzypp looks on Debian; on openSUSE it is a link as well.
        host.sh("rm -rf /var/lib/rpm; mkdir -p /usr/lib/sysimage/rpm; ln -s ../../usr/lib/sysimage/rpm /var/lib/rpm")
        host.sh("rm -rf /etc/zypp/repos.d/* /var/cache/zypp /var/lib/zypp")
        host.sh(f"mkdir -p {SOURCE} {RPMS} {REPOSITORY}; cp -r /mnt/* {SOURCE}")
        host.run("make", "-C", SOURCE, "rpm")
        host.sh(f"mv {SOURCE}/.build/rpm/*.rpm {RPMS}")
        publish(host, SYSTEM, EDITOR, LIBRARY, LEGACY, HELLO)
        host.sh(f"cp {RPMS}/toy-*.rpm {REPOSITORY}; createrepo_c -q {REPOSITORY}")
        host.run("zypper", "-n", "addrepo", "--no-gpgcheck", "--refresh", REPOSITORY, "repository")
        host.run("zypper", "-n", "install", "system", "editor", "library", "legacy", "toy")
    return host.upper


def publish(host: Host, *packages: Package) -> None:
    """Build packages and put them into the host's repository."""
    build(host, packages, RPMS)
    host.sh(f"cp {' '.join(f'{RPMS}/{package.file}' for package in packages)} {REPOSITORY}")
    host.run("createrepo_c", "--quiet", REPOSITORY)
