"""Where the show listens for others: a port of this machine, or of one of its addresses."""

from __future__ import annotations

import ipaddress
import ssl

from streaming.errors import SettingError

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


def page_address(host: str, port: int, *, encrypted: bool) -> str:
    """The address of the page that is served at a place, for a browser."""
    return f"{'https' if encrypted else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/"


def check_certificate(cert: str, key: str) -> None:
    """Check that a certificate and its key can be used; nobody is asked for a password.

    Args:
        cert: a PEM file.
        key: another one, "" where the key is in the same file.

    Raises:
        SettingError: when they cannot.
    """

    def no_password() -> str:
        raise ValueError("the key has a password; write it without one")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key or None, no_password)
    except (OSError, ValueError) as error:  # also ssl.SSLError
        words = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        what = f"cannot be used with {key or 'the key in it'} ({str(words).replace('_', ' ').lower()})"
        raise SettingError("console-cert", cert, what, "give a certificate and its own key as PEM files") from error
