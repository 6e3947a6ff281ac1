# SPDX-License-Identifier: GPL-2.0-or-later
"""Copies and compares attributes of files: owner, mode, and extended attributes, of which POSIX ACLs are some."""

import contextlib
import errno
import os
import stat
import struct
from collections.abc import Iterator, Mapping

OVERLAY = "trusted.overlay."
"""Prefix of the extended attributes that overlayfs keeps in an upper for itself."""

_LABELS = "security."
"""Prefix of labels, which depend on the place of a file."""

_CAPABILITIES = "security.capability"

_ACL = "system.posix_acl_access"
_ACLS = (_ACL, "system.posix_acl_default")


_ACL_USER, _ACL_GROUP = 0x02, 0x08
"""The tags of entries for a user or group by number."""


def extended(fd: int) -> dict[str, bytes]:
    """Return the extended attributes of an open file, but for those of overlayfs."""
    found = {}
    with _where_supported():
        for name in os.listxattr(fd):
            if not name.startswith(OVERLAY):
                found[name] = os.getxattr(fd, name)
    return found


def copy(source: int, target: int) -> None:
    """Give an open file the owner, mode and extended attributes of another, as far as its file system supports them."""
    status, wanted = os.fstat(source), extended(source)
    mode = stat.S_IMODE(status.st_mode)
    os.fchown(target, status.st_uid, status.st_gid)
    for name in extended(target).keys() - wanted.keys():
        if name in _ACLS:  # from the default ACL of the directory that it was made in
            os.removexattr(target, name)
    for name, value in wanted.items():
        with _where_supported():
            os.setxattr(target, name, value)
    if _ACL in wanted.keys() - extended(target).keys():
        mode &= ~stat.S_IRWXG  # with an ACL these bits are its mask, which may grant more than the group has
    os.fchmod(target, mode)


def same(one: int, other: int) -> bool:
    """Say whether two open files have the same type, mode, owner and extended attributes; labels do not count."""

    def of(fd: int) -> object:
        status = os.fstat(fd)
        named = {name: value for name, value in extended(fd).items() if not name.startswith(_LABELS)}
        return status.st_mode, status.st_uid, status.st_gid, named

    return of(one) == of(other)


def same_rights(one: int, other: int | None) -> bool:
    """Say whether two open files have the same capabilities and ACLs; without another one, whether one has none."""

    def of(fd: int) -> dict[str, bytes]:
        return {name: value for name, value in extended(fd).items() if name == _CAPABILITIES or name in _ACLS}

    return of(one) == ({} if other is None else of(other))


def renumber_acls(fd: int, to: Mapping[int, int], *, of_users: bool) -> None:
    """Have the entries for users or groups in an open file's ACLs be for others (Linux, posix_acl_xattr.h)."""
    tag = _ACL_USER if of_users else _ACL_GROUP
    for name in _ACLS:
        try:
            old = os.getxattr(fd, name)
        except OSError:  # it has none
            continue
        entries = [*struct.iter_unpack("<HHI", old[4 : len(old) - len(old[4:]) % 8])]
        new = [(kind, rights, to.get(who, who) if kind == tag else who) for kind, rights, who in entries]
        if new != entries:
            os.setxattr(fd, name, old[:4] + b"".join(struct.pack("<HHI", *entry) for entry in new))


@contextlib.contextmanager
def _where_supported() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # EPERM: a label of SELinux's that this policy does not know or allow.
        if error.errno not in (errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENODATA):
            raise
