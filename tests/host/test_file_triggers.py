# SPDX-License-Identifier: GPL-2.0-or-later
"""File triggers of the overlay's packages run for what the host's packages bring and take away."""

from collections.abc import Iterator

import pytest
from host import Host
from image import publish
from packages import Package
from reconciled import enter, on_host, overlay
from truth import OVERLAY

pytestmark = pytest.mark.usefixtures("database_and_files_agree")

INDEX = "/var/lib/index"


def indexer(scripts: str) -> Package:
    """A package that keeps an index of /usr/share/things."""
    return Package("indexer", files={"/usr/bin/indexer": "#!/bin/sh\nls /usr/share/things"}, scripts=scripts)


def things(number: str, version: str = "1") -> Package:
    """A package with a thing."""
    return Package(f"thing-{number}", version, files={f"/usr/share/things/{number}": number})


@pytest.mark.everywhere
@pytest.mark.parametrize("kind", ["filetrigger", "transfiletrigger"])
def test_an_index_of_the_overlay_has_what_the_host_adds(host: Host, kind: str) -> None:
    log = f"%{kind}in -- /usr/share/things\ncat >> {INDEX}\n%{kind}postun -- /usr/share/things\necho gone >> {INDEX}\n"
    publish(host, indexer(log), *map(things, "12"))
    overlay(host, "install", "indexer")
    on_host(host, "install", "thing-1", "thing-2")
    host.run(*OVERLAY, "rm", "-f", INDEX)
    on_host(host, "install", "hello")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", INDEX, check=False).stdout == ""
    on_host(host, "remove", "thing-1")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", INDEX).stdout == "gone\n"
    host.run(*OVERLAY, "rm", INDEX)
    on_host(host, "install", "thing-1")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", INDEX).stdout == "/usr/share/things/1\n"


def test_a_program_without_a_script(host: Host) -> None:
    program = f"#!/bin/sh\ncat > {INDEX}; indexer.done"
    scripts = "%transfiletriggerin -p /usr/bin/keeper -- /usr/share/things\n"
    publish(host, Package("keeper", files={"/usr/bin/keeper": program}, scripts=scripts), things("1"))
    overlay(host, "install", "keeper")
    host.run(*OVERLAY, "sh", "-c", "ln -s true /usr/bin/indexer.done")
    on_host(host, "install", "thing-1")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", INDEX).stdout == "/usr/share/things/1\n"


STALE = "toy: stale: what indexer 1-1 keeps of others' files"


def test_a_script_that_fails_is_named(host: Host) -> None:
    publish(host, indexer("%transfiletriggerin -- /usr/share/things\nexit 3\n"), things("1"))
    overlay(host, "install", "indexer")
    on_host(host, "install", "thing-1")
    assert enter(host) == [f"{STALE} (its trigger failed: toy -n toy -- zypper in -f indexer)"]
    assert enter(host) == []


@pytest.fixture
def impatient(host: Host) -> Iterator[Host]:
    """A host whose toy gives a command in the overlay but a moment."""
    launch = host.sh("dirname $(rpm -ql toy | grep launch/cold.py)").strip()
    host.sh(f"cp -a {launch} /tmp/launch; rm {launch}/__pycache__/cold.*")
    host.sh(f"sed -i 's/^_PATIENCE = .*/_PATIENCE = 2/' {launch}/cold.py")
    yield host
    host.sh(f"cp -a /tmp/launch/. {launch}")


@pytest.mark.parametrize("ignored", ["", "trap '' TERM INT; "])
def test_a_script_that_hangs_is_killed_and_named(impatient: Host, ignored: str) -> None:
    host = impatient
    publish(host, indexer(f"%transfiletriggerin -- /usr/share/things\n{ignored}sleep 600 & wait\n"), things("1"))
    other = "%transfiletriggerin -- /usr/share/things\ncat > /var/lib/other\n"
    publish(host, Package("other", files={"/usr/bin/other": ""}, scripts=other))
    overlay(host, "install", "indexer", "other")
    on_host(host, "install", "thing-1")
    took = "its trigger took more than 2 s: toy -n toy -- zypper in -f indexer"
    assert enter(host) == [f"{STALE} ({took})"]
    assert host.run(*OVERLAY, "cat", "/var/lib/other").stdout == "/usr/share/things/1\n"
    assert enter(host) == []


def test_a_script_that_prints_without_end(impatient: Host) -> None:
    host = impatient
    publish(host, indexer("%transfiletriggerin -- /usr/share/things\nyes >&2\n"), things("1"))
    overlay(host, "install", "indexer")
    on_host(host, "install", "thing-1")
    in_memory = "awk '/^Shmem:/ { print $2 }' /proc/meminfo"
    before, during, *said = host.sh(f"{in_memory}; (sleep 1; {in_memory}) & toy -- true 2>&1; wait").splitlines()
    assert int(during) - int(before) < 200_000
    assert "took more than 2 s" in said[0]


def test_a_script_that_prints_to_the_file_of_its_stderr(host: Host) -> None:
    publish(host, indexer(f"%transfiletriggerin -- /usr/share/things\nset -e; echo x > /dev/stderr; cat > {INDEX}\n"))
    publish(host, things("1"))
    overlay(host, "install", "indexer")
    on_host(host, "install", "thing-1")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", INDEX).stdout == "/usr/share/things/1\n"


def test_a_script_that_hangs_and_is_interrupted(impatient: Host) -> None:
    host = impatient
    publish(host, indexer("%transfiletriggerin -- /usr/share/things\ntouch /var/lib/begun; sleep 600\n"), things("1"))
    overlay(host, "install", "indexer")
    on_host(host, "install", "thing-1")
    begun = "while [ ! -e /var/lib/toy/toy/var/lib/begun ]; do sleep 0.1; done"
    host.sh(f"env --default-signal=INT toy -- true & {begun}; kill -INT $!; wait $! || true")
    (line,) = enter(host)
    assert "took more than 2 s" in line


@pytest.mark.everywhere
@pytest.mark.parametrize("kind", ["transfiletriggerin", "filetriggerin", "filetriggerpostun"])
def test_a_script_in_lua(host: Host, kind: str) -> None:
    script = f"""
        local file = io.open("{INDEX}", "a")
        file:write(#arg, " ", arg[2] + 1, "\\n")
        local path = rpm.next_file()
        while path do file:write(path, "\\n"); path = rpm.next_file() end
        file:close()
        assert(rpm.execute("/bin/sh", "-c", "echo '%%}}' >> {INDEX}"))
    """
    publish(host, indexer(f"%{kind} -p <lua> -- /usr/share/things\n{script}\n"), things("1"))
    overlay(host, "install", "indexer", "thing-1")
    overlay(host, "remove", "thing-1")
    by_rpm = host.run(*OVERLAY, "cat", INDEX).stdout
    host.run(*OVERLAY, "rm", INDEX)
    on_host(host, "install", "thing-1")
    assert enter(host) == []
    on_host(host, "remove", "thing-1")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", INDEX).stdout == by_rpm


def test_a_script_that_is_too_long_for_a_command_line_is_named(host: Host) -> None:
    publish(host, indexer(f"%transfiletriggerin -- /usr/share/things\n: {'long' * 50000}\n"), things("1"))
    overlay(host, "install", "indexer")
    on_host(host, "install", "thing-1")
    assert enter(host) == [f"{STALE} (its trigger failed: toy -n toy -- zypper in -f indexer)"]
    assert enter(host) == []


def test_a_script_in_lua_that_fails_is_named(host: Host) -> None:
    publish(host, indexer("%transfiletriggerin -p <lua> -- /usr/share/things\nerror('x')\n"), things("1"))
    overlay(host, "install", "indexer")
    on_host(host, "install", "thing-1")
    assert enter(host) == [f"{STALE} (its trigger failed: toy -n toy -- zypper in -f indexer)"]
    assert enter(host) == []


def test_all_triggers_run_in_one_go(host: Host) -> None:
    """To start systemd-nspawn takes longer than most of them."""
    for name in "abc":
        scripts = f"%transfiletriggerin -- /usr/share/things\nreadlink /proc/self/ns/pid >> {INDEX}\n"
        publish(host, Package(f"indexer-{name}", files={f"/usr/share/{name}": ""}, scripts=scripts))
    publish(host, things("1"))
    overlay(host, "install", *(f"indexer-{name}" for name in "abc"))
    host.run(*OVERLAY, "rm", "-f", INDEX)
    on_host(host, "install", "thing-1")
    assert enter(host) == []
    first, second, third = host.run(*OVERLAY, "cat", INDEX).stdout.splitlines()
    assert first == second == third


def test_more_files_than_a_command_line_takes(host: Host) -> None:
    log = f"%transfiletriggerin -- /usr/share/things\nwc -l >> {INDEX}\n"
    folder = "/".join(["/usr/share/things", *["long" * 60] * 14])
    many = {f"{folder}/{number}": "" for number in range(650)}
    publish(host, indexer(log), Package("many", files=many))
    overlay(host, "install", "indexer")
    host.run(*OVERLAY, "rm", "-f", INDEX)
    on_host(host, "install", "many")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", INDEX).stdout == "650\n"


@pytest.mark.everywhere
def test_an_index_that_a_package_of_the_hosts_keeps_has_what_both_have(host: Host) -> None:
    index = "/usr/share/index"
    list_them = f"ls /usr/share/things > {index}\n"
    scripts = "".join(f"%transfiletrigger{when} -- /usr/share/things\n{list_them}" for when in ("in", "postun"))
    publish(host, indexer(scripts), *map(things, "123"))
    overlay(host, "install", "thing-1")
    on_host(host, "install", "thing-2")
    enter(host)
    on_host(host, "install", "indexer")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", index).stdout == "1\n2\n"
    on_host(host, "install", "thing-3")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", index).stdout == "1\n2\n3\n"
    on_host(host, "remove", "thing-2")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", index).stdout == "1\n3\n"
    assert "shadowed" not in host.run("toy", "status").stdout


def test_a_script_finds_what_it_finds_when_rpm_runs_it(host: Host) -> None:
    found = 'set -eu\nsystemctl daemon-reload\necho "$# $1 $SYSTEMD_OFFLINE $PATH"'
    publish(host, indexer(f"%transfiletriggerin -- /usr/share/things\n{found} > {INDEX}\n"), *map(things, "12"))
    overlay(host, "install", "indexer", "thing-1")
    by_rpm = host.run(*OVERLAY, "cat", INDEX).stdout
    host.run(*OVERLAY, "rm", INDEX)
    on_host(host, "install", "thing-2")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", INDEX).stdout == by_rpm


def test_the_order_is_rpms(host: Host) -> None:
    """By priority, and file triggers before those of transactions."""
    kinds = [("transfiletriggerin", 1), ("transfiletriggerin", 20000), ("transfiletriggerin", 3), ("filetriggerin", 2)]
    for name, (kind, priority) in zip("abcd", kinds, strict=True):
        scripts = f"%{kind} -P {priority} -- /usr/share/things\necho {name} >> {INDEX}\n"
        publish(host, Package(f"indexer-{name}", files={f"/usr/share/{name}": ""}, scripts=scripts))
    publish(host, *map(things, "12"))
    overlay(host, "install", *(f"indexer-{name}" for name in "abcd"))
    overlay(host, "install", "thing-1")
    by_rpm = host.run(*OVERLAY, "cat", INDEX).stdout
    host.run(*OVERLAY, "rm", INDEX)
    on_host(host, "install", "thing-2")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", INDEX).stdout == by_rpm == "d\nb\nc\na\n"


def test_what_goes_is_given_as_rpm_gives_it(host: Host) -> None:
    scripts = "".join(
        f"%{kind} -- /usr/share/things\necho {kind} $# >> {INDEX}; cat >> {INDEX}\n"
        for kind in ("filetriggerun", "filetriggerpostun", "transfiletriggerun", "transfiletriggerpostun")
    )
    publish(host, indexer(scripts), things("1"))
    overlay(host, "install", "indexer", "thing-1")
    overlay(host, "remove", "thing-1")
    by_rpm = host.run(*OVERLAY, "cat", INDEX).stdout
    host.run(*OVERLAY, "rm", INDEX)
    on_host(host, "install", "thing-1")
    enter(host)
    on_host(host, "remove", "thing-1")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", INDEX).stdout == by_rpm


def test_a_prefix_that_is_a_file(host: Host) -> None:
    publish(
        host, indexer(f"%transfiletriggerpostun -- /usr/share/things/1\necho gone >> {INDEX}\n"), *map(things, "12")
    )
    overlay(host, "install", "indexer")
    on_host(host, "install", "thing-1", "thing-2")
    enter(host)
    on_host(host, "remove", "thing-2")
    assert enter(host) == []
    assert host.run(*OVERLAY, "ls", INDEX, check=False).stdout == ""
    on_host(host, "remove", "thing-1")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", INDEX).stdout == "gone\n"


def test_what_a_package_that_gives_way_takes_away(host: Host) -> None:
    list_them = f"ls /usr/share/things > {INDEX}"
    publish(host, indexer(f"%transfiletriggerpostun -- /usr/share/things\n{list_them}\n"), *map(things, "12"))
    publish(host, Package("thing-1", "2", files={"/usr/share/other": ""}))
    overlay(host, "install", "indexer", "thing-1=1", "thing-2")
    on_host(host, "install", "thing-1=2")
    assert enter(host) == ["toy: retired: thing-1 1-1 (host has 2-1)"]
    assert host.run(*OVERLAY, "cat", INDEX).stdout == "2\n"


def test_a_script_may_ask_rpm(host: Host) -> None:
    ask = f"rpm -qf --qf '%%{{NAME}} %%{{VERSION}}\\n' $(cat) >> {INDEX}"
    publish(host, indexer(f"%transfiletriggerin -- /usr/share/things\n{ask}\n"), things("1"), things("1", "2"))
    overlay(host, "install", "indexer")
    for version in "12":
        on_host(host, "install", f"thing-1={version}")
        assert enter(host) == []
    assert host.run(*OVERLAY, "cat", INDEX).stdout == "thing-1 1\nthing-1 2\n"


def test_a_launch_that_is_killed_while_a_script_runs(host: Host) -> None:
    once = f"[ -e /var/lib/begun ] || {{ touch /var/lib/begun; sleep 600; }}; cat > {INDEX}"
    publish(host, indexer(f"%transfiletriggerin -- /usr/share/things\n{once}\n"), things("1"))
    overlay(host, "install", "indexer")
    on_host(host, "install", "thing-1")
    host.sh("toy -- true & until [ -e /var/lib/toy/toy/var/lib/begun ]; do sleep 0.1; done; kill -KILL $!; wait || :")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", INDEX).stdout == "/usr/share/things/1\n"


@pytest.mark.everywhere
def test_triggers_for_packages_run_as_rpm_runs_them(host: Host) -> None:
    scripts = "".join(
        f"%trigger{when} -- thing-1 < 3, thing-2\necho {when} $* >> {INDEX}\n" for when in ("in", "un", "postun")
    )
    publish(host, indexer(scripts), things("1"), things("1", "2"), things("1", "3"), things("2"), things("3"))
    overlay(host, "install", "indexer")
    steps = [
        ("install", "thing-1=1"),
        ("install", "thing-1=2", "thing-3"),
        ("install", "thing-1=3"),
        ("remove", "thing-1"),
    ]
    for step in steps:
        overlay(host, *step)
    by_rpm = host.run(*OVERLAY, "cat", INDEX).stdout
    overlay(host, "remove", "thing-3")
    host.run(*OVERLAY, "rm", INDEX)
    for step in steps:
        on_host(host, *step)
        assert enter(host) == []
    assert host.run(*OVERLAY, "cat", INDEX).stdout == by_rpm


def test_a_trigger_that_comes_too_late_is_named(host: Host) -> None:
    publish(host, indexer(f"%triggerprein -- thing-1\ntouch {INDEX}\n"), things("1"))
    overlay(host, "install", "indexer")
    on_host(host, "install", "thing-1")
    late = "its %triggerprein has to run before what the host brought"
    assert enter(host) == [f"{STALE} ({late}: toy -n toy -- zypper in -f indexer)"]
    assert host.run(*OVERLAY, "ls", INDEX, check=False).stdout == ""


def test_a_terminal_shows_that_they_run(host: Host) -> None:
    publish(host, indexer("%transfiletriggerin -- /usr/share/things\n:\n"), things("1"))
    overlay(host, "install", "indexer")
    on_host(host, "install", "thing-1")
    shown = host.run("script", "--quiet", "--return", "-c", "toy -- echo done", "/dev/null").stdout
    line = "toy: running triggers of packages"
    assert shown.replace("\r", "\n").split("\n")[:3] == ["", line, " " * len(line)]
