# SPDX-License-Identifier: GPL-2.0-or-later
"""SELinux: files in an overlay get the labels that they would have on the host.

The kernel labels what is copied up, and mostly what is new. rpm in the overlay labels nothing: where /sys/fs/selinux
cannot be written, as in every nspawn, it takes SELinux to be off. And the trees of a machine are not labelled as the
/ and /var that they stand for.
"""

import os

from .. import process
from ..machine import Machine

_ENFORCE = "/sys/fs/selinux/enforce"
_CONFIGURATION = "/etc/selinux/config"


def restore(machine: Machine) -> None:
    """Label the files of a machine that is not mounted, if this host has SELinux. Raises ToyError if that fails."""
    if not os.path.exists(_ENFORCE):
        return
    contexts = f"/etc/selinux/{_policy()}/contexts/files/file_contexts"
    # setfiles(8) looks labels up by the path below the directory after -r, and follows no symbolic link.
    process.run(["setfiles", "-r", machine.overlay, contexts, machine.overlay])
    process.run(["setfiles", "-r", machine.directory, contexts, machine.var])


def _policy() -> str:
    try:
        with open(_CONFIGURATION) as file:
            for line in file:
                name, _, value = line.partition("=")
                if name.strip() == "SELINUXTYPE":
                    return value.strip()
    except FileNotFoundError:
        pass
    return "targeted"
