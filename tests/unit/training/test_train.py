"""The command line of training: each trainer's options in groups, one option for all that share it."""

from __future__ import annotations

import pytest

from training.train import check_options, options_by_trainers, parser_of, trainers


def test_an_option_that_trainers_share_is_there_once_and_for_all_of_them() -> None:
    groups = options_by_trainers(trainers())
    flags = [option.flag for options in groups.values() for option in options]
    assert len(flags) == len(set(flags))
    (owners,) = [names for names, options in groups.items() if "--soundfont" in [one.flag for one in options]]
    assert {"codec", "translator", "kind"} <= set(owners)


def test_an_option_of_other_trainers_is_refused_and_a_shared_one_is_taken() -> None:
    known = trainers()
    parser = parser_of(known)
    check_options(known, parser, parser.parse_args(["translator", "--corpus", "somewhere", "--music", "3"]))
    with pytest.raises(ValueError, match="--music is an option of latent and translator, not of codec"):
        check_options(known, parser, parser.parse_args(["codec", "--music", "3"]))
    with pytest.raises(ValueError, match=r"--corpus is an option of .* and .*, not of embedding"):
        check_options(known, parser, parser.parse_args(["embedding", "--corpus", "somewhere"]))
