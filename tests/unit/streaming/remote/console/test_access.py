"""Who may use the console: by which name it is asked for, from which page, and with which token."""

from __future__ import annotations

import pytest

from streaming.remote.console.access import NO_TOKEN, WRONG_HOST, WRONG_ORIGIN, AccessRules

HERE = AccessRules("127.0.0.1", 8420)
OUT = AccessRules("192.168.1.20", 8420, "a-long-token-of-letters")


@pytest.mark.parametrize("host", ["127.0.0.1:8420", "localhost:8420", "[::1]:8420", "LOCALHOST:8420"])
def test_this_machine_is_let_in(host: str) -> None:
    assert HERE.refusal({"host": host}) is None
    assert HERE.refusal({"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}) is None


@pytest.mark.parametrize(
    "host", ["evil.example:8420", "127.0.0.1.evil.example", "192.168.1.20:8420", "", "localhost:99", "a b", "[::1"]
)
def test_another_name_is_not(host: str) -> None:
    assert HERE.refusal({"host": host}) == (403, WRONG_HOST)


def test_two_hosts_are_none() -> None:
    assert HERE.refusal({"host": "localhost:8420"}, hosts=2) == (403, WRONG_HOST)
    assert HERE.refusal({}, hosts=0) == (403, WRONG_HOST)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:8421", "http://127.0.0.1:8420"])
def test_a_page_of_another_site_is_refused(origin: str) -> None:
    assert HERE.refusal({"host": "localhost:8420", "origin": origin}) == (403, WRONG_ORIGIN)


def test_what_a_browser_says_of_another_site_counts() -> None:
    assert HERE.refusal({"host": "localhost:8420", "sec-fetch-site": "cross-site"}) == (403, WRONG_ORIGIN)


def test_beyond_this_machine_a_token_is_needed() -> None:
    fields = {"host": "192.168.1.20:8420"}
    assert OUT.refusal(fields) == (401, NO_TOKEN)
    assert OUT.refusal({"host": "127.0.0.1:8420"}) == (401, NO_TOKEN)
    assert OUT.refusal(fields, query="token=wrong") == (401, NO_TOKEN)
    assert OUT.refusal(fields, query=f"token={OUT.token}x") == (401, NO_TOKEN)
    assert OUT.refusal({**fields, "cookie": f"antiphon_8420={OUT.token[:-1]}"}) == (401, NO_TOKEN)
    assert OUT.refusal({**fields, "cookie": "antiphon_8420=ÿ"}) == (401, NO_TOKEN)
    assert OUT.refusal(fields, query=f"token={OUT.token}") is None
    assert OUT.refusal({**fields, "cookie": f"x=1; antiphon_8420={OUT.token}"}) is None
    assert OUT.refusal({**fields, "authorization": f"Bearer {OUT.token}"}) is None
    assert OUT.token not in repr(OUT)


def test_a_name_of_the_networks_dns_is_none_even_with_the_token() -> None:
    assert OUT.refusal({"host": "evil.example:8420"}, query=f"token={OUT.token}") == (403, WRONG_HOST)
    every = AccessRules("0.0.0.0", 8420, OUT.token)
    assert every.refusal({"host": "10.0.0.7:8420"}, query=f"token={OUT.token}") is None
