# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Record an arm that wants to move again and again, while something comes in its way and goes.

The arm stands still, as a gate would hold it; what is recorded is what its camera sees, the one
command that a policy repeats, and, ten times a second, whether that command would hit something:
a rehearsal in the simulation says so. Run as a program: FILE SEED.

Letters: J joints.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wm_ros.data.episode import Episode, write_episode
from wm_ros.errors import SimulationError
from wm_ros.simulation.play import Move, Play
from wm_ros.simulation.recorded_play import EpisodeLog, Recording
from wm_ros.simulation.renderer import Camera
from wm_ros.simulation.robot import HAZARD_KINDS, JOINT_NAMES, TIMESTEP_S, So101Simulation
from wm_ros.simulation.scene import FRONT_CAMERA, sample_scene

SAMPLE_S = 0.1
# Without, with, without and so on, each so long; the object slides in and out.
PHASE_S, NUM_PHASES, SLIDE_S = 3.0, 5, 0.5
# As large as the model looks at it.
SIZE_PX = (192, 144)
_MOST_MOVES = 200
# To the side, out of the picture.
_AWAY_M = 1.2


def record_obstacle(seed: int) -> Episode:
    """
    Simulate the episode of a seed; its ``hazards`` say whether the command would end in one.

    :returns: joints and pictures at 10 Hz; ``info`` has ``times`` and ``positions`` of the
        command.
    :raises SimulationError: if play finds no command of that kind, or the machine cannot draw.
    """
    scene = sample_scene(seed)
    sim = So101Simulation(scene)
    play = Play(seed, scene)
    sim.place(play.start())
    obstacle, move = _find(sim, play, len(scene.objects), seed)
    log = EpisodeLog(sim, Recording(
        joint_names=JOINT_NAMES, hazard_kinds=HAZARD_KINDS[1:], camera_name=FRONT_CAMERA,
        size_px=SIZE_PX, physics_s=TIMESTEP_S, joint_s=SAMPLE_S, frame_s=SAMPLE_S,
        duration_s=PHASE_S * NUM_PHASES, after_hazard_s=0.0))
    begin_s = sim.time_s
    with Camera(sim.model, FRONT_CAMERA) as camera:
        for step in range(round(PHASE_S * NUM_PHASES / TIMESTEP_S)):
            obstacle.slide(sim.time_s - begin_s)
            if step % round(SAMPLE_S / TIMESTEP_S) == 0:
                log.add_joints(hazard=_first_kind(sim, move))
                log.add_frame(camera.render(sim.data))
            sim.step()
    return log.episode({'seed': seed, 'motion': 'obstacle', 'times': move.times.tolist(),
                        'positions': move.positions.tolist()})


class _Obstacle:
    """
    An object that is on its place or far away.

    :param name: of its body, and of its free joint.
    """

    def __init__(self, sim: So101Simulation, name: str) -> None:
        self._sim, self._joint = sim, sim.data.joint(name)
        self.name = name
        self._here: NDArray[np.float64] = self._joint.qpos.copy()
        side_m = float(np.copysign(_AWAY_M, self._here[1]))
        self._way_m = side_m - float(self._here[1])

    def put(self, share: float) -> None:
        """Put it on the way from its place, 0, to far away, 1, at rest."""
        self._joint.qpos[:] = self._here
        self._joint.qpos[1] += share * self._way_m
        self._joint.qvel[:] = 0

    def slide(self, time_s: float) -> None:
        """Put it where it belongs at a time of the recording."""
        phase, since_s = divmod(time_s, PHASE_S)
        if phase == 0:
            self.put(1.0)
            return
        done = min(since_s / SLIDE_S, 1.0)
        self.put(1.0 - done if phase % 2 else done)


def _find(sim: So101Simulation, play: Play, num_objects: int, seed: int
          ) -> tuple[_Obstacle, Move]:
    """Play until a move would hit an object that alone is in its way; the arm is at rest then."""
    for _ in range(_MOST_MOVES):
        _run(sim, 0.5)
        move = play.next_move(sim.positions)
        for index in range(num_objects):
            obstacle = _Obstacle(sim, f'object_{index}')
            found = sim.rehearse(move.times, move.positions)
            obstacle.put(1.0)
            is_alone = _first_kind(sim, move) == ''
            obstacle.put(0.0)
            hit = {name for contact in found.contacts for name in contact.pair}
            if is_alone and obstacle.name in hit:
                return obstacle, move
        if found.first_hazard_s is None:
            sim.set_trajectory(move.times, move.positions)
            _run(sim, float(move.times[-1]))
    raise SimulationError(f'in the scene of seed {seed} nothing comes in the way of a move that '
                          'is harmless without it; give another seed')


def _run(sim: So101Simulation, seconds: float) -> None:
    for _ in range(round(seconds / TIMESTEP_S)):
        sim.step()


def _first_kind(sim: So101Simulation, move: Move) -> str:
    """Return the kind of hazard in which a move would end now, '' for none."""
    found = sim.rehearse(move.times, move.positions)
    return found.contacts[0].kind if found.contacts else ''


def main(args: list[str] | None = None) -> int:
    """Write the episode of a seed to a file."""
    path, seed = sys.argv[1:] if args is None else args
    write_episode(Path(path), record_obstacle(int(seed)))
    return 0


if __name__ == '__main__':
    sys.exit(main())
