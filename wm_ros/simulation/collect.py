# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Collect play episodes in the simulation, faster than real time and resumable."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

import cv2
import mujoco
import numpy as np
from numpy.typing import NDArray

from wm_ros.data.episode import (
    EPISODE_GLOB,
    Episode,
    encode_frame,
    read_episode,
    write_episode,
)
from wm_ros.errors import DatasetError
from wm_ros.simulation.motion import Motion, sample_motion
from wm_ros.simulation.play import Play
from wm_ros.simulation.renderer import Camera
from wm_ros.simulation.robot import HAZARD_KINDS, JOINT_NAMES, TIMESTEP_S, So101Simulation
from wm_ros.simulation.scene import FRONT_CAMERA, SPLITS, sample_scene, scene_info

FRAME_PERIOD_S = 0.1
JOINT_PERIOD_S = 0.02
EPISODE_S = 6.0
# What follows a collision is mostly an arm leaning on what it hit: a second of it is enough.
AFTER_HAZARD_S = 1.0
STORED_SIZE_PX = (320, 240)
MAX_EPISODES = 500_000


def episode_seed(seed: int, index: int) -> int:
    """
    Return the seed of one episode; different collections never share one.

    :raises ValueError: if the index is outside the range that a collection may use.
    """
    if not 0 <= index < MAX_EPISODES:
        raise ValueError(f'episode index {index} is outside 0..{MAX_EPISODES - 1}')
    return seed * 1_000_000 + index


def collect(directory: Path, *, num_episodes: int, seed: int, split: str = 'id',
            workers: int = 1, on_progress: Callable[[int], None] = lambda done: None) -> int:
    """
    Collect what is missing of ``num_episodes`` episodes into ``directory``.

    :param split: which kind of scenes, one of SPLITS; a directory holds one kind only.
    :param on_progress: called with the number of episodes that are there.
    :returns: how many were made now.
    :raises ValueError: if there is no such split.
    :raises DatasetError: if the directory holds another split's episodes.
    """
    if split not in SPLITS:
        raise ValueError(f'no split is called {split!r}; choose from {", ".join(SPLITS)}')
    _check_split(directory, split)
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
            collect_episode(wanted[index], episode_seed(seed, index), split)
            done += 1
            on_progress(done)
        return len(missing)
    # A forked child would share its parent's EGL display, which Mesa does not allow.
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        jobs = [pool.submit(collect_episode, wanted[i], episode_seed(seed, i), split)
                for i in missing]
        for job in as_completed(jobs):
            job.result()
            done += 1
            on_progress(done)
    return len(missing)


def _check_split(directory: Path, split: str) -> None:
    """Refuse to mix: the names of the files do not tell the splits apart."""
    path = next(iter(sorted(directory.glob(EPISODE_GLOB))), None)
    if path is None:
        return
    there = read_episode(path).info.get('split', 'id')
    if there != split:
        raise DatasetError(f'{path} is of the split {there!r}, not {split!r}; '
                           'give each split a directory of its own')


def collect_episode(path: Path, seed: int, split: str = 'id') -> None:
    """Simulate one episode of play and write it."""
    cv2.setNumThreads(1)
    write_episode(path, simulate_episode(seed, split=split))


def simulate_episode(seed: int, *, split: str = 'id', duration_s: float = EPISODE_S) -> Episode:
    """
    Simulate one episode of play: the same seed gives the same motion and pictures.

    :raises ValueError: if there is no such split.
    """
    scene, motion = sample_scene(seed, split), sample_motion(seed, split)
    sim = So101Simulation(scene)
    play = _PlaySchedule(seed, sim, motion)
    log = _Log(sim)
    per_joint, per_frame = (round(p / TIMESTEP_S) for p in (JOINT_PERIOD_S, FRAME_PERIOD_S))
    with Camera(sim.model, FRONT_CAMERA) as camera:
        for step in range(round(duration_s / TIMESTEP_S) + 1):
            play.update()
            log.note_hazards()
            if step % per_joint == 0:
                log.add_joints()
            if step % per_frame == 0:
                log.add_frame(camera.render(sim.data))
            if log.first_hazard_s is not None and (
                    sim.time_s > log.first_hazard_s + AFTER_HAZARD_S):
                break
            sim.step()
    info: dict[str, object] = {'seed': seed, 'split': split, 'scene': scene_info(scene)}
    if motion != Motion():
        info['motion'] = asdict(motion)
    return log.episode(info)


class _PlaySchedule:
    """When play sends its next command: after the last, with pauses, at times in between."""

    def __init__(self, seed: int, sim: So101Simulation, motion: Motion) -> None:
        self._rng = np.random.default_rng([seed, 0xC0])
        self._play = Play(seed, sim.scene, motion)
        self._motion = motion
        self._sim = sim
        sim.place(self._play.start())
        self._next_s = float(self._rng.uniform(0.1, 0.5))

    def update(self) -> None:
        """Send the next command when it is due."""
        now = self._sim.time_s
        if now < self._next_s:
            return
        # Most moves are one chunk, as a policy sends them; some are slower and longer.
        motion = self._motion
        slow = self._rng.random() < motion.slow_share
        duration = (float(self._rng.uniform(motion.chunk_s, motion.slow_s)) if slow
                    else motion.chunk_s)
        move = self._play.next_move(self._sim.positions, duration_s=duration)
        self._sim.set_trajectory(move.times, move.positions)
        # Now and then a new command replaces one that is still running.
        cut_short = self._rng.random() < 0.15
        share = self._rng.uniform(0.3, 0.9) if cut_short else 1.0
        self._next_s = now + share * duration + float(self._rng.uniform(0.0, 0.4))


class _Log:
    """What an episode remembers while it runs."""

    def __init__(self, sim: So101Simulation) -> None:
        self._sim = sim
        self._hazard = 0
        self.first_hazard_s: float | None = None
        self._joints: list[tuple[int, NDArray[np.float64], NDArray[np.float64],
                                 NDArray[np.float64], NDArray[np.float64], int, float]] = []
        self._frames: list[tuple[int, bytes]] = []

    def note_hazards(self) -> None:
        if self._sim.has_hazard():
            if self.first_hazard_s is None:
                self.first_hazard_s = self._sim.time_s
            for contact in self._sim.hazards():
                self._hazard |= 1 << (HAZARD_KINDS.index(contact.kind) - 1)

    def add_joints(self) -> None:
        sim = self._sim
        self._joints.append((self._stamp_ns(), sim.positions, sim.velocities, sim.efforts,
                             sim.setpoint(), self._hazard, sim.clearance()))
        self._hazard = 0

    def add_frame(self, image: NDArray[np.uint8]) -> None:
        small = cv2.resize(image, STORED_SIZE_PX, interpolation=cv2.INTER_AREA)
        self._frames.append((self._stamp_ns(), encode_frame(np.asarray(small, np.uint8))))

    def _stamp_ns(self) -> int:
        return round(self._sim.time_s * 1e3) * 1_000_000

    def episode(self, info: dict[str, object]) -> Episode:
        stamps, *columns, hazards, clearance = zip(*self._joints, strict=True)
        positions, velocities, efforts, setpoints = (
            np.array(column, np.float32) for column in columns)
        return Episode(
            frames=tuple(data for _, data in self._frames),
            frame_stamps_ns=np.array([stamp for stamp, _ in self._frames], np.int64),
            joint_names=JOINT_NAMES, joint_stamps_ns=np.array(stamps, np.int64),
            positions=positions, velocities=velocities, efforts=efforts, setpoints=setpoints,
            hazards=np.array(hazards, np.uint8), clearance=np.array(clearance, np.float32),
            hazard_kinds=HAZARD_KINDS[1:],
            camera_name=FRONT_CAMERA, info=info)


def preload() -> None:
    """Build the mesh cache once, before several workers would each try to."""
    mujoco.MjData(So101Simulation(sample_scene(0)).model)
