"""The painter: no imagination changes nothing that it has not learned to, chance counts only with imagination."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from models.pictures.film_block import FilmBlock
from models.pictures.limbs import LIMBS
from models.pictures.painter import Painter, PainterConfig, PainterInputs, pixelate
from models.vision.embedding import POINTS

SMALL = PainterConfig(side=32, latent_dim=4, seen_dim=40, points=16, width=16, inner=16, blocks=1, deep=(), moment=8)


def sitting(count: int, imagination: float) -> PainterInputs:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(2, count, 3, 32, 32, generator=generator) * 2.0 - 1.0
    fields = 0.1 * torch.randn(2, count, 2, 4, 4, generator=generator)
    heard = torch.randn(count, 4, generator=generator)
    dials = torch.full((count,), imagination), torch.ones(count)
    seen = torch.rand(count, 40, generator=generator) - 0.5
    said = torch.rand(count, len(POINTS), 3, generator=generator) - 0.5
    return PainterInputs(pictures[0], pictures[1], fields[0], fields[1], heard, *dials, seen, said.abs())


def untaught(config: PainterConfig = SMALL) -> Painter:
    """One that chooses nothing and adds nothing."""
    painter = Painter(config)
    assert painter.choose is not None
    for parameter in painter.choose.parameters():
        nn.init.zeros_(parameter)
    return painter


def test_an_untaught_painter_leaves_the_picture_as_it_is() -> None:
    known = sitting(2, 0.0)
    torch.testing.assert_close(untaught().paint(known, torch.randn(2, 3, 32, 32)), known.warped)


def test_chance_counts_as_much_as_imagination_lets_it() -> None:
    torch.manual_seed(0)
    painter = Painter(SMALL)
    nn.init.normal_(painter.leave.weight, std=0.05)
    apart = []
    for imagination in (0.0, 0.3, 1.0):
        known = sitting(2, imagination)
        one, other = (painter.paint(known, torch.randn(2, 3, 32, 32)).detach() for _ in range(2))
        assert one.shape == (2, 3, 32, 32)
        assert float(one.abs().max()) <= 1.0
        apart.append(float((one - other).abs().mean()))
    assert apart[0] == 0.0
    assert 0.0 < apart[1] < apart[2]


def test_what_it_starts_from_is_shown_coarsely_to_a_free_imagination() -> None:
    picture = torch.rand(1, 3, 32, 32)
    assert torch.equal(pixelate(picture, torch.zeros(1)), picture)
    blocks = pixelate(picture, torch.ones(1))
    assert float(blocks.unfold(3, 8, 8).unfold(2, 8, 8).var((-1, -2)).max()) < 1e-9


def test_the_loss_is_zero_only_where_the_way_leads_to_the_picture() -> None:
    known = sitting(3, 0.0)
    painter = untaught()
    noise, share, sharp = torch.zeros_like(known.warped), torch.zeros(3), torch.ones(3)
    assert float(painter.loss(known, known.warped, noise, share, sharp).max()) == 0.0
    assert float(painter.loss(known, known.prior, noise, share, sharp).min()) > 0.1


def test_where_points_went_can_be_told_and_counts_in_rows_that_are() -> None:
    torch.manual_seed(0)
    known, painter = sitting(3, 0.0), untaught()
    assert painter.choose is not None
    assert painter.choose.bias is not None
    painter.choose.bias.data[0] = 1e4
    untold = painter.end_of(known, known.warped, torch.zeros(3))
    went = torch.full((3, len(POINTS), 2), torch.nan)
    went[1] = 0.0
    told = painter.end_of(known, known.warped, torch.zeros(3), went)
    torch.testing.assert_close(told[::2], untold[::2])
    # A limb that stays shows the still as it is, at half its size.
    still = nn.functional.interpolate(nn.functional.avg_pool2d(known.prior[1:2], 2), scale_factor=2.0, mode="bilinear")
    torch.testing.assert_close(told[1:2], still, atol=1e-2, rtol=0.0)
    assert float((untold[1:2] - still).abs().max()) > 0.1


def test_what_lies_far_away_counts_with_the_smaller_sizes() -> None:
    """The convolutions' own reach: norms, which look at all of a picture, are taken out."""
    said = []
    for deep in ((), (16, 16)):
        torch.manual_seed(0)
        sizes = PainterConfig(side=128, latent_dim=4, points=0, width=16, inner=16, blocks=1, deep=deep, moment=8)
        painter = Painter(sizes)
        for parameter in painter.parameters():
            nn.init.normal_(parameter, std=0.1)
        for module in painter.modules():
            if isinstance(module, FilmBlock):
                module.add_module("norm", nn.Identity())
        prior = torch.rand(1, 3, 128, 128, requires_grad=True)
        fields = torch.zeros(1, 2, 16, 16)
        known = PainterInputs(
            prior.detach(),
            prior,
            fields,
            fields,
            torch.zeros(1, 4),
            torch.zeros(1),
            torch.zeros(1),
            torch.zeros(1, 128),
            torch.zeros(1, 14, 3),
        )
        end = painter.end_of(known, known.warped, torch.zeros(1))
        (slope,) = torch.autograd.grad(end[..., :8].sum(), prior)
        said.append(float(slope[..., 72:96].abs().sum()))
    assert said[0] == 0.0 < said[1]


def test_at_half_size_it_sees_edges_that_a_cell_is_too_large_for() -> None:
    torch.manual_seed(0)
    known = sitting(2, 0.0)
    for fine in (0, 8):
        painter = untaught(replace(SMALL, fine=fine))
        torch.testing.assert_close(painter.paint(known, torch.randn(2, 3, 32, 32)), known.warped)
        nn.init.normal_(painter.leave.weight, std=0.05)
        assert painter.choose is not None
        nn.init.normal_(painter.choose.weight, std=0.5)
        assert painter.paint(known, torch.randn(2, 3, 32, 32)).shape == (2, 3, 32, 32)
    shares = len(LIMBS) + 3
    assert painter.choose is not None
    assert painter.choose.out_channels == shares, (
        "limbs, what is cleared twice, the still: a share for every second pixel"
    )


def test_the_still_itself_can_be_taken_back() -> None:
    """Where the sound explains no movement, what has been moved is as it was."""
    painter = untaught(SMALL)
    assert painter.choose is not None
    assert painter.choose.bias is not None
    nn.init.zeros_(painter.choose.weight)
    painter.choose.bias.data[-1] = 1e4
    known = sitting(2, 0.0)
    painted = painter.paint(known, torch.randn(2, 3, 32, 32))
    torch.testing.assert_close(painted, known.prior, atol=1e-3, rtol=0.0)
    assert float((known.warped - known.prior).abs().max()) > 0.1
