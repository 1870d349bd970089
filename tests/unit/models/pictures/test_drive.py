"""The drive: the streaming law, no look ahead, no force where there is no mode, noise draws and does not decide."""

from __future__ import annotations

import torch
from torch import nn

from models.pictures.drive import MAX_KICK, MAX_PUSH, Drive, DriveConfig, Forces
from models.pictures.sound_encoder import KEEP

SIZES = DriveConfig(latent_dim=6, bands=3, features=5, modes=4, width=16, levels=(1, KEEP, 2), inside=12)


def lively() -> Drive:
    torch.manual_seed(0)
    drive = Drive(SIZES)
    nn.init.normal_(drive.say.weight)
    return drive.eval()


def inputs(ticks: int = 30) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    modes = torch.randn(2, 4, 5)
    modes[:, :, -1] = 1.0
    modes[:, 3] = 0.0
    return torch.randn(2, ticks, 6), torch.rand(2, ticks, 2, 3), modes


@torch.no_grad()
def test_a_clip_at_once_is_its_blocks_one_after_the_other() -> None:
    drive, (latent, bands, modes) = lively(), inputs()
    whole = drive(latent, bands, modes)
    for sizes in (30 * [1], [3, 1, 10, 16]):
        state, parts = drive.init_state(2), []
        for some, few in zip(latent.split(sizes, 1), bands.split(sizes, 1), strict=True):
            forces, state = drive.step(some, few, modes, state)
            parts.append(forces)
        for name in Forces._fields:
            got = torch.cat([getattr(part, name) for part in parts], 1)
            torch.testing.assert_close(got, getattr(whole, name), rtol=0.0, atol=1e-5)


@torch.no_grad()
def test_nothing_to_come_is_heard() -> None:
    drive, (latent, bands, modes) = lively(), inputs()
    other = bands.clone()
    other[:, 12] = float("nan")
    same = (drive(latent, bands, modes).push[:, :12], drive(latent, other, modes).push[:, :12])
    torch.testing.assert_close(*same)
    assert drive(latent, other, modes).push[:, 12:, 0].isnan().all()


@torch.no_grad()
def test_what_is_no_mode_gets_no_force_and_forces_are_bounded() -> None:
    drive, (latent, bands, modes) = lively(), inputs()
    forces = drive(100.0 * latent, bands, modes)
    for name in Forces._fields:
        assert not getattr(forces, name)[:, :, 3].any()
    assert float(forces.push.abs().max()) <= MAX_PUSH
    assert float(forces.kick.abs().max()) <= MAX_KICK
    assert float(forces.bow.min()) >= 0.0


@torch.no_grad()
def test_other_modes_get_other_forces_from_the_same_sound() -> None:
    drive, (latent, bands, modes) = lively(), inputs()
    forces = drive(latent, bands, modes)
    assert float((forces.push[:, :, 0] - forces.push[:, :, 1]).abs().mean()) > 0.01


@torch.no_grad()
def test_without_noise_it_is_the_mean_and_noise_spreads_the_pushes() -> None:
    drive, (latent, bands, modes) = lively(), inputs()
    forces = drive(latent, bands, modes)
    mean = drive.draw(forces, torch.zeros(2, 30, 4, 2))
    torch.testing.assert_close(mean, torch.stack([forces.push, forces.kick, forces.bow], 2))
    noise = torch.randn(2, 30, 4, 2)
    drawn = drive.draw(forces, noise)
    torch.testing.assert_close(drawn[:, :, 0] - mean[:, :, 0], forces.spread * noise[..., 0])
    torch.testing.assert_close(drawn[:, :, 2], mean[:, :, 2])
