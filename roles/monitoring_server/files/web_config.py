"""Prometheus's web.yml: TLS, and one user with a password, which is on stdin.

    web_config.py [--look] FOLDER USER

Prints `changed` or `unchanged`; with --look nothing is written. The file keeps bcrypt's hash, made by the C
library, and keeps it while it is this password's.
"""

import argparse
import ctypes
import os
import re
import shutil
import sys
from pathlib import Path

ROUNDS = 10
FILE = """\
# Ansible managed
tls_server_config:
  cert_file: {folder}/web.pem
  key_file: {folder}/web.key
  min_version: TLS12
basic_auth_users:
  {user}: {hash}
"""


def crypt(password: str, setting: str) -> str:
    """What crypt(3) makes of it; "" for a setting that it does not know."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    made = library.crypt(password.encode(), setting.encode())
    return made.decode() if made and not made.startswith(b"*") else ""


def setting() -> str:
    """bcrypt's, with a new salt."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt_gensalt.restype = ctypes.c_char_p
    salt = os.urandom(16)
    return library.crypt_gensalt(b"$2b$", ctypes.c_ulong(ROUNDS), salt, len(salt)).decode()


def main() -> None:
    """Write what is missing."""
    words = argparse.ArgumentParser()
    words.add_argument("--look", action="store_true")
    words.add_argument("folder", type=Path)
    words.add_argument("user")
    asked = words.parse_args()
    password = sys.stdin.read().rstrip("\n")
    file = asked.folder / "web.yml"
    before = file.read_text() if file.exists() else ""
    kept = re.search(rf"^  {re.escape(asked.user)}: (\S+)$", before, re.M)
    fits = bool(kept) and crypt(password, kept[1]) == kept[1]
    made = kept[1] if fits else crypt(password, setting())
    text = FILE.format(folder=asked.folder, user=asked.user, hash=made)
    print("unchanged" if text == before else "changed")
    if text == before or asked.look:
        return
    part = file.with_suffix(".part")
    part.write_text(text)
    shutil.chown(part, "root", "prometheus")
    part.chmod(0o640)
    part.replace(file)


if __name__ == "__main__":
    main()
