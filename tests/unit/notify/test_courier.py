"""What a channel's plugin says is shown without what the address holds."""

import pytest

from orchestrator.notify.courier import discreet


@pytest.mark.parametrize(
    ("url", "said", "shown"),
    [
        (
            "mailtos://amc-user:swordfish@mail.example.com?to=ops@acme.test",
            "535 amc-user swordfish refused by\n mail.example.com",
            "535 … … refused by mail.example.com",
        ),
        (
            "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
            "POST /api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js: 404",
            "POST /api/webhooks/…/…: 404",
        ),
    ],
)
def test_no_part_of_an_address_is_shown(url: str, said: str, shown: str) -> None:
    """The host is, where it is one: with many services a token stands in its place."""
    assert discreet(said, url) == shown
