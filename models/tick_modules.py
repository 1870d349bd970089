"""One tick of each network as a module of plain tensors, state in and state out: what every runtime runs.

Batch is one. The names and shapes of inputs and outputs are the contract between a runtime and what it runs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from models.codec.codec import TokenCodec
from models.codec.mel import Vocoder
from models.pictures.animator import Animator, AnimatorCondition, warp_features
from models.pictures.drive import Drive
from models.pictures.painter import Painter, PainterInputs
from models.pictures.pose import PoseEstimator
from models.translation.latent import Latent, Motions
from models.translation.translator import Translator, TranslatorInputs
from models.vision.embedding import POINTS, SIDE


class Spec(NamedTuple):
    """A named tensor: its shape and element type, and the values it takes in a show.

    Attributes:
        name: the input's name in every runtime.
        shape: with a batch of one.
        dtype: the element type.
        values: which values a comparison of runtimes draws. "usual": floats with a standard deviation of 0.3, all
            bytes, or indices below `below`; "ones"; "unit": 0 to 1; "time": seconds that rise by a tick; "sound":
            "usual" with stretches of digital silence.
        below: the upper limit of indices, exclusive.
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32
    values: str = "usual"
    below: int = 2


class TickModule(nn.Module):
    """A network's tick: `forward(*inputs, *state) -> (output, *state)`.

    Attributes:
        inputs: the named inputs, in order.
        output: the output's name.
        latency_samples: by how many samples of sound the output lags.
    """

    inputs: tuple[Spec, ...]
    output: str
    latency_samples: int = 0

    def init_state(self) -> tuple[Tensor, ...]:
        """The state before the first tick."""
        return ()

    def single(self) -> TickModule:
        """The same tick for a runtime without double precision: it takes `turns` in place of times, see `prepare`."""
        return self

    def prepare(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """The named inputs as a `single` tick takes them."""
        return inputs


class EmbeddingTick(TickModule):
    """image uint8 [1, S, S, 3] -> embedding [1, dim]."""

    output = "embedding"

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.inputs = (Spec("image", (1, SIDE, SIDE, 3), torch.uint8),)

    def forward(self, image: Tensor) -> Any:
        """One frame."""
        return (self.network(image),)


class EncoderTick(TickModule):
    """pcm [1, 1, 2 hop] -> frames: codes int64 [1, K, 2], or log-mel [1, D, 2]."""

    output = "frames"

    def __init__(self, sounding: TokenCodec | Vocoder) -> None:
        super().__init__()
        self.sounding = sounding
        self.inputs = (Spec("pcm", (1, 1, 2 * sounding.config.hop), values="sound"),)
        self.latency_samples = sounding.encoder.latency * sounding.config.hop

    def init_state(self) -> tuple[Tensor, ...]:
        """The encoder's initial state."""
        return self.sounding.encoder.init_state(1)

    def forward(self, pcm: Tensor, *state: Tensor) -> Any:
        """One tick of sound."""
        latents, after = self.sounding.encoder.step(pcm, state)
        return (self.sounding.quantizer.encode(latents) if isinstance(self.sounding, TokenCodec) else latents, *after)


class DecoderTick(TickModule):
    """Frames in the encoder's format -> pcm [1, 1, 2 hop]."""

    output = "pcm"

    def __init__(self, sounding: TokenCodec | Vocoder) -> None:
        super().__init__()
        self.sounding = sounding
        self.latency_samples = sounding.decoder.latency
        if isinstance(sounding, TokenCodec):
            self.inputs = (
                Spec("frames", (1, sounding.config.num_codebooks, 2), torch.int64, below=sounding.config.cardinality),
            )
        else:
            self.inputs = (Spec("frames", (1, sounding.config.dim, 2)),)

    def init_state(self) -> tuple[Tensor, ...]:
        """The decoder's initial state."""
        return self.sounding.decoder.init_state(1)

    def forward(self, frames: Tensor, *state: Tensor) -> Any:
        """One tick."""
        latents = self.sounding.quantizer.decode(frames) if isinstance(self.sounding, TokenCodec) else frames
        sound, after = self.sounding.decoder.step(latents, state)
        return (sound, *after)


class TranslatorTick(TickModule):
    """A tick's video latent -> its frames. The last tick's frames and the random numbers are inputs.

    The state has two rows. The second row gets no video: guidance compares the two.
    """

    output = "frames"

    def __init__(self, network: Translator, *, with_turns: bool = False) -> None:
        super().__init__()
        self.network, self._with_turns = network, with_turns
        config = network.config
        pairs = config.dim // config.heads // 2
        time = Spec("turns", (2, 2, 1, 1, 1, pairs)) if with_turns else Spec("time_s", (1, 1), torch.float64, "time")
        self.inputs = (
            Spec(
                "previous",
                (1, 1, *config.frame_shape),
                torch.float32 if config.mel_dim else torch.int64,
                below=config.cardinality,
            ),
            Spec("known", (1, 1), values="ones"),
            Spec("latent", (1, 1, config.sight_dim)),
            Spec("age_s", (1, 1)),
            time,
            Spec("anticipation_s", (1, 1)),
            Spec("voice", (1, 1), torch.int64),
            Spec("uniforms", (1, config.draws), values="unit"),
            Spec("temperature", (1, 1), values="ones"),
            Spec("guidance", (1, 1), values="ones"),
        )
        if config.gesture_dim:
            self.inputs += (Spec("gesture", (1, 1, config.gesture_dim), values="unit"),)

    def init_state(self) -> tuple[Tensor, ...]:
        """The empty windows."""
        return self.network.init_state(2)

    def single(self) -> TickModule:
        """The variant with `turns`: [own, video; cos, sin]."""
        return TranslatorTick(self.network, with_turns=True).eval()

    def prepare(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """With turns."""
        own, video = self.network.turns(inputs["time_s"], inputs["age_s"])
        return inputs | {"turns": torch.stack([torch.stack(own), torch.stack(video)])}

    def forward(
        self,
        previous: Tensor,
        known: Tensor,
        latent: Tensor,
        age_s: Tensor,
        time_s: Tensor,
        anticipation_s: Tensor,
        voice: Tensor,
        uniforms: Tensor,
        temperature: Tensor,
        guidance: Tensor,
        *rest: Tensor,
    ) -> Any:
        """One tick: the backbone's step, then the depth transformer's draw.

        `time_s` holds the turns if it has them. `rest` is the gesture, where the network takes one, and the state.
        """
        net = self.network
        gesture, state = (rest[0], rest[1:]) if net.config.gesture_dim else (latent[..., :0], rest)

        def both(x: Tensor) -> Tensor:
            return torch.cat([x, x])

        eyes = torch.cat([torch.ones_like(known), torch.zeros_like(known)])
        turns = (time_s[0].unbind(), time_s[1].unbind()) if self._with_turns else None
        when = age_s if self._with_turns else time_s
        ahead, moved = both(anticipation_s), both(gesture)
        inputs = TranslatorInputs(both(latent), both(age_s), both(when), ahead, both(voice), eyes, moved)
        context, after = net.step(both(previous), both(known), inputs, state, turns)
        return (net.draw(context[:, 0], uniforms, temperature, guidance), *after)


class SightTick(TickModule):
    """A tick's motion features -> its video latent [1, 1, dim]."""

    output = "latent"

    def __init__(self, network: Latent) -> None:
        super().__init__()
        self.network = network.video
        config = network.config
        self.inputs = (
            Spec("flow", (1, 1, 2, config.grid, config.grid)),
            Spec("speed", (1, 1, config.grid, config.grid)),
            Spec("embedding", (1, 1, config.embedding_dim)),
            Spec("age_s", (1, 1)),
        )

    def init_state(self) -> tuple[Tensor, ...]:
        """The state before the first motion."""
        return self.network.init_state(1)

    def forward(self, flow: Tensor, speed: Tensor, embedding: Tensor, age_s: Tensor, *state: Tensor) -> Any:
        """One tick."""
        latent, after = self.network.step(Motions(flow, speed, embedding, age_s), state)
        return (latent, *after)


class HearingTick(TickModule):
    """A tick's frames [1, 1, K or D, 2] -> its audio latent [1, 1, dim]."""

    output = "latent"

    def __init__(self, network: Latent) -> None:
        super().__init__()
        self.network = network
        config = network.config
        if config.mel_dim:
            self.inputs = (Spec("heard", (1, 1, config.mel_dim, config.frames)),)
        else:
            self.inputs = (
                Spec("heard", (1, 1, config.num_codebooks, config.frames), torch.int64, below=config.cardinality),
            )

    def init_state(self) -> tuple[Tensor, ...]:
        """The state before the first sound."""
        return self.network.audio.init_state(1)

    def forward(self, heard: Tensor, *state: Tensor) -> Any:
        """One tick."""
        latent, after = self.network.audio.step(self.network.sound_of(heard), state)
        return (latent, *after)


class StillTick(TickModule):
    """A prior image uint8 [1, S, S, 3] -> its features [1, shown, G, G]; run once per image."""

    output = "shown"

    def __init__(self, network: Animator) -> None:
        super().__init__()
        self.network = network.eyes
        side = network.config.side
        self.inputs = (Spec("still", (1, side, side, 3), torch.uint8),)

    def forward(self, still: Tensor) -> Any:
        """One image."""
        return (self.network(still),)


class AnimatorTick(TickModule):
    """A tick's audio latent -> the still's velocity field [1, 2, G, G]; the noise is an input."""

    output = "flow"

    def __init__(self, network: Animator, *, with_turns: bool = False) -> None:
        super().__init__()
        self.network, self._with_turns = network, with_turns
        config = network.config
        pairs = config.dim // config.heads // 2
        field = (1, 2, config.grid, config.grid)
        self.inputs = (
            Spec("latent", (1, 1, config.latent_dim)),
            Spec("turns", (2, 1, 1, 1, pairs)) if with_turns else Spec("time_s", (1, 1), torch.float64, "time"),
            Spec("shown", (1, config.shown, config.grid, config.grid)),
            Spec("where", field),
            Spec("before", field),
            Spec("noise", field),
        )

    def init_state(self) -> tuple[Tensor, ...]:
        """The empty windows."""
        return self.network.init_state(1)

    def single(self) -> TickModule:
        """The variant with `turns`: [cos, sin]."""
        return AnimatorTick(self.network, with_turns=True).eval()

    def prepare(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """With turns."""
        return inputs | {"turns": torch.stack(self.network.turns(inputs["time_s"]))}

    def forward(
        self,
        latent: Tensor,
        time_s: Tensor,
        shown: Tensor,
        where: Tensor,
        before: Tensor,
        noise: Tensor,
        *state: Tensor,
    ) -> Any:
        """One tick: the transformer's step, then from noise to a field."""
        turns = (time_s[0], time_s[1]) if self._with_turns else None
        context, after = self.network.step(latent, time_s, shown, state, turns)
        moment = AnimatorCondition(context[:, 0], warp_features(shown, where), where, before)
        return (self.network.sample(moment, noise), *after)


class PoseTick(TickModule):
    """A tick's audio latent and a still's embedding -> the points' positions and their spread, [1, P, 3]."""

    output = "said"

    def __init__(self, network: PoseEstimator) -> None:
        super().__init__()
        self.network = network
        self.inputs = (
            Spec("latent", (1, 1, network.config.latent_dim)),
            Spec("seen", (1, network.config.seen_dim)),
        )

    def init_state(self) -> tuple[Tensor, ...]:
        """The state before the first sound."""
        return self.network.init_state(1)

    def forward(self, latent: Tensor, seen: Tensor, *state: Tensor) -> Any:
        """One tick."""
        estimate, after = self.network.step(latent, seen, state)
        return (estimate.as_one()[:, 0], *after)


class DriveTick(TickModule):
    """A tick's audio latent and bands, and the modes' descriptions -> forces on the modes, [1, 3, M]."""

    output = "forces"

    def __init__(self, network: Drive) -> None:
        super().__init__()
        self.network = network
        config = network.config
        self.inputs = (
            Spec("latent", (1, 1, config.latent_dim)),
            Spec("bands", (1, 1, 2, config.bands), values="unit"),
            Spec("modes", (1, config.modes, config.features)),
            Spec("noise", (1, config.modes, 2)),
        )

    def init_state(self) -> tuple[Tensor, ...]:
        """The state before the first sound."""
        return self.network.init_state(1)

    def forward(self, latent: Tensor, bands: Tensor, modes: Tensor, noise: Tensor, *state: Tensor) -> Any:
        """One tick."""
        forces, after = self.network.step(latent, bands, modes, state)
        return (self.network.draw(forces, noise[:, None])[:, 0], *after)


class PainterTick(TickModule):
    """A warped picture uint8 [1, S, S, 3] -> the change to add to it, [1, S, S, 3]; the noise is an input."""

    output = "change"

    def __init__(self, network: Painter) -> None:
        super().__init__()
        self.network = network
        config = network.config
        side, cells = config.side, config.side // 8
        self.inputs = (
            Spec("warped", (1, side, side, 3), torch.uint8),
            Spec("prior", (1, side, side, 3), torch.uint8),
            Spec("where", (1, 2, cells, cells)),
            Spec("flow", (1, 2, cells, cells)),
            Spec("heard", (1, config.latent_dim)),
            Spec("imagination", (1,)),
            Spec("chance", (1,)),
            Spec("seen", (1, config.seen_dim)),
            Spec("said", (1, len(POINTS), 3)),
            Spec("noise", (1, 3, side, side)),
        )

    def forward(
        self,
        warped: Tensor,
        prior: Tensor,
        where: Tensor,
        flow: Tensor,
        heard: Tensor,
        imagination: Tensor,
        chance: Tensor,
        seen: Tensor,
        said: Tensor,
        noise: Tensor,
    ) -> Any:
        """One picture."""
        moved, still = (image.permute(0, 3, 1, 2).float() / 127.5 - 1.0 for image in (warped, prior))
        painter_inputs = PainterInputs(moved, still, where, flow, heard, imagination, chance, seen, said)
        picture = self.network.paint(painter_inputs, noise)
        return (127.5 * (picture - moved).permute(0, 2, 3, 1),)
