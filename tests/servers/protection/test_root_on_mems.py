"""Root on the M EMS server tries to delete, alter or read backups, in more than ten ways: none works.

After every way each base backup, archived WAL and snapshot that was there before is there as it was. What
root can do is to stop being backed up, and that is seen. The ways that open during a recovery are tried in
test_recover.py.
"""

import json
from collections.abc import Iterator

import pytest
from backed_up import BACKUP, CATALOGUE, MEMS, STATE, Pair

STORE = "/srv/mems/files"
SEND = "/usr/local/lib/amc/backup/send"
RESTIC = (
    f"cd /; runuser -u barman -- restic --quiet -r {STATE}/restic -p {STATE}/restic-password"
    f" --cache-dir {STATE}/cache"
)
EVIDENCE = f"""
find {CATALOGUE}/base {CATALOGUE}/wals/0* -type f -print0 | xargs -0 sha256sum
{RESTIC} snapshots --json
echo
find / -xdev \\( -name 'evil*' -o -path '/tmp/out*' \\) -not -path '{STATE}/store/*' | sort
"""
# Stands before the real program and puts other names, of the same length, into what it sends.
FORGER = """#!/usr/bin/python3
import os, subprocess
real = subprocess.Popen(["/usr/local/lib/amc/backup/send.real"], stdout=subprocess.PIPE)
while chunk := os.read(real.stdout.fileno(), 65536):
    os.write(1, chunk.replace(@OLD@, @NEW@))
"""


@pytest.fixture(scope="module", autouse=True)
def quiet(pair: Pair) -> Iterator[None]:
    """Nothing happens by itself meanwhile; a mark is there, and at the end all is as it was."""
    pair.timers("stop")
    pair.root(MEMS, f"cp -a {STORE} /root/store; cp -a {SEND} {SEND}.real")
    assert pair.program("mark")["ok"]
    yield
    pair.root(MEMS, f"mv {SEND}.real {SEND}; rsync -a --delete /root/store/ {STORE}/; rm -r /root/store")
    assert pair.program("mark")["ok"]
    pair.timers("start")


def evidence(pair: Pair) -> tuple[set[str], set[str], list[str]]:
    """Each file of base backups and WAL with its hash; whole snapshots; what lies where it should not.

    A snapshot of a pull that broke off is not whole: it goes when a whole one follows.
    """
    lines = pair.root(BACKUP, EVIDENCE).splitlines()
    listed = next(number for number, line in enumerate(lines) if line.startswith("["))
    whole = {each["id"] for each in json.loads(lines[listed]) if "partial" not in each["tags"]}
    return set(lines[:listed]), whole, [line for line in lines[listed + 1 :] if line]


@pytest.fixture(scope="module")
def last(pair: Pair) -> list[tuple[set[str], set[str], list[str]]]:
    """The evidence after the way that was tried last."""
    return [evidence(pair)]


@pytest.fixture(autouse=True)
def untouched(pair: Pair, last: list[tuple[set[str], set[str], list[str]]]) -> Iterator[None]:
    """What is backed up before a way is tried is so afterwards, and nothing strange lies about."""
    before = last.pop()
    yield
    after = evidence(pair)
    last.append(after)
    assert before[0] - after[0] == set()
    assert before[1] - after[1] == set()
    assert after[2] == before[2] == []


def address_of(pair: Pair) -> str:
    return pair.root(BACKUP, "hostname -I").split()[0]


def kept(pair: Pair, snapshot: str, name: str) -> str:
    """A file's contents as the snapshot has them."""
    return pair.root(BACKUP, f"{RESTIC} dump --no-lock {snapshot} {name}")


def a_file(pair: Pair) -> str:
    """Name of a file of the store, from its root."""
    return pair.root(MEMS, f"cd {STORE}; find . -type f | sort | head -1").removeprefix(".")


def forge(pair: Pair, old: bytes, new: bytes) -> None:
    """From now on another program sends: what the real one does, with these names exchanged."""
    assert len(old) == len(new)
    forger = FORGER.replace("@OLD@", repr(old)).replace("@NEW@", repr(new))
    pair.root(MEMS, f"cat > {SEND} <<'EOF'\n{forger}\nEOF\nchmod 755 {SEND}")


def honest(pair: Pair) -> None:
    """The real program sends again."""
    pair.root(MEMS, f"cp -a {SEND}.real {SEND}")


def test_no_key_found_there_opens_the_backup_server(pair: Pair) -> None:
    """Every private key on its disk, for each user who may log in there: refused."""
    ssh = "ssh -n -i /root/key -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no"
    said = pair.root(
        MEMS,
        "grep -rlsE -m1 'BEGIN [A-Z ]*PRIVATE KEY' /etc /root /home /srv /var/lib /usr/local > /root/keys"
        " || test $? = 2\n"  # a file of PostgreSQL's went away meanwhile
        "test $(wc -l < /root/keys) -ge 3\n"
        "while read -r key; do install -m 600 $key /root/key; for user in barman root ops; do\n"
        f"{ssh} -o ConnectTimeout=5 $user@{address_of(pair)} id && echo IN; done; done < /root/keys 2>&1\n"
        "rm /root/key /root/keys",
    )
    assert "IN" not in said.split()
    assert "Permission denied" in said


def test_nothing_listens_there_but_ssh(pair: Pair) -> None:
    """No database, rsync or repository answers; of the image's own nginx there is an empty first page."""
    outside = set()
    for line in pair.root(BACKUP, "ss -Hltnp").splitlines():
        where = line.split()[3]
        if not where.startswith(("127.", "[::1]")):
            outside.add((where.rpartition(":")[2], line.split('"')[1]))
    assert outside <= {("22", "sshd"), ("80", "nginx")}
    for port, answers in ((873, False), (5432, False), (8000, False), (22, True)):
        knock = f"timeout 5 bash -c 'exec 3<>/dev/tcp/{address_of(pair)}/{port}'"
        assert (pair.run(MEMS, knock).returncode == 0) == answers


def test_rsync_writes_nothing_there(pair: Pair) -> None:
    """By ssh and as a daemon: refused."""
    ssh = "ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o ConnectTimeout=5"
    target = f"{address_of(pair)}:{STATE}/store/"
    assert pair.run(MEMS, f"sudo rsync -e '{ssh}' /etc/hostname barman@{target}").returncode
    assert pair.run(MEMS, f"sudo rsync --contimeout=5 /etc/hostname rsync://{target}").returncode


def test_no_password_of_the_backups_is_there(pair: Pair) -> None:
    """Neither restic's nor PostgreSQL's of the two roles: in no file, no journal and no process."""
    names = ("backup_restic_password", "backup_barman_password", "backup_streaming_password")
    secrets = "\n".join((pair.secrets / "by-hand" / name).read_text().strip() for name in names)
    found = pair.root(
        MEMS,
        f"cat > /dev/shm/secrets <<'EOF'\n{secrets}\nEOF\n"
        "for top in $(ls / | grep -vE '^(proc|sys|dev)$'); do\n"
        "  grep -rlsaF -f /dev/shm/secrets /$top || true; done\n"
        "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | grep -caF -f /dev/shm/secrets || true\n"
        "rm /dev/shm/secrets",
        seconds=300,
    )
    assert found == "0"


def test_the_replication_role_deletes_nothing(pair: Pair) -> None:
    """The superuser there drops the slot and changes the role: backups stay, and the loss is found."""
    psql = "runuser -u postgres -- psql -XAtq"
    pair.root(
        MEMS,
        f"cd /; {psql} -c 'ALTER ROLE streaming_barman NOREPLICATION'\n"
        f'{psql} -c "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active"\n'
        f"for _ in $(seq 50); do {psql} -c \"SELECT pg_drop_replication_slot('barman')\" && exit; sleep .1\n"
        "done",
    )
    found = {each["what"] for each in pair.program("verify")["findings"]}
    assert "slot" in found
    pair.root(MEMS, f"cd /; {psql} -c 'ALTER ROLE streaming_barman REPLICATION'")
    assert pair.program("backup", seconds=300)["ok"]


def test_a_name_that_leads_out_is_refused(pair: Pair) -> None:
    """The forged sender names ../../../evil and /tmp/out1: rsync refuses, and could not write there."""
    for old, new in ((b"xxyxxyxxyevil", b"../../../evil"), (b"xtmpxout1", b"/tmp/out1")):
        pair.root(MEMS, f"echo evil > {STORE}/{old.decode()}")
        forge(pair, old, new)
        answer = pair.program("files")
        honest(pair)
        pair.root(MEMS, f"rm {STORE}/{old.decode()}")
        assert not answer["ok"], answer
        assert "unsafe" in answer["problems"][0] or "rejecting" in answer["problems"][0]
    assert pair.program("files")["ok"]


def test_a_link_leads_nowhere(pair: Pair) -> None:
    """A link to the base backups, and a folder that becomes that link on its way: nothing is written or read
    through either, and a link is dead here."""
    pair.root(
        MEMS,
        f"ln -s {CATALOGUE} {STORE}/trapA; ln -s /etc/shadow {STORE}/shadow; mkdir {STORE}/trapB;"
        f" echo evil > {STORE}/trapB/evil-file",
    )
    forge(pair, b"trapB", b"trapA")
    pair.program("files")
    honest(pair)
    pair.program("files")
    # Here it is a file that says where it led.
    shown = pair.root(BACKUP, f"cd {STATE}/store; find shadow -type f; cat shadow")
    assert shown.split() == ["shadow", "/rsyncd-munged//etc/shadow"]
    pair.root(MEMS, f"rm -r {STORE}/trap? {STORE}/shadow")
    pair.root(BACKUP, f"rm -r {STATE}/store/trap? {STATE}/store/shadow")
    assert pair.program("files")["ok"]


def test_deleted_files_stay_in_the_backup(pair: Pair) -> None:
    """The whole store is deleted and pulled: mirror and new snapshots have all of it."""
    name = a_file(pair)
    pair.root(MEMS, f"find {STORE} -mindepth 1 -delete; echo later > {STORE}/later")
    answer = pair.program("files")
    assert answer["ok"], answer
    assert kept(pair, answer["snapshot"], name)
    pair.root(MEMS, f"rsync -a --delete /root/store/ {STORE}/")
    assert pair.program("files")["ok"]


def test_an_altered_file_is_noticed_and_the_old_one_kept(pair: Pair) -> None:
    """The old snapshot has the old contents, and verification says that something was written again."""
    name = a_file(pair)
    before = pair.program("files")["snapshot"]
    old = kept(pair, before, name)
    pair.root(MEMS, f"printf 'encrypted' > {STORE}{name}")
    answer = pair.program("files")
    assert (answer["ok"], answer["altered"]) == (True, 1)
    assert kept(pair, answer["snapshot"], name) == "encrypted"
    assert kept(pair, before, name) == old
    notes = [each for each in pair.program("verify")["notes"] if each["what"] == "altered"]
    assert name.removeprefix("/") in notes[-1]["words"]
    pair.root(MEMS, f"rsync -a --delete /root/store/ {STORE}/")
    assert pair.program("files")["ok"]


def test_filling_the_disk_stops_the_pull_before_it_is_full(pair: Pair) -> None:
    """A file larger than the disk (a small one, put in the state's place): the pull ends with room left."""
    pair.root(
        BACKUP,
        f"mkdir /small; mount -t tmpfs -o size=300m,mode=0700 tmpfs /small; cp -a {STATE}/. /small/;"
        f" chown barman: /small; mount --bind /small {STATE}; umount /small; rmdir /small;"
        f" mountpoint -q {STATE}",
    )
    pair.root(MEMS, f"head -c 400M /dev/urandom > {STORE}/evil-large")
    try:
        answer = pair.program("files")
        free = int(pair.root(BACKUP, f"df --output=avail -m {STATE} | tail -1"))
    finally:
        pair.root(MEMS, f"rm {STORE}/evil-large")
        pair.root(BACKUP, f"umount -l {STATE}")
    assert "the pull was stopped" in answer["problems"][0], answer
    assert free >= 5
    assert pair.program("files")["ok"]


def test_an_answer_without_an_end_is_cut_off(pair: Pair) -> None:
    """Figures that never end take neither memory nor the night: a refusal in words within seconds."""
    pair.root(MEMS, f"printf '#!/bin/sh\\nexec yes 1\\n' > {SEND}; chmod 755 {SEND}")
    try:
        answer = pair.program("mark", seconds=60)
    finally:
        honest(pair)
    assert not answer["ok"]
    assert "figures" in answer["problems"][0]


def test_even_the_pulling_key_only_reads_what_it_may(pair: Pair) -> None:
    """Stolen from the backup server it still has one address, no shell, and no way to write."""
    public = pair.root(MEMS, "cat /var/lib/amc-backup/.ssh/authorized_keys")
    assert public.startswith(f'restrict,from="{address_of(pair)}",command=')
    address = json.loads(pair.root(BACKUP, f"cat {STATE}/server.json"))["address"]
    ssh = "runuser -u barman -- ssh -F /dev/null -i /var/lib/barman/.ssh/id_pull -o BatchMode=yes"
    ssh += f" -o UserKnownHostsFile={STATE}/known_hosts -o HostKeyAlias={MEMS} amc-backup@{address}"
    requests = ("sh", "rsync --server . /tmp", "store --server . .", "config --server --sender -r . ../root/")
    for request in requests:
        done = pair.run(BACKUP, f"cd /; sudo {ssh} '{request}' </dev/null | head -c 1000")
        assert "root:" not in done.stdout
        assert done.stderr.strip()
