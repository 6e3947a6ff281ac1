# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths that an attacker is interested in, and what nobody is to have touched."""

from host import Host

DATABASE = "/usr/lib/sysimage/rpm"


SET = "/usr/lib/sysimage/rpm-headers"


STATE = "/var/lib/toy/toy"


def is_unharmed(host: Host) -> bool:
    return host.sh("cat /CANARY; ls -A /hidden /created 2>/dev/null || :") == "precious"
