"""What a show leaves: takes, a report, a log."""

from __future__ import annotations

from streaming.settings.option_rows.option import Option
from streaming.settings.setting import RECORDING

RECORDING_OPTIONS = (
    Option(
        name="record",
        group=RECORDING,
        metavar="DIR",
        words="the folder in which the film of the performance is left; none makes no film",
        none="none",
    ),
    Option(
        name="record-later",
        group=RECORDING,
        kind="flag",
        words="record nothing until the control record is set to 1, from the console, by OSC or by set record 1",
    ),
    Option(
        name="keep-takes",
        group=RECORDING,
        metavar="N|GB",
        kind="limit",
        words="how many takes stay in the folder, or how large they may be together: the oldest are removed",
        range="a number of takes, or as 50GB",
        unset="all stay",
        example="50GB",
    ),
    Option(
        name="report",
        group=RECORDING,
        metavar="FILE.json",
        words="write what was measured to a file",
        unset="no report",
        example="report.json",
    ),
    Option(
        name="log",
        group=RECORDING,
        metavar="FILE",
        words="write what happens as lines of JSON; the newest 10 MB, and five older files FILE.1 to FILE.5",
        unset="no log",
        example="show.jsonl",
    ),
)
