"""MusicGen's own codec, EnCodec at 32 kHz, as a stream that gives what the whole-signal model gives.

SEANet (Tagliasacchi et al. 2020) around an LSTM, as EnCodec (Defossez et al. 2022) has it. Unlike the shipped codec it
looks ahead: every convolution has a right side. A stream therefore lags by the sum of them, 2,402 samples (75 ms) of
the decoder at 32 kHz. Apart from the lag its output is the same to rounding, from the first sample on: before the
beginning lies the mirrored beginning, as in the whole-signal form. Most of the lag is one convolution's three token
frames. With less `look_ahead` the last frame stands for those that the convolution would wait for.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from models.codec.additive_codec import CodecConfig
from models.codec.codec import Codec, ResidualQuantizer, TokenCodec
from models.codec.encodec_layers import (
    MAX_FRAME_COUNT,
    EncodecBlock,
    EncodecConfig,
    EncodecConv,
    EncodecElu,
    EncodecLayer,
    EncodecLstm,
    EncodecSequence,
    EncodecUpsample,
)
from models.streaming_law import State, StreamingModule


class _EncodecHalf(StreamingModule):
    """One half of the codec; the first tensor of its state counts the token frames so far.

    Args:
        parts: one after the other.
        frame: its input's frames for each token frame.
    """

    def __init__(self, parts: list[EncodecLayer], frame: int) -> None:
        super().__init__()
        self.layers = EncodecSequence(*parts)
        self.latency, after = self.layers.settle(0, frame)
        self.rate, self._frame = (after, frame), frame

    def forward(self, x: Tensor) -> Tensor:
        """The whole signal."""
        y: Tensor = self.layers(x)
        return y

    def init_state(self, batch: int) -> State:
        """The state before the first frame."""
        first = next(self.parameters())
        return (first.new_zeros(batch, 1), *self.layers.init_state(batch))

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """A block of whole token frames."""
        y, after = self.layers.step(x, state[1:], state[0])
        return y, ((state[0] + x.shape[-1] // self._frame).clamp(max=float(MAX_FRAME_COUNT)), *after)


class EncodecEncoder(_EncodecHalf):
    """Sound [B, 1, hop T] -> latents [B, latent_dim, T]."""

    def __init__(self, config: EncodecConfig) -> None:
        width = config.num_filters
        parts: list[EncodecLayer] = [EncodecConv(1, width, config.kernel_size, config)]
        for ratio in reversed(config.upsampling_ratios):
            parts += [
                EncodecBlock(width, config.dilation_growth_rate**j, config) for j in range(config.num_residual_layers)
            ]
            parts += [EncodecElu(), EncodecConv(width, 2 * width, 2 * ratio, config, stride=ratio)]
            width *= 2
        last = EncodecConv(width, config.latent_dim, config.last_kernel_size, config, look_ahead=config.look_ahead)
        super().__init__([*parts, EncodecLstm(width, config.num_lstm_layers), EncodecElu(), last], config.hop)


class EncodecDecoder(_EncodecHalf):
    """Latents [B, latent_dim, T] -> sound [B, 1, hop T]."""

    def __init__(self, config: EncodecConfig) -> None:
        width = config.num_filters * 2 ** len(config.upsampling_ratios)
        parts: list[EncodecLayer] = [
            EncodecConv(config.latent_dim, width, config.kernel_size, config, look_ahead=config.look_ahead),
            EncodecLstm(width, config.num_lstm_layers),
        ]
        for ratio in config.upsampling_ratios:
            parts += [EncodecElu(), EncodecUpsample(width, width // 2, ratio, config)]
            width //= 2
            parts += [
                EncodecBlock(width, config.dilation_growth_rate**j, config) for j in range(config.num_residual_layers)
            ]
        super().__init__([*parts, EncodecElu(), EncodecConv(width, 1, config.last_kernel_size, config)], 1)


class Encodec(TokenCodec):
    """Encoder, quantizer and decoder.

    Args:
        config: the sizes.
    """

    config: EncodecConfig
    encoder: EncodecEncoder
    decoder: EncodecDecoder

    def __init__(self, config: EncodecConfig | None = None) -> None:
        config = config or EncodecConfig()
        super().__init__(config, EncodecEncoder(config), EncodecDecoder(config), ResidualQuantizer(config))


def codec_from_config(values: dict[str, Any]) -> TokenCodec:
    """A new codec with the sizes that a manifest gives: this kind where it states a `look_ahead`, else the shipped one.

    Raises:
        TypeError: for a size that it does not have.
    """
    return Encodec(EncodecConfig.from_dict(values)) if "look_ahead" in values else Codec(CodecConfig.from_dict(values))
