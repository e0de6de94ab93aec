# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Digest, trim, stretch, hold, latency and settings of the gate, with numbers worked by hand."""

import ast
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import yaml
from gate_rig import make_config, make_sample

from wm_ros.datatypes import CommandInterface, Trajectory
from wm_ros.gate import config as gate_config
from wm_ros.gate.config import ARRAY_TYPE, GateConfig, check_clock
from wm_ros.gate.digest import digest_trajectory
from wm_ros.gate.hold import HoldWatch, hold_trajectory
from wm_ros.gate.latency import LatencyWindow
from wm_ros.gate.stretch import stretch
from wm_ros.gate.trim import trim
from wm_ros.gate.values import Now

ROOT = Path(__file__).resolve().parents[2]
TRAJECTORY = CommandInterface.JOINT_TRAJECTORY


def make(positions, times, velocities=None, names=('a', 'b')) -> Trajectory:
    """Make a trajectory of arrays."""
    return Trajectory(
        joint_names=tuple(names), positions=np.array(positions, dtype=float),
        times=np.array(times, dtype=float),
        velocities=None if velocities is None else np.array(velocities, dtype=float))


def test_digest_is_the_stored_one():
    # The encoding is a contract between two processes, perhaps of two releases.
    trajectory = make([[0.1, -0.2], [0.3, 0.4]], [0.1, 0.2], [[1.0, 2.0], [0.0, 0.0]])
    assert digest_trajectory(trajectory, TRAJECTORY).hex() == 'ece08b7f5fb8c65dd86ade3875b1b819'


@pytest.mark.parametrize('other', [
    make([[0.1, -0.2]], [0.1]), make([[0.1, 0.2]], [0.1000001]),
    make([[0.1, 0.2]], [0.1], [[0.0, 0.0]]), make([[0.1, 0.2]], [0.1], names=('a', 'c')),
    make([[0.2, 0.1]], [0.1]), make([[0.1, 0.2], [0.1, 0.2]], [0.1, 0.2]),
    make([[np.nextafter(0.1, 1.0), 0.2]], [0.1]),
])
def test_digest_tells_commands_apart(other):
    assert digest_trajectory(make([[0.1, 0.2]], [0.1]), TRAJECTORY) != digest_trajectory(
        other, TRAJECTORY)


def test_digest_tells_interfaces_apart():
    trajectory = make([[0.1, 0.2]], [0.1])
    assert len({digest_trajectory(trajectory, kind) for kind in CommandInterface}) == 3


def test_digest_does_not_see_the_order_of_joints_nor_the_sign_of_zero():
    one = make([[0.0, 0.2]], [0.1], [[3.0, 4.0]])
    two = make([[0.2, -0.0]], [0.1], [[4.0, 3.0]], names=('b', 'a'))
    assert digest_trajectory(one, TRAJECTORY) == digest_trajectory(two, TRAJECTORY)


@pytest.mark.parametrize('bad', [
    make([[0.1, 0.2]], [np.nan]), make([[0.1, 0.2]], [1e12]), make([[0.1]], [0.1]),
    make([[0.1, 0.2]], [0.1, 0.2]), make([[0.1, 0.2]], [0.1], [[0.0]])])
def test_digest_refuses_shapes_that_do_not_fit(bad):
    with pytest.raises(ValueError, match=r'times|shape'):
        digest_trajectory(bad, TRAJECTORY)


def test_trim_leaves_a_short_trajectory_and_ends_it_at_rest():
    cut = trim(make([[1.0, 0.0], [2.0, 0.0]], [0.1, 0.2], [[9.0, 9.0], [9.0, 9.0]]), 0.8,
               np.zeros(2))
    assert np.array_equal(cut.times, [0.1, 0.2])
    assert np.array_equal(cut.velocities, [[9.0, 9.0], [0.0, 0.0]])


def test_trim_cuts_inside_a_segment():
    cut = trim(make([[1.0, 0.0], [2.0, 4.0]], [0.4, 0.8], [[9.0, 9.0], [9.0, 9.0]]), 0.5,
               np.zeros(2))
    assert cut.times == pytest.approx([0.4, 0.5])
    assert cut.positions == pytest.approx(np.array([[1.0, 0.0], [1.25, 1.0]]))
    assert np.array_equal(cut.velocities, [[9.0, 9.0], [0.0, 0.0]])


def test_trim_before_the_first_point_starts_at_the_measured_position():
    cut = trim(make([[2.0, 0.0]], [2.0]), 0.5, np.array([1.0, 4.0]))
    assert cut.times == pytest.approx([0.5])
    assert cut.positions == pytest.approx(np.array([[1.25, 3.0]]))
    assert cut.velocities is None


def test_trim_on_a_point_adds_none():
    cut = trim(make([[1.0, 0.0], [2.0, 0.0]], [0.4, 0.8]), 0.4, np.zeros(2))
    assert np.array_equal(cut.times, [0.4])


def test_trim_takes_a_float32_horizon():
    # 0.8 in a message is 0.800000012 or, with other digits, a little less than the chunk's end.
    times = np.arange(1, 9) * 0.1
    cut = trim(make(np.ones((8, 2)), times), float(np.float32(0.7)), np.zeros(2))
    assert len(cut.times) == 7
    assert cut.times[-1] <= float(np.float32(0.7))


@pytest.mark.parametrize('horizon', [0.0, -1.0, np.nan, np.inf])
def test_trim_refuses_a_horizon_that_is_none(horizon):
    with pytest.raises(ValueError, match='horizon'):
        trim(make([[1.0, 0.0]], [0.1]), horizon, np.zeros(2))


def test_stretch_halves_speed():
    slow = stretch(make([[1.0, 2.0]], [0.4], [[3.0, 4.0]]), 0.5)
    assert np.array_equal(slow.times, [0.8])
    assert np.array_equal(slow.velocities, [[1.5, 2.0]])
    assert np.array_equal(slow.positions, [[1.0, 2.0]])


@pytest.mark.parametrize('factor', [0.0, -0.5, 1.1, np.nan])
def test_stretch_refuses_a_factor_outside_its_range(factor):
    with pytest.raises(ValueError, match='speed_factor'):
        stretch(make([[1.0, 2.0]], [0.4]), factor)


def test_hold_is_one_point_at_the_measured_position():
    hold = hold_trajectory(('a', 'b'), np.array([0.3, -0.4]), 0.1)
    assert np.array_equal(hold.positions, [[0.3, -0.4]])
    assert np.array_equal(hold.times, [0.1])


def test_hold_watch_speaks_only_when_due_and_disobeyed():
    watch, config, second = HoldWatch(), make_config(), 1_000_000_000
    far = make_sample((0.0, 0.5))
    assert watch.complaint(far, Now(9 * second, 0), config) == ''
    watch.start(np.zeros(2), Now(0, 0))
    assert watch.complaint(far, Now(second - 1, 0), config) == ''
    assert watch.complaint(None, Now(second, 0), config) == ''
    assert watch.complaint(make_sample((0.2, -0.2)), Now(second, 0), config) == ''
    assert 'b is 0.5 rad from its hold' in watch.complaint(far, Now(second, 0), config)
    watch.stop()
    assert watch.complaint(far, Now(9 * second, 0), config) == ''


def test_latency_counts_only_the_window():
    window = LatencyWindow(size=4)
    assert window.last_ms == window.percentile_ms(99.0) == 0.0
    for ms in (1000, 1, 2, 3, 4):
        window.add(ms * 1_000_000)
    assert window.last_ms == 4.0
    assert window.percentile_ms(50.0) == 3.0
    assert window.percentile_ms(99.0) == 4.0


@pytest.mark.parametrize(('changes', 'words'), [
    ({'joint_names': ()}, 'joint_names is not set'),
    ({'joint_names': ('a', 'a')}, 'unique'),
    ({'joint_names': ('a', '')}, 'unique'),
    ({'mode': 'off'}, 'shadow, enforce'),
    ({'command_out_type': 'std_msgs/msg/String'}, 'command_out_type'),
    ({'command_out_topic': ''}, 'command_out_topic is not set'),
    ({'max_step': float('nan')}, 'max_step is nan'),
    ({'release_count': 0}, 'release_count is 0'),
    ({'release_count': 1.5}, 'release_count is 1.5'),
    ({'position_lower': (-1.0,)}, 'position_lower has 1 values; joint_names has 2'),
    ({'position_upper': ()}, 'both be given or both empty'),
    ({'position_lower': (2.0, -1.0)}, 'position_lower of a is 2.0'),
    ({'velocity_limit': (0.0, 1.0)}, 'velocity_limit is 0.0'),
    ({'setpoint_horizon': 0.15}, 'setpoint_horizon is 0.15'),
])
def test_wrong_setting_is_refused_by_name_and_value(changes, words):
    with pytest.raises(ValueError, match=words):
        make_config(**changes)


@pytest.mark.parametrize('name', [
    item.name for item in fields(GateConfig)
    if item.name.endswith(('_timeout', '_age', '_period', '_settle'))])
@pytest.mark.parametrize('value', [0.0, -1.0, float('nan'), float('inf')])
def test_no_timeout_can_be_switched_off(name, value):
    with pytest.raises(ValueError, match=name):
        make_config(**{name: value})


def test_enforce_on_simulated_time_needs_permission():
    with pytest.raises(ValueError, match='allow_sim_time'):
        check_clock(make_config(), uses_sim_time=True)
    check_clock(make_config(allow_sim_time=True), uses_sim_time=True)
    check_clock(make_config(mode='shadow'), uses_sim_time=True)
    check_clock(make_config(), uses_sim_time=False)


def test_only_an_array_of_velocities_is_held_with_zeros():
    assert make_config(
        command_out_type=ARRAY_TYPE, command_interface='velocity').is_velocity_out
    assert not make_config(command_interface='velocity').is_velocity_out
    assert not make_config(command_out_type=ARRAY_TYPE).is_velocity_out


def test_deployed_settings_are_complete_and_valid():
    text = yaml.safe_load((ROOT / 'config/wm_gate.yaml').read_text(encoding='utf-8'))
    values = text['/**/wm_gate']['ros__parameters']
    assert set(values) == {item.name for item in fields(GateConfig)}
    GateConfig(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def test_every_setting_has_words_and_a_bound():
    for item in fields(GateConfig):
        assert item.metadata['help'], item.name
        if item.type in ('float', float, 'int', int):
            assert item.metadata['range'], item.name
        if item.type in ('float', float):
            assert item.metadata['unit'], item.name


# Standard library, and the one library for kinematics in the one file that wraps it.
FILES_WITH_MORE = {'description.py': {'xml'}, 'kinematics.py': {'pinocchio'}}


def test_gate_imports_no_engine():
    for path in Path(gate_config.__file__).parent.glob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in names:
                assert name.split('.')[0] in FILES_WITH_MORE.get(path.name, set()) | {
                    'collections', 'dataclasses', 'enum', 'hashlib', 'itertools', 'math',
                    'numpy', 'struct', 'typing', 'wm_ros'}, f'{path.name} imports {name}'
