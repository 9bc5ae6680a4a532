"""A lab: real servers on this machine, for a user's own work, a test or a demonstration."""

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path
from types import MappingProxyType

from lab import (
    cgroups,
    disks,
    doctor,
    image,
    layers,
    leftovers,
    limits,
    network,
    records,
    subnets,
    views,
    wheels,
)
from lab.errors import LabError, MachineLacks
from lab.guest import Guest
from lab.locks import file_lock
from lab.mounts import remove_machine_folders, unmount_everywhere
from lab.names import SERVER_NAME, Names
from lab.pruning import prune
from lab.records import Entry, Records
from lab.sizes import NO_LIMITS, Machine, Size
from lab.sizes import check as check_size
from lab.waiting import Stopped, run

BELONGINGS = ("servers", "view*", "ssh_config", "known_hosts", "id_ed25519*", ".*.new*", "lab.json", "lock")
"""What a lab keeps in its home; the lock goes last."""
REPOSITORY = Path(__file__).parent.parent
NO_SIZES: Mapping[str, Size] = MappingProxyType({})
LOCK_SECONDS = 1200
GRACE_SECONDS = 20
"""For a server that runs to answer, it may be rebooting; then it is started again."""


@dataclass(frozen=True)
class Server:
    """A server as it is now. `state`: one of `Guest.state`; `size`: what it really has, not what is noted."""

    name: str
    address: str
    state: str
    layer: str | None
    size: Size = NO_LIMITS


def silent(_: str) -> None:
    """Say nothing."""


class Lab:
    """The lab that lives in `home`. `cache` holds base images, layers and wheels, shared by all labs.

    `say` gets lines of progress. `synced`: servers' fsync reaches the disk (slower; else a power cut of this
    machine may tear their files). Every method may raise LabError, MachineLacks when the machine is at fault.
    """

    def __init__(
        self, home: Path, cache: Path, say: Callable[[str], None] = silent, synced: bool = False
    ) -> None:
        self.home = home.absolute()
        self.cache = cache.absolute()
        self.names = Names.of(home)
        self.synced = synced
        self._say = say
        self._stop = threading.Event()
        self._started = time.monotonic()

    @property
    def ssh_config(self) -> Path:
        """The ssh_config that resolves the servers' names; exists while the lab has servers."""
        return self.home / "ssh_config"

    def up(
        self, names: Sequence[str], layer: str | None = None, sizes: Mapping[str, Size] = NO_SIZES
    ) -> list[Server]:
        """Make, mend or start whatever of `names` is not running; returns when all let `ops` log in.

        `layer` and `sizes` (by name) are for servers that are made now; one that exists stays what it is.
        """
        names = list(dict.fromkeys(names))
        with self._locked():
            remembered = self._prepare(names, layer, sizes)
            self._bring_all_up(remembered, names)
            return [self._server(remembered, name) for name in names]

    def resize(self, name: str, size: Size, stop: bool = False) -> Server:
        """Give a server another size: while it runs, or (`stop`) stopped for the change and started again.

        None means no limit; of the disk, that it stays as it is. A server that does not run stays so, except
        with `stop`: that ends with a running server, also where an earlier call was killed between the two.
        LabError before anything is changed when the size cannot be; afterwards when the server holds more
        memory than it is to have: then it has its old size.
        """
        with self._locked():
            remembered = self._known(records.read(self._records), name)
            guest = self._guest(remembered, name)
            wanted = replace(size, disk_gib=size.disk_gib or guest.disk.gib() or guest.size.disk_gib)
            self._check_resize(guest, wanted, stop)
            self._note_size(remembered, name, wanted)
            if stop and (guest.state() != "running" or guest.real_size() != wanted):
                self._progress(f"{name}: stopped to become {wanted}")
                guest.halt()
                remembered = self._prepare([name], None, NO_SIZES)
                self._bring_all_up(remembered, [name])
            elif guest.state() in ("running", "starting"):
                self._resize_live(remembered, guest, wanted)
            return self._server(remembered, name)

    def start(self, name: str) -> Server:
        """Start a server that exists."""
        self._known(records.read(self._records), name)
        return self.up([name])[0]

    def stop(self, name: str) -> None:
        """Shut a server down; its files stay."""
        with self._locked():
            self._guest(self._known(records.read(self._records), name), name).halt()

    def destroy(self, name: str) -> None:
        """Remove a server and its files; one that does not exist is no error."""
        with self._locked():
            remembered = records.read(self._records)
            if name not in remembered.servers:
                return
            guest = self._guest(remembered, name)
            guest.kill()
            guest.remove()
            del remembered.servers[name]
            self._remember(remembered)

    def status(self) -> list[Server]:
        """Every server of the lab. Only reads."""
        remembered = records.read(self._records)
        return [self._server(remembered, name) for name in sorted(remembered.servers)]

    def has_layer(self, key: str) -> bool:
        """Whether `up` with layer `key` would find it, for the base image of today's recipe."""
        return layers.exists(self.cache, image.current_key(), key)

    def save_layer(self, name: str, key: str) -> None:
        """Keep what was done in server `name` as layer `key`; it is stopped for that and started again.

        A layer that exists is kept: a key names what is in it.
        """
        with self._locked():
            remembered = self._known(records.read(self._records), name)
            entry = remembered.servers[name]
            if layers.exists(self.cache, entry.image, key):
                return
            guest = self._guest(remembered, name)
            ran = guest.state() == "running"
            guest.halt()
            with guest.own_files() as files:
                layers.save(self.cache, entry.image, key, files, entry.layer)
            self._progress(f"layer {key}: saved from {name}")
            prune(self.cache, time.time(), self._progress)
            if ran:
                self._bring_all_up(remembered, [name])

    def down(self) -> None:
        """Remove the whole lab: servers, files, links, mounts, cgroups, rules. Needs no records."""
        with self._locked():
            try:
                remembered = records.read(self._records)
            except LabError:
                remembered = Records()
            guests = [self._guest(remembered, name) for name in remembered.servers]
            self._in_parallel(Guest.halt, guests)
            self._sweep(keep=set())
            views.remove(self.names, self._group())
            self._group().kill()
            self._group().remove()
            network.remove(self.names)
            for guest in guests:
                self._progress(f"{guest.name}: removed")
            belongings = [path for pattern in BELONGINGS for path in self.home.glob(pattern)]
            run(["rm", "-rf", "--one-file-system", *belongings], "deleting the lab's files", 300)
        with contextlib.suppress(OSError):  # it does not exist, or holds something that is not the lab's
            self.home.rmdir()

    # --- parts of the above ---

    @property
    def _records(self) -> Path:
        return self.home / "lab.json"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if not (found := doctor.root()).ok:
            raise MachineLacks(found.words, found.mend)
        what = f"another command to finish with the lab in {self.home}"
        with file_lock(self.home / "lock", what, LOCK_SECONDS, self._progress):
            self._started = time.monotonic()
            self._stop.clear()
            yield

    def _progress(self, words: str) -> None:
        self._say(f"[{time.monotonic() - self._started:5.1f} s] {words}")

    def _prepare(self, names: Sequence[str], layer: str | None, sizes: Mapping[str, Size]) -> Records:
        """Base image, wheels, network, records and folders for `names`."""
        self._check(names)
        doctor.require(self.home, self.cache)
        remembered = records.read(self._records)
        new = [name for name in names if name not in remembered.servers]
        for name in new:
            check_size(name, sizes.get(name, NO_LIMITS), Machine.here(self.home))
        if new:
            key = image.ensure(self.cache, self._progress)
            layers.lowers(self.cache, key, layer)
        for name in new:
            number = subnets.free_number(entry.number for entry in remembered.servers.values())
            remembered.servers[name] = Entry(number, key, layer, sizes.get(name, NO_LIMITS))
        wheels.ensure(self.cache, sorted(REPOSITORY.glob("roles/*/files/requirements*.txt")), self._progress)
        remembered.network = network.ensure(self.names, remembered.network)
        self._sweep(keep={entry.number for name, entry in remembered.servers.items() if name not in new})
        for name in names:
            guest = self._guest(remembered, name)
            if name in new or not guest.exists():
                guest.kill()
                guest.make()
        self._remember(remembered)
        return remembered

    def _check(self, names: Sequence[str]) -> None:
        """LabError for names that are none, and for folders that overlayfs cannot take."""
        for name in names:
            if not SERVER_NAME.fullmatch(name):
                raise LabError(f"{name!r} is no name for a server", "use a-z, 0-9 and dashes, at most 63")
        for path in (self.home, self.cache):
            if re.search(r"[:,\\\"\s]", str(path)):
                raise LabError(f"{path} cannot hold a lab", 'choose a folder without spaces and : , \\ "')

    def _remember(self, remembered: Records) -> None:
        """Write the records and what follows from them: keys, known hosts, ssh_config."""
        self.home.mkdir(parents=True, exist_ok=True)
        records.write(self._records, remembered)
        if not (self.home / "id_ed25519").exists():
            self._make_key()
        guests = [self._guest(remembered, name) for name in sorted(remembered.servers)]
        known = [
            f"{guest.name},{guest.address} {(guest.folder / 'host_key.pub').read_text().strip()}"
            for guest in guests
            if guest.exists()
        ]
        records.replace(self.home / "known_hosts", "".join(f"{line}\n" for line in known))
        addresses = [(guest.name, str(guest.address)) for guest in guests]
        records.replace(self.ssh_config, records.ssh_config(self.home, image.USER, addresses))

    def _make_key(self) -> None:
        """The lab's key, private part last: who finds that finds both."""
        beside = self.home / ".id_ed25519.new"
        beside.unlink(missing_ok=True)
        run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.names.lab, "-f", beside],
            "the lab's key",
        )
        beside.with_name(".id_ed25519.new.pub").replace(self.home / "id_ed25519.pub")
        beside.replace(self.home / "id_ed25519")

    def _known(self, remembered: Records, name: str) -> Records:
        if name not in remembered.servers:
            names = ", ".join(sorted(remembered.servers)) or "none"
            raise LabError(f"the lab has no server {name!r}", f"its servers: {names}")
        return remembered

    def _guest(self, remembered: Records, name: str) -> Guest:
        entry = remembered.servers[name]
        return Guest(
            names=self.names,
            name=name,
            number=entry.number,
            folder=self.home / "servers" / name,
            group=self._group().child(str(entry.number)),
            network=remembered.network or IPv4Network("0.0.0.0/24"),
            size=entry.size,
        )

    def _group(self) -> cgroups.Group:
        return cgroups.Group(cgroups.here(), self.names.cgroup)

    def _server(self, remembered: Records, name: str) -> Server:
        guest = self._guest(remembered, name)
        entry = remembered.servers[name]
        return Server(name, str(guest.address), guest.state(), entry.layer, guest.real_size())

    def _check_resize(self, guest: Guest, wanted: Size, stop: bool) -> None:
        """LabError for what can't be done, before anything is changed."""
        has = guest.real_size()
        check_size(guest.name, wanted, Machine.here(self.home), has)
        if wanted.disk_gib is not None and has.disk_gib is None and guest.size.disk_gib is None and not stop:
            raise LabError(
                f"{guest.name} has no disk of its own; its files are moved to one while it is stopped",
                "server_stop_to_resize: true for this change, or destroy the server and make it anew",
            )
        held = limits.held_mib(guest.group.child("guest"))
        if not stop and wanted.memory_mib is not None and held >= wanted.memory_mib:
            raise LabError(
                f"{guest.name} holds {held} MiB of memory, {wanted.memory_mib} MiB are less",
                "free memory in it, choose a larger specification, or let it be stopped for the change",
            )

    def _note_size(self, remembered: Records, name: str, size: Size) -> None:
        remembered.servers[name] = replace(remembered.servers[name], size=size)
        records.write(self._records, remembered)

    def _resize_live(self, remembered: Records, guest: Guest, wanted: Size) -> None:
        try:
            replace(guest, size=wanted).apply_size()
        except LabError:
            self._note_size(remembered, guest.name, guest.size)
            with contextlib.suppress(LabError):  # the first failure is the one to tell
                limits.apply(guest.group.child("guest"), guest.size, guest.number)
            raise
        self._progress(f"{guest.name}: {wanted}")

    def _bring_all_up(self, remembered: Records, names: Sequence[str]) -> None:
        view = views.ensure(self.names, self.home, self._group(), self._progress)
        guests = [self._guest(remembered, name) for name in names]
        if view is None and any(guest.size.memory_mib for guest in guests):
            self._progress("no lxcfs: servers have their size, but `free` in them tells this machine's")
        self._in_parallel(lambda guest: self._bring_up(remembered, guest, view), guests)

    def _bring_up(self, remembered: Records, guest: Guest, view: Path | None) -> None:
        ssh = ["ssh", "-F", str(self.ssh_config), guest.name]
        state = guest.state()
        if state in ("running", "starting"):
            try:
                guest.wait(ssh, self._stop, GRACE_SECONDS)
            except Stopped:
                raise
            except LabError:
                state = "not answering"
            else:
                guest.apply_size()
                if not views.is_dead(guest.group.child("guest").pids()):
                    return
                state = "cut off from the view of its own size"
        if state not in ("stopped", "absent"):
            self._progress(f"{guest.name}: {state}, starting it again")
            guest.halt()
        if guest.torn():
            self._progress(f"{guest.name}: ran when this machine stopped, its files may be torn")
        entry = remembered.servers[guest.name]
        guest.mount(layers.lowers(self.cache, entry.image, entry.layer), self.synced)
        guest.start((self.home / "id_ed25519.pub").read_text().strip(), self.cache / "wheels", view)
        guest.wait(ssh, self._stop)
        self._progress(f"{guest.name}: running at {guest.address}")

    def _in_parallel(self, work: Callable[[Guest], None], guests: Sequence[Guest]) -> None:
        """Do `work` for all guests at once; the first failure, or Ctrl-C, ends the others' waits."""
        with ThreadPoolExecutor(max_workers=max(1, len(guests))) as pool:
            futures = [pool.submit(work, guest) for guest in guests]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                self._stop.set()
                raise

    def _sweep(self, keep: set[int]) -> None:
        """Remove what exists under the lab's names for servers whose number is not in `keep`."""
        for number in leftovers.numbers(self.names) - keep:
            group = self._group().child(str(number))
            group.kill()
            network.remove_link(self.names.link(number))
            group.remove()
            remove_machine_folders(self.names.machine(number))
            for path in leftovers.mounts(self.names, number):
                unmount_everywhere(path)
            for device, owner in disks.attached(self.names).items():
                if owner == number:
                    disks.detach(device)
