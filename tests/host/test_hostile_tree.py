# SPDX-License-Identifier: GPL-2.0-or-later
"""An upper and records that root in an overlay, or somebody else, made: they are data, not orders."""

import json
import zlib

import pytest
from backends import FILE
from host import Host
from hostile import SET, STATE, is_unharmed
from image import LEGACY, RPMS, publish
from overlay import refused, toy
from packages import Package
from truth import OVERLAY, packages

FILE_TO_REMOVE = {"path": "/x", "mode": 33188, "digest": "", "target": "", "kept": False, "owner": "root:root"}


UPPER_SET = f"""cd {STATE}/overlay{SET}; python3 -c '
import json, os, stat
names = {{name: os.lstat(name).st_mode for name in os.listdir() if name.endswith(".hdr")}}
print(json.dumps({{"files": [name for name in names if stat.S_ISREG(names[name])],
                  "whiteouts": [name for name in names if stat.S_ISCHR(names[name])]}}))'"""
"""Prints what a plan says of the overlay's part of the header set."""


class TestTree:
    """What root in an overlay leaves in its files leads nobody elsewhere, and keeps nobody for long."""

    @pytest.mark.parametrize("name", ["dev", "etc", "proc", "run", "sys", "tmp", "usr", "var"])
    def test_a_link_where_nspawn_goes_before_it_is_in_the_machine(self, victim: Host, name: str) -> None:
        path = f"{STATE}/overlay/{name}"
        victim.sh(f"mkdir /srv/aside; rm -rf {path}; ln -s /srv/aside {path}")
        said = refused(victim, *OVERLAY, "true")
        assert said.startswith(f"{path} is not a directory; move it away: ")
        assert victim.sh("ls -A /srv/aside") == ""
        victim.sh(said.partition("move it away: ")[2])
        victim.run(*OVERLAY, "true")

    @pytest.mark.parametrize("make", ["mkfifo", "ln -s /srv/id"])
    def test_a_machine_id_that_is_no_file(self, victim: Host, make: str) -> None:
        path = f"{STATE}/overlay/etc/machine-id"
        victim.sh(f"mkdir -p {STATE}/overlay/etc; {make} {path}; mkfifo /srv/id")
        said = refused(victim, *OVERLAY, "true")
        assert said.startswith(f"{path} is not a regular file; move it away: ")
        victim.sh(said.partition("move it away: ")[2])
        victim.run(*OVERLAY, "rm", "/etc/machine-id")
        victim.run(*OVERLAY, "true")

    def test_tmpfiles_that_lead_into_a_home(self, victim: Host) -> None:
        victim.sh("mkdir -p /root; touch /root/precious; chmod 600 /root/precious")
        victim.run(*OVERLAY, "sh", "-c", "ln -s /root /var/lib/link; mkdir -p /etc/tmpfiles.d")
        lines = "d /var/lib/link/written 0755\nZ /var/lib/link/precious 0777\n"
        victim.write(f"{STATE}/overlay/etc/tmpfiles.d/own.conf", lines)
        assert toy(victim, "true").returncode == 0
        assert victim.sh("ls -d /root/written 2>/dev/null || stat --format=%a /root/precious") == "600\n"

    def test_a_stamp_of_a_billion_packages(self, victim: Host) -> None:
        stamp = zlib.compress(f"{64 * '0'}\n1 {10**12} 0".encode())
        victim.run_bytes("sh", "-c", f"cat > {STATE}/overlay{SET}/.stamp", content=stamp)
        victim.zypper("remove", "legacy")
        assert "hello-1" in packages(victim, *OVERLAY)

    @pytest.mark.parametrize("where", ["rpmdb", "var/cache/zypp/solv/@System"])
    def test_directories_deeper_than_python_goes(self, victim: Host, where: str) -> None:
        victim.sh(f"mkdir -p {STATE}/{where}; cd {STATE}/{where}; mkdir -p $(printf 'd/%.0s' $(seq 1500))")
        for package in ("legacy", "library"):
            victim.zypper("remove", package)
            assert "hello-1" in packages(victim, *OVERLAY)


def change_host(victim: Host, number: int) -> None:
    """Remove a package from the host, or install it again: only then a launch reads the records."""
    victim.sh(f"{' '.join(victim.rpm)} {f'-i {RPMS}/{LEGACY.file}' if number % 2 else '-e legacy'}")


class TestRecords:
    """Records of toy's own are data: damaged ones make nobody touch the host."""

    NAMES = ("/CANARY", "../../../../CANARY", "x/../../CANARY", "a\\u0000b", "", "\\udcff", ".", "x-1-1.noarch.hdr")

    def test_base(self, victim: Host) -> None:
        for name in self.NAMES:
            for content in ([name], {"version": 1, "headers": [name]}):
                victim.write(f"{STATE}/base", json.dumps(content))
                assert "hello-1" in packages(victim, *OVERLAY)
                assert is_unharmed(victim)

    def test_plan(self, victim: Host) -> None:
        base = json.loads(victim.sh(f"cat {STATE}/base"))["headers"]
        victim.sh(f"{' '.join(victim.rpm)} -e legacy")
        for name in self.NAMES:
            self.refuses_plan(victim, base, upper={"files": [name], "whiteouts": []})
        for name in self.NAMES[1:]:
            self.refuses_plan(victim, base, hide=[name])
            self.refuses_plan(victim, base, remove=[{**FILE_TO_REMOVE, "path": name}])
        self.refuses_plan(victim, base, caches=[{"path": "/etc/ld.so.cache", "command": ["rm", "/CANARY"]}])
        self.store_plan(victim, base, hide=["/usr/bin/editor"])  # one that a launch could have made is finished
        toy(victim, "true")
        assert toy(victim, "ls", "/usr/bin/editor").returncode != 0
        assert is_unharmed(victim)

    def test_retired(self, victim: Host) -> None:
        made_up = (*self.NAMES, ["x"], {"x": 1}, {"x": {"label": 1, "to": []}}, {"x": {"label": "x", "to": "x"}})
        for number, retired in enumerate(made_up):
            change_host(victim, number)
            victim.write(f"{STATE}/retired", json.dumps({"version": 1, "retired": retired}))
            assert toy(victim, "true").returncode == 0
            assert is_unharmed(victim)

    def test_moved(self, victim: Host) -> None:
        made_up = (*self.NAMES, ["x"], {"/x": 1}, {"/usr/lib": {"/usr/lib/x": "/../../../CANARY"}})
        texts = ("\0", "x" * 5000, "/", "../../../../CANARY", "", 1)
        links = [*made_up, *({"/usr/lib": {"/usr/lib/x": text}} for text in texts)]
        records: list[dict[str, object]] = [{"moved": moved} for moved in made_up]
        records += [{"moved": {"/usr/lib": {}}, "links": x} for x in links]
        records += [{"moved": {"/usr/lib": {}}, "copies": x} for x in made_up]
        for number, record in enumerate(records):
            change_host(victim, number)
            victim.write(f"{STATE}/moved", json.dumps({"version": 1, **record}))
            assert toy(victim, "true").returncode == 0
            assert is_unharmed(victim)

    def test_homes(self, victim: Host) -> None:
        for number, hidden in enumerate((*self.NAMES, 1, [1, None, ["x"]], {"/home": 1}, [*self.NAMES])):
            change_host(victim, number)
            victim.write(f"{STATE}/homes", json.dumps({"version": 1, "hidden": hidden}))
            assert toy(victim, "true").returncode == 0
            assert is_unharmed(victim)

    def test_untold(self, victim: Host) -> None:
        for number, events in enumerate((["x"], {"x": 1}, [{"kind": "x"}], [{"kind": ["x"], "text": "\x1b[31m"}], 1)):
            change_host(victim, number)
            victim.write(f"{STATE}/untold", json.dumps({"version": 1, "events": events}))
            done = toy(victim, "true")
            assert (done.returncode, "\x1b" in done.stderr) == (0, False)
            assert victim.run("ls", f"{STATE}/untold", check=False).returncode != 0

    def test_renumbering(self, victim: Host) -> None:
        wrong = [["x", 0, 1]], [["x", 1, 0]], [["x", 1, "x"]], [["x", 1, 2**32 - 1]], [["x"]], {"x": 1}, 1, [self.NAMES]
        of_files = [[[name, []]] for name in self.NAMES]
        for steps in (*([["passwd", moves]] for moves in wrong), *of_files, "/CANARY", 1):
            victim.write(f"{STATE}/renumbering", json.dumps({"version": 1, "steps": steps, "events": []}))
            assert refused(victim, *OVERLAY, "true").startswith(f"the record {STATE}/renumbering is damaged")
            assert is_unharmed(victim)
        victim.run("rm", f"{STATE}/renumbering")

    @staticmethod
    def store_plan(victim: Host, base: list[str], **fields: object) -> None:
        lists = ("remove", "uncover", "show", "merge", "clear", "follow", "hide", "drop")
        plan: dict[str, object] = {
            "version": 1,
            "host": base,
            "since_base": {"added": [], "removed": []},
            "upper": json.loads(victim.sh(UPPER_SET)),
            "stand_ins": {},
            "operations": {"sweep": False} | {name: fields.pop(name, []) for name in lists},
            "caches": [],
            "events": [],
        }
        victim.write(f"{STATE}/intent", json.dumps(plan | fields))

    def refuses_plan(self, victim: Host, base: list[str], **fields: object) -> None:
        self.store_plan(victim, base, **fields)
        for command in ((*OVERLAY, "true"), ("toy", "status")):
            assert refused(victim, *command).startswith(f"the plan {STATE}/intent is damaged")
        assert is_unharmed(victim)

    @pytest.mark.parametrize("record", ["base", "homes", "intent", "renumbering", "seeded", "keys", "untold"])
    def test_a_later_toys_is_refused(self, victim: Host, record: str) -> None:
        path = f"{STATE}/{record}"
        victim.sh(f"{' '.join(victim.rpm)} -e legacy; cp {path} /tmp/record 2>/dev/null || :")
        victim.write(path, '{"version": 2}')
        line = refused(victim, *OVERLAY, "true")
        assert line == f"{path} was written by a later version of toy; update toy, or use another machine: toy -n NAME"
        assert victim.sh(f"cat {path}") == '{"version": 2}'
        victim.sh(f"cp /tmp/record {path} 2>/dev/null || rm {path}")
        assert packages(victim, *OVERLAY) == packages(victim) | {"hello-1"}

    def test_an_earlier_toys_are_taken_over(self, victim: Host) -> None:
        script = """cd /var/lib/toy/toy; python3 -c '
import json
base, seeded = (json.load(open(name)) for name in ("base", "seeded"))
json.dump(base["headers"], open("base", "w"), indent=0)
json.dump([seeded["owned"], seeded["came"]], open("seeded", "w"), indent=0)'"""
        victim.sh(f"{script}; {' '.join(victim.rpm)} -e legacy")
        done = toy(victim, "true")
        assert (done.returncode, done.stderr) == (0, "")  # nothing had to be guessed
        assert packages(victim, *OVERLAY) == packages(victim) | {"hello-1"}
        assert json.loads(victim.sh(f"cat {STATE}/base"))["version"] == 1

    @pytest.mark.parametrize("record", ["base", "seeded"])
    def test_what_is_no_record(self, victim: Host, record: str) -> None:
        for content in ("[" * 100000, "1" * 5000, "NaN", '{"a": 1}', "\xff"):
            victim.write(f"{STATE}/{record}", content)
            victim.run("touch", f"/usr/lib/sysimage/rpm/{FILE}")
            assert "hello-1" in packages(victim, *OVERLAY)

    def test_seeded(self, victim: Host) -> None:
        status = victim.sh("stat --format='%f 0:0 %.9Y' /CANARY").split()
        digest = victim.sh("sha256sum < /CANARY").split()[0]
        looks = f"{int(status[0], 16):o} 0:0 {status[2].replace('.', '')} {digest}"
        for version, name in enumerate(("/CANARY", "../../../../CANARY", "a\\u0000b", "x/../../../../../CANARY")):
            victim.write(f"{STATE}/seeded", f'[{{}}, {{"{name}": "{looks}"}}]')
            publish(victim, Package("new", f"{version}"))
            victim.zypper("install", "new")
            assert toy(victim, "true").returncode == 0
            assert is_unharmed(victim)

    def test_seen(self, victim: Host) -> None:
        toy(victim, "true")
        victim.sh(f"mkdir /elsewhere; sed -i 's,\\x00/\\x00end,\\x00/elsewhere\\x00end,' {STATE}/seen")
        assert toy(victim, "sh", "-c", "test -e /usr/bin/hello && test -e /usr/bin/editor").returncode == 0
