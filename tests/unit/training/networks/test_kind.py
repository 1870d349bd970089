"""The reader of kinds learns to tell them apart, and takes nearly all known pictures for known."""

from __future__ import annotations

import torch

from streaming.conventions import MOTION_FEATURES, TOKEN_FRAMES_PER_TICK
from training.datasets.translator import MEL_BANDS, Examples
from training.networks.kind import KNOWN_SHARE, train_kind_reader

CLIPS, TICKS = 60, 40


def clips() -> Examples:
    """Performances whose embedding lies about a place of their kind."""
    torch.manual_seed(2)
    voice = torch.zeros(CLIPS, 3, dtype=torch.int64)
    voice[:, 0] = 1 + torch.arange(CLIPS) % 5
    places = torch.randn(5, 128)
    embedding = places[voice[:, 0] - 1][:, None] + 0.3 * torch.randn(CLIPS, TICKS, 128)
    empty = torch.zeros(CLIPS, TICKS, 1)
    return Examples(
        empty,
        empty,
        embedding.half(),
        torch.zeros(CLIPS, TICKS),
        torch.zeros(CLIPS, 3, TICKS, 4, TOKEN_FRAMES_PER_TICK, dtype=torch.int16),
        voice,
        torch.zeros(CLIPS, TICKS, TOKEN_FRAMES_PER_TICK * MEL_BANDS),
        torch.zeros(CLIPS, TICKS, TOKEN_FRAMES_PER_TICK, dtype=torch.bool),
        torch.zeros(CLIPS, TICKS, TOKEN_FRAMES_PER_TICK),
        torch.zeros(CLIPS, TICKS, MOTION_FEATURES),
    )


def test_it_tells_kinds_apart_and_knows_what_it_knows() -> None:
    model, figures = train_kind_reader(clips(), steps=150)
    assert figures["kind_right"] > 0.95
    assert abs(figures["taken_for_known"] - KNOWN_SHARE) < 0.03
    with torch.no_grad():
        strange = model(3.0 * torch.randn(200, 128))
    assert float((strange[:, -1] > 0.5).float().mean()) > 0.95
