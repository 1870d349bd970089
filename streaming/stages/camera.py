"""The camera stage: publishes the newest frame of the camera that the show names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streaming.devices.cameras.frames import CameraSource
from streaming.devices.cameras.select import open_camera
from streaming.schema.messages import Camera, Message, Tokens
from streaming.stage import Context, Inputs, Stage
from streaming.timing.camera_phase import CameraPhase
from streaming.timing.pacing import Genlock


class CameraStage:
    """Publishes `Camera` from setup on; a file or a performer begins to play with the performance.

    Args:
        open_source: opens the camera that the context's show names.
    """

    def __init__(self, open_source: Callable[[Context], CameraSource] = open_camera) -> None:
        self._open_source = open_source
        self._source: CameraSource | None = None
        self._started = False
        self._finished = False
        self._genlock = Genlock()
        self._phase = CameraPhase()

    def setup(self, context: Context) -> None:
        """Open the camera.

        Raises:
            UserError: when it cannot be opened.
        """
        self._context = context
        self._source = self._open_source(context)
        context.info["camera"] = context.info["device"] = self._source.description
        context.info["rate_hz"] = round(self._source.rate_hz, 3)

    def wake_ns(self) -> int | None:
        """When the camera is to be polled next."""
        return None if self._source is None or self._finished else self._source.wake_ns()

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Publish the newest frame, if there is a new one."""
        source = self._source
        if source is None or self._finished:
            return ()
        if inputs.started and not self._started:
            self._started = True
            source.start(int(self._context.memo.get("origin_ns", now_ns)), now_ns)
        self._keep_step(source, inputs)
        frame = source.poll(now_ns)
        if self._started and source.resume_ns:
            self._context.memo["origin_ns"] = source.resume_ns
        if source.finished:
            self._finished = True
            self._context.finish(source.finished)
        if frame is None:
            return ()
        self._context.metrics.count("frames")
        if source.free_running:
            self._measure_phase(source, frame.capture_ns, inputs.all(Tokens))
        return (Camera(image=frame.image, index=frame.index, rate_hz=source.rate_hz, capture_ns=frame.capture_ns),)

    def _keep_step(self, source: CameraSource, inputs: Inputs) -> None:
        """Shift a camera that the show paces so that its frames come just in time (see `pacing.Genlock`)."""
        if not self._started or not Genlock.fits(source.rate_hz):
            return
        for tokens in inputs.all(Tokens):
            motion_ns = tokens.stamps.get("motion", 0)
            if (
                tokens.fresh
                and motion_ns
                and (by_ns := self._genlock.shift_ns(tokens.latch_ns, tokens.capture_ns, motion_ns))
            ):
                source.shift(by_ns)

    def _measure_phase(self, source: CameraSource, capture_ns: int, ticks: Sequence[Tokens]) -> None:
        """Show where a camera's frames lie between the ticks, and where their times come from."""
        phase, context = self._phase, self._context
        for tokens in ticks:
            if tokens.dac_ns:
                phase.observe_tick(tokens.tick, tokens.dac_ns)
        phase.observe_frame(capture_ns, source.rate_hz)
        for name, value in (
            ("camera_phase_ms", phase.phase_ms),
            ("camera_drift_ppm", phase.drift_ppm),
            ("stamp_delay_ms", source.stamp_delay_ms),
        ):
            if value is not None:
                context.metrics.gauge(name, value)
        if context.info.get("stamps") != source.stamps:
            context.info["stamps"] = source.stamps
            context.info["rate_hz"] = round(source.rate_hz, 3)

    def close(self) -> None:
        """Release the camera."""
        if self._source is not None:
            self._source.close()
            self._source = None


def build() -> Stage:
    """Make the stage, for the process table."""
    return CameraStage()
