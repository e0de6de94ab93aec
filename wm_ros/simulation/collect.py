# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Collect play episodes in the simulation, faster than real time and resumable."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from wm_ros.data.episode import (
    EPISODE_GLOB,
    Episode,
    read_episode,
    write_episode,
)
from wm_ros.errors import DatasetError
from wm_ros.simulation.glimpses import record_glimpses
from wm_ros.simulation.motion import Motion, sample_motion
from wm_ros.simulation.perturbation import NOTHING, Perturbation
from wm_ros.simulation.play import Play
from wm_ros.simulation.recorded_play import PlaySchedule, Recording, record_play
from wm_ros.simulation.renderer import Camera
from wm_ros.simulation.robot import HAZARD_KINDS, JOINT_NAMES, TIMESTEP_S, So101Simulation
from wm_ros.simulation.scene import (
    FRONT_CAMERA,
    SPLITS,
    WRIST_CAMERA,
    sample_scene,
    scene_info,
)

FRAME_PERIOD_S = 0.1
JOINT_PERIOD_S = 0.02
EPISODE_S = 6.0
# What follows a collision is mostly an arm leaning on what it hit: a second of it is enough.
AFTER_HAZARD_S = 1.0
STORED_SIZE_PX = (320, 240)
MAX_EPISODES = 500_000
CAMERAS = (FRONT_CAMERA, WRIST_CAMERA)


def episode_seed(seed: int, index: int) -> int:
    """
    Return the seed of one episode; different collections never share one.

    :raises ValueError: if the index is outside the range that a collection may use.
    """
    if not 0 <= index < MAX_EPISODES:
        raise ValueError(f'episode index {index} is outside 0..{MAX_EPISODES - 1}')
    return seed * 1_000_000 + index


def collect(directory: Path, *, num_episodes: int, seed: int, split: str = 'id',
            cameras: tuple[str, ...] = (FRONT_CAMERA,), duration_s: float = EPISODE_S,
            glimpses: int = 0, workers: int = 1,
            on_progress: Callable[[int], None] = lambda done: None) -> int:
    """
    Collect what is missing of ``num_episodes`` episodes into ``directory``.

    :param split: which kind of scenes, one of SPLITS; a directory holds one kind only.
    :param cameras: the main camera and further ones, of CAMERAS.
    :param duration_s: of an episode without a hazard, s. With half of it the same time shows 1.4
        times as many scenes.
    :param glimpses: at how many moments an episode is drawn; all the time if 0.
    :param on_progress: called with the number of episodes that are there.
    :returns: how many were made now.
    :raises ValueError: if there is no such split or camera.
    :raises DatasetError: if the directory holds episodes of another split, of other cameras, of
        another length or with other glimpses.
    """
    if split not in SPLITS:
        raise ValueError(f'no split is called {split!r}; choose from {", ".join(SPLITS)}')
    _check_cameras(cameras)
    _check_directory(directory, split, cameras, duration_s, glimpses)
    return collect_files(
        directory, partial(collect_episode, split=split, cameras=cameras, duration_s=duration_s,
                           glimpses=glimpses),
        num_episodes=num_episodes, seed=seed, workers=workers, on_progress=on_progress)


def collect_files(directory: Path, make: Callable[[Path, int], None], *, num_episodes: int,
                  seed: int, workers: int, on_progress: Callable[[int], None]) -> int:
    """
    Make what is missing of ``num_episodes`` episode files, of any robot.

    :param make: writes the episode of a seed to a path; other processes must find it by import.
    :returns: how many were made now.
    """
    wanted = {
        index: directory / f'episode_{episode_seed(seed, index):09d}.safetensors'
        for index in range(num_episodes)}
    missing = [index for index, path in wanted.items() if not path.is_file()]
    done = num_episodes - len(missing)
    on_progress(done)
    if not missing:
        return 0
    directory.mkdir(parents=True, exist_ok=True)
    if workers <= 1:
        for index in missing:
            make(wanted[index], episode_seed(seed, index))
            done += 1
            on_progress(done)
        return len(missing)
    # A forked child would share its parent's EGL display, which Mesa does not allow.
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent) as pool:
        jobs = [pool.submit(make, wanted[i], episode_seed(seed, i)) for i in missing]
        for job in as_completed(jobs):
            job.result()
            done += 1
            on_progress(done)
    return len(missing)


def _end_with_parent() -> None:
    """End this process with its parent: a pool that is killed leaves its workers waiting."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        # At once, also in the middle of an episode: a file has its name only when it is whole.
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _check_cameras(cameras: tuple[str, ...]) -> None:
    unknown = [name for name in cameras if name not in CAMERAS]
    if unknown or not cameras or len(set(cameras)) != len(cameras):
        raise ValueError(f'cameras {list(cameras)} must be some of {", ".join(CAMERAS)}, each '
                         'once, the main one first')


def _check_directory(directory: Path, split: str, cameras: tuple[str, ...],
                     duration_s: float, glimpses: int) -> None:
    """Refuse to mix: the names of the files do not tell apart what is in them."""
    path = next(iter(sorted(directory.glob(EPISODE_GLOB))), None)
    if path is None:
        return
    episode = read_episode(path)
    info = episode.info
    if 'robot' in info:
        raise DatasetError(f"{path} is of robot {info['robot']!r}, not of the SO-101; "
                           'give each robot a directory of its own')
    there = info.get('split', 'id')
    if there != split:
        raise DatasetError(f'{path} is of the split {there!r}, not {split!r}; '
                           'give each split a directory of its own')
    if episode.cameras != cameras:
        raise DatasetError(f'{path} is of cameras {", ".join(episode.cameras)}, not of '
                           f'{", ".join(cameras)}; give them a directory of their own')
    length = info.get('duration_s', EPISODE_S)
    if length != duration_s:
        raise DatasetError(f'{path} was made to last {length:g} s, not {duration_s:g} s; '
                           'give each length a directory of its own')
    drawn = info.get('glimpses', 0)
    if drawn != glimpses:
        raise DatasetError(f'{path} was drawn at {_moments(drawn)}, not at {_moments(glimpses)}; '
                           'give each a directory of its own')


def _moments(glimpses: int) -> str:
    return f'{glimpses} moments' if glimpses else 'all moments'


def collect_episode(path: Path, seed: int, split: str = 'id',
                    cameras: tuple[str, ...] = (FRONT_CAMERA,),
                    duration_s: float = EPISODE_S, glimpses: int = 0) -> None:
    """Simulate one episode of play and write it."""
    cv2.setNumThreads(1)
    write_episode(path, simulate_episode(seed, split=split, cameras=cameras,
                                         duration_s=duration_s, glimpses=glimpses))


def simulate_episode(seed: int, *, split: str = 'id', duration_s: float = EPISODE_S,
                     cameras: tuple[str, ...] = (FRONT_CAMERA,), glimpses: int = 0,
                     perturbation: Perturbation = NOTHING, perturbed_from_s: float = 0.0
                     ) -> Episode:
    """
    Simulate one episode of play: the same seed gives the same motion and pictures.

    :param cameras: the main camera and further ones, of CAMERAS.
    :param glimpses: at how many moments to draw what the main camera sees, see
        ``glimpses.record_glimpses``; all the time if 0.
    :param perturbation: what goes wrong with the main camera's pictures, and only with them.
    :param perturbed_from_s: time of the first picture that it goes wrong with, s.
    :raises ValueError: if there is no such split or camera.
    """
    _check_cameras(cameras)
    if glimpses and (len(cameras) > 1 or perturbation != NOTHING):
        raise ValueError(f'{glimpses} glimpses are of the main camera alone and of what it sees '
                         'when nothing is wrong; leave out further cameras and perturbations')
    scene, motion = sample_scene(seed, split), sample_motion(seed, split)
    sim = So101Simulation(scene)
    schedule = PlaySchedule(seed, sim, Play(seed, scene, motion), motion)
    info: dict[str, object] = {'seed': seed, 'split': split, 'scene': scene_info(scene)}
    if duration_s != EPISODE_S:
        info['duration_s'] = duration_s
    if motion != Motion():
        info['motion'] = asdict(motion)
    if perturbation != NOTHING:
        info['perturbation'] = {**asdict(perturbation), 'from_s': perturbed_from_s}
    recording = Recording(
        joint_names=JOINT_NAMES, hazard_kinds=HAZARD_KINDS[1:], camera_name=cameras[0],
        size_px=STORED_SIZE_PX, physics_s=TIMESTEP_S, joint_s=JOINT_PERIOD_S,
        frame_s=FRAME_PERIOD_S, duration_s=duration_s, after_hazard_s=AFTER_HAZARD_S)
    if glimpses:
        return record_glimpses(sim, schedule, recording, count=glimpses, seed=seed,
                               info={**info, 'glimpses': glimpses})
    with ExitStack() as stack:
        main, *others = (stack.enter_context(Camera(sim.model, name)) for name in cameras)

        def draw() -> NDArray[np.uint8]:
            is_perturbed = sim.time_s > perturbed_from_s - TIMESTEP_S / 2
            return main.render(sim.data, perturbation if is_perturbed else NOTHING)

        extra = {name: partial(camera.render, sim.data)
                 for name, camera in zip(cameras[1:], others, strict=True)}
        return record_play(sim, schedule, recording, info=info, draw=draw, extra=extra)
