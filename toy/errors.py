# SPDX-License-Identifier: GPL-2.0-or-later
"""What went wrong, and what to do about it. Libraries raise; only `cli` prints and exits."""

EXIT_FAILURE = 125
"""toy itself failed. As in env(1) and podman-run(1), 126 and 127 belong to the command."""


class ToyError(Exception):
    """Something the user or the machine caused: one line saying what and where, and the next step."""

    def __init__(self, what: str, next_step: str) -> None:
        super().__init__(f"{what}; {next_step}")


class DamagedHeader(ToyError):
    """A header file whose content is not what its name says. `file` is its name within its set."""

    def __init__(self, path: str, file: str, why: str) -> None:
        super().__init__(f"damaged header file {path}: {why}", "toy dump writes it anew if its package is installed")
        self.file = file
