# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The verbs import, export-dataset and dataset: files, exit codes, one clear line each."""

import json

import numpy as np
import pytest

for library in ('av', 'pyarrow', 'rosbags'):
    pytest.importorskip(library, reason="needs the data extra: pip install 'wm_ros[data]'")

from bag_rig import BagRig, write_plain  # noqa: E402
from episode_rig import make_episode  # noqa: E402

from wm_ros.cli import main  # noqa: E402
from wm_ros.data.episode import list_episodes, read_episode, write_episode  # noqa: E402


@pytest.fixture
def wm_ros(capsys):
    """Return a function that runs one command and gives exit code, stdout and stderr."""
    def run(*arguments):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err
    return run


@pytest.fixture
def episodes(tmp_path):
    """Return a directory of three episodes."""
    for number in range(3):
        write_episode(tmp_path / 'episodes' / f'episode_{number:09d}.safetensors',
                      make_episode(seed=number, num_frames=6 + number))
    return tmp_path / 'episodes'


@pytest.fixture
def bag(tmp_path):
    """Return a bag with one episode."""
    with BagRig(tmp_path / 'bag') as rig:
        write_plain(rig)
    return tmp_path / 'bag'


@pytest.mark.parametrize('storage', ['mcap', 'lerobot'])
def test_out_and_in_again(wm_ros, episodes, tmp_path, storage):
    code, _, error = wm_ros('export-dataset', '--data', episodes, '--format', storage, '--out',
                            tmp_path / 'out')
    assert (code, error) == (0, '')
    sources = [tmp_path / 'out'] if storage == 'lerobot' else sorted((tmp_path / 'out').iterdir())
    assert len(sources) == (1 if storage == 'lerobot' else 3)
    code, output, error = wm_ros('import', *sources, '--out', tmp_path / 'back')
    assert (code, error) == (0, '')
    assert f'3 episodes from {len(sources)} sources' in output
    for before, after in zip(list_episodes(episodes), list_episodes(tmp_path / 'back'),
                             strict=True):
        first, second = read_episode(before), read_episode(after)
        assert first.info == second.info
        rows = slice(None) if storage == 'mcap' else slice(None, None, 5)
        assert np.array_equal(first.setpoints[rows], second.setpoints)


def test_imports_are_added_to_those_that_are_there(wm_ros, bag, episodes):
    assert wm_ros('import', bag, '--out', episodes)[0] == 0
    assert [path.name for path in list_episodes(episodes)][-1] == 'episode_000000003.safetensors'


def test_one_bad_source_does_not_cost_the_others(wm_ros, bag, tmp_path):
    code, _, error = wm_ros('import', tmp_path / 'none', bag, '--out', tmp_path / 'out')
    assert code == 1
    assert error == f'wm-ros import: {tmp_path}/none: no such bag\n'
    assert len(list_episodes(tmp_path / 'out')) == 1


@pytest.mark.parametrize('spoil', [
    lambda info: info['features'].update({'observation.state': None}),
    lambda info: info['features']['action'].update(shape=3),
    lambda info: info['features']['wm_ros.hazard'].update(names=None)])
def test_a_broken_data_set_does_not_cost_the_sources_after_it(wm_ros, bag, episodes, tmp_path,
                                                              spoil):
    """What is no DatasetError ends the whole import, and the broken sources had bags only."""
    wm_ros('export-dataset', '--data', episodes, '--format', 'lerobot', '--out', tmp_path / 'set')
    path = tmp_path / 'set/meta/info.json'
    info = json.loads(path.read_text())
    spoil(info)
    path.write_text(json.dumps(info))
    code, output, error = wm_ros('import', tmp_path / 'set', bag, '--out', tmp_path / 'out')
    assert code == 1
    assert f'{path}: ' in error
    assert '1 episodes from 2 sources' in output


def test_a_bag_without_commands_makes_no_file(wm_ros, tmp_path):
    with BagRig(tmp_path / 'bag') as rig:
        rig.joints([0, 0], 1000)
        rig.image(np.zeros((8, 8, 3), np.uint8), 1000)
    code, _, error = wm_ros('import', tmp_path / 'bag', '--out', tmp_path / 'out')
    assert code == 1
    assert "taken with '--no-command'" in error
    assert not (tmp_path / 'out').exists()


def test_labels_at_import(wm_ros, bag, tmp_path):
    labels = tmp_path / 'labels.csv'
    labels.write_text('start,end,kind\n0.1,0.2,jam\n9,10,jam\n')
    code, _, error = wm_ros('import', bag, '--out', tmp_path / 'out', '--label-intervals', labels,
                            '--label-failed', 0.05, '--failed', '0')
    assert code == 1
    assert 'labels.csv row 3' in error
    episode = read_episode(list_episodes(tmp_path / 'out')[0])
    assert episode.hazard_kinds == ('object', 'table', 'self', 'failure', 'jam')
    assert episode.hazards.tolist() == [0, 0, 16, 16, 16, 8, 8]


@pytest.mark.parametrize(('arguments', 'text'), [
    (('--no-command', '--command', '/x'), '--no-command contradicts --command'),
    (('--degrees',), 'is a bag; --degrees'), (('--failed', '1'), '--failed needs --label-failed'),
    (('--split-gap', '-1'), 'must be above 0'),
])
def test_wrong_usage_is_code_2(wm_ros, bag, tmp_path, arguments, text):
    code, _, error = wm_ros('import', bag, '--out', tmp_path / 'out', *arguments)
    assert code == 2
    assert text in error
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('source', ['bag', 'set'])
def test_the_camera_of_any_source_can_be_named(wm_ros, bag, episodes, tmp_path, source):
    wm_ros('export-dataset', '--data', episodes, '--format', 'lerobot', '--out', tmp_path / 'set')
    code, _, error = wm_ros('import', tmp_path / source, '--camera-name', 'eye', '--out',
                            tmp_path / 'out')
    assert (code, error) == (0, '')
    assert {read_episode(path).camera_name for path in list_episodes(tmp_path / 'out')} == {'eye'}


def test_options_of_bags_are_refused_for_lerobot(wm_ros, episodes, tmp_path):
    wm_ros('export-dataset', '--data', episodes, '--format', 'lerobot', '--out', tmp_path / 'set')
    code, _, error = wm_ros('import', tmp_path / 'set', '--hazard', '/x', '--out', tmp_path / 'o')
    assert code == 2
    assert '--hazard' in error


def test_a_damaged_episode_is_left_out_of_an_export(wm_ros, episodes, tmp_path):
    path = list_episodes(episodes)[1]
    path.write_bytes(path.read_bytes()[:-5])
    for kind in ('mcap', 'lerobot'):
        code, output, error = wm_ros('export-dataset', '--data', episodes, '--format', kind,
                                     '--out', tmp_path / kind)
        assert code == 1
        assert f'{path}: not a whole episode file' in error
        assert '2 episodes' in output


def test_an_export_does_not_overwrite(wm_ros, episodes, tmp_path):
    (tmp_path / 'set').mkdir()
    code, _, error = wm_ros('export-dataset', '--data', episodes, '--format', 'lerobot', '--out',
                            tmp_path / 'set')
    assert code == 1
    assert 'set exists' in error


def test_check_passes_good_episodes(wm_ros, episodes, tmp_path):
    code, output, _ = wm_ros('dataset', 'check', episodes, '--json', tmp_path / 'check.json')
    assert code == 0
    assert '3 episodes: 0 errors, 0 warnings' in output
    assert json.loads((tmp_path / 'check.json').read_text()) == {
        'episodes': 3, 'errors': 0, 'warnings': 0, 'findings': []}


def test_check_fails_on_an_error_and_says_where(wm_ros, episodes, tmp_path):
    write_episode(list_episodes(episodes)[1], make_episode(joints=('a', 'b', 'x')))
    code, output, _ = wm_ros('dataset', 'check', episodes, '--json', tmp_path / 'check.json')
    assert code == 1
    assert '1 errors' in output
    finding = json.loads((tmp_path / 'check.json').read_text())['findings'][0]
    assert (finding['level'], finding['what'], finding['file']) == (
        'error', 'joints', 'episode_000000001.safetensors')
    assert "['c']" in finding['text']


def test_a_warning_alone_is_no_failure(wm_ros, episodes):
    write_episode(list_episodes(episodes)[1], make_episode(size=(24, 32)))
    code, output, _ = wm_ros('dataset', 'check', episodes)
    assert code == 0
    assert '0 errors, 1 warnings' in output


def test_info_of_each_kind(wm_ros, episodes, bag, tmp_path):
    wm_ros('export-dataset', '--data', episodes, '--format', 'lerobot', '--out', tmp_path / 'set')
    figures = {}
    for name, path in (('episodes', episodes), ('bag', bag), ('set', tmp_path / 'set')):
        code, _, error = wm_ros('dataset', 'info', path, '--json', tmp_path / f'{name}.json')
        assert (code, error) == (0, '')
        figures[name] = json.loads((tmp_path / f'{name}.json').read_text())
    ours = figures['episodes']
    assert (ours['episodes'], ours['frames'], ours['frame_hz'], ours['joint_hz']) == (
        3, 21, 10.0, 50.0)
    assert ours['duration_s'] == pytest.approx(1.8)
    assert ours['hazard_episodes'] == {'object': 3, 'table': 3}
    assert ours['sizes'] == {'64x48': 3}
    assert figures['bag']['topics']['/joint_states'] == {
        'type': 'sensor_msgs/msg/JointState', 'messages': 7}
    assert (figures['set']['episodes'], figures['set']['frames']) == (3, 21)
    assert figures['set']['joints'] == ['a', 'b', 'c']


def test_labels_of_episodes_that_are_there(wm_ros, episodes, tmp_path):
    labels = tmp_path / 'labels.json'
    labels.write_text(json.dumps([{'start': 0.1, 'end': 0.1, 'kind': 'jam', 'episode': 2}]))
    before = [path.read_bytes() for path in list_episodes(episodes)]
    code, output, error = wm_ros('dataset', 'label', episodes, '--label-intervals', labels)
    assert (code, error) == (0, '')
    assert '1 episodes' in output
    paths = list_episodes(episodes)
    assert [path.read_bytes() for path in paths[:2]] == before[:2]
    assert np.flatnonzero(read_episode(paths[2]).hazards & 8).tolist() == [5]


def test_labelling_needs_a_labeller(wm_ros, episodes):
    code, _, error = wm_ros('dataset', 'label', episodes)
    assert code == 2
    assert 'no labeller is chosen' in error


@pytest.mark.parametrize('action', ['info', 'check', 'label'])
def test_a_directory_without_data_is_code_1(wm_ros, tmp_path, action):
    more = ('--label-effort', '1') if action == 'label' else ()
    code, _, error = wm_ros('dataset', action, tmp_path, *more)
    assert code == 1
    assert str(tmp_path) in error
