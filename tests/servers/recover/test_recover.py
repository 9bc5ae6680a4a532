"""Disasters and recoveries on real servers, one after the other as they would come: each needs what the one
before it left. The counts (ten of each) are bench/soak/recoveries.py.
"""

import json
from random import Random
from typing import Any

from backed_up import BACKUP, CATALOGUE, MEMS, STATE
from recovering import DATA, Recovered, moment

SEED = 20260301


def backups(server: Recovered) -> list[str]:
    """Barman's base backups, oldest first."""
    return server.shell(BACKUP, f"sudo ls {CATALOGUE}/base").split()


def test_too_small_a_disk_is_refused_before_anything_is_touched(server: Recovered) -> None:
    """In words, with what is free and what is needed; M EMS goes on."""
    done = server.playbook(*server.command("small", recover_disk_margin_mib="99999999"))
    assert done.returncode != 0
    assert "nothing on it was touched" in done.stdout and "MiB free" in done.stdout
    assert json.loads(server.shell(MEMS, "sudo /usr/local/lib/mems/check"))["ok"]
    assert server.run(MEMS, "sudo test -e /var/lib/amc/runs/small").returncode != 0


def test_nothing_acknowledged_is_lost_when_postgresql_and_its_disk_go(server: Recovered) -> None:
    """kill -9 and rm -rf under writes; the newest backup has a flipped byte, so the one before it serves."""
    newest = server.program("backup")["id"]
    file = f"{CATALOGUE}/base/{newest}/data/base/1/1259"
    server.root(BACKUP, f"printf '\\377' | dd of={file} bs=1 seek=5000 conv=notrunc status=none")
    server.commit_for(4)
    server.lose_the_database()
    report = server.recover("disaster")
    acknowledged, restored = server.acknowledged(), server.restored()
    lost = [commit for commit in acknowledged if commit.number not in set(restored)]
    seconds = acknowledged[-1].after - lost[0].before if lost else 0.0
    print(f"\ncommits {len(acknowledged)}, lost {len(lost)}, {seconds:.3f} s; RTO {report['rto_seconds']} s")
    assert len(acknowledged) > 100
    assert seconds <= 1.0
    assert report["lost_seconds"] == 0.0 and report["finished"] and not report["problems"]
    assert [each["id"] for each in report["fell_back_from"]] == [newest]
    assert report["from_backup"]["id"] != newest
    assert report["protection"]["state"] == "unprotected"
    assert report["timeline"] == report["from_timeline"] + 1
    assert newest in json.loads(server.shell(BACKUP, f"sudo cat {STATE}/bad_backups.json"))


def attempts(server: Recovered) -> dict[str, bool]:
    """What root on the M EMS server tries while the backup server's way in is open; True: it worked."""
    address = server.shell(BACKUP, "hostname -I").split()[0]
    ssh = (
        "ssh -o BatchMode=yes -o ConnectTimeout=3 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    )
    keys = "/run/amc-recover/host_key /etc/ssh/ssh_host_ed25519_key"
    tries = {
        f"log in as {user}": f"for k in {keys}; do {ssh} -i $k {user}@{address} true && exit 0; done; exit 1"
        for user in ("barman", "root", "amc-recover")
    }
    tries["through the way in, as the backup server"] = (
        f"{ssh} -p 2222 -i /run/amc-recover/host_key amc-recover@127.0.0.1 cat /etc/shadow"
    )
    tries["a key of the backup server lies here"] = (
        "find / -xdev -name 'id_recover*' -o -xdev -name 'id_pull' | grep -q ."
    )
    tries["rsync from the backup server"] = (
        f"rsync -e '{ssh}' barman@{address}:/var/lib/barman/ /tmp/stolen/ && test -e /tmp/stolen/{MEMS}"
    )
    tries["an agent or a port of its connection"] = (
        "find /tmp /run -xdev -type s -name 'agent.*' -newer /run/amc-recover/keys | grep -q ."
    )
    return {
        name: server.run(MEMS, f"sudo sh -c {json.dumps(command)}", 60).returncode == 0
        for name, command in tries.items()
    }


def test_a_moment_comes_back_exactly_also_when_the_recovery_is_killed_twice(server: Recovered) -> None:
    """Right after the last recovery, on its new timeline, to a random moment between two commits.

    The controller is killed while the copy runs, when root here tries to use the way in; then the copying and
    placing units are. The same run goes on each time.
    """
    server.wait_until_protected()
    server.commit_for(6, 0.02)
    commits = server.acknowledged()
    chosen = commits[Random(SEED).randrange(len(commits) // 4, len(commits) - 10)]
    to = {"recover_to": moment(chosen.after + 0.001)}
    server.kill_half_way("earlier", "systemctl is-active -q amc-earlier-door", **to)
    assert [name for name, worked in attempts(server).items() if worked] == []
    server.shell(MEMS, "systemctl is-active amc-earlier-door")  # it was open all the time
    killed = server.run(BACKUP, "sudo systemctl kill -s KILL amc-earlier-recover-send").returncode == 0
    server.kill_half_way("earlier", "test -e /var/lib/amc/runs/earlier/recover-phases.json", **to)
    server.run(MEMS, "sudo systemctl kill -s KILL amc-earlier-recover-place")
    report = server.recover("earlier", **to)
    print(f"\nto {to}, reached {report['reached']}, copy killed {killed}")
    assert server.restored()[-1] == chosen.number
    assert server.restored() == list(range(1, chosen.number + 1))
    assert report["finished"] and report["lost_commits"] > 0 and report["missing_attachments"] == []
    assert server.run(MEMS, "systemctl is-active amc-earlier-door").returncode != 0
    assert server.run(MEMS, "getent passwd amc-recover").returncode != 0


def test_what_was_set_aside_comes_back_with_one_command(server: Recovered) -> None:
    """The whole state before the last recovery; receiving goes on from there, and the old run stays done."""
    number = server.acknowledged()[-1].number
    server.recover("back", recover_put_back="earlier")
    assert server.restored() == list(range(1, number + 1))
    again = server.playbook(*server.command("earlier"))
    assert again.returncode == 0 and " changed=0 " in again.stdout
    server.wait_until_protected()
    reach: Any = server.program("reach")
    assert reach["ok"]
    records = server.shell(BACKUP, f"sudo cat {STATE}/recoveries.jsonl").splitlines()
    assert [json.loads(line)["run"] for line in records] == ["disaster", "earlier", "back"]
    assert server.shell(MEMS, "systemctl --failed --plain --no-legend") == ""
    assert server.shell(MEMS, f"sudo grep -c recovery_target {DATA}/postgresql.auto.conf || true") == "0"
