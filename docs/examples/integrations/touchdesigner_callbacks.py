"""TouchDesigner: callbacks of an OSC In DAT, and a function that sets Antiphon's controls.

Put an OSC In DAT (network port 9001), an OSC Out DAT named `antiphon_out` (127.0.0.1, port 8421), a Table DAT named
`antiphon_values` and a Constant CHOP named `antiphon_onset` into one component. Put this text into the OSC In DAT's
callbacks DAT. A Timer or an Execute DAT calls `subscribe` every 30 s.
"""

from __future__ import annotations

from typing import Any

OWN_PORT = 9001
SUBSCRIBE = "/antiphon/subscribe"
ONSET = "/antiphon/out/onset"


def subscribe(component: Any) -> None:
    """Ask Antiphon to send what it plays and what its controls are; it does so for a minute."""
    component.op("antiphon_out").sendOSC(SUBSCRIBE, [OWN_PORT])


def set_control(component: Any, name: str, value: float | str) -> None:
    """Set a control, for example `set_control(parent(), "imagination", 0.4)`."""
    component.op("antiphon_out").sendOSC("/antiphon/" + name, [value])


def onReceiveOSC(  # noqa: N802 - TouchDesigner's own name and arguments
    dat: Any, rowIndex: int, message: str, byteData: bytes, timeStamp: float, address: str, args: list[Any], peer: Any
) -> None:
    """Keep the newest value of each address in a row of the table, and pulse the channel at an onset."""
    table = dat.parent().op("antiphon_values")
    value = args[0] if args else ""
    if table.row(address) is None:
        table.appendRow([address, value])
    else:
        table[address, 1] = value
    if address == ONSET:
        dat.parent().op("antiphon_onset").par.value0.pulse(float(value), frames=2)
