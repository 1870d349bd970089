"""A take gives back every tick, ends where its file does, and nothing else is taken for one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from streaming.devices.films.take_file import Take, TakenTick, TakeWriter, find_take, sound_of_bundle
from streaming.errors import UserError


def ticks(dtype: str, count: int = 60) -> list[TakenTick]:
    rng = np.random.default_rng(1)
    shape = (4, 2) if dtype == "int16" else (192, 2)
    numbers = rng.integers(0, 2_048, (count, *shape)) if dtype == "int16" else rng.normal(0, 1, (count, *shape))
    # One tick is missing.
    return [TakenTick(n + (n > 30), numbers[n].astype(dtype), n / count, -1.5 * n) for n in range(count)]


def write(path: Path, rows: list[TakenTick], notes: list[str] | None = None) -> Path:
    writer = TakeWriter(path, "default", "abc", (notes if notes is not None else []).append)
    for row in rows:
        writer.add(row)
    writer.close()
    assert writer.path is not None
    return writer.path


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_every_tick_comes_back(tmp_path: Path, dtype: str) -> None:
    rows = ticks(dtype)
    take = Take(write(tmp_path / "a.take", rows))
    assert (take.header.bundle, take.header.sound, take.ticks) == ("default", "abc", 60)
    for row, back in zip(rows, take, strict=True):
        assert back.tick == row.tick
        assert back.frames.dtype == dtype
        np.testing.assert_array_equal(back.frames, row.frames)
        assert (back.gain, back.level_db) == pytest.approx((row.gain, row.level_db))


def test_a_killed_writer_leaves_what_was_written(tmp_path: Path) -> None:
    path = write(tmp_path / "a.take", ticks("int16"))
    data = path.read_bytes()
    path.write_bytes(data[:-7])
    assert len(list(Take(path))) == Take(path).ticks == 59


def test_repeats_and_frames_of_another_kind_are_left_out(tmp_path: Path) -> None:
    rows = ticks("int16", 5)
    odd = TakenTick(99, np.zeros((3, 2), np.int16), 1.0, 0.0)
    assert [row.tick for row in Take(write(tmp_path / "a.take", [*rows, rows[2], odd]))] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "change",
    [
        {"antiphon_take": 2},
        {"dtype": "object"},
        {"shape": [4]},
        {"shape": [-4, 2]},
        {"shape": [100_000, 100_000]},
        {"shape": "x"},
    ],
)
def test_another_header_is_one_line(tmp_path: Path, change: dict[str, object]) -> None:
    path = write(tmp_path / "a.take", ticks("int16", 3))
    head, _, rest = path.read_bytes().partition(b"\n")
    path.write_bytes(json.dumps({**json.loads(head), **change}).encode() + b"\n" + rest)
    with pytest.raises(UserError, match="no take of this version"):
        Take(path)


@pytest.mark.parametrize("data", [b"", b"\n", b"[" * 10_000, b"{}\n", b"\xff\xfe\n", bytes(5_000)])
def test_other_files_are_no_takes(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.take"
    path.write_bytes(data)
    with pytest.raises(UserError, match="no take of this version"):
        Take(path)
    with pytest.raises(UserError, match="cannot be read"):
        Take(tmp_path / "gone.take")


def test_damaged_records_end_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.take", ticks("int16", 10))
    data = bytearray(path.read_bytes())
    start = data.index(b"\n") + 1
    data[start + 5 * 32 : start + 5 * 32 + 16] = b"\xff" * 16
    path.write_bytes(data)
    assert [row.tick for row in Take(path)] == [0, 1, 2, 3, 4]


def test_the_newest_take_of_a_folder_is_meant(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no take lies in this folder"):
        find_take(str(tmp_path))
    for number, name in enumerate(("b.take", "a.take")):
        path = write(tmp_path / name, ticks("int16", 2))
        os.utime(path, ns=(10**18 + number, 10**18 + number))
    assert find_take(str(tmp_path)).name == "a.take"
    assert find_take(str(tmp_path / "b.take")).name == "b.take"


def test_a_full_disk_ends_the_take_with_a_line(tmp_path: Path) -> None:
    notes: list[str] = []
    writer = TakeWriter(tmp_path / "no" / "a.take", "default", "abc", notes.append)
    for row in ticks("int16", 3):
        writer.add(row)
    writer.close()
    assert len(notes) == 1
    assert "the take ends here" in notes[0]


def test_the_hash_of_the_sound_is_the_bundles() -> None:
    assert len(sound_of_bundle("default")) == 64
    assert sound_of_bundle("nowhere") == ""
