# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Collect play episodes of a robot that is known from its configuration alone."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import cv2

from wm_ros.data.episode import EPISODE_GLOB, Episode, read_episode, write_episode
from wm_ros.errors import DatasetError
from wm_ros.simulation.collect import collect_files
from wm_ros.simulation.configured_play import ConfiguredPlay, pose_pool
from wm_ros.simulation.configured_robot import ConfiguredRobot, sample_layout
from wm_ros.simulation.recorded_play import PlaySchedule, Recording, record_play
from wm_ros.simulation.renderer import Camera
from wm_ros.simulation.robot_config import RobotConfig, read_robot


def collect_robot(path: Path, directory: Path, *, num_episodes: int, seed: int, workers: int = 1,
                  on_progress: Callable[[int], None] = lambda done: None) -> int:
    """
    Collect what is missing of ``num_episodes`` episodes of a robot into ``directory``.

    :param path: the YAML file of the robot.
    :param on_progress: called with the number of episodes that are there.
    :returns: how many were made now.
    :raises ValueError: if the file is wrong, naming the file and the place in it.
    :raises SimulationError: if the robot's model is not installed.
    :raises DatasetError: if the directory holds episodes of another robot.
    """
    config = read_robot(path)
    try:
        # Everything that can be wrong is found here, before any process is started.
        pose_pool(config)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    _check_directory(directory, config)
    return collect_files(directory, partial(collect_episode, config=config),
                         num_episodes=num_episodes, seed=seed, workers=workers,
                         on_progress=on_progress)


def _check_directory(directory: Path, config: RobotConfig) -> None:
    """Refuse to mix: what has other joints cannot be learned from together."""
    path = next(iter(sorted(directory.glob(EPISODE_GLOB))), None)
    if path is None:
        return
    there = read_episode(path)
    if there.joint_names != config.joint_names or there.info.get('robot') != config.name:
        raise DatasetError(f"{path} is of robot {there.info.get('robot', 'so101')!r} with "
                           f'{len(there.joint_names)} joints, not of {config.name!r}; '
                           'give each robot a directory of its own')


def collect_episode(path: Path, seed: int, *, config: RobotConfig) -> None:
    """Simulate one episode of play and write it."""
    cv2.setNumThreads(1)
    write_episode(path, simulate_robot(config, seed))


def simulate_robot(config: RobotConfig, seed: int) -> Episode:
    """Simulate one episode of play: the same seed gives the same motion and pictures."""
    layout = sample_layout(config, seed)
    sim = ConfiguredRobot(config, layout)
    schedule = PlaySchedule(seed, sim, ConfiguredPlay(seed, sim), config.play)
    timing, camera = config.timing, config.camera
    recording = Recording(
        joint_names=config.joint_names, hazard_kinds=config.hazard_kinds,
        camera_name=camera.name, size_px=(camera.width_px, camera.height_px),
        physics_s=timing.physics_s, joint_s=timing.joint_s, frame_s=timing.frame_s,
        duration_s=timing.episode_s, after_hazard_s=timing.after_hazard_s)
    info: dict[str, object] = {
        'seed': seed, 'split': 'id', 'robot': config.name, 'layout': asdict(layout)}
    with Camera(sim.model, camera.name, width_px=camera.width_px * camera.oversampling,
                height_px=camera.height_px * camera.oversampling) as view:
        return record_play(sim, schedule, recording, info=info,
                           draw=lambda: view.render(sim.data))
