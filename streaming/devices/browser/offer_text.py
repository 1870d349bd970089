"""The text of an offer (SDP): what it has, whether it is one, and which of its addresses are used."""

from __future__ import annotations

import ipaddress

from streaming.errors import AntiphonError

MAX_OFFER = 65_536
"""Characters of a session description."""
MAX_CANDIDATES = 32
_DIRECTIONS = ("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive")


class OfferError(AntiphonError):
    """An offer that is not answered.

    Args:
        status: of HTTP.
        why: in words.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


def checked_offer(offer: str) -> str:
    """An offer without the candidates that are not used: names, TCP, and more than `MAX_CANDIDATES`.

    Raises:
        OfferError: for what is no session description.
    """
    if len(offer) > MAX_OFFER:
        raise OfferError(413, f"the offer is too long: {MAX_OFFER} characters are taken")
    lines = offer.splitlines()
    if not lines or lines[0].strip() != "v=0" or not any(line.startswith("m=") for line in lines):
        raise OfferError(400, "the offer is no session description")
    kept, candidates = [], 0
    for line in lines:
        if line.startswith("a=candidate:"):
            candidates += 1
            if candidates > MAX_CANDIDATES or not _is_usable(line):
                continue
        # Without the end of candidates one that is left out may still be learned from where its checks come from.
        if line.startswith("a=end-of-candidates"):
            continue
        kept.append(line)
    return "\r\n".join([*kept, ""])


def offered_kinds(offer: str, direction: str) -> set[str]:
    """The kinds of media that an offer has in a direction of the one who offers: "audio", "video".

    Args:
        offer: a session description.
        direction: "sendonly" or "recvonly"; "sendrecv" is both.
    """
    found = set()
    for section in offer.split("\nm=")[1:]:
        lines = [line.strip() for line in section.splitlines()]
        given = next((line[2:] for line in lines if line in _DIRECTIONS), "sendrecv")
        if given in (direction, "sendrecv"):
            found.add(lines[0].partition(" ")[0])
    return found & {"audio", "video"}


def _is_usable(candidate: str) -> bool:
    words = candidate.split()
    if len(words) < 8 or words[2].lower() != "udp":
        return False
    try:
        ipaddress.ip_address(words[4])
    except ValueError:
        return False
    return True
