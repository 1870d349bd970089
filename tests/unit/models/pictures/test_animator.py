"""The animator: its field goes where the flow is, features move with the map, and chance is the seed's."""

from __future__ import annotations

import pytest
import torch

from models.pictures.animator import Animator, AnimatorCondition, AnimatorConfig, squash, unsquash, warp_features

SMALL = AnimatorConfig(
    latent_dim=8, dim=16, heads=2, layers=1, window=4, shown=8, inside=16, blocks=1, widths=(8, 8, 8, 8)
)


def moment(model: Animator, rows: int, seed: int = 0) -> AnimatorCondition:
    generator = torch.Generator().manual_seed(seed)
    grid = model.config.grid

    def some(*shape: int) -> torch.Tensor:
        return torch.randn(rows, *shape, generator=generator)

    return AnimatorCondition(
        some(model.config.dim), some(model.config.shown, grid, grid), 0.02 * some(2, grid, grid), some(2, grid, grid)
    )


def test_velocities_come_back_from_their_scale_and_are_bounded() -> None:
    flow = torch.tensor([-3.0, -0.2, 0.0, 1e-3, 0.5, 2.0])
    torch.testing.assert_close(unsquash(squash(flow)), flow, rtol=1e-4, atol=1e-6)
    assert 5.0 < unsquash(torch.tensor(1e9)) < 12.0


def test_features_are_seen_where_the_map_has_moved_them() -> None:
    shown = torch.zeros(1, 1, 16, 16)
    shown[..., 4, 5] = 1.0
    where = torch.zeros(1, 2, 16, 16)
    where[:, 0], where[:, 1] = 3 / 16, -2 / 16
    found = warp_features(shown, where)[0, 0].nonzero().tolist()
    assert found == [[6, 2]], "each cell shows what lies where its map says"
    assert warp_features(shown, torch.zeros(1, 2, 16, 16)).equal(shown)


def test_the_same_noise_is_the_same_motion_and_other_noise_another() -> None:
    torch.manual_seed(1)
    model = Animator(SMALL).eval()
    torch.nn.init.normal_(model.end.weight, std=0.2)
    now = moment(model, 2)
    noise = torch.randn(2, 2, 16, 16)
    first, again = model.sample(now, noise), model.sample(now, noise)
    assert first.equal(again)
    assert not first.allclose(model.sample(now, -noise))
    assert first.shape == (2, 2, 16, 16)


def test_it_learns_a_motion_that_the_context_says() -> None:
    """Two contexts, two opposite motions: after a little training each gives its own, from any noise."""
    torch.manual_seed(2)
    model = Animator(SMALL).train()
    now = moment(model, 2)
    flow = torch.zeros(2, 2, 16, 16)
    flow[0, 0], flow[1, 0] = 0.3, -0.3
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(150):
        rows = torch.randint(0, 2, (16,))
        part = AnimatorCondition(*(value[rows] for value in now))
        loss = model.loss(part, flow[rows], torch.randn(16, 2, 16, 16), torch.rand(16)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.inference_mode():
        got = model.eval().sample(now, torch.randn(2, 2, 16, 16))
    assert got[0, 0].mean() == pytest.approx(0.3, abs=0.15)
    assert got[1, 0].mean() == pytest.approx(-0.3, abs=0.15)
    assert got[:, 1].abs().mean() < 0.1
