"""The synthetic performer: its body meets the score exactly and rests with it, and its labels say what is drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from performers.body import Body
from performers.gestures import DRUM_PLACES, KEY_HEIGHT, Air, Keys, Strings, place_of, string_and_stop
from performers.kinds import KINDS
from performers.performer import LABEL_NAMES, SyntheticPerformer, UnknownPerformerError, parse_performer
from performers.score import FOOT, LEFT, RIGHT, Note, Score, draw_score

SIDES = {LEFT: "left", RIGHT: "right"}


def _body(kind: str, seed: int = 3, duration_s: float = 40.0) -> tuple[Score, Body]:
    score = draw_score(kind, seed, duration_s)
    return score, Body(score, seed)


def _of(score: Score, *limbs: int) -> list[Note]:
    return [note for note in score.notes if note.effector in limbs]


def _speed(body: Body, joint: str, t_s: float) -> float:
    step = 1e-3
    return float(np.linalg.norm(body.pose(t_s + step)[joint] - body.pose(t_s - step)[joint]) / (2 * step))


@pytest.mark.parametrize("seed", [0, 3])
def test_sticks_meet_their_drums_at_the_onset_and_are_fastest_there(seed: int) -> None:
    score, body = _body("drums", seed)
    hits = _of(score, LEFT, RIGHT)
    assert len(hits) > 20
    for note in hits:
        joint = f"{SIDES[note.effector]}_tip"
        assert np.allclose(body.pose(note.onset_s)[joint], DRUM_PLACES[int(note.pitch)], atol=1e-6)
        heights = np.array([body.pose(note.onset_s - s)[joint][1] for s in np.linspace(0.05, 0.0, 11)])
        falls = -np.diff(heights)
        assert (falls > 0).all()
        assert falls[-1] == falls.max()
        assert body.pose(note.onset_s + 0.02)[joint][1] > heights[-1]


def test_harder_hits_are_lifted_higher() -> None:
    notes = tuple(Note(1.0 + i, 0.1, 1.0, velocity, LEFT) for i, velocity in enumerate((0.25, 0.5, 1.0)))
    body = Body(Score("drums", 0, 5.0, 0.5, notes, ()), 0)
    tops = [max(body.pose(n.onset_s - s)["left_tip"][1] for s in np.linspace(0, 0.3, 61)) for n in notes]
    assert tops[0] < tops[1] < tops[2]


def test_kick_foot_and_beater_arrive_at_the_onset() -> None:
    score, body = _body("drums")
    for note in _of(score, FOOT):
        foot = [body.pose(note.onset_s + s)["right_foot"][1] for s in (-0.05, 0.0)]
        assert foot[1] < foot[0] - 0.01
        assert body.pose(note.onset_s)["beater"][2] == pytest.approx(DRUM_PLACES[0][2], abs=1e-6)
        assert body.pose(note.onset_s - 0.05)["beater"][2] < DRUM_PLACES[0][2] - 0.005


def test_bow_changes_direction_at_each_legato_onset_and_its_speed_is_the_velocity() -> None:
    for seed in range(4):
        score, body = _body("strings", seed)
        bow = body.gesture
        assert isinstance(bow, Strings)
        turned = 0
        for before, note in zip(score.notes, score.notes[1:], strict=False):
            if note.onset_s - before.end_s > 0.01:
                continue
            at = [bow.bow_position.at(note.onset_s + s)[0] for s in (-0.02, 0.0, 0.02)]
            assert (at[1] - at[0]) * (at[2] - at[1]) < 0
            turned += 1
        assert turned > 10
        travel = [
            abs(bow.bow_position.at(n.end_s)[0] - bow.bow_position.at(n.onset_s)[0]) / n.duration_s for n in score.notes
        ]
        assert np.corrcoef(travel, [n.velocity for n in score.notes])[0, 1] > 0.5
        drawn = [bow.bow_position.at(t)[0] for t in np.arange(0, 40, 0.01)]
        assert min(drawn) >= 0.0
        assert max(drawn) <= 1.0


def test_bow_frog_is_in_the_right_hand_and_the_bow_keeps_its_length() -> None:
    _, body = _body("strings")
    lengths = []
    for t_s in np.arange(0.0, 10.0, 0.37):
        pose = body.pose(float(t_s))
        lengths.append(np.linalg.norm(pose["frog"] - pose["right_tip"]))
        assert np.linalg.norm(pose["frog"] - pose["right_hand"]) < 0.03
    assert np.ptp(lengths) < 1e-9


def test_string_and_finger_are_those_of_the_pitch_and_early() -> None:
    score, body = _body("strings", 5)
    bow = body.gesture
    assert isinstance(bow, Strings)
    for note in score.notes:
        for early in (0.0, 0.02):
            assert bow.stop.at(note.onset_s - early) == pytest.approx(string_and_stop(note.pitch), abs=1e-6)
    assert {string_and_stop(note.pitch)[0] for note in score.notes} >= {1, 2}
    assert string_and_stop(55.0) == (0, 0.0)
    assert string_and_stop(62.0) == (1, 0.0)
    assert string_and_stop(84.0) == (3, 8.0)


def test_bow_is_laid_on_the_string_for_an_entry_and_turns_from_string_to_string() -> None:
    notes = (Note(1.0, 0.5, 55.0, 0.8, RIGHT), Note(1.5, 0.5, 83.0, 0.8, RIGHT), Note(3.0, 0.5, 55.0, 0.8, RIGHT))
    body = Body(Score("strings", 0, 5.0, 0.5, notes, ()), 0)
    bow = body.gesture
    assert isinstance(bow, Strings)
    assert bow.entry.at(2.9)[1] > 0.02 > bow.entry.at(3.0)[1] == 0.0
    assert bow.entry.at(1.45)[1] == 0.0
    low, high = (body.pose(t)["right_tip"] - body.pose(t)["frog"] for t in (1.3, 1.8))
    turn = math.degrees(math.acos(float(low @ high) / float(np.linalg.norm(low) * np.linalg.norm(high))))
    assert 35.0 < turn < 55.0


def test_fingers_land_on_the_right_key_at_the_onset_and_stay() -> None:
    score, body = _body("keys")
    for note in score.notes:
        joint = f"{SIDES[note.effector]}_tip"
        for since in (0.0, 0.3 * note.duration_s):
            tip = body.pose(note.onset_s + since)[joint]
            assert tip[:2] == pytest.approx([Keys.x_of(note), KEY_HEIGHT], abs=1e-5)
        assert body.pose(note.onset_s - 0.03)[joint][1] > KEY_HEIGHT + 0.005
        assert body.pose(note.onset_s)[joint][1] <= body.pose(note.onset_s - 0.005)[joint][1]


def heights_at(body: Body, hand: str, t_s: float) -> float:
    return float(body.pose(t_s)[hand][1])


def test_air_hands_beat_the_onset_and_keep_moving_with_the_strength() -> None:
    soft, hard = Note(1.0, 0.8, 60.0, 0.3, RIGHT), Note(3.0, 0.8, 72.0, 0.95, RIGHT)
    body = Body(Score("air", 0, 6.0, 0.5, (soft, hard), ((0.0, 0.9), (1.9, 2.9), (3.9, 6.0))), 0)
    gesture = body.gesture
    assert isinstance(gesture, Air)
    beat = gesture.beat
    mean = []
    for note in (soft, hard):
        for hand in ("left_hand", "right_hand"):
            heights = [body.pose(note.onset_s + s)[hand][1] for s in (-0.25, -0.08, -0.001)]
            assert heights[1] > max(heights[0], heights[2]) + 0.02, "lifted, then fallen"
            # Fastest just before the onset, and stopped there.
            assert beat.at(note.onset_s - 0.01)[1] > 0.0
            assert beat.at(note.onset_s)[1] == 0.0
            late, early = [
                heights_at(body, hand, note.onset_s + s) - heights_at(body, hand, note.onset_s + s + 0.02)
                for s in (-0.021, -0.08)
            ]
            assert late > early + 0.005
        mean.append(np.mean([_speed(body, "right_hand", note.onset_s + s) for s in np.arange(0.2, 0.75, 0.02)]))
    assert mean[1] > 2 * mean[0] > 0.05
    heights = [np.mean([body.pose(n.onset_s + s)["right_hand"][1] for s in (0.2, 0.4, 0.6, 0.8)]) for n in (soft, hard)]
    assert heights[1] > heights[0]


def test_dancer_lands_claps_and_throws_on_the_note() -> None:
    score, body = _body("dance")
    ground = body.pose(0.0)["left_foot"][1]
    for note in score.notes:
        pose = body.pose(note.onset_s)
        if note.effector == FOOT:
            side = min(("left", "right"), key=lambda s: body.pose(note.onset_s + 0.02)[f"{s}_foot"][1])
            assert pose[f"{side}_foot"][1] == pytest.approx(ground, abs=1e-6)
            before = body.pose(note.onset_s - 0.06)
            assert max(before["left_foot"][1], before["right_foot"][1]) > ground + 0.01
        elif note.effector == LEFT:
            assert np.linalg.norm(pose["left_hand"] - pose["right_hand"]) < 0.05
            before = body.pose(note.onset_s - 0.08)
            assert np.linalg.norm(before["left_hand"] - before["right_hand"]) > 0.1
        else:
            shoulder = pose["right_shoulder"]
            reach = [np.linalg.norm(body.pose(note.onset_s - s)["right_hand"] - shoulder) for s in (0.0, 0.06)]
            assert reach[0] > 0.33
            assert reach[0] > reach[1] + 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_body_stands_still_in_rests_and_moves_without_jumps(kind: str) -> None:
    score, body = _body(kind, 4)
    rests = [(start + 0.15, stop - 0.26) for start, stop in score.rests if stop - start > 0.8]
    assert rests
    for start, stop in rests:
        points = np.stack([body.pose(t).points for t in np.linspace(start, stop, 20)])
        assert np.ptp(points, axis=0).max() < 0.006
    times = np.arange(2.0, 8.0, 0.002)
    steps = np.diff(np.stack([body.pose(t).points for t in times]), axis=0)
    assert np.abs(steps).max() < 0.04
    assert np.ptp(np.stack([body.pose(t).points for t in times[::20]]), axis=0).max() > 0.03


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_the_same_at_each_asking_and_differ_between_seeds(kind: str) -> None:
    size = (128, 96)
    first, again, other = (SyntheticPerformer(kind, seed, size, 20.0) for seed in (1, 1, 2))
    frame = first.frame(3.3)
    assert frame.shape == (96, 128, 3)
    assert frame.dtype == np.uint8
    again.frame(9.0)
    assert np.array_equal(frame, again.frame(3.3))
    assert np.abs(frame.astype(int) - other.frame(3.3)).mean() > 5.0


@pytest.mark.parametrize("kind", KINDS)
def test_picture_moves_when_playing_and_not_in_rests(kind: str) -> None:
    ratios = []
    for seed in range(40):
        player = SyntheticPerformer(kind, seed, (128, 96), 20.0)
        scene = player.scene
        if scene.noise or not scene.calm:
            continue
        rests = [(a + 0.15, b - 0.3) for a, b in player.score.rests if b - a > 1.0]
        still = [_difference(player, t) for a, b in rests for t in np.linspace(a, b, 4)]
        played = [_difference(player, float(t) + 0.01) for t in player.score.onsets_s[:20]]
        ratios.append(np.mean(played) / (np.mean(still) + 1e-3))
        if len(ratios) == 2:
            break
    assert ratios
    assert min(ratios) > 5.0


def _difference(player: SyntheticPerformer, t_s: float) -> float:
    return float(np.abs(player.frame(t_s).astype(int) - player.frame(t_s - 0.04)).mean())


@pytest.mark.parametrize("size", [(640, 480), (128, 128), (90, 160)])
def test_labels_are_in_range_and_say_the_kind(size: tuple[int, int]) -> None:
    for kind in KINDS:
        player = SyntheticPerformer(kind, 6, size, 20.0)
        rows = np.stack([player.labels(t) for t in np.arange(0.0, 20.0, 0.5)])
        assert rows.shape[1] == len(LABEL_NAMES) == 34
        assert rows.dtype == np.float32
        assert rows.min() >= 0.0
        assert rows.max() <= 1.0
        assert rows[0, LABEL_NAMES.index(f"is_{kind}")] == 1.0
        assert (rows[:, 28:33].sum(1) == 1.0).all()
        assert np.ptp(rows[:, 2:4]) > 0.01
        if kind != "drums":
            assert player.labels(20.0)[33] == pytest.approx(place_of(player.score.notes[-1], kind))


def test_labels_point_at_what_is_drawn() -> None:
    """The head's label lies on the head: painted skin and hair change the picture there."""
    player = SyntheticPerformer("air", 3, (256, 256), 10.0)
    head = LABEL_NAMES.index("head_x")
    x, y = player.labels(2.0)[head : head + 2] * 256
    background = player.scene.background((256, 256), player.scene.moved(2.0))
    patch = np.s_[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3]
    assert np.abs(player.frame(2.0)[patch].astype(int) - background[patch]).mean() > 12.0


def test_kind_is_drawn_from_the_seed() -> None:
    kinds = {SyntheticPerformer(None, seed, (32, 32), 5.0).kind for seed in range(20)}
    assert kinds == set(KINDS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("performer", (None, None)),
        ("performer:drums", ("drums", None)),
        ("performer@7", (None, 7)),
        ("performer:air@12", ("air", 12)),
    ],
)
def test_parse(text: str, expected: tuple[str | None, int | None]) -> None:
    assert parse_performer(text) == expected


@pytest.mark.parametrize(
    "text",
    ["performers", "performer:", "performer:harp", "performer@", "performer@-1", "performer:air@x", "performer@1@2"],
)
def test_parse_refuses_with_one_line(text: str) -> None:
    with pytest.raises(UnknownPerformerError) as caught:
        parse_performer(text)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) > 20


def test_size_and_kind_are_checked() -> None:
    with pytest.raises(ValueError, match="16"):
        SyntheticPerformer("air", 0, (8, 8))
    with pytest.raises(ValueError, match="harp"):
        SyntheticPerformer("harp", 0)


@pytest.mark.parametrize(("kind", "off"), [("keys", 0.001), ("air", 0.05)])
def test_a_pitch_lies_between_the_ends_of_its_instrument(kind: str, off: float) -> None:
    performer = SyntheticPerformer(kind, 12, duration_s=12.0)
    seen = 0
    for note in performer.score.notes:
        pose = performer.body.pose(note.onset_s + 0.03)
        low, high = pose["low_end"], pose["high_end"]
        place = low + place_of(note, kind) * (high - low)
        hands = ("left_tip", "right_tip") if kind == "keys" else ("right_hand",)
        axis = int(np.argmax(np.abs(high - low)))
        if note.duration_s > 0.06:
            seen += 1
            assert min(abs(pose[hand][axis] - place[axis]) for hand in hands) < off
    assert seen > 5


def test_undisturbed_the_picture_is_the_same_but_for_what_the_player_does() -> None:
    shaken = [seed for seed in range(40) if not SyntheticPerformer("dance", seed, (64, 48), 10.0).scene.calm]
    assert 15 < len(shaken) < 35
    for seed in shaken[:4]:
        filmed, calm = (SyntheticPerformer("dance", seed, (64, 48), 10.0, undisturbed=how) for how in (False, True))
        assert calm.scene.calm
        assert np.array_equal(calm.frame(0.0), filmed.frame(0.0))
        assert not np.array_equal(calm.frame(2.0), filmed.frame(2.0))
        assert np.array_equal(calm.scene.moved(2.0), filmed.scene.moved(0.0))
    steady = next(seed for seed in range(40) if seed not in shaken)
    filmed, calm = (SyntheticPerformer("dance", steady, (64, 48), 10.0, undisturbed=how) for how in (False, True))
    assert np.array_equal(calm.frame(2.0), filmed.frame(2.0))


def test_another_world_changes_camera_and_hands_and_not_what_is_played() -> None:
    spans, leads = [], []
    for seed in range(12):
        usual, real = (SyntheticPerformer("drums", seed, (64, 48), 10.0, world=world) for world in ("rendered", "real"))
        assert usual.score == real.score
        spans.append(real.scene.view(real.body).span / usual.scene.view(usual.body).span)
        limb = real.score.notes[0].effector
        if limb == FOOT:
            continue
        side = ("left", "right")[limb]
        onset = real.score.notes[0].onset_s

        def lowest(performer: SyntheticPerformer, joint: str, onset: float = onset) -> float:
            times = np.arange(onset - 0.15, onset + 0.03, 0.005)
            heights = [performer.body.pose(float(time))[joint][1] for time in times]
            return onset - float(times[int(np.argmin(heights))])

        assert abs(lowest(real, f"{side}_tip")) < 0.011
        leads.append(lowest(real, f"{side}_hand") - lowest(usual, f"{side}_hand"))
    assert 0.39 < min(spans) < 0.7
    assert max(spans) <= 1.0
    assert max(leads) > 0.02
    plain = SyntheticPerformer("keys", 3, (64, 48), 5.0)
    again = SyntheticPerformer("keys", 3, (64, 48), 5.0, world="rendered")
    assert np.array_equal(plain.frame(1.0), again.frame(1.0))
    with pytest.raises(ValueError, match="unknown world"):
        SyntheticPerformer("keys", 3, world="moon")
