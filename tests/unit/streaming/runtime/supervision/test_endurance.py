"""Errors of the system are noted once, and descriptors are kept for the end."""

from __future__ import annotations

import os

import pytest

from streaming.errors import UserError
from streaming.runtime.supervision.endurance import RESERVED, DescriptorReserve, Endurance


def test_errors_of_the_system_are_noted_once_each_and_defects_are_not_hidden() -> None:
    notes: list[str] = []
    endurance = Endurance(notes.append)
    for error in (OSError(24, "Too many open files"), OSError(24, "Too many open files"), UserError("a", "b", "c")):
        with endurance.guard("the logs cannot be looked at"):
            raise error
    assert notes == [
        "the logs cannot be looked at (Too many open files); the show goes on",
        "the logs cannot be looked at (b: a; c); the show goes on",
    ]
    assert endurance.count == 3
    with pytest.raises(KeyError), endurance.guard("x"):
        raise KeyError("a defect")


def test_a_reserve_frees_its_descriptors() -> None:
    before = len(os.listdir("/proc/self/fd"))
    reserve = DescriptorReserve()
    assert len(os.listdir("/proc/self/fd")) == before + RESERVED
    reserve.release()
    reserve.release()
    assert len(os.listdir("/proc/self/fd")) == before
