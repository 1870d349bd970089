"""Which moments the painter learns from: each with what was heard and seen at its tick, and of calm scenes only."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from models.pictures.pose import PoseConfig, PoseEstimator
from models.pictures.sound_encoder import KEEP
from models.weights import pack_weights
from training.datasets import painter as module
from training.datasets.painter import LAYOUT, hidden_mask, performer_examples, warp_still
from training.synthesis.mobiles import Mobile


def test_what_shakes_or_passes_by_is_not_learned_and_each_moment_keeps_its_own_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    animator: Any = torch.nn.Linear(1, 1)
    made_by = hashlib.sha256(pack_weights(animator)).hexdigest()[:8]
    seeds, ticks = (10, 11, 12, 13), np.array([3, 7])
    for seed in seeds:
        square = np.full((2, 8, 8, 3), seed, np.uint8)
        fields = np.zeros((2, 2, 4, 4), np.float16)
        np.savez(
            tmp_path / f"performer-{seed}-v1-picture-v{LAYOUT}-{made_by}.npz",
            prior=square,
            warped=square,
            wanted=square,
            where=fields,
            flow=fields,
            hidden=np.zeros((2, 8, 8), bool),
            chance=np.zeros(2, np.float32),
            turns=np.zeros(2, bool),
            tick=ticks,
            start=np.array([0, 1]),
        )
    monkeypatch.setattr(module, "record_dataset", lambda *_: [Path(f"performer-{seed}-v1.npz") for seed in seeds])
    monkeypatch.setattr(
        module, "performer_of", lambda seed: SimpleNamespace(scene=SimpleNamespace(calm=seed in (11, 13)))
    )
    of_clip = torch.tensor([10.0, 11.0, 12.0, 13.0])[:, None, None].expand(-1, 20, 1)
    of_tick = torch.arange(20.0)[None, :, None].expand(4, -1, 1)
    seen = (of_tick + 100 * of_clip).expand(-1, -1, 40)
    played: Any = SimpleNamespace(level=of_clip, audio=torch.cat([of_clip, of_tick], -1), embedding=seen)
    pose = PoseEstimator(PoseConfig(latent_dim=2, seen_dim=40, points=16, width=8, levels=(1, KEEP, 2)))
    torch.nn.init.normal_(pose.say.get_parameter(f"{len(pose.say) - 1}.weight"))
    found = performer_examples(tmp_path, played, animator, pose, tmp_path)
    assert found.prior[:, 0, 0, 0].tolist() == [11, 11, 13, 13]
    assert found.audio.tolist() == [[11.0, 3.0], [11.0, 7.0], [13.0, 3.0], [13.0, 7.0]]
    whole = pose(played.audio[3:], seen[3, 1][None])
    want = torch.cat([whole.at, whole.spread[..., None]], -1)[0, 7]
    torch.testing.assert_close(found.points[3].float(), want, rtol=2e-3, atol=2e-3)
    assert found.embedding[:, 0].tolist() == [1100.0, 1101.0, 1300.0, 1301.0]
    assert found.embedding_now[:, 0].tolist() == [1103.0, 1107.0, 1303.0, 1307.0]


def test_what_lay_behind_a_thing_is_hidden_and_what_moved_is_not() -> None:
    mobile = Mobile(3, (128, 96))
    rest = np.zeros((len(mobile.things), 4), np.float32)
    assert not hidden_mask(mobile, rest).any()
    pose = rest.copy()
    pose[:, 0] = 0.1
    hidden = hidden_mask(mobile, pose)
    now, then = mobile.owners(pose), mobile.owners(rest)
    assert hidden[(now == -1) & (then != -1)].all(), "the ground where a thing was"
    assert 0.0 < hidden.mean() < 0.5
    assert not hidden[(now == -1) & (then == -1)].any()


def test_a_still_is_warped_as_the_screen_does_it() -> None:
    still = np.zeros((128, 128, 3), np.uint8)
    still[40:60, 40:60] = 255
    where = np.zeros((2, 16, 16), np.float32)
    where[0] = -0.1
    moved = warp_still(still, where)
    columns = np.flatnonzero(moved[50, :, 0] > 127)
    np.testing.assert_allclose([columns[0], columns[-1]], [52.8, 72.8], atol=2.0)
