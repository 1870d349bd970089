"""The machine and its links: installations, this computer, other computers."""

from __future__ import annotations

from streaming.settings.option_rows.option import Option
from streaming.settings.setting import MACHINE

MACHINE_OPTIONS = (
    Option(
        name="installation",
        group=MACHINE,
        kind="flag",
        words="perform in a room that nobody attends to: no film unless --record is given, processes that fail are "
        "started again for ever, and a calm show while nobody is there",
    ),
    Option(
        name="attract",
        group=MACHINE,
        metavar="SECONDS",
        kind="seconds",
        words="how long nobody moves until an installation becomes calm",
        range="seconds, more than 0",
    ),
    Option(
        name="schedule",
        group=MACHINE,
        metavar="HH:MM-HH:MM",
        words="when the show plays, by this machine's clock; several with commas, past midnight too",
        range="for example 10:00-12:30,14:00-18:00",
        unset="always",
        example="10:00-18:00",
    ),
    Option(
        name="quiet",
        group=MACHINE,
        kind="flag",
        words="print a plain line every 5 s in place of the live table",
    ),
    Option(
        name="awake",
        group=MACHINE,
        kind="flag",
        words="keep the processor's cores from sleeping, because idle machines wake up late",
    ),
    Option(
        name="run-dir",
        group=MACHINE,
        metavar="DIR",
        words="the folder of the sockets; a second performance at the same time needs its own",
        unset="one for each user",
        example="/tmp/antiphon-two",
    ),
    Option(
        name="keys",
        group=MACHINE,
        metavar="DIR",
        words="the keys for links between machines, made by run_live.py keys DIR",
        unset="no keys",
        example="keys",
    ),
    Option(
        name="address",
        group=MACHINE,
        metavar="STAGE=tcp://HOST:PORT",
        kind="pairs",
        words="a stage that is reached over a network; may be given several times",
        unset="all stages run here",
        example='["motion=tcp://10.0.0.2:5001"]',
    ),
    Option(
        name="allow-remote",
        group=MACHINE,
        kind="flag",
        words="let other machines connect",
    ),
)
