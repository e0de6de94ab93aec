# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Record what the loop replays: a few seconds of the simulated robot, free of collisions."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wm_ros.data.episode import Episode, write_episode
from wm_ros.errors import SimulationError

# In other scenes a loop that repeats the same few surprises makes the drift monitor abstain.
SEED = 9_500_001
# 128 pictures at 30 Hz. No multiple of 0.1 s, so that commands do not come again soon.
NUM_PICTURES, RATE_HZ = 128, 30.0
PERIOD_S = NUM_PICTURES / RATE_HZ
JOINT_PERIOD_S = 0.01
# As fast as play moves, so that the model knows such motion, and nowhere near an object.
_SWAY_RAD = np.array([0.24, 0.15, 0.15, 0.24, 0.24, 0.15])


def record_sway(path: Path, *, seed: int = SEED) -> None:
    """
    Write an episode whose end leads on to its beginning: the arm sways about a high pose.

    Pictures are 640x480 at 30 Hz, joints at 100 Hz.

    :raises SimulationError: if the machine cannot draw off screen, or the arm touched something.
    """
    write_episode(path, simulate_sway(seed))


def simulate_sway(seed: int) -> Episode:
    """Simulate the episode (see ``record_sway``)."""
    from wm_ros.simulation.play import Play
    from wm_ros.simulation.recorded_play import EpisodeLog, Recording
    from wm_ros.simulation.renderer import Camera
    from wm_ros.simulation.robot import HAZARD_KINDS, JOINT_NAMES, TIMESTEP_S, So101Simulation
    from wm_ros.simulation.scene import (
        FRONT_CAMERA,
        IMAGE_HEIGHT_PX,
        IMAGE_WIDTH_PX,
        sample_scene,
    )
    scene = sample_scene(seed)
    sim, rest = So101Simulation(scene), Play(seed, scene).start()
    sim.place(sway(rest, 0.0))
    log = EpisodeLog(sim, Recording(
        joint_names=JOINT_NAMES, hazard_kinds=HAZARD_KINDS[1:], camera_name=FRONT_CAMERA,
        size_px=(IMAGE_WIDTH_PX, IMAGE_HEIGHT_PX), physics_s=TIMESTEP_S, joint_s=JOINT_PERIOD_S,
        frame_s=1 / RATE_HZ, duration_s=PERIOD_S, after_hazard_s=0.0))
    per_joint, num_steps = round(JOINT_PERIOD_S / TIMESTEP_S), round(PERIOD_S / TIMESTEP_S)
    picture_steps = {round(index / RATE_HZ / TIMESTEP_S) for index in range(NUM_PICTURES)}
    with Camera(sim.model, FRONT_CAMERA) as camera:
        # One period that is not recorded, until objects rest and the arm follows steadily.
        for step in range(-num_steps, num_steps):
            sim.set_position(sway(rest, step * TIMESTEP_S))
            if step >= 0:
                log.note_hazards()
                if log.first_hazard_s is not None:
                    raise SimulationError(
                        f'the arm of seed {seed} touched something; give another seed')
                if step % per_joint == 0:
                    log.add_joints()
                if step in picture_steps:
                    log.add_frame(camera.render(sim.data))
            sim.step()
    return log.episode({'seed': seed, 'motion': 'sway'})


def sway(rest: NDArray[np.float64], time_s: float) -> NDArray[np.float64]:
    """Return where the joints should be at a time, float64 (J,), rad; each has its own phase."""
    phase = 2 * np.pi * (time_s / PERIOD_S + np.arange(len(rest)) / len(rest))
    return rest + _SWAY_RAD * np.sin(phase)
