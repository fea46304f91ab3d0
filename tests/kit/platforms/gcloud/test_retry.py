"""How long the kit is patient, and what it never says twice."""

from __future__ import annotations

from kit.platforms.command import Command
from kit.platforms.gcloud.retry import ATTEMPTS, pause_s

DEPLOY = Command(("app", "deploy", "build/standard", "--project=p"), changes=True, repeatable=True)
READ = Command(("app", "describe", "--project=p"))
CREATE = Command(("iam", "service-accounts", "create", "streamproof", "--project=p"), changes=True)


def test_passing_trouble_is_waited_out_longer_each_time_and_not_for_ever() -> None:
    assert [pause_s("transient", DEPLOY, attempt, 0, 0.5) for attempt in range(1, 5)] == [2, 4, 8, None]
    assert ATTEMPTS == 4


def test_what_gcloud_itself_has_tried_for_long_is_not_tried_much_longer() -> None:
    assert pause_s("transient", DEPLOY, 2, 59, 0.5) is not None
    assert pause_s("transient", DEPLOY, 2, 60, 0.5) is None


def test_another_operation_is_waited_for_up_to_a_quarter_of_an_hour() -> None:
    waited, attempt = 0.0, 0
    while (pause := pause_s("busy", CREATE, attempt := attempt + 1, waited, 0.5)) is not None:
        assert 5 <= pause <= 30
        waited += pause
    assert 870 < waited <= 900


def test_those_who_wait_for_the_same_thing_do_not_come_back_together() -> None:
    pauses = [pause_s("busy", DEPLOY, 1, 0, chance) for chance in (0, 0.5, 1)]
    assert pauses == [3.75, 5, 6.25]


def test_what_cannot_help_is_not_tried() -> None:
    assert pause_s("no", READ, 1, 0, 0.5) is None
    assert pause_s("transient", CREATE, 1, 0, 0.5) is None
