# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a command a few times, in the host that it is called in: clock.py TIMES COMMAND ARG...

Prints a JSON list with, for each run, seconds, and the peak memory in KiB of the largest process that it took.
There is a pause between runs: for some 20 ms after one nspawn has put processes into cgroups, the kernel does that
faster for the next (kernel/rcu/sync.c), which no launch by itself comes to enjoy.
"""

import json
import os
import sys
import time

_PAUSE = 0.1
"""Seconds between runs."""


def timed(command: list[str]) -> tuple[float, int]:
    """Run a command to its end, and return its seconds and KiB. Ends the program if it fails."""
    null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1)]
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, dict(os.environ), file_actions=null)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return seconds, usage.ru_maxrss


def main() -> None:
    """Time the command in the command line, and print the results."""
    runs = []
    for number in range(int(sys.argv[1])):
        if number:
            time.sleep(_PAUSE)
        runs.append(timed(sys.argv[2:]))
    print(json.dumps(runs))


if __name__ == "__main__":
    main()
