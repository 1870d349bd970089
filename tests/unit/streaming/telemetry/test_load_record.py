"""What was given up, and for how long, is reported."""

from __future__ import annotations

from streaming.schema.load_levels import LoadLevel
from streaming.telemetry.load_record import MAX_CHANGES, LoadRecord


def test_each_thing_was_given_up_for_as_long_as_its_level_or_a_higher_one_lasted() -> None:
    load = LoadRecord()
    for at_s, level in ((10.0, 1), (12.0, 2), (15.0, 1), (20.0, 0), (30.0, 1)):
        load.change(LoadLevel(level), at_s)
    assert load.report(31.5) == {
        "level": 1,
        "highest": 2,
        "changes": [[10.0, 1], [12.0, 2], [15.0, 1], [20.0, 0], [30.0, 1]],
        "given_up_s": {"picture quality": 11.5, "every second picture": 3.0},
    }


def test_a_show_with_time_for_everything_has_given_up_nothing() -> None:
    assert LoadRecord().report(60.0) == {"level": 0, "highest": 0, "changes": [], "given_up_s": {}}


def test_a_show_that_never_began_has_no_figures() -> None:
    assert set(LoadRecord().report(None).values()) == {None}


def test_changes_stay_bounded() -> None:
    load = LoadRecord()
    for at in range(10_000):
        load.change(LoadLevel(at % 2), float(at))
    assert len(load.report(1e4)["changes"]) == MAX_CHANGES
    assert load.report(1e4)["given_up_s"]["picture quality"] == 5_000.0
