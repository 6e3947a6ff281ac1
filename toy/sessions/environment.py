# SPDX-License-Identifier: GPL-2.0-or-later
"""Decides which of the caller's environment variables a command in a machine gets, and what they are there."""

from __future__ import annotations

import os

from ..machine import HOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_LOCALE = ("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "LC_TIME", "LC_NUMERIC", "LC_COLLATE", "TZ")
_PROXY = tuple(f"{name}_proxy" for name in ("all", "ftp", "http", "https", "no"))

PASSED_ON = (
    *_LOCALE,
    *("TERM", "COLORTERM", "NO_COLOR"),
    *("EDITOR", "VISUAL", "PAGER"),
    "DISPLAY",
    *_PROXY,
    *(name.upper() for name in _PROXY),
    # An rpm that is not the system's, if toy runs with one, is the machine's as well: two do not go together.
    *("LD_LIBRARY_PATH", "PYTHONPATH", "RPM_CONFIGDIR"),
)

NAME = "TOY"
"""A variable with the name of the machine, for prompts."""

_PATHS = ("SSH_AUTH_SOCK", "XAUTHORITY")
"""Variables with the path of something of the host's, which shows in a machine below HOST."""


def of_caller(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a command in a machine gets from the caller's environment."""
    found = {name: environment[name] for name in PASSED_ON if name in environment}
    found |= {name: HOST + environment[name] for name in _PATHS if environment.get(name, "").startswith("/")}
    display = environment.get("WAYLAND_DISPLAY", "")
    path = os.path.join(environment.get("XDG_RUNTIME_DIR", ""), display)
    if display and path.startswith("/"):
        found["WAYLAND_DISPLAY"] = HOST + path
    if "RPM_CONFIGDIR" in found and "PATH" in environment:
        found["PATH"] = environment["PATH"]
    return found
