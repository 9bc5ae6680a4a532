"""roles/backup/files/database_roles.py: the verifier that PostgreSQL gets instead of a password."""

import base64
import hmac
from collections.abc import Callable
from types import ModuleType

NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
EXCHANGE = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={NONCE},s={SALT},i=4096,c=biws,r={NONCE}"


def test_the_verifier_is_that_of_rfc_7677(source_program: Callable[[str], ModuleType]) -> None:
    """The server's signature of the RFC's example follows from our verifier's server key."""
    made = source_program("database_roles").verifier("pencil", base64.b64decode(SALT))
    assert made.startswith(f"SCRAM-SHA-256$4096:{SALT}$")
    signature = hmac.digest(base64.b64decode(made.rsplit(":", 1)[1]), EXCHANGE.encode(), "sha256")
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_a_kept_verifier_is_known_again(source_program: Callable[[str], ModuleType]) -> None:
    """By its own salt and count; another password, an old md5 and none at all are not it."""
    program = source_program("database_roles")
    kept = program.verifier("right", b"0123456789abcdef", 8192)
    assert program.fits("right", kept)
    assert not program.fits("wrong", kept)
    assert not program.fits("right", "md5" + "0" * 32)
    assert not program.fits("right", "")
