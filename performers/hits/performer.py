"""The performer "hits": a seed gives a clip of somebody or something that strikes things, and the truth about it.

It is no kind of `performers.kinds`: shipped networks do not know it, so it is only for training.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from performers.hits.bystanders import draw_other, draw_player_body, draw_struck_thing
from performers.hits.camera import MARGIN, HitsCamera, draw_camera, steady_camera
from performers.hits.hand_shapes import LANDMARKS
from performers.hits.movers import SUBFRAMES, Affine, Forearm, Mover, apply
from performers.hits.striking import StrikingLimb, draw_elbow, draw_striking_limb
from performers.hits.textures import draw_background
from performers.hits.timing import HIT, Stroke, add_silent_strokes, draw_timing, merge_timing, share_out

LATEST_SOUND_S = 0.1
"""A clip's sound lies that late at most against its picture."""


@dataclass(frozen=True)
class HitsMaterial:
    """What is real in a clip; everything may be None and is then drawn.

    Attributes:
        timing: hits as played, float64 [N, 2]: time in seconds from the start of the clip, strength 0..1.
        hands: recorded hands, float64 [M, 21, 2], see `hand_shapes.straighten`.
        traces: recorded traces of a hand, float64 [M, 16, 2], in sides of the frame.
    """

    timing: NDArray[np.float64] | None = None
    hands: NDArray[np.float64] | None = None
    traces: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class HitsTruth:
    """What happens in a clip; the arrays have one row for each of the N hits, in order of contact.

    Attributes:
        contact_s: when the tip touches, float64 [N], seconds from the start of the clip.
        limb_stop_s: when the limb that carries the tip stops, 0 to 90 ms before contact, float64 [N].
        strength: 0..1, float64 [N].
        limb: which limb, int64 [N].
        visible: whether the point of contact lies in the frame, bool [N].
        sound_delay_s: the clip's sound lies that much after the contacts, 0 to 100 ms.
        silent: strokes that make no sound, in order.
    """

    contact_s: NDArray[np.float64]
    limb_stop_s: NDArray[np.float64]
    strength: NDArray[np.float64]
    limb: NDArray[np.int64]
    visible: NDArray[np.bool_]
    sound_delay_s: float
    silent: tuple[Stroke, ...]

    @property
    def onset_s(self) -> NDArray[np.float64]:
        """Onsets in the clip's sound, in seconds: float64 [N]."""
        return self.contact_s + self.sound_delay_s


class HitsPerformer:
    """A clip of hits.

    Args:
        seed: the same seed, length and material give the same clip.
        duration_s: length of the clip in seconds.
        material: real timing, hands and traces.
        undisturbed: a steady camera at 100 fps in steady light, no other movers; for tests.

    Raises:
        ValueError: for a length under two seconds.
    """

    def __init__(
        self, seed: int, duration_s: float = 8.0, material: HitsMaterial | None = None, *, undisturbed: bool = False
    ) -> None:
        if duration_s < 2.0:
            raise ValueError(f"a clip of hits lasts at least 2 s, not {duration_s}")
        self.seed, self.duration_s = seed, duration_s
        self.material = material or HitsMaterial()
        rng = np.random.default_rng([seed, 261])
        timing = self._timing(rng)
        camera = draw_camera(rng, timing[:, 0], duration_s)
        self.camera: HitsCamera = steady_camera(camera.size, 100.0, duration_s) if undisturbed else camera
        self._side = float(max(camera.size))
        places = self._draw_places(rng)
        self.limbs: list[StrikingLimb] = self._draw_limbs(rng, timing, places)
        self.truth: HitsTruth = self._describe(rng)
        self._movers = self._arrange(rng, places, undisturbed)
        self._background = self._draw_room(rng)

    def _timing(self, rng: np.random.Generator) -> NDArray[np.float64]:
        given = self.material.timing
        timing = merge_timing(draw_timing(rng, self.duration_s) if given is None else given, self.duration_s)
        return timing if len(timing) else merge_timing(draw_timing(rng, self.duration_s), self.duration_s)

    def _draw_places(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """One to four places that are struck, sometimes at the edge of the frame or beyond it."""
        count = int(rng.choice([1, 1, 2, 3, 4]))
        low, high = ((-0.1, 0.1), (1.1, 1.1)) if rng.random() < 0.25 else ((0.15, 0.25), (0.85, 0.9))
        spread = float(rng.uniform(0.1, 0.6))
        middle = rng.uniform(low, high)
        places = np.clip(middle + rng.normal(0.0, 0.5 * spread, (count, 2)), -0.15, 1.15)
        places[0] = middle
        return np.asarray(places * self.camera.size)

    def _draw_limbs(
        self, rng: np.random.Generator, timing: NDArray[np.float64], places: NDArray[np.float64]
    ) -> list[StrikingLimb]:
        count = 1 if rng.random() < 0.6 else 2
        whose = share_out(rng, len(timing), count)
        limbs = []
        for number in range(count):
            hits = [Stroke(time, strength, HIT) for time, strength in timing[whose == number].tolist()]
            strokes = add_silent_strokes(rng, hits, self.duration_s)
            limbs.append(
                draw_striking_limb(
                    rng, strokes, places, self._side, self.duration_s, self.material.hands, self.material.traces
                )
            )
        return limbs

    def _describe(self, rng: np.random.Generator) -> HitsTruth:
        rows, silent = [], []
        for number, limb in enumerate(self.limbs):
            hits = [stroke for stroke in limb.strokes if stroke.kind == HIT]
            silent += [stroke for stroke in limb.strokes if stroke.kind != HIT]
            for hit, contact in zip(hits, limb.contacts, strict=True):
                on_picture = apply(self.camera.view(hit.t_s), contact)
                visible = bool(((on_picture >= 0) & (on_picture < self.camera.size)).all())
                rows.append((hit.t_s, hit.t_s - limb.lead_s, hit.strength, number, visible))
        table = np.array(sorted(rows), dtype=np.float64).reshape(-1, 5)
        return HitsTruth(
            contact_s=table[:, 0],
            limb_stop_s=table[:, 1],
            strength=table[:, 2],
            limb=table[:, 3].astype(np.int64),
            visible=table[:, 4] > 0,
            sound_delay_s=float(rng.uniform(0.0, LATEST_SOUND_S)),
            silent=tuple(sorted(silent, key=lambda stroke: stroke.t_s)),
        )

    def _arrange(
        self, rng: np.random.Generator, places: NDArray[np.float64], undisturbed: bool
    ) -> list[Mover | Forearm]:
        """Everything that is drawn, from back to front."""
        others = [part for _ in range(int(rng.choice([0, 0, 1, 1, 2]))) for part in self._draw_other(rng)]
        bodies: list[Mover | Forearm] = []
        if rng.random() < 0.35:
            bodies.append(draw_player_body(rng, self.limbs, self._side, self.duration_s))
        things: list[Mover | Forearm] = [
            draw_struck_thing(rng, place, self.limbs, self._side, self.duration_s)
            for place in places
            if rng.random() < 0.75
        ]
        front = self._draw_other(rng) if rng.random() < 0.08 else []
        limbs = [part for limb in self.limbs for part in self._with_forearm(rng, limb.mover)]
        return [*things, *limbs] if undisturbed else [*others, *bodies, *things, *limbs, *front]

    def _draw_other(self, rng: np.random.Generator) -> list[Mover | Forearm]:
        material = self.material
        other = draw_other(rng, self.camera.size, self.duration_s, material.hands, material.traces)
        return self._with_forearm(rng, other)

    def _with_forearm(self, rng: np.random.Generator, mover: Mover) -> list[Mover | Forearm]:
        """A limb, mostly with the forearm that carries it."""
        if mover.sprite.kind in ("blob", "body") or rng.random() > 0.85:
            return [mover]
        return [draw_elbow(rng, mover, self._side, self.duration_s), mover]

    def _draw_room(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        width, height = self.camera.size
        extra = round(MARGIN * self._side)
        return draw_background(rng, height + 2 * extra, width + 2 * extra)

    def picture(self, t_s: float) -> NDArray[np.uint8]:
        """The clean picture, without what light, sensor and compression do to it: uint8 [H, W, 3], BGR.

        Args:
            t_s: the middle of the exposure, in seconds from the start of the clip; times may come in any order.
        """
        extra = round(MARGIN * self._side)
        offset = np.array([[1.0, 0.0, -extra], [0.0, 1.0, -extra], [0.0, 0.0, 1.0]])
        room = (self.camera.view(t_s) @ offset)[:2]
        image = cv2.warpAffine(self._background, room, self.camera.size, borderMode=cv2.BORDER_REFLECT)
        spread = np.linspace(-0.5, 0.5, SUBFRAMES) * self.camera.exposure_s
        moments: list[tuple[float, Affine]] = [(t_s + dt, self.camera.view(t_s + dt)) for dt in spread.tolist()]
        canvas = np.asarray(image, np.uint8)
        for mover in self._movers:
            mover.paint(canvas, moments)
        return canvas

    def frame(self, number: int) -> NDArray[np.uint8]:
        """One of the frames that the camera sends: uint8 [H, W, 3], BGR; they may be asked for in any order.

        Args:
            number: index into `camera.times`.
        """
        while number > 0 and self.camera.repeats[number]:
            number -= 1
        time = float(self.camera.times[number])
        return self.camera.develop(self.picture(time), time, np.random.default_rng([self.seed, 262, number]))

    def frames(self) -> Iterator[tuple[NDArray[np.uint8], float]]:
        """All frames that the camera sends, as `frame` has them, and the time of each in seconds."""
        last: NDArray[np.uint8] | None = None
        for number, time in enumerate(self.camera.times.tolist()):
            if last is None or not self.camera.repeats[number]:
                last = self.frame(number)
            yield last, time

    def hands(self, t_s: float) -> NDArray[np.float64]:
        """Landmarks of each limb's hand: float64 [limbs, 21, 2], NaN for a limb without a hand.

        x rightwards and y downwards, in sides of the square that `streaming.vision.frame_features.fit_square` makes of
        the frame; below 0 or above 1 outside of it.
        """
        found = [limb.mover.hand(t_s) for limb in self.limbs]
        scene = np.stack([np.full((LANDMARKS, 2), np.nan) if hand is None else hand for hand in found])
        return self._in_square(apply(self.camera.view(t_s), scene))

    def tips(self, t_s: float) -> NDArray[np.float64]:
        """Where each limb's tip is: float64 [limbs, 2], as in `hands`."""
        scene = np.stack([limb.mover.tip(t_s) for limb in self.limbs])
        return self._in_square(apply(self.camera.view(t_s), scene))

    def _in_square(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        width, height = self.camera.size
        side = max(width, height)
        return np.asarray((pixels + 0.5 + 0.5 * np.array([side - width, side - height])) / side)
