# SPDX-License-Identifier: GPL-2.0-or-later
"""Escapes paths as fields of a line without spaces: in fstab(5), mountinfo, and toy's record of mounts."""

import os


def escaped(path: str) -> str:
    """Return a path as a field: spaces, backslashes and unprintable characters become octal, as in fstab(5)."""
    if path.isprintable() and " " not in path and "\\" not in path:
        return path
    return "".join(character if _is_plain(character) else _octal(character) for character in path)


def _is_plain(character: str) -> bool:
    return character.isprintable() and character not in " \\"


def _octal(character: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(character))


def unescaped(field: str) -> str:
    """Return the path that a field stands for. Raises ValueError if the field is malformed."""
    if "\\" not in field:
        return field
    first, *others = map(os.fsencode, field.split("\\"))
    return os.fsdecode(first + b"".join(bytes([int(other[:3], 8)]) + other[3:] for other in others))
