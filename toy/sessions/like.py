# SPDX-License-Identifier: GPL-2.0-or-later
"""What systemd-nspawn, and with it the administrator's settings, gave to the first process of a machine."""

from __future__ import annotations

import os

from . import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .user import User

_NOT_PASSED_ON = ("LISTEN_FDNAMES", "LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "OLDPWD", "PWD", "SHLVL", "_")
"""Variables of the machine's first process that are no other process's business."""


_FILTERING = frozenset({"SystemCallFilter", "RestrictAddressFamilies"})
"""Settings for which systemd-nspawn filters system calls."""


class Leader:
    """The first process of a machine, which has what systemd-nspawn gives to each."""

    def __init__(self, pid: int, pidfd: int, settings: list[str], connection: int) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.settings = settings
        """The names of the administrator's settings, and $NAME for each variable that they set."""
        self.connection = connection
        """A descriptor of our connection to the machine's keeper, which ends the machine once all such are closed."""


class Like:
    """What the first process of a machine has, and each command is to have as well.

    It is read where the host's /proc is, and by `become` given to this process.
    """

    def __init__(self, leader: Leader, *, is_unlimited: bool) -> None:
        """Read it; with `is_unlimited` without what limits a process, such as filters of system calls."""
        self.settings = leader.settings
        self._is_unlimited = is_unlimited
        of_leader = f"/proc/{leader.pid}"
        with open(f"{of_leader}/environ", "rb", buffering=0) as file:
            words = [os.fsdecode(word).partition("=") for word in file.read().split(b"\0")]
        self.environment = {name: value for name, by, value in words if by and name not in _NOT_PASSED_ON}
        with open(f"{of_leader}/status", "rb", buffering=0) as file:
            lines = file.read().decode(errors="replace").split("\n")
        fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        number = int(fields["NSpid"].split()[-1])  # in the machine, where this process is if it is limited
        self.uid, self._gid = int(fields["Uid"].split()[0]), int(fields["Gid"].split()[0])
        self._groups = [int(word) for word in fields["Groups"].split()]
        self.bounding, self._permitted, self._inheritable, self._ambient = (
            int(fields[f"Cap{which}"], 16) for which in ("Bnd", "Prm", "Inh", "Amb")
        )
        self.is_of_user = False
        self.shell = ""
        # Who made the machine, a service, say, may have those of its own, which are nobody else's.
        self._no_new_privileges = fields["NoNewPrivs"] == "1" and "NoNewPrivileges" in leader.settings
        has_filters = fields.get("Seccomp") == "2" and not _FILTERING.isdisjoint(leader.settings) and not is_unlimited
        self._filters: list[bytes] = []
        if has_filters:
            from . import filters

            self._filters = filters.of_process(number)
        self.directory: int | None = None
        """A descriptor, as its path may look another one from here."""
        if "WorkingDirectory" in leader.settings:
            self.directory = os.open(f"{of_leader}/cwd", os.O_PATH | os.O_CLOEXEC)
        self._limits: dict[int, tuple[int, int]] = {}
        if any(name.startswith("Limit") for name in leader.settings):
            self._limits = _limits(f"{of_leader}/limits", leader.settings)
        self._adjustment = ""
        if "OOMScoreAdjust" in leader.settings:
            with open(f"{of_leader}/oom_score_adj") as file:
                self._adjustment = file.read()
        self._personality = 0
        if "Personality" in leader.settings:
            with open(f"{of_leader}/personality") as file:
                self._personality = int(file.read(), 16)
        has_processors = "CPUAffinity" in leader.settings and not is_unlimited
        self._processors = os.sched_getaffinity(number) if has_processors else None

    def take_user(self, user: User) -> None:
        """Have the process be another user's."""
        self.uid, self._gid, self._groups, self.shell = user.uid, user.gid, user.groups, user.shell
        self.environment |= user.environment()
        self.is_of_user = True

    def become(self) -> None:
        """Give this process what the first process of the machine has. Raises OSError."""
        if not self._is_unlimited:
            self._limit()
        os.setgroups(self._groups)
        os.setresgid(self._gid, self._gid, self._gid)
        keeps = not (self._is_unlimited or self.is_of_user)
        if keeps:
            kernel.keep_capabilities()
        os.setresuid(self.uid, self.uid, self.uid)
        if keeps:
            kernel.set_capabilities(permitted=self._permitted, inheritable=self._inheritable, ambient=self._ambient)
        if self._no_new_privileges and not self._is_unlimited:
            kernel.forbid_new_privileges()

    def _limit(self) -> None:
        if self._adjustment:
            with open("/proc/self/oom_score_adj", "w") as file:
                file.write(self._adjustment)
        if self._personality:
            kernel.set_personality(self._personality)
        if self._processors:
            os.sched_setaffinity(0, self._processors)
        if self._limits:
            import resource

            for number, limits in self._limits.items():
                resource.setrlimit(number, limits)
        if self._filters:
            from . import filters

            filters.apply(self._filters)
        kernel.bound_capabilities(self.bounding)


def _limits(path: str, settings: list[str]) -> dict[int, tuple[int, int]]:
    """Return the limits that settings are about, by number, from a process's file in /proc.

    prlimit(2) would need a capability for the process of another user.
    """
    import resource

    with open(path, encoding="ascii") as file:
        _, *lines = file  # in the order of their numbers, in columns (linux, fs/proc/base.c)
    values = [[line[begin : begin + 20].strip() for begin in (26, 47)] for line in lines]
    numbers = [getattr(resource, f"RLIMIT_{name[5:]}", None) for name in settings if name.startswith("Limit")]
    found = {}
    for each in numbers:
        if each is not None:
            soft, hard = (resource.RLIM_INFINITY if text == "unlimited" else int(text) for text in values[each])
            found[each] = soft, hard
    return found
