# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From episode files to scores, and the calibrate verb around made-up scores."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_checkpoint import JOINTS, make_episode, tiny_config

from wm_ros.calibration.episode_scores import EpisodeScores
from wm_ros.calibration.thresholds import Calibration, calibration_from_dict
from wm_ros.cli import main
from wm_ros.data.episode import write_episode
from wm_ros.errors import CalibrationError, DatasetError
from wm_ros.inference.checkpoint import file_sha256
from wm_ros.inference.engine import CheckOutput
from wm_ros.training import calibrating, episode_scores, self_trust
from wm_ros.training.episode_scores import kind_name, score_episodes

CONFIG = tiny_config()


class BrightEngine:
    """Its risk is the brightness of the newest frame, so that a score tells its window."""

    def __init__(self):
        self.closed = False
        self.checks = 0

    def check_batch(self, inputs):
        self.checks += len(inputs)
        return [CheckOutput(np.full(len(one.actions), one.images[-1].mean() / 255, np.float32),
                            np.zeros(len(one.actions), np.float32), one.actions, None)
                for one in inputs]

    def close(self):
        self.closed = True


def write_command(path, *, hazard_at=None):
    """Write an episode that rests, is told to move from 0.55 s on and then moves."""
    episode = make_episode(hazard_at=hazard_at)
    seconds = (episode.joint_stamps_ns - episode.joint_stamps_ns[0]) / 1e9
    moved = np.repeat((seconds >= 0.55)[:, None], len(JOINTS), axis=1).astype(np.float32)
    write_episode(path, replace(episode, positions=moved * 0, velocities=moved,
                                setpoints=moved * np.float32(0.5)))


@pytest.fixture
def engine(monkeypatch):
    made = BrightEngine()
    monkeypatch.setattr(episode_scores, 'make_engine', lambda *args, **kwargs: made)
    return made


@pytest.fixture
def paths(tmp_path):
    found = [tmp_path / f'episode_{number:09d}.safetensors' for number in range(3)]
    write_command(found[0], hazard_at=0.8)
    write_command(found[1])
    # Two frames are no window: the row stays empty.
    write_episode(found[2], make_episode(frames=2))
    return found


def test_each_episode_gets_one_score_of_each_class(engine, paths):
    done = []
    scores = score_episodes(SimpleNamespace(config=CONFIG), paths, engine='any', num_threads=1,
                            stop_s=0.25, on_progress=done.append)
    # The command starts between 0.5 and 0.6 s, so the window from rest is that of frame 4.
    bright = 40 / 255
    assert scores.hazard == pytest.approx([bright, np.nan, np.nan], abs=0.01, nan_ok=True)
    assert scores.safe == pytest.approx([np.nan, bright, np.nan], abs=0.01, nan_ok=True)
    # The same window step by step, and that the hazard came with the third step, at 0.8 s.
    assert scores.by_step.hazard[0] == pytest.approx([bright] * 5, abs=0.01)
    assert scores.by_step.safe[1] == pytest.approx([bright] * 5, abs=0.01)
    assert np.isnan(scores.by_step.hazard[1:]).all()
    assert scores.by_step.happened[0].sum() in (2, 3)
    assert not scores.by_step.happened[1:].any()
    # It moves from frame 6 on, and touches between frames 7 and 8.
    assert round(scores.moving_hazard[0] * 25.5) in (6, 7)
    assert round(scores.moving_safe[1] * 25.5) >= 6
    # 0.25 s before the contact the newest frame is the fifth.
    assert scores.timely == pytest.approx([50 / 255, np.nan, np.nan], abs=0.01, nan_ok=True)
    assert scores.kind == ('table', '', '')
    assert done == [1, 2, 3]
    assert engine.closed


def test_episodes_are_scored_for_a_model_of_one_step(engine, paths):
    config = tiny_config(horizon=1, step_s=0.3)
    scores = score_episodes(SimpleNamespace(config=config), paths, engine='any', num_threads=1)
    # 0.3 s ahead the command at 0.55 s is seen from the frames 3 to 5, which rest, and the hazard
    # at 0.8 s from the last of them.
    assert scores.hazard == pytest.approx([50 / 255, np.nan, np.nan], abs=0.01, nan_ok=True)
    assert round(scores.safe[0] * 25.5) in (3, 4)
    assert round(scores.safe[1] * 25.5) in (3, 4, 5)
    assert scores.by_step.safe.shape == (3, 1)


def test_without_a_stopping_time_only_commands_from_rest_are_scored(engine, paths):
    scores = score_episodes(SimpleNamespace(config=CONFIG), paths, engine='any', num_threads=1)
    assert engine.checks == 2
    for name in ('moving_hazard', 'moving_safe', 'timely'):
        assert np.isnan(getattr(scores, name)).all()


def test_a_damaged_episode_is_named_and_the_engine_is_freed(engine, paths):
    paths[1].write_bytes(b'no episode')
    with pytest.raises(DatasetError, match=r'episode_000000001\.safetensors'):
        score_episodes(SimpleNamespace(config=CONFIG), paths, engine='any', num_threads=1)
    assert engine.closed


def test_kinds_of_hazard_are_named():
    assert kind_name(1, ('object', 'table')) == 'object'
    assert kind_name(3, ('object', 'table')) == 'object+table'
    assert kind_name(0, ('object',)) == kind_name(8, ('object',)) == 'unknown'


def make_scores(hazards, safe, *, seed=0):
    """Return well separated scores, of hazards first and of safe commands in all episodes."""
    rng = np.random.default_rng(seed)
    total = max(hazards, safe)
    there = np.arange(total) < hazards
    hazard = np.where(there, rng.beta(5, 2, total), np.nan)
    calm = np.where(np.arange(total) < safe, rng.beta(2, 5, total), np.nan)
    return EpisodeScores(
        hazard=hazard, safe=calm, moving_hazard=hazard, moving_safe=calm, timely=hazard,
        kind=tuple('object' if one else '' for one in there))


class Bench:
    """A checkpoint directory and episodes of which only the scores matter."""

    def __init__(self, root, monkeypatch):
        self.checkpoint, self.data = root / 'checkpoint', root / 'data'
        self.checkpoint.mkdir()
        self.data.mkdir()
        (self.checkpoint / 'model.safetensors').write_bytes(b'weights')
        (self.data / 'episode_000000000.safetensors').write_bytes(b'episode')
        self.json = root / 'out.json'
        self.calibration = None
        self.is_readable = True
        self.scores = make_scores(300, 300)
        monkeypatch.setattr(calibrating, 'load_checkpoint', self._load)
        monkeypatch.setattr(calibrating, 'score_episodes', self._score)
        monkeypatch.setattr(self_trust, 'write_self_trust', self._trust)
        self.scored = 0

    def _load(self, path, *, is_for_calibration=False):
        assert self.is_readable or is_for_calibration, 'the thresholds were read'
        return SimpleNamespace(directory=path, config=CONFIG, calibration=self.calibration)

    def _score(self, *args, **kwargs):
        self.scored += 1
        return self.scores

    def _trust(self, *args, **kwargs):
        raise CalibrationError('one episode is too few')

    def run(self, capsys, *options):
        code = main(['calibrate', '--checkpoint', str(self.checkpoint), '--data', str(self.data),
                     '--json', str(self.json), *options])
        return code, capsys.readouterr()

    def stored(self, **changes):
        values = {
            'lower': 0.3, 'upper': 0.9, 'alpha_miss': 0.05, 'alpha_veto': 0.05,
            'num_hazards': 331, 'num_safe': 444, 'abstain_rate': 0.1, 'weights_sha256': 'a',
            'data_sha256': 'others', 'date': '2026-01-01T00:00:00+00:00'}
        return Calibration(**{**values, **changes})


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setenv('COLUMNS', '200')
    return Bench(tmp_path, monkeypatch)


def test_a_calibration_is_written_with_what_is_proven(bench, capsys):
    code, shown = bench.run(capsys, '--confidence', '0.95')
    assert code == 0
    assert 'at most 5.00% of hazards are below a risk of' in ' '.join(shown.out.split())
    assert 'both promises hold together with OK below' in ' '.join(shown.out.split())
    # What the running predictor needs besides is left out and said, where there is too little.
    assert 'No drift monitor: one episode is too few.' in shown.out
    written = json.loads((bench.checkpoint / 'calibration.json').read_text())
    assert written == json.loads(bench.json.read_text())
    found = calibration_from_dict(written)
    assert (found.num_hazards, found.num_safe, found.confidence) == (300, 300, 0.95)
    assert 0 < found.ltt_lower <= found.lower
    assert 0.05 < found.miss_bound < 0.1
    assert 'calibration.json' in (bench.checkpoint / 'manifest.json').read_text()


def test_thresholds_that_cannot_be_read_are_chosen_anew(bench, capsys):
    """Every message about such thresholds says to calibrate again, which read them first."""
    bench.is_readable = False
    assert bench.run(capsys)[0] == 0


def test_separable_classes_are_stated_as_one_threshold(bench, capsys):
    apart = np.repeat([[0.9], [0.1]], 100, axis=1)
    bench.scores = replace(make_scores(100, 100), hazard=apart[0], safe=apart[1])
    code, shown = bench.run(capsys)
    assert code == 0
    assert 'hold together at any single threshold from 0.1' in ' '.join(shown.out.split())
    written = json.loads(bench.json.read_text())
    assert 0.1 < written['lower'] == written['upper'] < 0.9


def test_a_refused_calibration_writes_nothing(bench, capsys):
    bench.scores = make_scores(40, 300)
    code, shown = bench.run(capsys, '--confidence', '0.95')
    assert code == 1
    assert '40 hazards cannot support alpha_miss = 0.05 with confidence 0.95' in shown.err
    assert 'collect 19 more' in shown.err
    assert [path.name for path in bench.checkpoint.iterdir()] == ['model.safetensors']
    # Not asked for by name it is left out, and said so.
    assert bench.run(capsys)[0] == 0
    assert json.loads(bench.json.read_text())['ltt_lower'] is None
    bench.scores = make_scores(18, 300)
    code, shown = bench.run(capsys)
    assert code == 1
    assert 'it takes 19, so collect 1 more' in shown.err


def test_a_check_lists_promised_and_measured_and_changes_nothing(bench, capsys):
    bench.calibration = bench.stored()
    before = {path.name: path.read_bytes() for path in bench.checkpoint.iterdir()}
    code, _ = bench.run(capsys, '--check', '--repeats', '200')
    assert code == 0
    assert {path.name: path.read_bytes() for path in bench.checkpoint.iterdir()} == before
    rows = json.loads(bench.json.read_text())
    assert [row['alpha'] for row in rows] == [0.1, 0.05, 0.01]
    for row in rows:
        assert {'alpha', 'miss_mean', 'miss_ci95', 'false_veto_mean', 'repeats',
                'hazards'} <= set(row)
        assert (row['repeats'], row['hazards']) == (200, 300)
        assert row['promise_kept']
        assert row['miss_ci95'][0] <= row['miss_mean'] <= row['miss_ci95'][1]
    # The thresholds in use stand beside the promise that is theirs.
    assert [row['stored'] is not None for row in rows] == [False, True, False]
    assert rows[1]['stored']['miss']['number'] == 300
    assert bench.scored == 1


def test_an_alpha_that_n_cannot_test_is_refused_and_the_others_are_kept(bench, capsys):
    bench.scores = make_scores(80, 200)
    code, shown = bench.run(capsys, '--check', '--repeats', '200')
    assert code == 1
    assert 'alpha = 0.01 cannot be tested with 80 episodes with a hazard' in shown.err
    assert 'collect 39 more' in shown.err
    assert [row['alpha'] for row in json.loads(bench.json.read_text())] == [0.1, 0.05]


def test_thresholds_that_break_their_promise_on_new_scenes_are_told(bench, capsys):
    bench.calibration = bench.stored(lower=0.6)
    code, shown = bench.run(capsys, '--check', '--repeats', '200')
    assert code == 1
    assert 'misses in 300 with the thresholds in use' in shown.err
    assert 'the calibration does not cover these scenes' in shown.err


def test_the_episodes_of_the_calibration_are_no_test_of_it(bench, capsys):
    """What an older program calibrated knows only whether it was just those."""
    paths = list(bench.data.iterdir())
    same = calibrating.dataset_sha256(paths, [file_sha256(path) for path in paths])
    bench.calibration = bench.stored(lower=0.6, data_sha256=same)
    code, shown = bench.run(capsys, '--check', '--repeats', '200')
    assert code == 0
    assert 'NO TEST: 1 of these 1 episodes' in shown.out
    assert all(row['stored'] is None for row in json.loads(bench.json.read_text()))


def test_some_episodes_of_the_calibration_are_no_test_either(bench, capsys):
    """One hash over all files took a part of them, or one more, for new scenes."""
    for number in range(1, 4):
        (bench.data / f'episode_{number:09d}.safetensors').write_bytes(b'other %d' % number)
    assert bench.run(capsys, '--episodes', '3')[0] == 0
    bench.calibration = replace(
        calibration_from_dict(json.loads((bench.checkpoint / 'calibration.json').read_text())),
        lower=0.6, upper=0.9)
    assert len(bench.calibration.episodes) == 3
    # Known by its bytes, under whatever name.
    renamed = bench.data / 'episode_000000009.safetensors'
    (bench.data / 'episode_000000000.safetensors').rename(renamed)
    code, shown = bench.run(capsys, '--check', '--repeats', '200')
    assert code == 0
    assert 'NO TEST: 3 of these 4 episodes' in shown.out
    assert all(row['stored'] is None for row in json.loads(bench.json.read_text()))
    for path in bench.data.iterdir():
        path.write_bytes(path.read_bytes() + b' of another day')
    code, shown = bench.run(capsys, '--check', '--repeats', '200')
    assert code == 1
    assert 'NO TEST' not in shown.out
    assert 'the calibration does not cover these scenes' in shown.err


@pytest.mark.parametrize(('options', 'message'), [
    (('--check', '--repeats', '199'), '--repeats 199 must be at least 200'),
    (('--check', '--alphas', '0.1', '0'), r'--alphas = 0.0'),
    (('--check', '--confidence', '1'), '--confidence = 1.0'),
    (('--confidence', '0'), 'confidence = 0.0'), (('--alpha-miss', '1.5'), 'alpha_miss = 1.5')])
def test_levels_that_promise_nothing_are_refused_before_anything_is_scored(
        bench, capsys, options, message):
    code, shown = bench.run(capsys, *options)
    assert code == 2
    assert message in shown.err
    assert bench.scored == 0


def test_choosing_thresholds_needs_data(bench, capsys):
    assert main(['calibrate', '--checkpoint', str(bench.checkpoint)]) == 2
    assert '--data is missing' in capsys.readouterr().err
