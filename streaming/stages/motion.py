"""The stage that reads motion from the camera's frames: the optical flow since the last frame, and an embedding."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from streaming.conventions import FLOW_GRID, TICK_NS, TICKS_PER_SECOND
from streaming.schema.load_levels import LoadLevel
from streaming.schema.messages import Camera, Message, Motion, Picture
from streaming.settings.control_values import ControlValues
from streaming.settings.controls import CONTROLS
from streaming.stage import Context, Inputs, Stage
from streaming.system.host_info import cores
from streaming.timing import clock
from streaming.vision.frame_features import VIEW_SIDE, change_weights, fit_square, pool_flow, smooth
from streaming.vision.frame_stride import FrameStride
from streaming.vision.instrument_reader import InstrumentReader, background_executor, open_instrument_reader
from streaming.vision.motion.calibration import NOT_TAKEN, Calibration, takes_motion_features
from streaming.vision.motion.features import REPEATED_LEVELS, MotionFeatureExtractor, MotionFrame
from streaming.vision.motion.hand_motion import HAND_INDEX, HandMotion
from streaming.vision.motion.stillness import StillnessDetector
from streaming.vision.person_reader import OWN, PersonReader, open_person_reader
from streaming.vision.screen_detector import ScreenDetector
from streaming.vision.vision_engines import open_vision_engines

MIN_INTERVAL_S = 0.005
"""Shortest time between two frames that is divided by; a late camera sends bursts, whose noise would become jumps."""
MAX_INTERVAL_S = 0.5
"""Frames further apart do not belong to one movement."""
LEAST_FRAME_RATE_HZ = 17.0
"""The eyes look at every second frame, under load, only where so many a second are read."""
CUT_SIDE = 16
CUT_DIFFERENCE = 45.0
"""Mean grey difference of 16x16 thumbnails above which two frames are on either side of a cut; a fast player reaches
20."""


class MotionReader:
    """Reads motion from frames, one after another; the same code live and for training.

    Args:
        flow_engine: network "flow" of the engine contract.
        embedding_engine: network "embedding".
        gate: weight the flow with `change_weights`.
        extractor: makes the motion features, and holds the sensitivity and the scale; None for the usual one.
        person: reads the person too, where the published eyes play.
        instrument: names what is played, where its network is here.
    """

    def __init__(
        self,
        flow_engine: Engine,
        embedding_engine: Engine,
        *,
        gate: bool = True,
        extractor: MotionFeatureExtractor | None = None,
        person: PersonReader | None = None,
        instrument: InstrumentReader | None = None,
    ) -> None:
        self._flow, self._embedding, self._gate = flow_engine, embedding_engine, gate
        self.extractor = extractor or MotionFeatureExtractor()
        self.person, self.instrument = person, instrument
        self._stillness = StillnessDetector()
        self._takes_colour = bool(flow_engine.spec.config.get("colour"))
        self.reset()

    def reset(self) -> None:
        """Forget the last frame: the next one does not move."""
        self._last_input: NDArray[np.uint8] | None = None
        self._last_thumbnail: NDArray[np.uint8] | None = None
        self._last_smooth: NDArray[np.float32] | None = None
        self._last_shape: tuple[int, ...] = ()
        self._last_capture_ns = 0
        self.extractor.reset()
        self._stillness.reset()
        if self.person is not None:
            self.person.reset()
        if self.instrument is not None:
            self.instrument.reset()
        self._flow.reset()
        self._embedding.reset()

    def read(
        self,
        image: NDArray[np.uint8],
        capture_ns: int,
        foreground: Callable[[NDArray[np.uint8]], NDArray[np.float32] | None] | None = None,
    ) -> Motion:
        """Read one frame; the first one, and one after a gap, a cut or a change of size, does not move.

        Args:
            image: uint8 [H, W, 3], BGR.
            capture_ns: when it was captured.
            foreground: returns the weight of each part of the grey view, see `ScreenDetector.foreground`; None for all.

        Returns:
            Its motion, with `capture_ns` set.
        """
        view = fit_square(image, VIEW_SIDE)
        grey = cv2.cvtColor(view, cv2.COLOR_BGR2GRAY)
        thumbnail = cv2.resize(grey, (CUT_SIDE, CUT_SIDE), interpolation=cv2.INTER_AREA)
        smoothed_view = smooth(grey)
        if self.person is not None:
            before = self._last_smooth
            repeats = before is not None and float(cv2.absdiff(before, smoothed_view).max()) <= REPEATED_LEVELS
            self.person.begin(image, capture_ns, repeats)
        weights = foreground(grey) if foreground is not None else None
        interval_s = (capture_ns - self._last_capture_ns) / 1e9
        flow = np.zeros((2, FLOW_GRID, FLOW_GRID), np.float32)
        speed = np.zeros((FLOW_GRID, FLOW_GRID), np.float32)
        flow_input = view if self._takes_colour else grey
        dense = None
        if self._last_input is not None and self._follows(image, thumbnail, interval_s):
            dense = self._flow.step(previous=self._last_input, current=flow_input)["flow"]
        height, width = image.shape[:2]
        frame = MotionFrame(dense, self._last_smooth, smoothed_view, (height, width), capture_ns / 1e9, weights)
        features = self.extractor.step(frame)
        still_s = self._measure_stillness(frame, follows=dense is not None)
        if dense is not None:
            if self._gate and self._last_smooth is not None:
                dense = dense * change_weights(self._last_smooth, smoothed_view)
            if weights is not None:
                dense = dense * cv2.resize(weights, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
            flow, speed = pool_flow(dense, min(max(interval_s, MIN_INTERVAL_S), MAX_INTERVAL_S))
        embedding = self._embedding.step(image=view)["embedding"]
        interval_ms = interval_s * 1e3 if self._last_input is not None else 0.0
        self._last_input, self._last_thumbnail, self._last_smooth = flow_input, thumbnail, smoothed_view
        self._last_shape, self._last_capture_ns = image.shape, capture_ns
        motion = Motion(
            flow=flow,
            speed=speed,
            embedding=np.asarray(embedding, np.float32),
            interval_ms=interval_ms,
            features=features,
            still_s=still_s,
            capture_ns=capture_ns,
        )
        if self.person is not None:
            self.person.finish(motion)
        if self.instrument is not None:
            self.instrument.step(image, motion)
        return motion

    def _measure_stillness(self, frame: MotionFrame, follows: bool) -> float:
        if not follows:
            self._stillness.forget_views()
        return self._stillness.step(
            frame.current, frame.time_s, frame.shape, self.extractor.camera_shake, frame.weights
        )

    def _follows(self, image: NDArray[np.uint8], thumbnail: NDArray[np.uint8], interval_s: float) -> bool:
        if self._last_shape != image.shape or self._last_thumbnail is None or not 0.0 < interval_s <= MAX_INTERVAL_S:
            return False
        difference = float(np.mean(cv2.absdiff(thumbnail, self._last_thumbnail)))
        return difference <= CUT_DIFFERENCE


class MotionStage:
    """`Camera` in, `Motion` out.

    Args:
        reader: reads the motion; None for one with the networks of the show's bundle.
        detector: finds the show's screen in the view; None for the usual one.
        now_ns: reads the clock, to measure what reading costs.
        stride: decides which frames of a fast camera are read; None for the usual one.
    """

    def __init__(
        self,
        reader: MotionReader | None = None,
        detector: ScreenDetector | None = None,
        now_ns: Callable[[], int] = clock.now_ns,
        stride: FrameStride | None = None,
    ) -> None:
        self._reader, self._now_ns = reader, now_ns
        self._stride = stride or FrameStride(cores())
        self._last_ns: int | None = None
        self._detector = detector or ScreenDetector()
        self._was_visible = False
        self._note_not_taken = False
        self._level = LoadLevel.FULL

    def setup(self, context: Context) -> None:
        """Open the engines and run them once, so that the first frame is not late."""
        self._context = context
        show = context.show
        if self._reader is None:
            engines = open_vision_engines(show, context.note)
            person = open_person_reader(show, context.note)
            # Without any eyes, one line says so.
            note = context.note if person is not None else lambda line: None
            instrument = open_instrument_reader(show, note, executor=background_executor())
            self._reader = MotionReader(*engines, person=person, instrument=instrument)
            context.info["eyes"] = OWN if person is None else person.words
            context.info["flow"] = engines[0].spec.runtime
            context.info["embedding"] = engines[1].spec.runtime
            context.add_engines(*engines)
        blank = np.full((480, 640, 3), 127, np.uint8)
        for capture_ns in (1, TICK_NS):
            self._reader.read(blank, capture_ns)
        self._reader.reset()
        self._controls = ControlValues("motion", show, lambda error: context.note(str(error)))
        self._calibration = Calibration(self._reader.extractor, context.note, self._hand_motion)
        self._note_not_taken = not takes_motion_features(show.bundle)
        held = context.memo.get("scales")
        if held:
            self._reader.extractor.hold_scale((float(held[0]), float(held[1])))
            if self._hand_motion is not None:
                self._hand_motion.hold_scale(float(held[2]) if len(held) > 2 else None)
        self._obey([name for name in ("sensitivity", "calibrate") if name != "calibrate" or not held])

    def wake_ns(self) -> int | None:
        """Never by time: frames wake it."""
        return None

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Read the newest frame; the same frame again yields nothing."""
        self._obey(self._controls.update(inputs.controls))
        for control in inputs.controls:
            if control.name == "calibrate":
                self._context.confirm(control, None)
        for picture in inputs.all(Picture):
            self._detector.add_picture(picture.image)
        camera = inputs.latest(Camera)
        if camera is None or self._reader is None or camera.capture_ns == self._last_ns:
            return ()
        self._last_ns = camera.capture_ns
        if not self._stride.wants_next():
            self._context.metrics.count("passed_over")
            return ()
        self._spare_eyes(self._reader, camera)
        began_ns = self._now_ns()
        motion = self._reader.read(camera.image, camera.capture_ns, self._detector.foreground)
        self._stride.measure((self._now_ns() - began_ns) / 1e6, camera.rate_hz)
        self._context.metrics.gauge("stride", self._stride.stride)
        self._calibration.observe(camera.capture_ns / 1e9, motion.features)
        scales = self._reader.extractor.held_scales or ()
        hand_scale = self._hand_motion.held_scale if self._hand_motion is not None and scales else None
        self._context.memo["scales"] = [*scales, *([] if hand_scale is None else [hand_scale])]
        self._note_visibility()
        self._count_person(motion)
        motion.stamps = dict(camera.stamps)
        return (motion,)

    def _spare_eyes(self, reader: MotionReader, camera: Camera) -> None:
        """Look as often as the present load allows."""
        level = self._context.load_level
        if level != self._level and reader.person is not None:
            # A hand's speed is known only from looks that are not too far apart.
            fast = (camera.rate_hz or TICKS_PER_SECOND) / self._stride.stride >= LEAST_FRAME_RATE_HZ
            every = 2 if fast and level >= LoadLevel.EYES_RATE else 1
            reader.person.spare(every, body_alone=level >= LoadLevel.HANDS)
        self._level = level

    def _obey(self, names: Sequence[str]) -> None:
        """Use the values of controls that were set."""
        if self._reader is None:
            return
        self._reader.extractor.sensitivity = self._controls["sensitivity"]
        if self._hand_motion is not None:
            self._hand_motion.sensitivity = self._controls["sensitivity"]
        auto = self._controls.word("calibrate") == "auto"
        if "calibrate" in names:
            if auto:
                self._calibration.release()
            else:
                self._calibration.begin(self._controls["calibrate"])
        usual = auto and self._controls["sensitivity"] == CONTROLS["sensitivity"].default
        if names and self._note_not_taken and not usual:
            self._note_not_taken = False
            self._context.note(NOT_TAKEN)

    @property
    def _hand_motion(self) -> HandMotion | None:
        person = None if self._reader is None else self._reader.person
        return None if person is None else person.hand_motion

    def _count_person(self, motion: Motion) -> None:
        """Count the frames in which the published eyes look, and in how many of them they find a body and hands."""
        person = None if self._reader is None else self._reader.person
        if person is None:
            return
        self._context.info["eyes"] = person.words
        if not person.plays:
            return
        self._context.metrics.count("eyes.frames")
        if motion.body_score > 0.0:
            self._context.metrics.count("eyes.bodies")
        if motion.hands_motion[:, HAND_INDEX["known"]].any():
            self._context.metrics.count("eyes.hands")

    def close(self) -> None:
        """Let the engines go."""
        self._detector.close()
        if self._reader is not None and self._reader.person is not None:
            self._reader.person.close()
        if self._reader is not None and self._reader.instrument is not None:
            self._reader.instrument.close()
        self._reader = None

    def _note_visibility(self) -> None:
        """Say once when the screen becomes visible, or stops being visible."""
        if self._detector.is_visible != self._was_visible:
            self._was_visible = self._detector.is_visible
            now = (
                "sees the screen: what it shows does not count as movement"
                if self._was_visible
                else "sees no screen now"
            )
            self._context.note(f"the camera {now}")
        self._context.metrics.gauge("screen_in_sight", float(self._was_visible))


def build() -> Stage:
    """The stage of the process table."""
    return MotionStage()
