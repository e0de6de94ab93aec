# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A whole evaluation of made-up windows: figures, baselines, sensitivity, futures, report."""

import json
from dataclasses import replace

import numpy as np
import pytest
from evaluation_rig import (
    EPISODES,
    HORIZON,
    PER_EPISODE,
    FakeEngine,
    make_checkpoint,
    make_windows,
    write_kinds,
)
from safetensors.numpy import save_file

from wm_ros.errors import CheckpointError
from wm_ros.inference.checkpoint import BASELINE_FILE
from wm_ros.training.baseline import HIDDEN, features
from wm_ros.training.evaluation import EvaluationOptions, measure
from wm_ros.training.evaluation_result import nested, plain
from wm_ros.training.figures import warning_figures
from wm_ros.training.hazard_scoring import kind_masks, warning_times
from wm_ros.training.scoring import command_windows, even_sample
from wm_ros.training.sensitivity import altered_actions, one_joint, partners
from wm_ros.training.tables import evaluation_tables

FIRST_KEYS = {
    'auroc', 'auroc_kinematic', 'auroc_command', 'false_veto_at_95_recall',
    'false_veto_at_95_recall_kinematic', 'psnr', 'psnr_copy', 'psnr_moving', 'psnr_moving_copy',
    'joint_error_deg', 'warning_median_s', 'hazard_share', 'windows', 'episodes', 'model_id'}
ADDED_KEYS = {
    'average_precision', 'false_veto_at_90_recall', 'false_veto_at_99_recall', 'ece', 'ssim',
    'psnr_linear', 'uncertainty_spearman', 'auroc_shuffled', 'by_kind', 'ci95',
    'gradient_energy_ratio', 'psnr_best_of_8'}


def run(tmp_path, engine=None, windows=None, *, num_joints=3, with_strips=False, **options):
    windows = make_windows(num_joints) if windows is None else windows
    return measure(engine or FakeEngine(), make_checkpoint(tmp_path, num_joints), windows,
                   write_kinds(tmp_path), EvaluationOptions(
                       repeats=20, with_strips=with_strips, **options))


def test_an_engine_that_knows_the_rule_is_told_apart_from_the_baselines(tmp_path):
    found = run(tmp_path).evaluation
    assert found.auroc == 1
    assert found.false_veto_at_99_recall == 0
    assert found.average_precision == 1
    # Every command is predicted as reached; the joints end 0.01 rad beyond it.
    assert found.joint_error_deg == pytest.approx([np.degrees(0.01)] * HORIZON, rel=1e-4)
    assert found.joint_error_deg_by_joint == pytest.approx(
        dict.fromkeys(('arm.0', 'arm.1', 'arm.2'), np.degrees(0.01)), rel=1e-4)
    assert found.psnr_moving[-1] > found.psnr_moving_copy[-1]
    # Nothing moved before, so its motion goes on to nowhere.
    np.testing.assert_allclose(found.psnr_linear, found.psnr_copy, rtol=0.02)
    # The hazard comes after 0.35 s, seen from the first window of each episode on.
    assert found.warning_median_s == pytest.approx(0.35)
    assert found.warned_share == 1
    assert found.warned_early_share == 0
    assert (found.windows, found.episodes) == (EPISODES * PER_EPISODE, EPISODES)
    assert found.hazard_share == pytest.approx(18 / 60)


def test_vetoes_that_are_early_are_told_from_those_that_are_wrong(tmp_path):
    scores = run(tmp_path).scores.hazards
    rows = np.arange(len(scores.index))
    assert np.isnan(scores.figures(rows)['premature_veto_share'])
    # Five safe windows look as dangerous as any hazard; in two of them one comes a little later.
    safe = np.flatnonzero(~scores.hazard)
    risk, time_s = scores.risk.copy(), scores.time_s.copy()
    risk[safe[:5]] = 1
    time_s[safe] = np.inf
    time_s[safe[[1, 3, 7]]] = 0.95
    found = replace(scores, risk=risk, time_s=time_s).figures(rows)
    assert found['premature_veto_share'] == pytest.approx(2 / 5)
    assert found['false_veto_at_95_recall'] == pytest.approx(5 / len(safe))


def test_an_engine_that_ignores_the_action_is_found_out(tmp_path):
    deaf, listening = (run(tmp_path, FakeEngine(listens=listens)).evaluation
                       for listens in (False, True))
    assert deaf.auroc == deaf.auroc_shuffled == 0.5
    assert deaf.sensitivity['shuffled']['auroc_drop'] == 0
    assert deaf.sensitivity['zero']['pixel_change'] == 0
    assert listening.auroc_shuffled < 0.8
    assert listening.sensitivity['shuffled']['auroc_drop'] == pytest.approx(
        1 - listening.auroc_shuffled)
    # Reflected, the targets that are far on the bad side are far on the good one.
    assert listening.sensitivity['flipped']['auroc'] == 0
    assert listening.sensitivity['zero']['auroc'] == 0.5
    assert listening.sensitivity['flipped']['psnr_drop'] > 0


def test_each_joint_is_heard_by_itself(tmp_path):
    joints = run(tmp_path).evaluation.sensitivity['joints']
    assert list(joints) == ['arm.0', 'arm.1', 'arm.2']
    assert joints['arm.0']['auroc'] == 1
    assert joints['arm.0']['risk_change'] > 0.02
    assert joints['arm.0']['pixel_change'] > 0.002
    for name in ('arm.1', 'arm.2'):
        assert joints[name]['auroc'] == 0.5
        assert joints[name]['risk_change'] == joints[name]['pixel_change'] == 0


def test_futures_are_compared_with_the_mean_and_with_what_came(tmp_path):
    found = run(tmp_path).evaluation
    # The last of eight futures is the truth; the others are noisier, so they have more edges.
    assert found.psnr_best_of_8 == [np.inf] * HORIZON
    assert found.psnr_mean_frame[0] < 25
    assert found.sampler['psnr_best_of_8_gain'] == [np.inf] * HORIZON
    assert found.sampler['psnr_sampled'][0] < 60
    assert found.gradient_energy_ratio > 1
    # The mean frames are a fifth darker: their gradients are 0.8 of the real ones.
    assert found.gradient_energy_ratio_mean == pytest.approx(0.8 ** 2, rel=0.02)
    assert set(found.uncertainty) >= {'ensemble', 'samples', 'coin', 'chance'}
    assert 'gradient_energy_ratio' not in found.notes


@pytest.mark.parametrize(('options', 'wanted'), [({}, 1.0), ({'guidance': 2.5}, 2.5)])
def test_futures_are_drawn_with_the_guidance_asked_for(tmp_path, options, wanted):
    """Guidance was only to be had by calling an engine: no evaluation could ask for it."""
    class Noting(FakeEngine):
        given = []

        def sample(self, output, *, num_futures, guidance=1.0, **others):
            self.given.append((num_futures, guidance))
            return super().sample(output, num_futures=num_futures, **others)

    Noting.given = []
    found = run(tmp_path, Noting(), with_strips=True, sampler_windows=4, **options).evaluation
    assert [item for item in Noting.given if item[0] == 8] == [(8, wanted)] * 4
    # One future for each film strip.
    assert Noting.given[-5:] == [(1, wanted)] * 5
    assert found.sampler['guidance'] == wanted
    assert f'guidance {wanted:g}' in next(
        table.note for table in evaluation_tables(found.to_dict())
        if table.title == 'Sampled futures')


def test_a_model_of_one_step_is_measured_too(tmp_path):
    """Which windows begin a command was read off the second step; there was no shorter model."""
    windows = make_windows()
    windows = replace(windows, **{name: getattr(windows, name)[:, -1:] for name in (
        'future', 'actions', 'joints', 'clearance')})
    checkpoint = make_checkpoint(tmp_path)
    checkpoint = replace(checkpoint, config=replace(checkpoint.config, horizon=1, step_s=0.5))
    found = measure(FakeEngine(), checkpoint, windows, write_kinds(tmp_path),
                    EvaluationOptions(repeats=20, with_strips=True)).evaluation
    assert found.auroc == found.auroc_command == 1
    assert len(found.psnr) == len(found.joint_error_deg) == 1


def test_a_command_begins_in_the_second_step_or_the_only_one():
    windows = make_windows()
    actions = np.zeros((len(windows), 2, 3), np.float32)
    actions[0, 1, 2] = 0.031
    # It has begun; it begins later; its arm moves; it is in contact.
    actions[1], actions[2, 1], actions[3:5, 1, 0] = 0.1, 0.029, 0.5
    windows.velocities[3], windows.in_contact[4] = 0.1, True
    assert command_windows(replace(windows, actions=actions)).tolist() == [0]
    # The only step is the one in which it may begin.
    assert command_windows(replace(windows, actions=actions[:, 1:])).tolist() == [0, 1]


def test_a_checkpoint_without_sampler_has_the_rest_and_says_so(tmp_path):
    found = run(tmp_path, FakeEngine(has_sampler=False)).evaluation
    assert found.gradient_energy_ratio is None
    assert found.psnr_best_of_8 is None
    assert found.notes['psnr_best_of_8'] == 'this checkpoint has no sampler'
    assert found.gradient_energy_ratio_mean == pytest.approx(0.8 ** 2, rel=0.02)
    assert 'samples' not in found.uncertainty


def test_doubt_that_follows_the_mistake_earns_abstain(tmp_path):
    found = run(tmp_path, FakeEngine(noise=0.4)).evaluation
    assert found.uncertainty_spearman > 0.5
    assert found.uncertainty_ause < found.uncertainty_ause_chance
    assert found.uncertainty_earned_by == 'ensemble'
    # Without noise there is no doubt anywhere, and nothing that it could rank.
    assert np.isnan(run(tmp_path).evaluation.uncertainty_spearman)


def test_kinds_of_hazard_have_rows_by_their_own_episodes_names(tmp_path):
    windows, paths = make_windows(), write_kinds(tmp_path, ('drop', 'spill'))
    masks = kind_masks(windows, paths)
    bad = np.isfinite(windows.hazard_time_s)
    np.testing.assert_array_equal(masks['drop'], bad & (windows.episode % 2 == 0))
    np.testing.assert_array_equal(masks['spill'], bad & (windows.episode % 2 == 1))
    found = run(tmp_path, windows=windows).evaluation
    assert set(found.by_kind) == {'object', 'table'}
    assert sum(kind['hazards'] for kind in found.by_kind.values()) == bad.sum()
    assert found.by_kind['table']['auroc'] == 1
    assert found.by_kind['table']['recall_at_95_recall'] >= 0.9
    assert found.ci95['by_kind.table.auroc'] == [1, 1]


def test_the_json_keeps_its_keys_and_is_strict(tmp_path):
    values = run(tmp_path).evaluation.to_dict()
    assert set(values) >= FIRST_KEYS | ADDED_KEYS
    text = json.dumps(values, allow_nan=False)
    assert json.loads(text) == values
    for name in FIRST_KEYS - {'hazard_share', 'windows', 'episodes', 'model_id'}:
        low, high = values['ci95'][name]
        assert np.shape(low) == np.shape(high) == np.shape(values[name])
    assert values['lpips'] is None
    assert values['notes']['lpips'] in ('weights not present', 'torchvision not installed')


def test_a_robot_of_fourteen_joints_without_hazards_or_kinds(tmp_path):
    found = run(tmp_path, windows=make_windows(14, hazards=False), num_joints=14).evaluation
    values = found.to_dict()
    assert values['auroc'] is None
    assert values['warning_median_s'] is None
    assert values['by_kind'] == {}
    assert values['notes']['auroc_kinematic'] == 'the checkpoint has no kinematics-only classifier'
    assert len(values['sensitivity']['joints']) == 14
    assert values['uncertainty_earned_by'] == 'none'
    for all_steps in (True, False):
        for table in evaluation_tables(values, all_steps=all_steps):
            assert all(len(row) == len(table.columns) for row in table.rows), table.title


def test_the_classifier_without_a_camera_is_scored_where_there_is_one(tmp_path):
    windows, config = make_windows(), make_checkpoint(tmp_path).config
    size = features(windows, config).shape[1]
    # One hidden unit passes on the last target of joint 0, moved above zero.
    weights = {'0.weight': np.zeros((HIDDEN, size), np.float32),
               '0.bias': np.full(HIDDEN, 5, np.float32),
               '2.weight': np.eye(HIDDEN, dtype=np.float32),
               '2.bias': np.zeros(HIDDEN, np.float32),
               '4.weight': np.zeros((HORIZON, HIDDEN), np.float32),
               '4.bias': np.full(HORIZON, -5, np.float32)}
    weights['0.weight'][0, size - 3] = 1
    weights['4.weight'][:, 0] = 1
    save_file(weights, tmp_path / BASELINE_FILE)
    found = run(tmp_path, FakeEngine(listens=False)).evaluation
    assert found.auroc == 0.5
    assert found.auroc_kinematic == 1
    assert found.false_veto_at_95_recall_kinematic == 0


def test_a_damaged_classifier_is_named_before_anything_is_scored(tmp_path):
    """The manifest vouches for the bytes that there are, not for what they are."""
    save_file({'0.weight': np.zeros((HIDDEN, 3), np.float32)}, tmp_path / BASELINE_FILE)
    whole = (tmp_path / BASELINE_FILE).read_bytes()
    (tmp_path / BASELINE_FILE).write_bytes(whole[:-100])
    engine = FakeEngine()
    engine.check_batch = None
    with pytest.raises(CheckpointError, match=f'{BASELINE_FILE} cannot be read.*wm-ros export'):
        run(tmp_path, engine)


def test_windows_that_all_start_in_contact_are_refused(tmp_path):
    windows = make_windows()
    windows.in_contact[:] = True
    with pytest.raises(ValueError, match='all 60 windows start in contact'):
        run(tmp_path, windows=windows)


def test_alterations_by_hand():
    windows = make_windows()
    windows.positions[:] = 0.25
    index = np.array([3, 8, 21])
    told = windows.actions[index]
    np.testing.assert_array_equal(altered_actions('zero', windows, index), told * 0 + 0.25)
    np.testing.assert_allclose(altered_actions('flipped', windows, index), 0.5 - told)
    shuffled = altered_actions('shuffled', windows, index)
    np.testing.assert_array_equal(shuffled, told[partners(3)])
    alone = one_joint(1, windows, index)
    np.testing.assert_array_equal(alone[:, :, 1], told[:, :, 1])
    assert (alone[:, :, [0, 2]] == 0.25).all()
    np.testing.assert_array_equal(windows.actions[index], told)
    with pytest.raises(ValueError, match="'backwards' is not one of"):
        altered_actions('backwards', windows, index)


def test_nobody_is_its_own_partner():
    for count in (2, 3, 17):
        found = partners(count)
        assert sorted(found) == list(range(count))
        assert (found != np.arange(count)).all()


def test_an_even_sample_has_the_size_asked_for():
    index = np.arange(100, 701)
    assert len(even_sample(index, 600)) == 600
    assert even_sample(index, 3).tolist() == [100, 300, 500]
    assert even_sample(index, 1000) is index
    assert even_sample(index, 0).tolist() == []


def test_names_with_dots_stay_whole_in_the_json():
    assert nested({'joints.arm.0.auroc': 1, 'zero.auroc': 2, 'samples.hazard.ause': 3}) == {
        'joints': {'arm.0': {'auroc': 1}}, 'zero': {'auroc': 2},
        'samples': {'hazard': {'ause': 3}}}
    assert plain({'a': [1.0, float('nan')], 'b': (float('inf'), 2)}) == {
        'a': [1.0, None], 'b': [None, 2]}


def test_the_report_is_one_file_that_needs_nothing_else(tmp_path):
    pytest.importorskip('matplotlib', reason="needs the train extra: pip install 'wm_ros[train]'")
    from wm_ros.training.report import write_report
    measured = run(tmp_path, with_strips=True)
    titles = [strip.title for strip in measured.strips]
    assert titles == ['Best frames', 'Median frames', 'Worst frames',
                      'Hazard that was given the least risk',
                      'Safe window that was given the most risk']
    write_report(tmp_path / 'r.html', measured, title='fake <model>')
    text = (tmp_path / 'r.html').read_text(encoding='utf-8')
    assert '<h1>fake &lt;model&gt;</h1>' in text
    assert 'http' not in text
    assert '<script' not in text
    assert text.count('<svg') == 11
    # Each strip: the context, then predicted, sampled and real frames.
    assert text.count('src="data:image/png;base64,') == 5 * (2 + 3 * HORIZON)
    assert text.count('src=') == 5 * (2 + 3 * HORIZON)
    assert [path.name for path in tmp_path.glob('.r.html*')] == []


def test_a_report_without_hazards_or_sampler_is_whole_too(tmp_path):
    pytest.importorskip('matplotlib', reason="needs the train extra: pip install 'wm_ros[train]'")
    from wm_ros.training.report import report_html
    measured = run(tmp_path, FakeEngine(has_sampler=False), make_windows(hazards=False),
                   with_strips=True)
    text = report_html(measured, title='t')
    assert text.count('<svg') == 11
    assert 'Safe window that was given the most risk' in text
    assert 'Hazard that was given the least risk' not in text
    assert 'nan' not in text.split('<h2>Plots')[0]


def test_warnings_start_at_the_first_window_over_the_threshold(tmp_path):
    hazards = replace(
        run(tmp_path).scores.hazards, episode=np.array([0, 0, 0, 4, 4, 6]),
        time_s=np.array([0.9, 0.5, 0.1, 0.7, 0.3, np.inf]), step=1,
        hazard=np.array([False, True, True, True, True, False]),
        risk=np.array([[0, 0.1], [0, 0.6], [0, 0.9], [0, 0.2], [0, 0.2], [1, 1]]))
    # Episode 0 is warned from its second window on, episode 4 never, episode 6 has no hazard.
    np.testing.assert_allclose(warning_times(hazards, 0.5), [0.5, 0])
    np.testing.assert_allclose(warning_times(hazards, 0.1), [0.9, 0.7])
    assert warning_figures(np.array([0.5, 0])) == {
        'warning_median_s': 0.25, 'warned_share': 0.5, 'warned_early_share': 0.5}
    assert np.isnan(warning_figures(np.zeros(0))['warning_median_s'])


def test_windows_in_contact_are_left_out(tmp_path):
    windows = make_windows()
    windows.in_contact[4] = True
    measured = run(tmp_path, windows=windows)
    assert measured.evaluation.windows == 59
    assert 4 not in measured.scores.hazards.index
    assert 4 not in measured.scores.frames.index
