# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Recorded obstacle episodes before the shipped checkpoint and an enforcing gate, in real time.

The recording does not stop when the gate does, so what is judged is the state of the gate against
what the simulation said of the same moment when it was recorded.
"""

import time
from functools import partial

import numpy as np

from wm_ros.data.episode import EPISODE_GLOB, Episode, read_episode
from wm_ros.errors import WorldModelError
from wm_ros.faults.judging import Findings
from wm_ros.faults.obstacle_figures import ObstacleFigures, figures, judge, runs, together
from wm_ros.inference.checkpoint import resolve_checkpoint
from wm_ros.ros.faults_observer import STOPPED
from wm_ros.ros.faults_rig import Rig
from wm_ros.ros.faults_trajectories import trajectory

_FOLDER = 'obstacles'
# As deployed with the simulated camera, whose pictures have no noise.
_PREDICTOR = {'checkpoint_path': 'default', 'frozen_motion': 0.05}
_SHOW_S, _ARM_S = 0.4, 60.0
_DIFFERENCE_RAD = 1e-5


def obstacle_replay(rig: Rig, found: Findings) -> None:
    """Replay each recorded episode; compare when the gate held with what was in the way."""
    paths = sorted((resolve_checkpoint('default').parent / _FOLDER).glob(EPISODE_GLOB))
    if not found.need(bool(paths), f'there are no episodes in models/{_FOLDER}'):
        return
    calls, first = rig.calls, read_episode(paths[0])
    rig.robot.ignores_commands = True
    calls.bring_to(rig.predictor_name, 'unconfigured')
    calls.set_together(rig.predictor_name, **_PREDICTOR)
    # The first picture fixes the size.
    _begin(rig, first)
    judge(found, together([_replay(rig, read_episode(path)) for path in paths]), len(paths))


def _replay(rig: Rig, episode: Episode) -> ObstacleFigures:
    """
    Play an episode once.

    :raises WorldModelError: if the gate does not arm before it.
    """
    # From one episode to the next the arm jumps, which is neither a hold nor to be foreseen.
    names = (rig.gate_name, rig.predictor_name)
    for name in names:
        if rig.calls.state(name) == 'active':
            rig.calls.bring_to(name, 'inactive')
    _begin(rig, episode)
    for name in reversed(names):
        rig.calls.bring_to(name, 'active')
    _arm(rig, episode)
    times_s = (episode.joint_stamps_ns - episode.joint_stamps_ns[0]) / 1e9
    step_s = float(np.diff(times_s).mean())
    begin, begin_ns = time.monotonic(), time.time_ns()
    for index, at_s in enumerate(times_s):
        time.sleep(max(0.0, begin + at_s - time.monotonic()))
        _show(rig, episode, index)
        _send(rig, episode, index)
    end_s = float(times_s[-1]) + step_s
    time.sleep(max(0.0, begin + end_s - time.monotonic()))
    states = [((at_ns - begin_ns) / 1e9, state.state in STOPPED)
              for at_ns, state in list(rig.observer.states)]
    # The last that was told before counts from the beginning.
    told = [max((item for item in states if item[0] <= 0.0), default=(0.0, False)),
            *(item for item in states if 0.0 < item[0] < end_s)]
    held = runs([is_held for _, is_held in told], [max(0.0, at) for at, _ in told], end_s)
    in_way = runs([bool(value) for value in episode.hazards], times_s.tolist(), end_s)
    return figures(in_way, held, end_s)


def _arm(rig: Rig, episode: Episode) -> None:
    """Send the command until the model has judged it, whatever it says."""
    deadline, number = time.monotonic() + _ARM_S, 0
    while time.monotonic() < deadline:
        number += 1
        if rig.wait(partial(_was_judged, rig, _send(rig, episode, -number)), 0.3):
            return
    raise WorldModelError(f'the model judges nothing: {rig.words()}')


def _was_judged(rig: Rig, since_ns: int) -> bool:
    return any(at_ns >= since_ns and verdict.num_steps
               for at_ns, verdict in list(rig.observer.verdicts))


def _begin(rig: Rig, episode: Episode) -> None:
    """Put the arm where an episode begins, and only then show its first picture."""
    rig.robot.place(episode.positions[0].astype(np.float64))
    # Pictures that stay while the arm jumps are those of a camera that is frozen.
    time.sleep(_SHOW_S)
    _show(rig, episode, 0)
    time.sleep(_SHOW_S)


def _show(rig: Rig, episode: Episode, index: int) -> None:
    rig.robot.place(episode.positions[index].astype(np.float64))
    rig.robot.picture = episode.decode(index)


def _send(rig: Rig, episode: Episode, number: int) -> int:
    """Send the command of the episode, a little unlike the others, so that they can be told."""
    positions = np.array(episode.info['positions']) + _DIFFERENCE_RAD * number
    return rig.send(trajectory(list(zip(episode.info['times'], positions, strict=True))))


ROWS = (obstacle_replay,)
