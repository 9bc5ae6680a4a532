"""What an AWS server does at its first boot: let Ansible in, and put its data onto the data volume.

The volume comes a moment after the boot, so the script waits for it. It is named by its id, whatever the
kernel calls it. A filesystem that is there already is mounted, never made anew. What holds data lies on it:
/srv (M EMS with its file store) and PostgreSQL's folder.
"""

SCRIPT = """\
#!/bin/sh
set -eu
device=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume}
for _ in $(seq 600); do [ -e "$device" ] && break; sleep 1; done
[ -e "$device" ] || {{ echo "the data volume {volume} did not come" >&2; exit 1; }}
blkid -p "$device" >/dev/null || mkfs.ext4 -q -m 1 -L mems-data "$device"
grep -q LABEL=mems-data /etc/fstab || cat >>/etc/fstab <<'FSTAB'
LABEL=mems-data /srv ext4 defaults,noatime,x-systemd.growfs,x-systemd.device-timeout=600 0 2
/srv/postgresql /var/lib/postgresql none bind,x-systemd.requires-mounts-for=/srv 0 0
FSTAB
systemctl daemon-reload
mountpoint -q /srv || mount /srv
mkdir -p /srv/postgresql /var/lib/postgresql
mountpoint -q /var/lib/postgresql || mount /var/lib/postgresql
"""

CLOUD_CONFIG = """\
#cloud-config
hostname: {name}
manage_etc_hosts: true
ssh_pwauth: false
users:
  - name: ops
    shell: /bin/bash
    lock_passwd: true
    sudo: ALL=(ALL) NOPASSWD:ALL
    ssh_authorized_keys:
      - {ssh_public_key}
write_files:
  - path: /usr/local/sbin/amc-data-volume
    permissions: "0755"
    content: |
{script}
runcmd:
  - [/usr/local/sbin/amc-data-volume]
"""


def user_data(name: str, ssh_public_key: str, volume: str) -> str:
    """cloud-init's configuration for the server `name`; `volume` is the id of its data volume, vol-…"""
    # The device's name has the id without its hyphen.
    script = SCRIPT.format(volume=volume.replace("-", ""))
    indented = "".join(f"      {line}\n" if line else "\n" for line in script.splitlines())
    return CLOUD_CONFIG.format(name=name, ssh_public_key=ssh_public_key, script=indented.rstrip("\n"))
