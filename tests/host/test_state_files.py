# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever a broken disk leaves where a machine's records were: one line at most, and what is right all the same."""

import pytest
from host import Host
from image import LEGACY, RPMS
from truth import OVERLAY, packages

STATE = "/var/lib/toy/toy"
SAVED = "/var/lib/toy/.saved"

_BYTES = '/usr/bin/python3 -c \'import random; open("{0}", "wb").write(random.Random(SEED).randbytes(3000))\''
KINDS = {
    "a directory": "mkdir -p {0}; touch {0}/x",
    "a FIFO": "mkfifo {0}",
    "a link to a file": "ln -s /etc/passwd {0}",
    "a link to nothing": "ln -s /nowhere {0}",
    "a device": "mknod {0} c 1 5",
    "without an end": "truncate -s 1T {0}",
    "empty": ": > {0}",
    "bytes": _BYTES.replace("SEED", "0"),
    "bytes with a NUL in the first line": _BYTES.replace("SEED", "1"),
    "deep": "printf '%05000d' 0 | tr 0 [ > {0}",
    "a record of nothing": "echo '{{\"version\": 1}}' > {0}",
}
FILES = (
    *(
        "base",
        "base.new",
        "seen",
        "seeded",
        "accounts/passwd",
        "accounts/.toy-new",
        "keys",
        "retired",
        "moved",
        "untold",
    ),
    *("homes", "repositories/locks", "limits", "run.configuration", "run.new", "rpmdb.new", "rpmdb.old", "log"),
)
QUESTIONS = ("intent", "renumbering")
"""Records without which nobody knows what was left half done: the user has to say that it does not matter."""


@pytest.mark.parametrize("kind", KINDS)
def test_records_that_are_something_else(host: Host, kind: str) -> None:
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    host.run(*OVERLAY, "zypper", "-n", "remove", "editor")
    host.sh(f"cp -a {STATE} {SAVED}")
    for number, names in enumerate((FILES, QUESTIONS)):
        host.sh(f"rm -rf {STATE}; cp -a {SAVED} {STATE}")
        for name in names:
            path = f"{STATE}/{name}"
            host.sh(f"rm -rf {path}; mkdir -p {path.rpartition('/')[0]}; {KINDS[kind].format(path)}")
        host.sh(f"{' '.join(host.rpm)} {f'-i {RPMS}/{LEGACY.file}' if number % 2 else '-e legacy'}")
        for words in (["status"], ["list"], ["diff"], ["--", "true"]):
            for _ in names:
                said = said_by(host, *words)
                if "move it away: " not in said and "drop it" not in said:
                    break
                command = "mv" + said.partition(": mv")[2].partition(";")[0]
                assert any(f"{STATE}/{name} " in command for name in names)
                assert kind == "a directory" or names == QUESTIONS or "/log " in command
                host.sh(command)
        assert packages(host, *OVERLAY) == (packages(host) | {"hello-1"}) - {"editor-1"}


def said_by(host: Host, *words: str) -> str:
    """Run toy, which is to fail in one line, or to do what it is asked; return what it said. Events are no errors."""
    done = host.run("toy", *words, check=False, timeout=60)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("toy: guessed: ")]
    events = [line for line in lines if "lacks what happened: " in line or "says again what happened: " in line]
    assert len(lines) - len(events) == (done.returncode == 125), done.stderr
    assert done.returncode in (0, 125), done.stderr
    assert " a bug of toy's" not in done.stderr
    return "; ".join(lines)
