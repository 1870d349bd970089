"""The show's stage process, with the bench's camera and screen in place of the usual ones."""

from __future__ import annotations

import sys
from dataclasses import replace

from benchmarks.rig.trial_plan import read_plan
from streaming.runtime import stage_process
from streaming.schema.processes import PROCESSES

COMMAND = (sys.executable, "-m", "benchmarks.rig.bench_stage")
CAMERA, SCREEN = "benchmarks.rig.flash_camera", "benchmarks.rig.stamp_screen"


def main(arguments: list[str]) -> int:
    """Run the stage that stdin names.

    Returns:
        The exit status.
    """
    if not read_plan().led:
        PROCESSES["camera"] = replace(PROCESSES["camera"], module=CAMERA)
    PROCESSES["screen"] = replace(PROCESSES["screen"], module=SCREEN)
    return stage_process.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
