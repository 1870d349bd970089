"""Films are put into groups by a file, or by the words in their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.errors import UserError
from training.evaluation.films.groups import read_groups


def test_without_a_file_the_words_in_a_name_decide(tmp_path: Path) -> None:
    groups = read_groups(tmp_path)
    assert groups.of("mma_snare.mp4") == ("drums",)
    assert groups.of("PianoHands.mp4") == ("other",), "a word ends where letters end"
    assert groups.of("my-Piano.2.mp4") == ("keys",)
    assert groups.of("bassoon.mp4") == ("winds_strings",)
    assert groups.of("hitting_metal.mp4") == ("hits",)
    assert groups.of("hands.mp4") == ("other",)
    assert "names" in groups.source


def test_a_file_decides_and_a_film_may_be_in_several_groups(tmp_path: Path) -> None:
    (tmp_path / "groups.toml").write_text('hits = ["stick_*", "*snare*"]\ndrums = ["*snare*"]\n')
    groups = read_groups(tmp_path)
    assert groups.of("mma_snare.mp4") == ("hits", "drums")
    assert groups.of("stick_1.mp4") == ("hits",)
    assert groups.of("piano.mp4") == ("other",)
    other = tmp_path / "mine.toml"
    other.write_text('keys = ["p*"]\n')
    assert read_groups(tmp_path, other).of("piano.mp4") == ("keys",)


def test_a_table_says_what_is_played_in_films_and_groups_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "groups.toml").write_text('[kinds]\nkeys = ["*piano*"]\nnone = ["*"]\n')
    groups = read_groups(tmp_path)
    assert (groups.kind_of("a_piano.mp4"), groups.kind_of("cat.mp4")) == ("keys", "none")
    assert groups.of("piano.mp4") == ("keys",), "by its name, as without a file"
    (tmp_path / "groups.toml").write_text('hits = ["*"]\n[kinds]\nair = ["b*"]\n')
    groups = read_groups(tmp_path)
    assert (groups.of("b.mp4"), groups.kind_of("b.mp4"), groups.kind_of("c.mp4")) == (("hits",), "air", None)
    assert read_groups(tmp_path / "none").kind_of("piano.mp4") is None


@pytest.mark.parametrize(
    "text",
    ["kinds = 3", "[kinds]\nair = 3", '[kinds]\nkazoo = ["*"]', "hits = 3", 'hits = ["a", 3]', "hits = ", "\x00"],
)
def test_a_file_that_is_not_right_is_said_in_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "groups.toml"
    file.write_text(text)
    with pytest.raises(UserError, match=r"groups\.toml") as error:
        read_groups(tmp_path)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError):
        read_groups(tmp_path, tmp_path / "absent.toml")
