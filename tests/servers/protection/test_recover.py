"""Disasters and recoveries on real servers, one after the other as they would come: each needs what the one
before it left. The counts (ten of each) are bench/soak/recoveries.py.
"""

import json
from random import Random
from typing import Any

from backed_up import BACKUP, CATALOGUE, MEMS, STATE
from recovering import DATA, Recovered, moment

SEED = 20260301


def test_too_small_a_disk_is_refused_before_anything_is_touched(pair: Recovered) -> None:
    """In words, with what is free and what is needed; M EMS goes on."""
    done = pair.playbook(*pair.command("small", recover_disk_margin_mib="99999999"))
    assert done.returncode != 0
    assert "nothing on it was touched" in done.stdout and "MiB free" in done.stdout
    assert json.loads(pair.shell(MEMS, "sudo /usr/local/lib/mems/check"))["ok"]
    assert pair.run(MEMS, "sudo test -e /var/lib/amc/runs/small").returncode != 0


def test_nothing_acknowledged_is_lost_when_postgresql_and_its_disk_go(pair: Recovered) -> None:
    """kill -9 and rm -rf under writes; the newest backup has a flipped byte, so the one before it serves."""
    newest = pair.program("backup")["id"]
    file = f"{CATALOGUE}/base/{newest}/data/base/1/1259"
    pair.root(BACKUP, f"printf '\\377' | dd of={file} bs=1 seek=5000 conv=notrunc status=none")
    pair.commit_for(4)
    pair.lose_the_database()
    report = pair.recover("disaster")
    acknowledged, restored = pair.acknowledged(), pair.restored()
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
    assert newest in json.loads(pair.shell(BACKUP, f"sudo cat {STATE}/bad_backups.json"))
    assert [each["kind"] for each in report["set_aside"]] == ["files"]  # of the database nothing was left
    notes = "/var/lib/amc/runs/disaster/recover.json /var/lib/amc/set-aside/disaster/set-aside.json"
    assert pair.root(MEMS, f"stat -c %U:%a {notes}").split() == ["root:600"] * 2
    assert report["missing_attachments"] == []
    pair.wait_until_protected()
    pair.shell(BACKUP, f"sudo -u barman barman delete {MEMS} {newest}")


def attempts(pair: Recovered) -> dict[str, bool]:
    """What root on the M EMS server tries while the backup server's way in is open; True: it worked."""
    address = pair.shell(BACKUP, "hostname -I").split()[0]
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
        name: pair.run(MEMS, f"sudo sh -c {json.dumps(command)}", 60).returncode == 0
        for name, command in tries.items()
    }


def test_a_moment_comes_back_exactly_also_when_the_recovery_is_killed_twice(pair: Recovered) -> None:
    """Right after the last recovery, on its new timeline, to a random moment between two commits.

    The controller is killed while the copy runs, when root here tries to use the way in; the copying unit is
    killed half-way; then the controller again and the server restarts while it puts things in place, without
    letting anybody in. The same run goes on each time.
    """
    pair.wait_until_protected()
    pair.commit_for(6, 0.02)
    commits = pair.acknowledged()
    chosen = commits[Random(SEED).randrange(len(commits) // 4, len(commits) - 10)]
    to = {"recover_to": moment(chosen.after + 0.001)}
    pair.kill_half_way("earlier", pair.freeze_the_copy("earlier"), BACKUP, **to)
    assert [name for name, worked in attempts(pair).items() if worked] == []
    pair.shell(MEMS, "systemctl is-active amc-earlier-door")  # it was open all the time
    pair.shell(BACKUP, "sudo systemctl kill -s KILL amc-earlier-recover-send")
    pair.kill_half_way("earlier", "test -e /var/lib/amc/runs/earlier/recover-phases.json", **to)
    pair.restart()
    shut = pair.run(MEMS, "systemctl is-active nginx mems@8001.socket mems@8001.service").stdout.split()
    assert shut == ["inactive"] * 3
    report = pair.recover("earlier", **to)
    print(f"\nto {to}, reached {report['reached']}")
    assert pair.restored()[-1] == chosen.number
    assert pair.restored() == list(range(1, chosen.number + 1))
    assert report["finished"] and report["lost_commits"] > 0 and report["missing_attachments"] == []
    assert pair.run(MEMS, "systemctl is-active amc-earlier-door").returncode != 0
    assert pair.run(MEMS, "getent passwd amc-recover").returncode != 0


def test_what_was_set_aside_comes_back_with_one_command(pair: Recovered) -> None:
    """The whole state before the last recovery; receiving goes on from there, and the old run stays done."""
    number = pair.acknowledged()[-1].number
    pair.recover("back", recover_put_back="earlier")
    restored = pair.restored()
    assert restored == list(range(1, len(restored) + 1))
    assert len(restored) in (number, number + 1)  # the last commit's acknowledgement may have been lost
    again = pair.playbook(*pair.command("earlier"))
    assert again.returncode == 0 and " changed=0 " in again.stdout
    pair.wait_until_protected()
    reach: Any = pair.program("reach")
    assert reach["ok"]
    records = pair.shell(BACKUP, f"sudo cat {STATE}/recoveries.jsonl").splitlines()
    assert [json.loads(line)["run"] for line in records] == ["disaster", "earlier", "back"]
    assert pair.shell(MEMS, "systemctl --failed --plain --no-legend") == ""
    assert pair.shell(MEMS, f"sudo grep -c recovery_target {DATA}/postgresql.auto.conf || true") == "0"
