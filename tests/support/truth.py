# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds out the true state of a host or an overlay, without toy's own code."""

from host import Host

_DATABASE = """
import hashlib, rpm
transaction_set = rpm.TransactionSet()
transaction_set.setVSFlags(-1)
for found in transaction_set.dbMatch():
    print(found["nevra"], hashlib.sha256(rpm.header_magic + found.unload()).hexdigest())
"""

HEADER_SET = "usr/lib/sysimage/rpm-headers"
"""Where a root has its header set."""

_HEADER_SET = f"cd /{HEADER_SET} && sha256sum -- *.hdr"

BOTH = f"""{_HEADER_SET}
echo =
/usr/bin/python3 -c '{_DATABASE}'"""
"""A shell script for `are_the_same`."""

OVERLAY = ("toy", "--")
"""Before a command, it runs that in the overlay; what the functions here take as `where`."""


def database(host: Host, *where: str) -> dict[str, str]:
    """Return digest and NEVRA of each header in the database of the host, or of the overlay with `OVERLAY`."""
    lines = host.run(*where, "/usr/bin/python3", "-c", _DATABASE).stdout.splitlines()
    return {digest: nevra for nevra, digest in (line.split() for line in lines)}


def header_set(host: Host, *where: str) -> dict[str, str]:
    """Return digest and name of each file of the header set."""
    lines = host.run(*where, "sh", "-c", _HEADER_SET).stdout.splitlines()
    return dict(line.split() for line in lines)


def packages(host: Host, *where: str) -> set[str]:
    """Return the installed packages, NAME-VERSION, but for those every host has."""
    names = host.run(*where, "rpm", "-qa", "--qf", "%{NAME}-%{VERSION}\\n").stdout.split()
    return {name for name in names if not name.startswith(("system-", "toy-"))}


def is_current(host: Host, *where: str) -> bool:
    """Say whether header set and database have the same headers, blob for blob."""
    return are_the_same(host.run(*where, "sh", "-c", BOTH).stdout)


def are_the_same(found: str) -> bool:
    """Say what `is_current` does, from what `BOTH` printed."""
    files, headers = found.split("=\n")
    in_set = {line.split()[0] for line in files.splitlines()}
    return bool(in_set) and in_set == {line.split()[1] for line in headers.splitlines()}


def stamp(host: Host) -> str:
    """Return the digest of the stamp of the host's set."""
    return host.run("sha256sum", "/usr/lib/sysimage/rpm-headers/.stamp").stdout
