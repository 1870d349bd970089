"""The one law, for every streaming network: streamed equals whole-signal to 1e-5, nothing leaks from the future.

Networks are tiny or of the shipped sizes, seeded, untrained: the law is about the code, not about the weights. The
shipped weights are put through it in `tests/contract/test_bundle_law.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from models.codec.additive_codec import CodecConfig
from models.codec.codec import Codec
from models.codec.encodec import Encodec
from models.codec.encodec_layers import EXACT, EncodecConfig
from models.codec.mel import MelConfig, Vocoder
from models.pictures.animator import Animator, AnimatorConfig
from models.streaming_law import CausalConv1d, GatedMemory, LawErrors, State, StreamingModule, verify_contract
from models.translation.latent import Latent, LatentConfig, Motions
from models.translation.translator import DepthTransformer, Translator, TranslatorConfig, TranslatorInputs


def prove(module: StreamingModule, x: Tensor, unit: int) -> LawErrors:
    return verify_contract(
        lambda i: module(i[0]),
        lambda i, s: module.step(i[0], s),
        module.init_state,
        [x],
        time_dims=[2],
        out_dim=2,
        unit=unit,
        latency=module.latency,
    )


CODECS = [
    CodecConfig(),
    CodecConfig(width=16, encoder_dilations=(1,), decoder_dilations=(1, 2), latent_dim=4, cardinality=16),
]


@pytest.mark.parametrize("config", CODECS)
def test_codec_obeys_the_law(config: CodecConfig) -> None:
    torch.manual_seed(0)
    codec = Codec(config).eval()
    prove(codec.encoder, torch.randn(2, 1, 640 * 22), 640)
    prove(codec.decoder, torch.randn(2, config.latent_dim, 22), 1)


@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize(
    ("look_ahead", "latency", "frames"), [(EXACT, 2402, 4), (2, 1762, 3), (1, 1122, 2), (0, 482, 1)]
)
def test_musicgens_codec_obeys_the_law_behind_its_latency(
    look_ahead: int, latency: int, frames: int, mirrored: bool
) -> None:
    torch.manual_seed(0)
    config = EncodecConfig(num_filters=4, latent_dim=8, cardinality=16, look_ahead=look_ahead, mirrored=mirrored)
    codec = Encodec(config).eval()
    assert (codec.decoder.latency, codec.encoder.latency) == (latency, frames)
    prove(codec.decoder, torch.randn(2, config.latent_dim, 22), 1)
    prove(codec.encoder, torch.randn(2, 1, 640 * 22), 640)


def test_a_causal_published_codec_has_no_latency() -> None:
    torch.manual_seed(0)
    small = EncodecConfig(num_filters=4, latent_dim=8, num_residual_layers=2, upsampling_ratios=(8, 5, 4, 2))
    codec = Encodec(replace(small, causal=True, shortcut=True, mirrored=False)).eval()
    assert (codec.decoder.latency, codec.encoder.latency) == (0, 0)
    prove(codec.decoder, torch.randn(2, 8, 22), 1)


def test_the_mel_representation_obeys_the_law() -> None:
    torch.manual_seed(0)
    vocoder = Vocoder(MelConfig(bands=24, short_bands=4, width=16, dilations=(1, 2))).eval()
    prove(vocoder.encoder, torch.randn(2, 1, 640 * 22), 640)
    prove(vocoder.decoder, torch.randn(2, vocoder.config.dim, 22), 1)


def seen_for(
    config: TranslatorConfig, batch: int, length: int, start_s: float = 0.0
) -> tuple[Tensor, Tensor, TranslatorInputs]:
    previous = torch.randint(0, config.cardinality, (batch, length, config.num_codebooks, config.frames))
    known = (torch.rand(batch, length) > 0.3).float()
    times = (start_s + torch.arange(length, dtype=torch.float64) * 0.04).expand(batch, length)
    return (
        previous,
        known,
        TranslatorInputs(
            torch.randn(batch, length, config.sight_dim),
            torch.rand(batch, length) * 0.04,
            times.contiguous(),
            torch.rand(batch, length) * 0.12,
            torch.randint(0, 1 + len(config.voice_names), (batch, length)),
            (torch.rand(batch, length) > 0.2).float(),
            torch.rand(batch, length, config.gesture_dim).round(decimals=1),
        ),
    )


@pytest.mark.parametrize(("mel_dim", "pitches", "gesture_dim"), [(0, 0, 0), (12, 5, 0), (0, 5, 7)])
@pytest.mark.parametrize("start_s", [0.0, 36_000.0])
def test_translator_obeys_the_law_also_after_ten_hours(
    start_s: float, mel_dim: int, pitches: int, gesture_dim: int
) -> None:
    torch.manual_seed(1)
    small = TranslatorConfig(dim=48, heads=2, window=7, video_window=5, cardinality=64, depth_dim=16, depth_heads=2)
    config = replace(small, mel_dim=mel_dim, pitches=pitches, gesture_dim=gesture_dim)
    model = Translator(config).eval()
    model.codebooks.normal_()
    model.heads.normal_()
    previous, known, seen = seen_for(config, 2, 40, start_s)
    if mel_dim:
        previous = torch.randn(2, 40, mel_dim, config.frames)

    def step(i: list[Tensor], state: State) -> tuple[Tensor, State]:
        return model.step(i[0], i[1], TranslatorInputs(*i[2:]), state)

    verify_contract(
        lambda i: model(i[0], i[1], TranslatorInputs(*i[2:])),
        step,  # type: ignore[arg-type]
        model.init_state,
        [previous, known, *seen],
        time_dims=[1] * 9,
        out_dim=1,
        poison=30.0,
    )


def test_a_gesture_takes_the_place_of_the_video_latent_and_closed_eyes_hide_both() -> None:
    torch.manual_seed(7)
    small = TranslatorConfig(dim=48, heads=2, window=7, video_window=5, cardinality=64, depth_dim=16, depth_heads=2)
    model = Translator(replace(small, gesture_dim=7, pitches=5)).eval()
    model.codebooks.normal_()
    model.heads.normal_()
    previous, known, seen = seen_for(model.config, 1, 12)
    gesture, latent = torch.rand(1, 12, 7), torch.randn_like(seen.latent)
    by_gesture, by_latent = gesture.clone(), gesture.clone()
    by_gesture[..., -1], by_latent[..., -1] = 1.0, 0.0
    eyes, none = torch.ones(1, 12), torch.zeros(1, 12)

    def context(latent: Tensor, gesture: Tensor, eyes: Tensor) -> Tensor:
        out: Tensor = model(previous, known, seen._replace(latent=latent, gesture=gesture, open=eyes))
        return out

    first = context(seen.latent, by_gesture, eyes)
    assert torch.equal(first, context(latent, by_gesture, eyes)), "with a gesture the latent is not seen"
    assert not torch.equal(first, context(seen.latent, by_gesture.flip(1), eyes)), "the gesture is"
    assert not torch.equal(context(seen.latent, by_latent, eyes), context(latent, by_latent, eyes))
    assert torch.equal(context(latent, by_gesture, none), context(seen.latent, by_latent.flip(1), none))


def test_translator_is_told_what_the_heads_of_the_latent_space_say_and_nothing_with_closed_eyes() -> None:
    torch.manual_seed(6)
    small = TranslatorConfig(dim=48, heads=2, window=7, video_window=5, cardinality=64, depth_dim=16, depth_heads=2)
    model = Translator(replace(small, pitches=5)).eval()
    attack, pitch = torch.nn.Linear(128, 2), torch.nn.Linear(128, 10)
    model.set_latent_heads(attack, pitch)
    previous, known, seen = seen_for(model.config, 2, 30)
    latent = seen.latent
    with torch.no_grad():
        told = model.head_odds(latent)
        assert torch.allclose(told[..., :2], attack(latent).sigmoid())
        assert torch.allclose(told[..., 7:], pitch(latent)[..., 5:].softmax(-1), atol=1e-6)
        before = model(previous, known, seen)
        model.heads.zero_()
        after = model(previous, known, seen)
        blind = seen._replace(open=torch.zeros_like(seen.open))
        closed = model(previous, known, blind)
        model.heads.normal_()
        assert torch.equal(model(previous, known, blind), closed)
    assert float((before - after).abs().max()) > 1e-3


def test_positions_are_relative_so_an_hour_changes_nothing() -> None:
    torch.manual_seed(2)
    config = TranslatorConfig(dim=48, heads=2, window=7, video_window=5, cardinality=64, depth_dim=16, depth_heads=2)
    model = Translator(config).eval()
    model.codebooks.normal_()
    previous, known, seen = seen_for(config, 1, 30)
    with torch.no_grad():
        early = model(previous, known, seen)
        late = model(previous, known, seen._replace(time_s=seen.time_s + 3600.0))
        wrong = model(previous, known, seen._replace(time_s=seen.time_s * 1.5))
    assert float((early - late).abs().max()) < 1e-4
    assert float((early - wrong).abs().max()) > 1e-2


def test_depth_transformer_samples_what_its_logits_say() -> None:
    torch.manual_seed(3)
    config = TranslatorConfig(dim=48, heads=2, cardinality=64, depth_dim=16, depth_heads=2)
    model = Translator(config).eval()
    model.codebooks.normal_()
    context = torch.randn(5, config.dim) * 3
    with torch.no_grad():
        greedy = model.head.sample(context, model.codebooks, torch.rand(5, 8), torch.full((5, 1), 1e-4))
        logits = model.head(context, greedy, model.codebooks)
    assert torch.equal(logits.argmax(-1), greedy)


@pytest.mark.parametrize(("points", "memory"), [(0, 0), (15, 0), (15, 8)])
def test_the_latent_space_obeys_the_law(points: int, memory: int) -> None:
    torch.manual_seed(6)
    sizes: dict[str, Any] = {"points": points, "reader_hidden": 16, "reader_memory": memory}
    config = LatentConfig(dim=16, hidden=24, embedding_dim=32, codec_dim=4, **sizes)
    model = Latent(config).eval()
    if model.video.reader is not None and model.video.reader.recall is not None:
        # What is remembered counts for nothing until it is taught.
        torch.nn.init.normal_(model.video.reader.recall.weight)
    seen = [torch.randn(2, 40, 2, 16, 16), torch.rand(2, 40, 16, 16), torch.randn(2, 40, 32), torch.rand(2, 40) * 0.04]
    verify_contract(
        lambda i: model.video(Motions(*i)),
        lambda i, s: model.video.step(Motions(*i), s),
        model.video.init_state,
        seen,
        time_dims=[1] * 4,
        out_dim=1,
    )
    verify_contract(
        lambda i: model.audio(i[0]),
        lambda i, s: model.audio.step(i[0], s),
        model.audio.init_state,
        [torch.randn(2, 40, config.frames * config.codec_dim)],
        time_dims=[1],
        out_dim=1,
    )


def test_guidance_of_one_is_no_guidance_and_more_moves_away_from_blindness() -> None:
    torch.manual_seed(7)
    config = TranslatorConfig(dim=48, heads=2, cardinality=64, depth_dim=16, depth_heads=2)
    model = Translator(config).eval()
    model.codebooks.normal_()
    head = model.head
    assert isinstance(head, DepthTransformer)
    seeing, blind = torch.randn(1, config.dim) * 3, torch.randn(1, config.dim) * 3
    greedy = torch.full((1, 1), 1e-4)

    def draw(guidance: float) -> Tensor:
        both = torch.cat([seeing, blind])
        return head.sample(both, model.codebooks, torch.rand(1, 8), greedy, torch.tensor([[guidance]]))

    with torch.no_grad():
        plain = head.sample(seeing, model.codebooks, torch.rand(1, 8), greedy)
        assert torch.equal(draw(1.0), plain)
        assert torch.equal(draw(0.0), head.sample(blind, model.codebooks, torch.rand(1, 8), greedy))
        logits = [head(x, plain, model.codebooks)[0, 0] for x in (seeing, blind)]
        wanted = (logits[1] + 3.0 * (logits[0] - logits[1])).argmax()
        assert int(draw(3.0)[0, 0]) == int(wanted)


def test_a_gated_memory_obeys_the_law_and_stays_bounded() -> None:
    torch.manual_seed(9)
    memory = GatedMemory(3, 5)
    prove(memory, torch.randn(2, 3, 40), 1)
    assert float(memory(1e3 * torch.randn(1, 3, 500)).detach().abs().max()) <= 1.0


class Leaky(CausalConv1d):
    """A convolution that looks one frame ahead when it may: the proof must refuse it."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.cat([x[..., 1:], x[..., :1]], dim=-1))


class Forgetful(CausalConv1d):
    """A convolution that drops its state: the proof must refuse it."""

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y, _ = super().step(x, state)
        return y, self.init_state(x.shape[0])


@pytest.mark.parametrize("broken", [Leaky, Forgetful])
def test_the_proof_refuses_networks_that_break_the_law(broken: type[CausalConv1d]) -> None:
    torch.manual_seed(4)
    with pytest.raises(AssertionError):
        prove(broken(3, 4, 5), torch.randn(2, 3, 40), 1)


def test_an_hour_of_ticks_keeps_the_state_the_same_size() -> None:
    torch.manual_seed(5)
    config = CodecConfig(width=16, encoder_dilations=(1,), decoder_dilations=(1,), latent_dim=2, cardinality=4)
    decoder = Codec(config).eval().decoder
    model_config = TranslatorConfig(
        dim=8,
        heads=1,
        layers=1,
        window=5,
        video_window=4,
        cardinality=8,
        depth_dim=8,
        depth_heads=1,
        sight_dim=4,
        latent_dim=2,
    )
    model = Translator(model_config).eval()
    previous, known, seen = seen_for(model_config, 1, 1)
    state, words = decoder.init_state(1), model.init_state(1)
    sizes = [t.shape for t in (*state, *words)]
    samples = 0
    with torch.inference_mode():
        for tick in range(90_000 // 30):
            y, state = decoder.step(torch.randn(1, 2, 2), state)
            samples += y.shape[-1]
            now = seen._replace(time_s=torch.full((1, 1), tick * 0.04, dtype=torch.float64))
            context, words = model.step(previous, known, now, words)
    assert [t.shape for t in (*state, *words)] == sizes
    assert samples == 3000 * 1280
    assert bool(torch.isfinite(context).all())


@pytest.mark.parametrize("start_s", [0.0, 36_000.0])
def test_animator_obeys_the_law_also_after_ten_hours(start_s: float) -> None:
    torch.manual_seed(6)
    model = Animator(AnimatorConfig(latent_dim=12, dim=40, heads=2, window=7, shown=16)).eval()
    shown = torch.randn(1, 16, 16, 16).expand(2, -1, -1, -1)
    times = (start_s + torch.arange(40, dtype=torch.float64) * 0.04).expand(2, 40).contiguous()
    verify_contract(
        lambda i: model(i[0], i[1], shown[: i[0].shape[0]]),
        lambda i, s: model.step(i[0], i[1], shown[: i[0].shape[0]], s),
        model.init_state,
        [torch.randn(2, 40, 12), times],
        time_dims=[1, 1],
        out_dim=1,
        poison=30.0,
    )
