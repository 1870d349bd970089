"""The translator: the video up to now -> the codes of the next 40 ms of sound.

A causal, sliding-window, cross-modal transformer takes one step per tick. Its input is the last tick's sound and the
present video latent (see `models.translation.latent`). It attends to its own past and, by cross-attention on a time
base in seconds, to the video latents of the last 1.3 s. A depth transformer (after RQ-Transformer, Lee et al. 2022, and
Moshi, Defossez et al. 2024) then emits the tick's 2 x 4 codes one after the other, so no delay pattern is needed.

Where the picture is not one that the networks know, a gesture takes the place of the video latents: strikes, level and
activity of the motion, which mean the same for every player (see `streaming.vision.gestures`).

Three live controls are inputs. Anticipation: with Δ seconds the translator plays the sound of now + Δ. Voice: which
instrument answers, whatever instrument is in the picture. Guidance (classifier-free, Ho and Salimans 2022): a second
row of the batch gets no video, and the codes' odds are moved away from that row's, so that the video counts more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.sizes import Sizes
from models.streaming_law import State
from models.translation.attention import WindowAttention, rotary


@dataclass(frozen=True)
class TranslatorConfig(Sizes):
    """The translator's sizes.

    Attributes:
        dim, heads, layers: of the backbone.
        window: ticks of its own past that a tick attends to, itself included.
        video_window: ticks of video latents that a tick attends to.
        depth_dim, depth_heads, depth_layers: of the depth transformer.
        num_codebooks, cardinality, frames: codes of one tick: frames x num_codebooks of cardinality entries.
        latent_dim: width of the codec's codebooks.
        sight_dim: width of a video latent.
        pitches: classes of the latent space's pitch head, whose odds are an input too; 0 for the latent alone.
        mel_dim: bands of a frame if the sound is a spectrogram; 0 for the codec's tokens.
        voice_names: the voices that can be chosen, numbered from 1; voice 0 follows the instrument in the picture.
        memory: share of the ticks at which its own past is an input in a show; with less, the video counts more.
        gesture_dim: numbers of a gesture, the last of them 1 where it takes the place of the video latent; 0 for none.
        level_db: how much louder its music is to be made, so that every voice is as loud for every player; see
            `streaming.audio.voice_levels`. Empty for not at all.
    """

    dim: int = 192
    heads: int = 6
    layers: int = 3
    window: int = 50
    video_window: int = 32
    depth_dim: int = 128
    depth_heads: int = 4
    depth_layers: int = 2
    num_codebooks: int = 4
    cardinality: int = 2048
    frames: int = 2
    latent_dim: int = 32
    sight_dim: int = 128
    pitches: int = 0
    mel_dim: int = 0
    voice_names: tuple[str, ...] = ("drums", "strings", "air", "keys", "dance")
    memory: float = 0.5
    gesture_dim: int = 0
    level_db: tuple[float, ...] = ()

    @property
    def codes_per_tick(self) -> int:
        """Codes that the depth transformer emits per tick."""
        return self.num_codebooks * self.frames

    @property
    def frame_shape(self) -> tuple[int, int]:
        """A tick's sound: [codebooks or bands, frames]."""
        return (self.mel_dim or self.num_codebooks), self.frames

    @property
    def draws(self) -> int:
        """Random numbers that a tick needs."""
        return self.frame_shape[0] * self.frames


class TranslatorInputs(NamedTuple):
    """The video and the controls at each tick of a block.

    latent [B, T, sight_dim]; age_s [B, T]: how long before the tick the frame was captured; time_s [B, T] float64: the
    tick's time; anticipation_s [B, T]; voice int64 [B, T]; open [B, T]: 1, or 0 to hide the video and the gesture;
    gesture [B, T, gesture_dim], without width for a network that takes none.
    """

    latent: Tensor
    age_s: Tensor
    time_s: Tensor
    anticipation_s: Tensor
    voice: Tensor
    open: Tensor
    gesture: Tensor


class TranslatorLayer(nn.Module):
    """Self-attention over past ticks, cross-attention to video latents, and a feed-forward part; pre-norm."""

    DROPOUT = 0.1

    def __init__(self, config: TranslatorConfig) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(config.dim) for _ in range(3))
        self.own = WindowAttention(config.dim, config.dim, config.heads, config.window)
        self.video = WindowAttention(config.dim, config.dim, config.heads, config.video_window)
        self.feed = nn.Sequential(
            nn.Linear(config.dim, 3 * config.dim), nn.GELU(), nn.Linear(3 * config.dim, config.dim)
        )

    def step(
        self, x: Tensor, video: Tensor, turns: tuple[Tensor, Tensor], video_turns: tuple[Tensor, Tensor], state: State
    ) -> tuple[Tensor, State]:
        """x, video [B, T, dim] -> (x, state of six tensors)."""
        normalized = self.norms[0](x)
        y, own = self.own.step(normalized, normalized, turns, turns, state[:3])
        x = x + y
        y, cross = self.video.step(self.norms[1](x), video, turns, video_turns, state[3:])
        x = x + y
        y = F.dropout(self.feed(self.norms[2](x)), self.DROPOUT, self.training)
        return x + y, own + cross


class DepthLayer(nn.Module):
    """A small causal transformer layer over the codes of one tick."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)
        self.feed = nn.Sequential(nn.Linear(dim, 3 * dim), nn.GELU(), nn.Linear(3 * dim, dim))

    def step(self, x: Tensor, past: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """X [N, L, dim] after `past` keys and values [N, H, P, D] -> (x, grown past). L is 1, or all with no past."""
        count, length, dim = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(count, length, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=past is None)
        x = x + self.out(y.transpose(1, 2).reshape(count, length, dim))
        return x + self.feed(self.norm2(x)), (k, v)


class DepthTransformer(nn.Module):
    """The codes of one tick, one after the other, given the backbone's context."""

    def __init__(self, config: TranslatorConfig) -> None:
        super().__init__()
        self.config = config
        self.context = nn.Linear(config.dim, config.depth_dim)
        self.enter = nn.ModuleList(nn.Linear(config.latent_dim, config.depth_dim) for _ in range(config.num_codebooks))
        self.place = nn.Parameter(torch.randn(config.codes_per_tick, config.depth_dim) * 0.02)
        self.layers = nn.ModuleList(
            DepthLayer(config.depth_dim, config.depth_heads) for _ in range(config.depth_layers)
        )
        self.norm = nn.LayerNorm(config.depth_dim)
        self.heads = nn.ModuleList(nn.Linear(config.depth_dim, config.cardinality) for _ in range(config.num_codebooks))

    def forward(self, context: Tensor, codes: Tensor, codebooks: Tensor) -> Tensor:
        """Teacher-forced: context [N, dim], codes [N, 8] in emission order -> logits [N, 8, cardinality]."""
        k = self.config.num_codebooks
        places = range(self.config.codes_per_tick - 1)
        code_inputs = [self.enter[i % k](F.embedding(codes[:, i], codebooks[i % k])) for i in places]
        base = self.context(context)[:, None]
        x = torch.stack([torch.zeros_like(base[:, 0]), *code_inputs], 1) + base + self.place
        for layer in self.layers:
            x, _ = layer.step(x, None)  # type: ignore[operator]
        x = self.norm(x)
        return torch.stack([self.heads[i % k](x[:, i]) for i in range(self.config.codes_per_tick)], 1)

    def sample(
        self,
        context: Tensor,
        codebooks: Tensor,
        uniforms: Tensor,
        temperature: Tensor,
        guidance: Tensor | None = None,
        floor: float = 0.05,
    ) -> Tensor:
        """Draw the codes of one tick.

        Args:
            context: [N, dim]; with guidance [2 N, dim], the second half without video.
            codebooks: [K, cardinality, latent_dim].
            uniforms: [N, 8] random numbers in 0..1.
            temperature: [N, 1], positive; small is greedy.
            guidance: [N, 1]; 1 takes the first half's odds as they are, more moves them away from the second half's.
            floor: entries less likely than this share of the likeliest are never drawn (min-p, Nguyen et al. 2024).

        Returns:
            int64 [N, 8] in emission order: frame by frame, codebook by codebook.
        """
        k = self.config.num_codebooks
        base = self.context(context)
        x = base + self.place[0]
        pasts: list[tuple[Tensor, Tensor] | None] = [None] * len(self.layers)
        codes = []
        for i in range(self.config.codes_per_tick):
            h = x[:, None]
            for j, layer in enumerate(self.layers):
                h, pasts[j] = layer.step(h, pasts[j])  # type: ignore[operator]
            logits = self.heads[i % k](self.norm(h[:, 0]))
            if guidance is not None:
                seeing, blind = logits.chunk(2)
                logits = blind + guidance * (seeing - blind)
            logits = logits / temperature
            odds = (logits - logits.amax(-1, keepdim=True)).exp()
            odds = torch.where(odds < floor, 0.0, odds)
            cumulative = odds.cumsum(-1)
            code = (
                (cumulative < uniforms[:, i : i + 1] * cumulative[:, -1:])
                .sum(-1)
                .clamp_max(self.config.cardinality - 1)
            )
            codes.append(code)
            if i + 1 < self.config.codes_per_tick:
                code = code if guidance is None else code.repeat(2)
                x = base + self.place[i + 1] + self.enter[i % k](F.embedding(code, codebooks[i % k]))
        return torch.stack(codes, 1)


class SpectrumHead(nn.Module):
    """The spectrogram of one tick, frame by frame, drawn from a learned distribution by rectified flow.

    A frame begins as noise and is moved towards what the network expects the frame to be, in `STEPS` steps (Liu et al.
    2023; predicting the frame itself after Li and He 2025; a small head on each step of a transformer after MAR, Li et
    al. 2024). One regression would give the mean of all notes that could follow; this gives one of them.
    """

    STEPS = 4
    NOISE = 0.6
    """Spread of the noise, about that of log-mel levels."""
    _CLOSEST = 0.2
    """Errors nearer to the end than this share of the way count no more: without it the last steps would decide all."""

    def __init__(self, config: TranslatorConfig) -> None:
        super().__init__()
        self.config = config
        hidden = 2 * config.depth_dim
        self.context = nn.Linear(config.dim, hidden)
        self.enter = nn.Linear(config.mel_dim, hidden)
        self.place = nn.Parameter(torch.randn(config.frames, hidden) * 0.02)
        self.time = nn.Sequential(nn.Linear(1, hidden), nn.GELU(), nn.Linear(hidden, hidden))
        self.noisy = nn.Linear(config.mel_dim, hidden)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(config.depth_layers + 1))
        self.scales = nn.ModuleList(nn.Linear(hidden, 2 * hidden) for _ in range(config.depth_layers))
        self.mix = nn.ModuleList(
            nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, hidden))
            for _ in range(config.depth_layers)
        )
        self.say = nn.Linear(hidden, config.mel_dim)
        with torch.no_grad():
            self.say.bias.fill_(-0.5)

    def _condition(self, context: Tensor, index: int, before: Tensor | None) -> Tensor:
        condition: Tensor = self.context(context) + self.place[index]
        return condition if before is None else condition + self.enter(before)

    def _expected(self, condition: Tensor, noisy: Tensor, time: Tensor) -> Tensor:
        """The frame that is expected from condition [N, hidden], noisy frame [N, D] and time [N, 1], 0 to 1."""
        condition = F.gelu(condition + self.time(time))
        x = self.noisy(noisy) + condition
        for norm, scale, mix in zip(self.norms, self.scales, self.mix, strict=False):
            gain, shift = scale(condition).chunk(2, -1)
            x = x + mix(norm(x) * (1.0 + gain) + shift)
        expected: Tensor = self.say(self.norms[-1](x))
        return expected

    def losses(self, context: Tensor, target: Tensor) -> Tensor:
        """Teacher-forced: context [N, dim], target [N, D, frames] -> mean squared error of the velocity, [frames]."""
        before, parts = None, []
        for index in range(self.config.frames):
            frame = target[..., index]
            time = torch.sigmoid(torch.randn_like(frame[:, :1]) - 0.6)
            noisy = time * frame + (1.0 - time) * self.NOISE * torch.randn_like(frame)
            error = self._expected(self._condition(context, index, before), noisy, time) - frame
            parts.append((error.square() / (1.0 - time).clamp_min(self._CLOSEST).square()).mean())
            # What it will be given in a show is its own, not the truth.
            before = frame + 0.05 * torch.randn_like(frame)
        return torch.stack(parts)

    def sample(self, context: Tensor, uniforms: Tensor, temperature: Tensor, guidance: Tensor | None = None) -> Tensor:
        """Draw a tick's frames [N, D, frames]; arguments as in `DepthTransformer.sample`, uniforms [N, D * frames]."""
        before: Tensor | None = None
        frames = []
        for index, chance in enumerate(uniforms.chunk(self.config.frames, -1)):
            rows_before = before if before is None or guidance is None else before.repeat(2, 1)
            condition = self._condition(context, index, rows_before)
            # A logistic distribution of spread 1; the outermost 2 % are not drawn.
            chance = chance.clamp(0.02, 0.98)
            x = temperature * self.NOISE * 0.5513 * torch.log(chance / (1.0 - chance))
            for step in range(self.STEPS):
                time = x.new_full((condition.shape[0], 1), step / self.STEPS)
                expected = self._expected(condition, x if guidance is None else x.repeat(2, 1), time)
                if guidance is not None:
                    seeing, blind = expected.chunk(2)
                    expected = blind + guidance * (seeing - blind)
                x = x + (expected - x) / (self.STEPS - step)
            before = x
            frames.append(before)
        return torch.stack(frames, -1)


class Translator(nn.Module):
    """The backbone and the head for a tick's sound: a depth transformer for tokens, or a head for spectrograms.

    Args:
        config: the sizes.
    """

    def __init__(self, config: TranslatorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TranslatorConfig()
        # A spectrogram has no codebooks.
        books = 0 if config.mel_dim else config.num_codebooks
        self.codebooks = nn.Buffer(torch.zeros(books, config.cardinality, config.latent_dim))
        self.history = nn.Linear(config.frames * (config.mel_dim or config.latent_dim), config.dim)
        self.unknown = nn.Parameter(torch.zeros(config.dim))
        self.blind = nn.Parameter(torch.zeros(config.sight_dim))
        # Odds of onsets and pitches by the latent space's heads: so small a network does not learn to compute them from
        # a latent by itself.
        head_rows = config.frames * (1 + config.pitches) if config.pitches else 0
        self.heads = nn.Buffer(torch.zeros(head_rows, config.sight_dim + 1), persistent=bool(head_rows))
        video_width = config.sight_dim + 1 + head_rows
        self.video = nn.Sequential(nn.Linear(video_width, config.dim), nn.GELU(), nn.LayerNorm(config.dim))
        self.ahead = nn.Sequential(nn.Linear(1, config.dim), nn.GELU(), nn.Linear(config.dim, config.dim))
        self.voice = nn.Embedding(1 + len(config.voice_names), config.dim)
        self.gesture = (
            nn.Sequential(nn.Linear(config.gesture_dim, config.dim), nn.GELU(), nn.Linear(config.dim, config.dim))
            if config.gesture_dim
            else None
        )
        self.layers = nn.ModuleList(TranslatorLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.dim)
        self.head: DepthTransformer | SpectrumHead = (
            SpectrumHead(config) if config.mel_dim else DepthTransformer(config)
        )

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> Translator:
        """A new one with the sizes that a manifest gives.

        Raises:
            TypeError: for a size that it does not have.
        """
        return cls(TranslatorConfig.from_dict(values))

    def init_state(self, batch: int) -> State:
        """Empty windows, six tensors per layer."""
        return tuple(
            tensor
            for layer in self.layers
            for attention in (layer.own, layer.video)
            for tensor in attention.init_state(batch)  # type: ignore[union-attr,operator]
        )

    def losses(self, context: Tensor, target: Tensor) -> Tensor:
        """The training losses: context [N, dim], target frames [N, *frame_shape] -> nats, [8] per code or [frames]."""
        if isinstance(self.head, SpectrumHead):
            return self.head.losses(context, target)
        flat = self.emission_order(target)
        logits = self.head(context, flat, self.codebooks)
        return F.cross_entropy(logits.flatten(0, 1), flat.flatten(), reduction="none").view_as(flat).mean(0)

    def draw(self, context: Tensor, uniforms: Tensor, temperature: Tensor, guidance: Tensor | None = None) -> Tensor:
        """A tick's frames [N, *frame_shape]; arguments as in `DepthTransformer.sample`."""
        if isinstance(self.head, SpectrumHead):
            return self.head.sample(context, uniforms, temperature, guidance)
        return self.from_emission_order(self.head.sample(context, self.codebooks, uniforms, temperature, guidance))

    def set_latent_heads(self, attack: nn.Linear, pitch: nn.Linear) -> None:
        """Take the heads of a latent space."""
        rows = [torch.cat([head.weight, head.bias[:, None]], 1) for head in (attack, pitch)]
        self.heads.copy_(torch.cat(rows))

    def head_odds(self, latent: Tensor) -> Tensor:
        """Latents [..., sight_dim] -> odds of an onset and of each pitch, of each token frame [..., frames + ...]."""
        logits = F.linear(latent, self.heads[:, :-1], self.heads[:, -1])
        frames, pitches = self.config.frames, self.config.pitches
        odds = logits[..., frames:].unflatten(-1, (frames, pitches)).softmax(-1).flatten(-2)
        return torch.cat([logits[..., :frames].sigmoid(), odds], -1)

    def latents_of(self, codes: Tensor) -> Tensor:
        """Frames [B, T, *frame_shape] -> [B, T, frames * width]: their codes' latents, or the spectrogram itself."""
        if self.config.mel_dim:
            return codes.flatten(2)
        total = F.embedding(codes[:, :, 0], self.codebooks[0])
        for k in range(1, self.config.num_codebooks):
            total = total + F.embedding(codes[:, :, k], self.codebooks[k])
        return total.flatten(2)

    def turns(self, time_s: Tensor, age_s: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """The rotary position encodings of the ticks and of their video frames; see `rotary`."""
        head_dim = self.config.dim // self.config.heads
        return rotary(time_s, head_dim), rotary(time_s - age_s.double(), head_dim)

    def step(
        self,
        previous: Tensor,
        known: Tensor,
        inputs: TranslatorInputs,
        state: State,
        turns: tuple[Any, Any] | None = None,
    ) -> tuple[Tensor, State]:
        """Advance the backbone by a block of ticks.

        Args:
            previous: [B, T, *frame_shape], the frames of the tick before each tick: int64 codes or float log-mel.
            known: float [B, T], 0 where `previous` is unknown (before the first tick, or hidden in training).
            inputs: the video and the controls at each tick.
            state: from `init_state` or the last step.
            turns: of the ticks' times, where the runtime has no double precision to compute them in; see `turns`.

        Returns:
            Context [B, T, dim] for the depth transformer, and the new state.
        """
        seen, moved = inputs.open[..., None], None
        if self.gesture is not None:
            by_gesture = inputs.open[..., None] * inputs.gesture
            moved = self.gesture(by_gesture)
            seen = seen * (1.0 - by_gesture[..., -1:])
        latent = torch.where(seen > 0, inputs.latent, self.blind)
        parts = [latent, 10.0 * inputs.age_s[..., None]]
        if self.config.pitches:
            parts.append(seen * self.head_odds(inputs.latent))
        video = self.video(torch.cat(parts, dim=-1))
        past = torch.where(known[..., None] > 0, self.history(self.latents_of(previous)), self.unknown)
        x = past + video + self.ahead(10.0 * inputs.anticipation_s[..., None].float()) + self.voice(inputs.voice)
        if moved is not None:
            x = x + moved
        own_turns, video_turns = self.turns(inputs.time_s, inputs.age_s) if turns is None else turns
        after: list[Tensor] = []
        for i, layer in enumerate(self.layers):
            x, new = layer.step(x, video, own_turns, video_turns, state[6 * i : 6 * i + 6])  # type: ignore[operator]
            after.extend(new)
        return self.norm(x), tuple(after)

    def forward(self, previous: Tensor, known: Tensor, inputs: TranslatorInputs) -> Tensor:
        """The whole sequence at once: context [B, T, dim]."""
        return self.step(previous, known, inputs, self.init_state(previous.shape[0]))[0]

    def emission_order(self, codes: Tensor) -> Tensor:
        """Codes [..., K, frames] -> [..., 8], frame by frame."""
        return codes.transpose(-1, -2).flatten(-2)

    def from_emission_order(self, flat: Tensor) -> Tensor:
        """The inverse of `emission_order`."""
        shape = (*flat.shape[:-1], self.config.frames, self.config.num_codebooks)
        return flat.reshape(shape).transpose(-1, -2)
