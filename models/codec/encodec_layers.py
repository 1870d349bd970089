"""The layers of EnCodec as streams: convolutions with a right side, transposed convolutions, an LSTM, residual blocks.

`settle` sets once by how much each layer's input lags. From then on the layer gives the whole-signal form's output in
blocks, delayed by its own right side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.sizes import Sizes
from models.streaming_law import State

EXACT = -1
"""`look_ahead` of a codec that waits for the whole right side of its convolutions."""
MAX_FRAME_COUNT = 64
"""Token frames are counted up to this number. After so many frames the output no longer depends on the beginning."""
FEW = 8
"""A streamed convolution of at most so many frames is computed as one matrix product. Convolution kernels are made for
long signals; a product reads its weights at the memory's speed, or in 8 bits. In torch a tick of the full-size decoder
takes 18 ms this way and 47 ms with convolutions."""


@dataclass(frozen=True)
class EncodecConfig(Sizes):
    """The sizes, under Transformers' names where it has one; the defaults are those of MusicGen's 32 kHz codec.

    Attributes:
        look_ahead: token frames of latents that are waited for, 0 to 2; or `EXACT`.
        num_filters: channels at the sample rate; each stage but the first has twice those of the one before.
        upsampling_ratios: of the decoder's stages.
        kernel_size, last_kernel_size, residual_kernel_size, dilation_growth_rate, num_residual_layers, compress: of the
            convolutions.
        num_lstm_layers: in each half.
        causal: whether convolutions look back only.
        shortcut: whether residual blocks have a convolution beside them.
        mirrored: whether the mirrored beginning lies before the beginning; else silence does.
        latent_dim, num_codebooks, cardinality: of the quantizer.
        channels: 1, or 2 for a codec whose codebooks are for left and right in turn.
        sample_rate: in Hz.
    """

    look_ahead: int = EXACT
    num_filters: int = 64
    upsampling_ratios: tuple[int, ...] = (8, 5, 4, 4)
    kernel_size: int = 7
    last_kernel_size: int = 7
    residual_kernel_size: int = 3
    dilation_growth_rate: int = 2
    num_residual_layers: int = 1
    compress: int = 2
    num_lstm_layers: int = 2
    causal: bool = False
    shortcut: bool = False
    mirrored: bool = True
    latent_dim: int = 128
    num_codebooks: int = 4
    cardinality: int = 2048
    channels: int = 1
    sample_rate: int = 32_000

    @property
    def hop(self) -> int:
        """Samples of a token frame."""
        hop = 1
        for ratio in self.upsampling_ratios:
            hop *= ratio
        return hop


class EncodecLayer(nn.Module):
    """A layer of one signal that may look ahead.

    Attributes:
        rate: input frames per token frame.
        lag: by how many frames the input lags.
        out_lag: by how many frames the output lags.
    """

    rate = lag = out_lag = 0

    def settle(self, lag: int, rate: int) -> tuple[int, int]:
        """Set the lag (frames) and the rate of the input; gives those of the output."""
        self.lag = self.out_lag = lag
        self.rate = rate
        return lag, rate

    def init_state(self, batch: int) -> State:
        """The state before the first frame."""
        return ()

    def step(self, x: Tensor, state: State, age: Tensor) -> tuple[Tensor, State]:
        """X [B, C, T] -> (y, state); age [B, 1]: token frames before this block."""
        return self(x), ()

    def positions(self, x: Tensor, age: Tensor) -> Tensor:
        """The positions of a block's frames in the whole signal, [B, T]; negative before the signal's beginning."""
        return age * self.rate - self.lag + torch.arange(x.shape[-1], device=x.device)


class EncodecElu(EncodecLayer):
    """The exponential linear unit."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return F.elu(x)


class EncodecConv(EncodecLayer):
    """A convolution with a left and a right side, of a stride or none.

    Args:
        before, after: channels.
        kernel, stride, dilation: its shape.
        config: whether it is causal, and how the signal is extended before its beginning.
        look_ahead: frames of its right side that it waits for; `EXACT` for all.
    """

    def __init__(
        self,
        before: int,
        after: int,
        kernel: int,
        config: EncodecConfig,
        *,
        stride: int = 1,
        dilation: int = 1,
        look_ahead: int = EXACT,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(before, after, kernel, stride, dilation=dilation)
        self.mirrored = config.mirrored
        total = (kernel - 1) * dilation + 1 - stride
        self.right = 0 if config.causal else total // 2
        self.left = total - self.right
        self.missing = max(0, self.right - look_ahead) if look_ahead != EXACT else 0
        self.right -= self.missing

    def settle(self, lag: int, rate: int) -> tuple[int, int]:
        """See `EncodecLayer`."""
        super().settle(lag, rate)
        stride = self.conv.stride[0]
        self.out_lag = -(-(lag + self.right) // stride)
        # Input frames of a block that its last output does not need wait for the next block.
        self.slack = stride * self.out_lag - lag - self.right
        self.context = self.left + self.right + self.slack
        return self.out_lag, rate // stride

    def weight(self) -> Tensor:
        """The kernel. The last frame stands for those not waited for, so their taps are added to its tap."""
        weight = self.conv.weight
        if not self.missing:
            return weight
        taps = weight.shape[-1] - self.missing
        return torch.cat([weight[..., : taps - 1], weight[..., taps - 1 :].sum(-1, keepdim=True)], -1)

    def forward(self, x: Tensor) -> Tensor:
        """The whole signal."""
        length, most = x.shape[-1], max(self.left, self.right)
        if not self.mirrored:
            return self._convolve(F.pad(x, (self.left, self.right)))
        if self.missing:
            return self._convolve(F.pad(x, (self.left, self.right), "replicate"))
        # A signal shorter than its mirror image is continued by silence first, as Transformers does it.
        short = max(0, most - length + 1)
        extended = F.pad(F.pad(x, (0, short)), (self.left, self.right), "reflect")
        return self._convolve(extended[..., : extended.shape[-1] - short])

    def _convolve(self, x: Tensor) -> Tensor:
        return F.conv1d(x, self.weight(), self.conv.bias, self.conv.stride, 0, self.conv.dilation)

    def _of_block(self, x: Tensor) -> Tensor:
        """`_convolve`; as the product of windows and kernel where frames are few."""
        weight, stride, dilation = self.weight(), self.conv.stride[0], self.conv.dilation[0]
        taps = weight.shape[-1]
        frames = (x.shape[-1] - (taps - 1) * dilation - 1) // stride + 1
        if frames > FEW:
            return self._convolve(x)
        at = stride * torch.arange(frames, device=x.device)[:, None] + dilation * torch.arange(taps, device=x.device)
        windows = x[..., at].transpose(1, 2).flatten(2)
        return F.linear(windows, weight.flatten(1), self.conv.bias).transpose(1, 2)

    def init_state(self, batch: int) -> State:
        """The last frames of its input, or none."""
        return (self.conv.weight.new_zeros(batch, self.conv.in_channels, self.context),) if self.context else ()

    def step(self, x: Tensor, state: State, age: Tensor) -> tuple[Tensor, State]:
        """See `EncodecLayer`."""
        if not self.context:
            return self._of_block(x), ()
        joined = torch.cat([state[0], x], -1)
        # The mirrored beginning replaces the frames before it for as long as they lie within the window.
        place = torch.arange(joined.shape[-1], device=x.device)
        position = age * self.rate - self.lag - self.context + place
        if self.mirrored:
            # Frames that are not waited for cannot be mirrored: the first frame stands for them.
            back = (-1.0 if self.missing else -2.0) * position.clamp(max=0.0)
            source = (place + back).clamp(max=joined.shape[-1] - 1)
            window = joined.gather(-1, source.long()[:, None].expand(-1, joined.shape[1], -1))
        else:
            window = joined * (position >= 0)[:, None]
        y = self._of_block(window[..., : window.shape[-1] - self.slack])
        return y, (joined[..., joined.shape[-1] - self.context :],)


class EncodecUpsample(EncodecLayer):
    """A transposed convolution whose kernel is two strides long: each frame rings on into the next one's time."""

    def __init__(self, before: int, after: int, stride: int, config: EncodecConfig) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose1d(before, after, 2 * stride, stride)
        self.left = 0 if config.causal else stride - stride // 2

    def settle(self, lag: int, rate: int) -> tuple[int, int]:
        """See `EncodecLayer`."""
        super().settle(lag, rate)
        stride = self.conv.stride[0]
        self.out_lag = stride * lag + self.left
        return self.out_lag, rate * stride

    def forward(self, x: Tensor) -> Tensor:
        """The whole signal."""
        y: Tensor = self.conv(x)
        return y[..., self.left : self.left + x.shape[-1] * self.conv.stride[0]]

    def init_state(self, batch: int) -> State:
        """The last frame."""
        return (self.conv.weight.new_zeros(batch, self.conv.in_channels, 1),)

    def step(self, x: Tensor, state: State, age: Tensor) -> tuple[Tensor, State]:
        """See `EncodecLayer`."""
        x = x * (self.positions(x, age) >= 0)[:, None]
        stride, joined = self.conv.stride[0], torch.cat([state[0], x], -1)
        if x.shape[-1] > FEW:
            return self.conv(joined)[..., stride : stride * (x.shape[-1] + 1)], (x[..., -1:],)
        rings = joined.transpose(1, 2) @ self.conv.weight.flatten(1)
        # Each frame's output in its own time and in the next frame's: [B, T + 1, C, 2, stride].
        rings = rings.unflatten(-1, (self.conv.out_channels, 2, stride))
        y = rings[:, 1:, :, 0] + rings[:, :-1, :, 1]
        assert self.conv.bias is not None
        return y.transpose(1, 2).flatten(2) + self.conv.bias[:, None], (x[..., -1:],)


class EncodecLstm(EncodecLayer):
    """LSTM layers (Hochreiter and Schmidhuber 1997) with a residual connection."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, width, layers, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """The whole signal."""
        y: Tensor = self.lstm(x.transpose(1, 2))[0]
        return x + y.transpose(1, 2)

    def init_state(self, batch: int) -> State:
        """Two vectors a layer."""
        weight = next(self.lstm.parameters())
        return tuple(weight.new_zeros(batch, self.lstm.hidden_size) for _ in range(2 * self.lstm.num_layers))

    def step(self, x: Tensor, state: State, age: Tensor) -> tuple[Tensor, State]:
        """See `EncodecLayer`; written as plain matrix products, which every runtime can quantize."""
        started = (self.positions(x, age) >= 0)[..., None].to(x.dtype)
        y, after = x.transpose(1, 2), list[Tensor]()
        for layer in range(self.lstm.num_layers):
            input_weight, hidden_weight, input_bias, hidden_bias = (
                getattr(self.lstm, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            out, cell = state[2 * layer : 2 * layer + 2]
            input_gates = F.linear(y, input_weight, input_bias + hidden_bias)
            outputs = []
            for frame in range(x.shape[-1]):
                take, forget, new, give = (input_gates[:, frame] + F.linear(out, hidden_weight)).chunk(4, -1)
                cell = torch.sigmoid(forget) * cell + torch.sigmoid(take) * torch.tanh(new)
                cell = cell * started[:, frame]
                out = torch.sigmoid(give) * torch.tanh(cell)
                outputs.append(out)
            y = torch.stack(outputs, 1)
            after.extend((out, cell))
        return x + y.transpose(1, 2), tuple(after)


class EncodecSequence(EncodecLayer):
    """Parts one after the other, named by their numbers."""

    def __init__(self, *parts: EncodecLayer) -> None:
        super().__init__()
        for number, part in enumerate(parts):
            self.add_module(str(number), part)

    def parts(self) -> list[EncodecLayer]:
        """The parts in order."""
        return [part for part in self.children() if isinstance(part, EncodecLayer)]

    def settle(self, lag: int, rate: int) -> tuple[int, int]:
        """See `EncodecLayer`."""
        super().settle(lag, rate)
        for part in self.parts():
            lag, rate = part.settle(lag, rate)
        self.out_lag = lag
        return lag, rate

    def forward(self, x: Tensor) -> Tensor:
        """The whole signal."""
        for part in self.parts():
            x = part(x)
        return x

    def init_state(self, batch: int) -> State:
        """The parts' states in order."""
        return tuple(tensor for part in self.parts() for tensor in part.init_state(batch))

    def step(self, x: Tensor, state: State, age: Tensor) -> tuple[Tensor, State]:
        """See `EncodecLayer`."""
        after: list[Tensor] = []
        place = 0
        for part in self.parts():
            size = len(part.init_state(1))
            x, new = part.step(x, state[place : place + size], age)
            after.extend(new)
            place += size
        return x, tuple(after)


class EncodecBlock(EncodecLayer):
    """A residual block; its shortcut is delayed by the block's lag."""

    def __init__(self, width: int, dilation: int, config: EncodecConfig) -> None:
        super().__init__()
        inside = width // config.compress
        self.block = EncodecSequence(
            EncodecElu(),
            EncodecConv(width, inside, config.residual_kernel_size, config, dilation=dilation),
            EncodecElu(),
            EncodecConv(inside, width, 1, config),
        )
        self.shortcut = EncodecConv(width, width, 1, config) if config.shortcut else None

    def settle(self, lag: int, rate: int) -> tuple[int, int]:
        """See `EncodecLayer`."""
        super().settle(lag, rate)
        self.out_lag, _ = self.block.settle(lag, rate)
        self.wait = self.out_lag - lag
        if self.shortcut is not None:
            self.shortcut.settle(lag, rate)
        return self.out_lag, rate

    def forward(self, x: Tensor) -> Tensor:
        """The whole signal."""
        y: Tensor = self.block(x)
        return y + (x if self.shortcut is None else self.shortcut(x))

    def init_state(self, batch: int) -> State:
        """The block's state, and the delayed frames of the shortcut."""
        inside = self.block.init_state(batch)
        return (*inside, inside[0].new_zeros(*inside[0].shape[:2], self.wait)) if self.wait else inside

    def step(self, x: Tensor, state: State, age: Tensor) -> tuple[Tensor, State]:
        """See `EncodecLayer`."""
        inside = state[:-1] if self.wait else state
        y, after = self.block.step(x, inside, age)
        around = x if self.shortcut is None else self.shortcut(x)
        if self.wait:
            waiting = torch.cat([state[-1], around], -1)
            around, after = waiting[..., : x.shape[-1]], (*after, waiting[..., x.shape[-1] :])
        return y + around, after
