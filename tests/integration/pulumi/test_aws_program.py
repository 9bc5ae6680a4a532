"""The AWS program through the real engine."""

from tests.integration.pulumi.installation import Installation


def test_a_server_is_made_resized_and_keeps_what_it_is(installation: Installation) -> None:
    planned = installation.done("plan", "first")
    assert [each["action"] for each in planned["servers"]] == ["create"]
    assert installation.calls() == []
    installation.done("apply", "first")
    print(installation.calls())
    print(installation.server())
