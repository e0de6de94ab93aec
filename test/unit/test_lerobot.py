# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""LeRobot v3 data sets: layout, round trips value by value, and damage."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('av', reason="needs the data extra: pip install 'wm_ros[data]'")
parquet = pytest.importorskip('pyarrow.parquet')

import pyarrow as pa  # noqa: E402
from episode_rig import MS, make_episode, moving_picture  # noqa: E402

from wm_ros.data.episode import encode_frame, write_episode  # noqa: E402
from wm_ros.data.lerobot_export import ExportOptions, export_lerobot  # noqa: E402
from wm_ros.data.lerobot_import import LeRobotOptions, import_lerobot  # noqa: E402
from wm_ros.data.lerobot_stats import feature_stats, join_stats  # noqa: E402
from wm_ros.data.problems import Problems  # noqa: E402
from wm_ros.data.video import VideoWriter, read_pictures  # noqa: E402
from wm_ros.errors import DatasetError  # noqa: E402

VIDEO = 'videos/observation.images.front/chunk-000/file-000.mp4'
DATA, EPISODES = 'data/chunk-000/file-000.parquet', 'meta/episodes/chunk-000/file-000.parquet'


def export(directory, *episodes, problems=None, **options):
    """Write episodes and a data set of them; returns its directory."""
    paths = []
    for number, episode in enumerate(episodes):
        paths.append(directory / 'episodes' / f'episode_{number:09d}.safetensors')
        write_episode(paths[-1], episode)
    export_lerobot(paths, directory / 'set', ExportOptions(**options), problems or Problems())
    return directory / 'set'


def read(root, **options):
    """Return the episodes and the problems of a data set."""
    problems = Problems()
    return list(import_lerobot(root, LeRobotOptions(**options), problems)), problems.lines()


def edit(path, change):
    """Change a table as a list of rows."""
    table = parquet.read_table(path, partitioning=None)
    rows = table.to_pylist()
    change(rows)
    parquet.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


@pytest.mark.parametrize('codec', ['h264', 'av1'])
def test_round_trip_at_the_rate_of_the_frames(tmp_path, codec):
    episodes = [make_episode(seed=1), make_episode(seed=2, num_frames=9, start_ms=1_764_000_000)]
    found, problems = read(export(tmp_path, *episodes, codec=codec))
    assert problems == []
    for before, after in zip(episodes, found, strict=True):
        assert np.array_equal(after.frame_stamps_ns, before.frame_stamps_ns)
        assert np.array_equal(after.joint_stamps_ns, before.frame_stamps_ns)
        for name in ('positions', 'velocities', 'efforts', 'setpoints'):
            assert np.array_equal(getattr(after, name), getattr(before, name)[::5]), name
        hazards = [np.bitwise_or.reduce(before.hazards[max(0, end - 4):end + 1])
                   for end in range(0, len(before.hazards), 5)]
        least = [before.clearance[max(0, end - 4):end + 1].min()
                 for end in range(0, len(before.hazards), 5)]
        assert after.hazards.tolist() == hazards
        assert after.clearance.tolist() == least
        assert (after.joint_names, after.camera_name, after.hazard_kinds, after.info) == (
            before.joint_names, before.camera_name, before.hazard_kinds, before.info)
        for row in range(len(before.frames)):
            difference = np.abs(after.decode(row).astype(int) - before.decode(row))
            assert difference.mean() < 4
            # The bar is where it was: another row's picture differs by much more.
            assert difference[24, 4 + 3 * row % 48:12 + 3 * row % 48].mean() < 15


def test_a_second_trip_changes_nothing(tmp_path):
    once, _ = read(export(tmp_path / '1', make_episode()))
    twice, _ = read(export(tmp_path / '2', *once))
    for name in ('positions', 'velocities', 'efforts', 'setpoints', 'hazards', 'clearance',
                 'joint_stamps_ns', 'frame_stamps_ns'):
        assert np.array_equal(getattr(once[0], name), getattr(twice[0], name)), name


def test_the_tables_are_laid_out_as_lerobot_reads_them(tmp_path):
    episodes = [make_episode(seed=1), make_episode(seed=2, num_frames=9)]
    root = export(tmp_path, *episodes, task='stack the cubes', robot_type='so101')
    info = json.loads((root / 'meta/info.json').read_text())
    assert {name: info[name] for name in (
        'codebase_version', 'fps', 'total_episodes', 'total_frames', 'total_tasks', 'robot_type',
        'splits')} == {
            'codebase_version': 'v3.0', 'fps': 10, 'total_episodes': 2, 'total_frames': 15,
            'total_tasks': 1, 'robot_type': 'so101', 'splits': {'train': '0:2'}}
    assert info['features']['observation.images.front']['shape'] == [48, 64, 3]
    assert info['features']['wm_ros.hazard']['names'] == ['object', 'table', 'self']
    data = parquet.read_table(root / DATA, partitioning=None)
    assert data.schema.field('action').type == pa.list_(pa.float32(), 3)
    assert data.schema.field('timestamp').type == pa.float32()
    assert data.schema.field('episode_index').type == pa.int64()
    assert data.column('index').to_pylist() == list(range(15))
    assert data.column('frame_index').to_pylist() == [*range(6), *range(9)]
    # An action is what is to be reached by the next frame; after the last one it is held.
    action = np.array(data.column('action').to_pylist(), np.float32)[:6]
    assert np.array_equal(action, episodes[0].setpoints[[5, 10, 15, 20, 25, 25]])
    row = parquet.read_table(root / EPISODES, partitioning=None).to_pylist()[1]
    key = 'videos/observation.images.front'
    assert {name: row[name] for name in (
        'episode_index', 'tasks', 'length', 'dataset_from_index', 'dataset_to_index',
        f'{key}/from_timestamp', f'{key}/to_timestamp')} == {
            'episode_index': 1, 'tasks': ['stack the cubes'], 'length': 9,
            'dataset_from_index': 6, 'dataset_to_index': 15,
            f'{key}/from_timestamp': 0.6, f'{key}/to_timestamp': 1.5}
    tasks = parquet.read_table(root / 'meta/tasks.parquet')
    assert json.loads(tasks.schema.metadata[b'pandas'])['index_columns'] == ['task']
    assert tasks.to_pylist() == [{'task_index': 0, 'task': 'stack the cubes'}]


def test_statistics_by_hand(tmp_path):
    first = feature_stats(np.array([[1.0, np.nan], [3.0, 4.0]]))
    assert {name: value.tolist() for name, value in first.items() if name[0] != 'q'} == {
        'min': [1, 4], 'max': [3, 4], 'mean': [2, 4], 'std': [1, 0], 'count': [2]}
    joined = join_stats([first, feature_stats(np.array([[5.0, 6.0]]))])
    assert joined['mean'] == pytest.approx([3, 14 / 3])
    assert joined['std'][0] == pytest.approx(np.std([1, 3, 5]))
    assert (joined['min'].tolist(), joined['max'].tolist()) == ([1, 4], [5, 6])
    assert joined['count'].tolist() == [3]
    stats = json.loads((export(tmp_path, make_episode()) / 'meta/stats.json').read_text())
    red = np.asarray(stats['observation.images.front']['mean'])
    assert red.shape == (3, 1, 1)
    expected = np.stack([make_episode().decode(row) for row in (0, 5)]) / 255
    assert red.ravel() == pytest.approx(expected.mean(axis=(0, 1, 2)), abs=0.02)


def test_missing_frames_make_several_episodes(tmp_path):
    episode = make_episode(num_frames=10)
    kept = [0, 1, 2, 3, 6, 7, 9]
    gappy = replace(episode, frames=tuple(episode.frames[row] for row in kept),
                    frame_stamps_ns=episode.frame_stamps_ns[kept])
    problems = Problems()
    found, _ = read(export(tmp_path, gappy, problems=problems))
    assert [item.frame_stamps_ns.tolist() for item in found] == [
        [0, 100 * MS, 200 * MS, 300 * MS], [600 * MS, 700 * MS]]
    assert 'becomes 3 episodes' in problems.notes[0]


def test_episodes_that_do_not_fit_the_first_are_left_out(tmp_path):
    problems = Problems()
    root = export(tmp_path, make_episode(), make_episode(joints=('a', 'b', 'd')),
                  make_episode(size=(24, 32)), problems=problems)
    assert len(read(root)[0]) == 1
    lines = problems.lines()
    assert "episode_000000001.safetensors: its joints is ('a', 'b', 'd')" in lines[0]
    assert 'episode_000000002.safetensors: its picture size is (24, 32)' in lines[1]


@pytest.mark.parametrize(('picture', 'text'), [
    (b'', 'frame 3 is not a whole JPEG file: '),
    (encode_frame(moving_picture(3, 24, 64)),
     'frame 3 is 64x24 pixels, those before it 64x48'),
])
def test_an_episode_with_a_picture_that_does_not_fit_is_left_out(tmp_path, picture, text):
    """
    A damaged picture ended the export of all episodes; one of another size was stretched.

    Only the first picture of an episode was looked at, and no test spoiled another one.
    """
    episode, problems = make_episode(), Problems()
    frames = (*episode.frames[:3], picture, *episode.frames[4:])
    root = export(tmp_path, make_episode(seed=1), replace(episode, frames=frames),
                  problems=problems)
    assert [item.info['seed'] for item in read(root)[0]] == [1]
    assert f'episode_000000001.safetensors: {text}' in problems.lines()[0]


def test_kinds_of_hazards_are_joined(tmp_path):
    other = make_episode(hazard_kinds=('stop', 'object'),
                         hazards=np.full(26, 3, np.uint8), clearance=None)
    found, _ = read(export(tmp_path, make_episode(), other))
    assert found[1].hazard_kinds == ('object', 'table', 'self', 'stop')
    assert found[1].hazards.tolist() == [0b1001] * 6
    assert found[1].clearance is None


def test_nothing_is_left_of_an_export_that_fails(tmp_path):
    with pytest.raises(DatasetError, match='no such episode file'):
        export_lerobot([tmp_path / 'none'], tmp_path / 'set', ExportOptions(), Problems())
    with pytest.raises(ValueError, match="codec is 'vp9'"):
        export(tmp_path, make_episode(), codec='vp9')
    assert not (tmp_path / 'set').exists()
    assert [path.name for path in tmp_path.iterdir()] == ['episodes']


def change_info(root, change):
    """Change meta/info.json as an object."""
    path = root / 'meta/info.json'
    info = json.loads(path.read_text())
    change(info)
    path.write_text(json.dumps(info))


def change_column(path, name, values):
    """Replace a column, or take it away where there are no values."""
    table = parquet.read_table(path, partitioning=None)
    place = table.column_names.index(name)
    parquet.write_table(table.remove_column(place) if values is None else
                        table.set_column(place, name, pa.array(values)), path)


def strip(root, *, keep=()):
    """Take away what only this package writes, as in a data set of others."""
    path = root / 'meta/info.json'
    info = json.loads(path.read_text())
    ours = [name for name in info['features'] if name.startswith('wm_ros') and name not in keep]
    for name in ours:
        del info['features'][name]
    path.write_text(json.dumps(info))
    for file, columns in ((root / DATA, ours), (root / EPISODES, ['wm_ros/info'])):
        table = parquet.read_table(file, partitioning=None)
        parquet.write_table(table.drop_columns(columns), file)
    return root


def test_a_data_set_of_others(tmp_path):
    episode = make_episode(start_ms=5000)
    found, problems = read(strip(export(tmp_path, episode)))
    assert problems == []
    state = episode.positions[::5]
    assert found[0].frame_stamps_ns.tolist() == [100 * MS * row for row in range(6)]
    assert np.array_equal(found[0].positions, state)
    assert np.array_equal(found[0].setpoints[1:], episode.setpoints[5::5])
    assert np.array_equal(found[0].setpoints[0], state[0])
    assert found[0].velocities[0].tolist() == [0, 0, 0]
    assert found[0].velocities[1:] == pytest.approx(np.diff(state, axis=0) * 10, rel=1e-5)
    assert not found[0].hazards.any()
    assert found[0].info == {'source': 'lerobot', 'dataset': 'set', 'episode': 0,
                             'tasks': ['play']}


def test_degrees_and_differences(tmp_path):
    episode = make_episode()
    root = strip(export(tmp_path, episode))
    found, _ = read(root, is_degrees=True, is_delta=True)
    factor = np.pi / 180
    assert found[0].positions == pytest.approx(factor * episode.positions[::5], rel=1e-6)
    assert found[0].setpoints[1:] == pytest.approx(
        factor * (episode.positions[:-1:5] + episode.setpoints[5::5]), rel=1e-5)


def with_images(root, files):
    """Turn the video of a data set into pictures in its table."""
    table = parquet.read_table(root / DATA, partitioning=None)
    parquet.write_table(table.append_column('observation.images.front', pa.array(files)),
                        root / DATA)
    change_info(root, lambda info: info['features']['observation.images.front'].update(
        dtype='image'))
    (root / VIDEO).unlink()
    return root


def images():
    return [{'bytes': encode_frame(moving_picture(row)), 'path': f'{row}.jpg'}
            for row in range(6)]


def test_pictures_in_the_table_instead_of_a_video(tmp_path):
    found, problems = read(with_images(export(tmp_path, make_episode()), images()))
    assert problems == []
    assert np.abs(found[0].decode(5).astype(int) - moving_picture(5)).max() < 40


@pytest.mark.parametrize(('item', 'text'), [
    ({'bytes': None, 'path': 'far/away.png'}, "has no bytes, but the path 'far/away.png'"),
    ({'bytes': b'junk', 'path': None}, "neither JPEG nor PNG; it begins with b'junk'"),
    (None, 'has no bytes'),
])
def test_a_picture_of_the_table_that_is_not_there_is_named_with_its_row(tmp_path, item, text):
    """It was an AttributeError, or, damaged, named without its file."""
    files = images()
    files[4] = item
    root = with_images(export(tmp_path, make_episode()), files)
    found, problems = read(root)
    assert len(found[0].frames) == 4
    assert f'{root}/{DATA}: observation.images.front at frame 4' in problems[0]
    assert text in problems[0]


def test_a_camera_without_its_column_is_named(tmp_path):
    root = with_images(export(tmp_path, make_episode()), images())
    change_column(root / DATA, 'observation.images.front', None)
    with pytest.raises(DatasetError, match=f'{DATA}: there is no column observation.images.front'):
        read(root)


@pytest.mark.parametrize(('text', 'change', 'message'), [
    ('"v3.0"', '"v2.1"', "codebase_version is 'v2.1', this program reads 'v3.0'; convert it"),
    ('"fps": 10', '"fps": 0', 'fps is 0.0'), ('"features"', '"other"', "KeyError\\('features'"),
    ('{', '[', 'not the metadata of a LeRobot'),
    ('"observation.state"', '"state"', 'there is no feature observation.state'),
    ('"dtype": "video"', '"dtype": "string"', 'there is no camera in it'),
    ('"data/chunk', '"../data/chunk', "leads to '../data/chunk-000/file-000.parquet', outside"),
    ('"data/chunk', '"/data/chunk', "leads to '/data/chunk-000/file-000.parquet', outside"),
    ('"videos/{video_key}', '"videos/../../{video_key}', "leads to 'videos/../../observation"),
    ('"data/chunk', '"{root.__class__}/chunk', "has the fields \\['root.__class__'\\]; known are"),
    ('"data/chunk', '"{chunk_index:{root}}/chunk', "has the fields \\['root'\\]"),
    ('"data/chunk', '"{/chunk', 'is no path template'),
])
def test_metadata_that_do_not_fit_are_named(tmp_path, text, change, message):
    root = export(tmp_path, make_episode())
    path = root / 'meta/info.json'
    path.write_text(path.read_text().replace(text, change, 1))
    with pytest.raises(DatasetError, match=message):
        read(root)


@pytest.mark.parametrize(('feature', 'key', 'value', 'message'), [
    ('observation.state', None, None, 'feature observation.state is None; expected an object'),
    ('next.reward', None, [1], r'feature next.reward is \[1\]; expected an object'),
    ('action', 'shape', 4, 'the shape of feature action is 4; expected a list of whole numbers'),
    ('action', 'shape', ['3'], r"the shape of feature action is \['3'\]; expected a list"),
    ('observation.state', 'names', 'abc', "the names of feature observation.state are 'abc'"),
    ('observation.state', 'names', {'motors': 3}, 'the names of feature observation.state are {'),
    ('wm_ros.hazard', 'names', None, 'the names of feature wm_ros.hazard are None; expected'),
    ('wm_ros.hazard', 'names', ['a,b', 'c', 'd'], '.*; expected at most 8 names'),
    ('wm_ros.hazard', 'names', ['a', '', 'c'], '.*; expected at most 8 names'),
    ('wm_ros.hazard', 'names', list('abcdefghi'), '.*; expected at most 8 names'),
    ('observation.images.front', 'info', ['x'],
     r"the info of feature observation.images.front is \['x'\]; expected an object"),
])
def test_features_of_another_form_are_named(tmp_path, feature, key, value, message):
    """
    Each of these was a TypeError or AttributeError, and ended an import before later sources.

    The tests of metadata took keys away or changed values, but no value to one of another type.
    """
    root = export(tmp_path, make_episode())

    def spoil(info):
        if key is None:
            info['features'][feature] = value
        else:
            info['features'][feature][key] = value

    change_info(root, spoil)
    with pytest.raises(DatasetError, match=f'meta/info.json: {message}'):
        read(root)


@pytest.mark.parametrize(('key', 'value', 'message'), [
    ('data_path', 'data/{video_key}/{chunk_index}', "does not fit .*'video_key'"),
    ('data_path', 'data/{chunk_index:03q}', "does not fit .*Unknown format code 'q'"),
    ('video_path', '{video_key:03d}.mp4', "does not fit .*Unknown format code 'd'"),
    ('fps', float('inf'), 'fps is inf; expected more than 0'),
])
def test_paths_and_rates_that_cannot_be_are_named(tmp_path, key, value, message):
    root = export(tmp_path, make_episode())
    change_info(root, lambda info: info.update({key: value}))
    with pytest.raises(DatasetError, match=f'meta/info.json: .*{message}'):
        read(root)


@pytest.mark.parametrize(('file', 'column', 'values', 'message'), [
    (EPISODES, 'videos/observation.images.front/chunk_index', None,
     'meta/episodes has no videos/observation.images.front/chunk_index'),
    (EPISODES, 'videos/observation.images.front/file_index', [None, None],
     'meta/episodes has no videos/observation.images.front/file_index'),
    (EPISODES, 'videos/observation.images.front/from_timestamp', ['0', '0.6'],
     'meta/episodes has no videos/observation.images.front/from_timestamp'),
    (EPISODES, 'length', ['6', '6'], "row 0 has length '6'; expected a whole number"),
    (EPISODES, 'wm_ros/info', ['{"seed": ', '{'], 'meta/episodes: wm_ros/info is no JSON object'),
    (EPISODES, 'wm_ros/info', ['[1]', '[2]'], 'meta/episodes: wm_ros/info is no JSON object'),
    (EPISODES, 'wm_ros/info', [7, 8], 'meta/episodes: wm_ros/info is no JSON object'),
    (DATA, 'observation.state', [['x'] * 3] * 12,
     f'{DATA}: observation.state is list.*; expected 3 numbers'),
    (DATA, 'observation.state', [[[1.0, 2.0]] * 3] * 12,
     f'{DATA}: observation.state is list.*; expected 3 numbers'),
    (DATA, 'wm_ros.stamp_ns', [None, 1, 2, 3, 4, 5] * 2,
     f'{DATA}: wm_ros.stamp_ns is int64 and misses 1 values; expected a whole number in each'),
    (DATA, 'frame_index', [[0]] * 12, f'{DATA}: frame_index is list.*; expected a whole number'),
    (DATA, 'timestamp', ['0.1'] * 12, f'{DATA}: timestamp is string .*; expected a number in'),
])
def test_columns_of_another_form_cost_episodes_and_are_named(tmp_path, file, column, values,
                                                             message):
    root = export(tmp_path, make_episode(seed=1), make_episode(seed=2))
    if column == 'timestamp':
        strip(root)
    change_column(root / file, column, values)
    with pytest.raises(DatasetError, match=message):
        read(root)


def test_a_row_without_a_place_in_the_videos_costs_its_episode_alone(tmp_path):
    root = export(tmp_path, make_episode(seed=1), make_episode(seed=2))

    def spoil(rows):
        rows[0]['videos/observation.images.front/chunk_index'] = None
        rows[1]['wm_ros/info'] = None

    edit(root / EPISODES, spoil)
    found, problems = read(root)
    assert [item.info['episode'] for item in found] == [1]
    assert 'no videos/observation.images.front/chunk_index' in problems[0]
    assert 'episode 0: 0 pictures and 6 joint states' in problems[-1]


@pytest.mark.parametrize(('tasks', 'told'), [
    ([['stack', 'sort']], ['stack', 'sort']), (['stack'], ['stack']), ([3], [3]), ([None], [])])
def test_tasks_are_kept_as_a_list(tmp_path, tasks, told):
    root = strip(export(tmp_path, make_episode()))
    change_column(root / EPISODES, 'tasks', tasks)
    assert read(root)[0][0].info['tasks'] == told


def test_hazards_without_their_feature_are_refused(tmp_path):
    root = export(tmp_path, make_episode())
    change_info(root, lambda info: info['features'].pop('wm_ros.hazard'))
    with pytest.raises(DatasetError, match=f'{DATA}: column wm_ros.hazard is no feature of meta'):
        read(root)


def test_an_episode_without_rows_is_left_out(tmp_path):
    root = export(tmp_path, make_episode(seed=1), make_episode(seed=2))

    def empty(rows):
        rows[1].update(episode_index=9, length=0)

    edit(root / EPISODES, empty)
    found, problems = read(root)
    assert [item.info['seed'] for item in found] == [1]
    assert 'episode 9: 0 pictures and 0 joint states' in problems[-1]


def test_a_camera_must_be_chosen_from_several(tmp_path):
    root = export(tmp_path, make_episode())
    change_info(root, lambda info: info['features'].update(
        {'observation.images.wrist': {'dtype': 'video', 'shape': [48, 64, 3]}}))
    with pytest.raises(DatasetError, match='several cameras; choose one with --camera: .*wrist'):
        read(root)
    assert len(read(root, camera='front')[0]) == 1
    with pytest.raises(DatasetError, match="no camera 'top'"):
        read(root, camera='top')
    found, problems = [], Problems()
    with pytest.raises(DatasetError, match='no episode of it can be read'):
        found += import_lerobot(root, LeRobotOptions(camera='wrist'), problems)
    assert 'no videos/observation.images.wrist/from_timestamp' in problems.lines()[0]


def test_the_camera_can_be_called_as_a_model_calls_it(tmp_path):
    root = export(tmp_path, make_episode(camera_name='top'))
    assert read(root)[0][0].camera_name == 'top'
    assert read(root, camera_name='front')[0][0].camera_name == 'front'


def test_rows_of_a_mixed_up_table_cost_their_episode_alone(tmp_path):
    root = export(tmp_path, make_episode(seed=1), make_episode(seed=2), make_episode(seed=3))

    def mix_up(rows):
        rows[7]['frame_index'] = 4

    edit(root / DATA, mix_up)
    found, problems = read(root)
    assert [item.info['seed'] for item in found] == [1, 3]
    assert problems == [f'{root}: episode 1: {root}/{DATA}: row 7 has frame_index 4, expected 1; '
                        'left out']


def test_missing_rows_cost_their_episode_alone(tmp_path):
    root = export(tmp_path, make_episode(seed=1), make_episode(seed=2))
    edit(root / DATA, lambda rows: rows.pop())
    found, problems = read(root)
    assert [item.info['seed'] for item in found] == [1]
    assert 'episode 1:' in problems[0]
    assert 'it has 5 rows there, meta/episodes says 6' in problems[0]


def test_a_wrong_number_of_episodes_is_told(tmp_path):
    root = export(tmp_path, make_episode(seed=1), make_episode(seed=2))
    edit(root / EPISODES, lambda rows: rows.pop())
    found, problems = read(root)
    assert len(found) == 1
    assert 'says 2 episodes, meta/episodes has 1' in problems[0]


def test_nan_in_state_or_action_is_told_with_its_row(tmp_path):
    root = strip(export(tmp_path, make_episode()))

    def spoil(rows):
        rows[2]['observation.state'][1] = float('nan')
        rows[3]['action'][0] = float('nan')

    edit(root / DATA, spoil)
    found, problems = read(root)
    assert len(found[0].frames) == 6
    assert found[0].joint_stamps_ns.tolist() == [0, 100 * MS, 300 * MS, 400 * MS, 500 * MS]
    assert np.array_equal(found[0].setpoints[3], found[0].setpoints[2])
    # The speed of the row after it is that since the row before it.
    state = make_episode().positions[::5]
    assert found[0].velocities[2] == pytest.approx((state[3] - state[1]) * 5, rel=1e-5)
    assert any('observation.state at frame 2: position of joint b is nan' in line
               for line in problems)
    assert any('action is not finite before frame 4' in line for line in problems)


@pytest.mark.parametrize('keep', [('wm_ros.stamp_ns',), ('wm_ros.stamp_ns', 'wm_ros.velocity')])
def test_a_stamp_that_stands_still_costs_its_sample_alone(tmp_path, keep):
    """
    The speed between rows was worked out even where velocities are stored, and divided by zero.

    What came of it was dropped with its sample, but numpy's warnings were printed.
    """
    root = strip(export(tmp_path, make_episode()), keep=keep)

    def stand_still(rows):
        rows[3]['wm_ros.stamp_ns'] = rows[2]['wm_ros.stamp_ns']

    edit(root / DATA, stand_still)
    found, problems = read(root)
    assert found[0].joint_stamps_ns.tolist() == [0, 100 * MS, 200 * MS, 400 * MS, 500 * MS]
    assert np.isfinite(found[0].velocities).all()
    assert f'its stamp {200 * MS} ns is not after' in problems[0]


def test_nan_in_a_velocity_is_told_with_its_row(tmp_path):
    root = export(tmp_path, make_episode())

    def spoil(rows):
        rows[2]['wm_ros.velocity'][1] = float('nan')

    edit(root / DATA, spoil)
    found, problems = read(root)
    assert found[0].joint_stamps_ns.tolist() == [0, 100 * MS, 300 * MS, 400 * MS, 500 * MS]
    assert problems == [f'{root}/{DATA}: observation.state at frame 2: velocity of joint b is '
                        'nan; that sample is left out']


@pytest.mark.parametrize('name', [DATA, EPISODES])
def test_a_truncated_table_is_named(tmp_path, name):
    root = export(tmp_path, make_episode())
    (root / name).write_bytes((root / name).read_bytes()[:-100])
    with pytest.raises(DatasetError, match=f'{name}: not a whole parquet file'):
        read(root)


@pytest.mark.parametrize('share', [0.0, 0.5])
def test_a_truncated_video_is_named(tmp_path, share):
    root = export(tmp_path, make_episode())
    data = (root / VIDEO).read_bytes()
    (root / VIDEO).write_bytes(data[:int(len(data) * share)])
    with pytest.raises(DatasetError, match=f'{VIDEO}: not a whole video'):
        read(root)
    (root / VIDEO).unlink()
    with pytest.raises(DatasetError, match=f'{VIDEO}: there is no such file'):
        read(root)


def test_a_video_that_ends_early_keeps_its_pictures(tmp_path):
    root = export(tmp_path, make_episode())
    with VideoWriter(root / VIDEO, fps=10, size=(48, 64)) as video:
        for row in range(4):
            video.add(moving_picture(row))
    found, problems = read(root)
    assert len(found[0].frames) == 4
    assert len(found[0].joint_stamps_ns) == 6
    assert problems == [f'{root}: episode 0 has 4 pictures for 6 rows; the others are kept']


def test_pictures_are_found_by_their_time(tmp_path):
    path = tmp_path / 'video.mp4'
    with VideoWriter(path, fps=10, size=(48, 64), crf=10) as video:
        for row in range(12):
            video.add(moving_picture(row))
    found = dict(read_pictures(path, np.array([0.5, 0.55, 0.7, 1.1, 1.4]), 0.04))
    assert sorted(found) == [0, 2, 3]
    for index, row in ((0, 5), (2, 7), (3, 11)):
        assert np.abs(found[index].astype(int) - moving_picture(row)).mean() < 3


def test_pictures_of_an_odd_size(tmp_path):
    path = tmp_path / 'video.mp4'
    with VideoWriter(path, fps=10, size=(47, 61), crf=10) as video:
        video.add(moving_picture(0, 47, 61))
    picture = dict(read_pictures(path, np.array([0.0]), 0.04))[0]
    assert picture.shape == (47, 61, 3)
    assert np.abs(picture.astype(int) - moving_picture(0, 47, 61)).mean() < 3
