"""What an animator makes of clips: from each start on, the same for the same seed, and drawn as a show draws it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from models.pictures.animator import Animator, AnimatorConfig
from training.datasets.animator import STARTS, MotionClips
from training.datasets.animator_rollouts import LITTLE_CHANCE, MUCH_CHANCE, roll_out
from training.datasets.painter import PER_WAY, paint_performer

SMALL = AnimatorConfig(latent_dim=4, shown=8, widths=(8, 8, 8, 8), dim=8, heads=1, layers=1, inside=8, blocks=1)
TICKS = 160


def clips(count: int) -> MotionClips:
    """Noise that was heard, and grey stills."""
    generator = torch.Generator().manual_seed(0)
    heard = torch.randn(count, TICKS, 4, generator=generator).half()
    stills = torch.randint(0, 255, (count, len(STARTS), 128, 128, 3), dtype=torch.uint8, generator=generator)
    fields = torch.zeros(count, TICKS, 2, 16, 16).half()
    level, where = torch.zeros(count, TICKS).half(), torch.zeros(count, 4, 2, 16, 16).half()
    seen = torch.rand(count, TICKS, 40).half()
    return MotionClips(heard, level, fields, stills, where, seen, torch.zeros(count, dtype=torch.bool))


def moving() -> Animator:
    """One that moves, trained or not."""
    torch.manual_seed(1)
    model = Animator(SMALL).eval()
    nn.init.normal_(model.end.weight, std=0.2)
    return model


def test_every_way_begins_after_its_still_and_lasts_to_the_end() -> None:
    ways = roll_out(moving(), clips(3))
    assert [len(three) for three in ways] == [3, 3, 3]
    for first, later, led in ways:
        assert (first.start, led.start) == (0, 0)
        assert later.start in STARTS[1:]
        assert max(first.chance, later.chance) <= LITTLE_CHANCE < MUCH_CHANCE <= led.chance
        for way in (first, later, led):
            assert way.flow.shape == (TICKS - way.start - 1, 2, 16, 16)
            assert 0.5 <= way.anchoring <= 2.0
            assert np.abs(way.flow[0]).max() > 0.0


def test_the_same_seed_moves_the_same_and_another_does_not() -> None:
    model, data = moving(), clips(2)
    one, two, other = roll_out(model, data, 5), roll_out(model, data, 5), roll_out(model, data, 6)
    assert np.array_equal(one[0][0].flow, two[0][0].flow)
    assert not np.array_equal(one[0][0].flow, other[0][0].flow)


def test_moments_are_what_the_screen_shows_of_the_way(tmp_path: Path) -> None:
    pictures = [np.full((60, 80, 3), shade, np.uint8) for shade in range(0, TICKS)]
    encoded = [cv2.imencode(".jpg", picture)[1].ravel() for picture in pictures]
    path = tmp_path / "performance-7-v3.npz"
    sizes = np.array([len(one) for one in encoded])
    np.savez(path, jpeg=np.concatenate(encoded), jpeg_bytes=sizes, view=np.arange(TICKS))
    (ways,) = roll_out(moving(), clips(1))
    made = paint_performer(path, 7, ways)
    counts = [PER_WAY, PER_WAY, PER_WAY // 2]
    assert made["wanted"].shape == (sum(counts), 128, 128, 3)
    of_row = [way for way, count in zip(ways, counts, strict=True) for _ in range(count)]
    for row, (tick, way) in enumerate(zip(made["tick"], of_row, strict=True)):
        assert tick > way.start == made["start"][row]
        assert abs(int(made["wanted"][row].mean()) - tick) <= 1
        assert abs(int(made["prior"][row].mean()) - way.start) <= 1
        assert np.array_equal(made["flow"][row], way.flow[tick - way.start - 1])
        assert made["chance"][row] == np.float32(way.chance)
    assert not made["hidden"].any()
    assert not made["turns"].any()
