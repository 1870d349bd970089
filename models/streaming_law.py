"""The one law of every streaming network, the layers that obey it, and the proof that a network does.

The law: `forward(sequence)` equals `step(block, state)` over its blocks. State is explicit, a flat tuple of tensors
that goes in and comes out, so that any runtime can hold it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

State = tuple[Tensor, ...]
"""A network's memory of the past: a flat tuple of tensors, batch first."""


class StreamingModule(nn.Module):
    """A causal network of one tensor, time last.

    Attributes:
        rate: output frames per input frame, as (numerator, denominator).
        latency: output frames by which the output lags the input.
    """

    rate: tuple[int, int] = (1, 1)
    latency: int = 0

    def init_state(self, batch: int) -> State:
        """The state before the first block: a tuple of tensors, batch first."""
        raise NotImplementedError

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Advance by a block: x [B, C, T] -> (y [B, D, T * rate], new state)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """The whole sequence at once, from the initial state: x [B, C, T] -> y [B, D, T * rate]."""
        return self.step(x, self.init_state(x.shape[0]))[0]


class CausalConv1d(StreamingModule):
    """A convolution over the present and the past; the state is the last (kernel - 1) * dilation input frames."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, kernel, dilation=dilation)
        # Variance-preserving: with torch's default a third of the signal's power is left after each layer.
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="linear")
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)
        self.context = (kernel - 1) * dilation

    def init_state(self, batch: int) -> State:
        """One tensor [B, C, context] of zeros, or none for a kernel of one."""
        if not self.context:
            return ()
        weight = self.conv.weight
        return (weight.new_zeros(batch, self.conv.in_channels, self.context),)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """X [B, C, T] -> y [B, D, T]."""
        if not self.context:
            return self.conv(x), ()
        joined = torch.cat([state[0], x], dim=-1)
        return self.conv(joined), (joined[..., joined.shape[-1] - self.context :],)


class Pointwise(StreamingModule):
    """A stateless elementwise module inside a streaming chain."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def init_state(self, batch: int) -> State:
        """No state."""
        return ()

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Apply the module."""
        return self.module(x), ()


class GatedMemory(StreamingModule):
    """A memory that learns what to keep and for how long (GRU, Cho et al. 2014); the state is one vector [B, D]."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.width = out_channels
        self.heard = nn.Linear(in_channels, 3 * out_channels)
        self.kept = nn.Linear(out_channels, 3 * out_channels)
        for rows in self.kept.weight.data.split(out_channels):
            nn.init.orthogonal_(rows)
        nn.init.zeros_(self.kept.bias)

    def init_state(self, batch: int) -> State:
        """Nothing is remembered."""
        return (self.kept.weight.new_zeros(batch, self.width),)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """X [B, C, T] -> y [B, D, T], within -1..1."""
        # The input's share of the gates does not depend on the memory, so it is computed for the whole block at once.
        inputs = self.heard(x.transpose(1, 2)).unbind(1)
        memory, memories = state[0], list[Tensor]()
        for gates in inputs:
            keep_gate, reset_gate, candidate = gates.chunk(3, -1)
            memory_keep, memory_reset, memory_candidate = self.kept(memory).chunk(3, -1)
            proposal = torch.tanh(candidate + torch.sigmoid(reset_gate + memory_reset) * memory_candidate)
            share = torch.sigmoid(keep_gate + memory_keep)
            memory = share * memory + (1.0 - share) * proposal
            memories.append(memory)
        return torch.stack(memories, -1), (memory,)


class Chain(StreamingModule):
    """Streaming modules one after the other; the state is theirs, concatenated."""

    def __init__(self, *modules: StreamingModule) -> None:
        super().__init__()
        self.parts = nn.ModuleList(modules)
        up, down = 1, 1
        for module in modules:
            up, down = up * module.rate[0], down * module.rate[1]
        common = math.gcd(up, down)
        self.rate = (up // common, down // common)
        self._sizes = [len(module.init_state(1)) for module in modules]

    def init_state(self, batch: int) -> State:
        """The parts' states in order."""
        return tuple(tensor for part in self.parts for tensor in part.init_state(batch))  # type: ignore[operator]

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Run the block through every part."""
        after: list[Tensor] = []
        place = 0
        for part, size in zip(self.parts, self._sizes, strict=True):
            x, new = part.step(x, state[place : place + size])  # type: ignore[operator]
            after.extend(new)
            place += size
        return x, tuple(after)


class Residual(StreamingModule):
    """x + chain(x), for a chain that keeps the rate and the channels."""

    def __init__(self, *modules: StreamingModule) -> None:
        super().__init__()
        self.chain = Chain(*modules)

    def init_state(self, batch: int) -> State:
        """The chain's state."""
        return self.chain.init_state(batch)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Advance the chain and add its input."""
        y, state = self.chain.step(x, state)
        return x + y, state


Stepper = Callable[[Sequence[Tensor], State], tuple[Tensor, State]]
"""Advances a network by one block: ([inputs of the block], state) -> (output of the block, state)."""


@dataclass(frozen=True)
class LawErrors:
    """What `verify_contract` measured: the largest relative errors."""

    blocks: float
    ragged: float
    reset: float


def _relative(output: Tensor, reference: Tensor) -> float:
    scale = float(reference.abs().max()) or 1.0
    return float((output - reference).abs().max()) / scale


@dataclass(frozen=True)
class LawCase:
    """One network with inputs to prove the law on; see `verify_contract`."""

    forward: Callable[[Sequence[Tensor]], Tensor]
    step: Stepper
    init_state: Callable[[int], State]
    inputs: Sequence[Tensor]
    time_dims: Sequence[int]
    out_dim: int
    unit: int
    latency: int

    @property
    def frames(self) -> int:
        """Input frames of the sequence."""
        return self.inputs[0].shape[self.time_dims[0]]

    @property
    def half(self) -> int:
        """Half of the input frames, rounded down to a multiple of the smallest block."""
        return (self.frames // 2) // self.unit * self.unit

    def cut(self, start: int, length: int) -> list[Tensor]:
        """The inputs from frame `start` on, `length` frames long."""
        return [x.narrow(dim, start, length) for x, dim in zip(self.inputs, self.time_dims, strict=True)]

    def stream(self, lengths: Sequence[int]) -> Tensor:
        """The output over blocks of these lengths."""
        outputs, start, state = [], 0, self.init_state(2)
        for length in lengths:
            y, state = self.step(self.cut(start, length), state)
            outputs.append(y)
            start += length
        return torch.cat(outputs, dim=self.out_dim)

    def error(self, lengths: Sequence[int], reference: Tensor) -> float:
        """How far the stream over blocks of these lengths is from the whole-signal output."""
        output = self.stream(lengths)
        length = min(output.shape[self.out_dim], reference.shape[self.out_dim]) - self.latency
        return _relative(output.narrow(self.out_dim, self.latency, length), reference.narrow(self.out_dim, 0, length))


@torch.no_grad()
def verify_contract(
    forward: Callable[[Sequence[Tensor]], Tensor],
    step: Stepper,
    init_state: Callable[[int], State],
    inputs: Sequence[Tensor],
    *,
    time_dims: Sequence[int],
    out_dim: int,
    unit: int = 1,
    latency: int = 0,
    tolerance: float = 1e-5,
    poison: float = float("nan"),
) -> LawErrors:
    """Prove the streaming law for one network.

    Streams the inputs in two block sizes and in ragged blocks and compares with `forward`; puts NaN in the future (a
    leak shows as NaN in the past); streams a batch of two whose second row is reset half way.

    Args:
        forward: the whole sequence at once.
        step: one block.
        init_state: batch size -> state.
        inputs: the sequences, batch of 2, each with the same number of frames along its time dimension.
        time_dims: the time dimension of each input.
        out_dim: the time dimension of the output.
        unit: the smallest block in frames.
        latency: output frames by which the stream lags the whole-signal output.
        tolerance: the largest relative error accepted.
        poison: the value that the future is filled with. Attention over a whole sequence multiplies the future by zero,
            and NaN times zero is NaN. There, give a large number instead: any leak still changes the past.

    Returns:
        The measured errors.

    Raises:
        AssertionError: when the law is broken; the text says how.
    """
    case = LawCase(forward, step, init_state, inputs, time_dims, out_dim, unit, latency)
    want = forward(inputs)
    blocks = 0.0
    for size in (unit, 3 * unit):
        rest = [case.frames % size] if case.frames % size else []
        error = case.error([size] * (case.frames // size) + rest, want)
        blocks = error if not error <= blocks else blocks  # keeps a NaN, unlike max()
    ragged = case.error(_ragged_lengths(case.frames, unit), want)
    leak = _leak(case, want, poison)
    if not leak <= tolerance:
        raise AssertionError(f"the future leaks into the past: {leak}")
    reset = _reset_error(case, want)
    for name, value in (("blocks", blocks), ("ragged blocks", ragged), ("a reset row", reset)):
        if not value <= tolerance:
            raise AssertionError(f"step differs from forward over {name}: {value} > {tolerance}")
    return LawErrors(blocks, ragged, reset)


def _ragged_lengths(frames: int, unit: int) -> list[int]:
    """Block lengths of one to five units, always the same ones."""
    generator = torch.Generator().manual_seed(0)
    lengths: list[int] = []
    while (remaining := frames - sum(lengths)) > 0:
        lengths.append(min(remaining, unit * int(torch.randint(1, 6, (1,), generator=generator))))
    return lengths


def _leak(case: LawCase, want: Tensor, poison: float) -> float:
    """How much the past of the whole-signal output changes when the future of the inputs does."""
    half, later = case.half, case.frames - case.half
    poisoned_inputs = []
    for x, dim in zip(case.inputs, case.time_dims, strict=True):
        y = x.clone()
        future = y.narrow(dim, half, later)
        if y.is_floating_point():
            future.fill_(poison)
        else:
            future.copy_(future.flip(dim).roll(1, 0))
        poisoned_inputs.append(y)
    # The last `latency` frames of the past depend on the future in a network that looks ahead: they are not compared.
    compared_frames = half * want.shape[case.out_dim] // case.frames - case.latency
    past = case.forward(poisoned_inputs).narrow(case.out_dim, 0, compared_frames)
    return _relative(past, want.narrow(case.out_dim, 0, compared_frames))


def _reset_error(case: LawCase, want: Tensor) -> float:
    """The largest error of a batch of two whose second row is reset half way; each row has its own reference."""
    half = case.half
    head, tail = case.cut(0, half), case.cut(half, case.frames - half)
    _, state = case.step(head, case.init_state(2))
    fresh = case.init_state(2)
    mixed_state = tuple(torch.cat([old[:1], new[1:]]) for old, new in zip(state, fresh, strict=True))
    output, _ = case.step(tail, mixed_state)
    alone, _ = case.step([x[1:] for x in tail], case.init_state(1))
    begin = half * want.shape[case.out_dim] // case.frames
    rest = want.narrow(case.out_dim, begin, want.shape[case.out_dim] - begin)
    first_row_error = _relative(output[:1], rest[:1]) if case.latency == 0 else 0.0
    return max(_relative(output[1:], alone), first_row_error)
