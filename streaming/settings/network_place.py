"""Where the show listens for others: a port of this machine, or of one of its addresses."""

from __future__ import annotations

import ipaddress

LOOPBACK = "127.0.0.1"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself, out of reach of the network."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_place(text: str) -> tuple[str, int]:
    """Host and port of `PORT` or `HOST:PORT`; without a host it is this machine alone.

    Raises:
        ValueError: for anything else, in words.
    """
    host, _, port = text.rpartition(":")
    host = host.strip("[]") or LOOPBACK
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65_536):
        raise ValueError("must be a port from 1 to 65535, alone or as HOST:PORT")
    return host, int(port)
