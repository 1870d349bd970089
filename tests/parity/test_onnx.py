"""ONNX Runtime computes what torch computes: per network, per tick, teacher-forced, on tiny seeded models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from engines.runtimes.onnxruntime_runtime import OnnxRunner
from engines.runtimes.torch_runtime import make_tick
from export.onnx import to_onnx
from export.parity import TOLERANCE, compare_runners, difference
from models.codec.additive_codec import CodecConfig
from models.codec.codec import Codec
from models.codec.mel import MelConfig, Vocoder
from models.pictures.animator import Animator, AnimatorConfig
from models.pictures.drive import Drive, DriveConfig
from models.pictures.painter import Painter, PainterConfig
from models.pictures.pose import PoseConfig, PoseEstimator
from models.pictures.sound_encoder import KEEP
from models.translation.latent import Latent, LatentConfig
from models.translation.translator import Translator, TranslatorConfig
from models.vision.embedding import EmbeddingConfig, VisualEmbedding

MEL = MelConfig(bands=24, short_bands=4, width=16, dilations=(1, 2))


def network(name: str, mel_dim: int = 0) -> nn.Module:
    torch.manual_seed(0)
    if mel_dim and name in ("encoder", "decoder"):
        return Vocoder(MEL).eval()
    if name == "embedding":
        return VisualEmbedding(EmbeddingConfig(points=16, dim=48, widths=(4, 4, 8, 8, 8), window=32)).eval()
    if name == "translator":
        small = TranslatorConfig(dim=32, heads=2, layers=2, window=7, video_window=5, depth_dim=16, depth_heads=2)
        config = replace(small, mel_dim=mel_dim, pitches=4)
        model = Translator(config).eval()
        model.codebooks.normal_()
        model.heads.normal_()
        return model
    if name in ("still", "animator"):
        sizes = AnimatorConfig(latent_dim=8, dim=32, heads=2, window=7, shown=16, inside=16, widths=(8, 8, 16, 16))
        animator = Animator(sizes).eval()
        nn.init.normal_(animator.end.weight, std=0.2)
        return animator
    if name == "pose":
        pose = PoseEstimator(
            PoseConfig(latent_dim=8, seen_dim=40, points=16, width=16, levels=(1, 4, KEEP, 8), stroke_width=8)
        ).eval()
        nn.init.normal_(pose.say[-1].get_parameter("weight"))
        return pose
    if name == "drive":
        drive = Drive(DriveConfig(latent_dim=8, features=5, modes=6, width=16, levels=(1, KEEP, 4), inside=16)).eval()
        nn.init.normal_(drive.say.weight, std=0.3)
        return drive
    if name == "painter":
        painter = Painter(
            PainterConfig(side=32, latent_dim=8, width=16, inner=16, blocks=1, deep=(16,), moment=16)
        ).eval()
        nn.init.normal_(painter.leave.weight, std=0.2)
        return painter
    if name in ("sight", "hearing"):
        widths: dict[str, Any] = {
            "dim": 16,
            "hidden": 24,
            "embedding_dim": 48,
            "points": 16,
            "reader_hidden": 16,
            "codec_dim": 4,
        }
        latent = Latent(LatentConfig(**widths, mel_dim=mel_dim)).eval()
        latent.codebooks.normal_()
        return latent
    return Codec(
        CodecConfig(width=16, encoder_dilations=(1,), decoder_dilations=(1, 2), latent_dim=4, cardinality=2048)
    ).eval()


@pytest.mark.parametrize("mel_dim", [0, MEL.dim])
@pytest.mark.parametrize(
    "name",
    [
        "embedding",
        "sight",
        "hearing",
        "translator",
        "encoder",
        "decoder",
        "still",
        "animator",
        "pose",
        "drive",
        "painter",
    ],
)
def test_tick_by_tick_it_is_torch(name: str, mel_dim: int) -> None:
    tick = make_tick(name, network(name, mel_dim))
    measured = compare_runners(tick, OnnxRunner(to_onnx(tick)), ticks=40)
    assert measured["state"] <= TOLERANCE  # measured 2e-7 to 1e-6
    drawn = tick.output == "frames" and not mel_dim
    assert measured["output"] <= (0.01 if drawn else TOLERANCE)  # measured 5e-7; codes: 0


def test_a_difference_would_be_seen() -> None:
    tick = make_tick("decoder", network("decoder"))
    data = to_onnx(tick)
    with torch.no_grad():
        next(tick.get_submodule("sounding.decoder").parameters()).mul_(1.01)
    assert compare_runners(tick, OnnxRunner(data), ticks=5)["output"] > TOLERANCE
    assert difference(torch.tensor([float("nan")]).numpy(), torch.ones(1).numpy()) == float("inf")


def test_a_file_that_is_no_onnx_is_one_line() -> None:
    with pytest.raises(Exception, match="ONNX Runtime does not accept it") as caught:
        OnnxRunner(b"not an onnx file")
    assert "\n" not in str(caught.value)
