"""How limbs bend is learned from bodies, on which elbows are not in the middle of arms."""

from __future__ import annotations

import torch

from models.pictures.limbs import BENDS, JOINTS, JointEstimator
from training.datasets.pose import PLAYER_SEED
from training.networks.pictures.joints import MOMENTS, body_joints, train_bends


def test_elbows_are_found_on_other_bodies() -> None:
    places = body_joints(range(PLAYER_SEED, PLAYER_SEED + 150))
    assert places.shape == (150 * MOMENTS, len(JOINTS), 2)
    assert float(places[:, : -len(BENDS)].abs().max()) <= 1.0
    torch.manual_seed(0)
    bends = JointEstimator()
    found = train_bends(bends, places, 300)
    assert found["off_of_straight"] > 0.2, "in lengths of the trunk"
    assert found["off_of_held"] < 0.4 * found["off_of_straight"]
    assert not any(parameter.requires_grad for parameter in bends.parameters())
