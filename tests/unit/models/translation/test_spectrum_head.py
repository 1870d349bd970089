"""The head for spectrograms draws one of the frames that could follow, not their mean."""

from __future__ import annotations

import torch

from models.translation.translator import SpectrumHead, TranslatorConfig

CONFIG = TranslatorConfig(dim=8, depth_dim=16, depth_layers=2, mel_dim=6)
MODES = torch.tensor([[-1.0] * 3 + [0.5] * 3, [0.5] * 3 + [-1.0] * 3])


def trained() -> SpectrumHead:
    """A head that learned two frames, equally likely whatever the context."""
    torch.manual_seed(0)
    head = SpectrumHead(CONFIG)
    optimizer = torch.optim.Adam(head.parameters(), lr=5e-3)
    for _ in range(600):
        which = torch.randint(0, 2, (64,))
        target = MODES[which][..., None].expand(-1, -1, CONFIG.frames)
        loss = head.losses(torch.zeros(64, CONFIG.dim), target).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return head.eval()


def test_it_draws_one_of_two_notes() -> None:
    head = trained()
    with torch.no_grad():
        frames = head.sample(torch.zeros(200, CONFIG.dim), torch.rand(200, CONFIG.mel_dim * 2), torch.ones(200, 1))
    distance = (frames[:, None] - MODES[None, :, :, None]).abs().mean((2, 3))
    nearest, which = distance.min(1)
    # Their mean lies 0.75 from both.
    assert float(nearest.median()) < 0.2
    assert 0.2 < float(which.float().mean()) < 0.8
