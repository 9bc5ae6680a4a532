#!/usr/bin/python3 -BI
"""PostgreSQL's roles for the backup server, with the least that Barman needs, and no more.

    database_roles [--look] < {"barman": PASSWORD, "streaming_barman": PASSWORD}

Prints {"changed": what was, or with --look would be, changed, in words}. Passwords never reach PostgreSQL,
its log or a command line: it gets the SCRAM verifier, which is made here. Run as root.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys

ATTRIBUTES = {"barman": False, "streaming_barman": True}  # role: whether it may stream
MEMBER_OF = ("pg_read_all_settings", "pg_read_all_stats", "pg_checkpoint")
FUNCTIONS = (
    "pg_backup_start(text,boolean)",
    "pg_backup_stop(boolean)",
    "pg_switch_wal()",
    "pg_create_restore_point(text)",
)
ITERATIONS = 4096


def verifier(password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """PostgreSQL's SCRAM-SHA-256 verifier of a password (RFC 5803)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    stored, server = hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256")
    words = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{words[0]}${words[1]}:{words[2]}"


def fits(password: str, kept: str) -> bool:
    """Whether a verifier that PostgreSQL keeps is this password's."""
    found = re.match(r"SCRAM-SHA-256\$(\d+):([^$]+)\$", kept)
    if not found:
        return False
    return hmac.compare_digest(verifier(password, base64.b64decode(found[2]), int(found[1])), kept)


def psql(statements: str) -> str:
    """What psql prints as the superuser; SystemExit with its words when it fails."""
    command = ["runuser", "-u", "postgres", "--", "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "postgres"]
    done = subprocess.run(command, input=statements, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode != 0:
        raise SystemExit(f"database_roles: {done.stderr.strip()}")
    return done.stdout.strip()


def roles_wanted(passwords: dict[str, str]) -> list[tuple[str, str]]:
    """(what is missing in words, the statement that makes it good) for the roles and their passwords."""
    shown = psql(
        "SELECT coalesce(json_object_agg(rolname, json_build_array(rolcanlogin, rolreplication, rolsuper"
        " OR rolcreaterole OR rolcreatedb OR rolbypassrls, coalesce(rolpassword, ''))), '{}')"
        " FROM pg_authid WHERE rolname IN ('barman', 'streaming_barman')"
    )
    there = json.loads(shown)
    todo = []
    for role, streams in ATTRIBUTES.items():
        if role not in there:
            todo.append((f"role {role}", f"CREATE ROLE {role}"))
        login, replication, too_much, kept = there.get(role, (False, False, False, ""))
        if (login, replication, too_much) != (True, streams, False):
            may = "REPLICATION" if streams else "NOREPLICATION"
            todo.append(
                (
                    f"attributes of {role}",
                    f"ALTER ROLE {role} LOGIN {may} NOSUPERUSER NOCREATEROLE NOCREATEDB NOBYPASSRLS",
                )
            )
        if not fits(passwords[role], kept):
            made = verifier(passwords[role], os.urandom(16))
            todo.append((f"password of {role}", f"ALTER ROLE {role} PASSWORD '{made}'"))
    return todo


def grants_wanted() -> list[tuple[str, str]]:
    """The same for what the role barman may do; it exists."""
    queries = [f"SELECT pg_has_role('barman', '{group}', 'MEMBER')" for group in MEMBER_OF]
    queries += [f"SELECT has_function_privilege('barman', '{each}', 'EXECUTE')" for each in FUNCTIONS]
    answers = psql(";\n".join(queries)).split()
    todo = [(f"membership in {group}", f"GRANT {group} TO barman") for group in MEMBER_OF]
    todo += [(f"use of {each}", f"GRANT EXECUTE ON FUNCTION {each} TO barman") for each in FUNCTIONS]
    return [wanted for wanted, answer in zip(todo, answers, strict=True) if answer != "t"]


def main() -> int:
    """Converge and print."""
    words = argparse.ArgumentParser()
    words.add_argument("--look", action="store_true", help="only say what would change")
    asked = words.parse_args()
    roles = roles_wanted(json.load(sys.stdin))
    if roles and not asked.look:
        psql("BEGIN;\n" + ";\n".join(statement for _, statement in roles) + ";\nCOMMIT;")
    missing = any(what.startswith("role ") for what, _ in roles)
    grants = [] if missing and asked.look else grants_wanted()
    if grants and not asked.look:
        psql("BEGIN;\n" + ";\n".join(statement for _, statement in grants) + ";\nCOMMIT;")
    print(json.dumps({"changed": [what for what, _ in roles + grants]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
