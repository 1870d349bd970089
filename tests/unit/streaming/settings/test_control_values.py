"""The controls as a stage has them: first values, changes, refusals, and units."""

from __future__ import annotations

import pytest

from streaming.errors import SettingError, UserError
from streaming.schema.messages import Set
from streaming.settings.config import Show
from streaming.settings.control_values import ControlValues


def test_first_values_come_from_the_show() -> None:
    show = Show(controls={"motion": 2.0, "prior": "a.png"})
    controls = ControlValues("flow", show)
    assert (controls["motion"], controls["chance"]) == (2.0, 0.3)
    assert ControlValues("scene", show).word("prior") == "a.png"
    with pytest.raises(KeyError):
        controls["temperature"]  # another stage's
    with pytest.raises(SettingError, match="must be 0 to 4"):
        ControlValues("flow", Show(controls={"motion": 9.0}))


def test_changes_are_taken_and_those_of_other_stages_passed_over() -> None:
    controls = ControlValues("tokens", Show())
    changes = [Set(name="temperature", value=1.0), Set(name="motion", value=2.0), Set(name="guidance", value=2)]
    changes += [Set(name="still", value="x"), Set(name="temperature", value=1.5)]
    assert controls.update(changes) == ["guidance", "temperature"]
    assert (controls["temperature"], controls["guidance"]) == (1.5, 2.0)
    assert controls.update([]) == []


@pytest.mark.parametrize("value", [-1.0, 99.0, float("nan"), "loud", None, True, [1.0]])
def test_a_value_that_cannot_be_used_is_refused_and_the_present_one_stays(value: object) -> None:
    refused: list[UserError] = []
    controls = ControlValues("flow", Show(), refused.append)
    assert controls.update([Set(name="motion", value=value)]) == []
    assert controls["motion"] == 1.0
    assert "--motion" in str(refused[0])


def test_a_switch_is_on_or_off() -> None:
    controls = ControlValues("sound", Show())
    assert not controls.is_on("mute")
    controls.update([Set(name="mute", value=1)])
    assert controls.is_on("mute")


def test_a_number_is_in_the_unit_that_the_stage_computes_with() -> None:
    controls = ControlValues("tokens", Show(controls={"anticipation": 80.0}))
    assert controls["anticipation"] == pytest.approx(0.08)
    assert controls.word("anticipation") == ""
    controls.update([Set(name="anticipation", value="auto")])
    assert controls.word("anticipation") == "auto"
    with pytest.raises(TypeError, match="not a number"):
        controls["anticipation"]
