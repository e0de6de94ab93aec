# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Film an episode at a few moments only.

Drawing takes most of the time of an episode, and what a model sees of a scene it sees in the first
picture. A scene that is played to its end and drawn at two moments costs a quarter of one that
is drawn ten times a second, and still says what came of the commands: joints, clearance, hazards.
"""

import numpy as np

from wm_ros.data.episode import Episode
from wm_ros.simulation.recorded_play import EpisodeLog, PlaySchedule, Recording, run_play
from wm_ros.simulation.renderer import BriefCamera
from wm_ros.simulation.robot import So101Simulation

# What a model looks at of a moment, and how far into what follows it judges.
CONTEXT_LEN, JUDGED_S = 2, 1.0
# Pictures of one scene that are nearer to each other show the same.
_APART_S = 0.4


def record_glimpses(sim: So101Simulation, schedule: PlaySchedule, recording: Recording, *,
                    count: int, seed: int, info: dict[str, object]) -> Episode:
    """
    Run one episode to its end and draw what the camera saw at some moments.

    A moment is a frame and the one before it. Motion, joints, hazards and these pictures are, to
    the byte, those of the whole film.

    :param count: of the moments; fewer where an episode has no more of them.
    """
    past: list[So101Simulation] = []
    log = EpisodeLog(sim, recording)
    run_play(log, schedule, at_frame=lambda: past.append(sim.copy()))
    rng = np.random.default_rng([seed, 0x61A])
    moments = draw_moments(rng, log, recording, len(past), count)
    with BriefCamera(sim.model, recording.camera_name) as camera:
        for index in moments:
            log.add_frame(camera.render(past[index].data), time_s=past[index].time_s)
    return log.episode(info)


def draw_moments(rng: np.random.Generator, log: EpisodeLog, recording: Recording,
                 num_frames: int, count: int) -> list[int]:
    """
    Return which frames to draw, every other moment one before a hazard if there is one.

    What moves after a hazard has happened is not where the scene says, so that nothing could be
    learned from it about where things stand.
    """
    times = np.arange(num_frames) * recording.frame_s
    judged = round(JUDGED_S / recording.frame_s)
    is_known = np.arange(num_frames) < num_frames - judged
    is_known[:CONTEXT_LEN - 1] = False
    before = np.zeros(num_frames, np.bool_)
    if log.first_hazard_s is not None:
        is_known &= times < log.first_hazard_s - recording.frame_s / 2
        before = is_known & (times > log.first_hazard_s - JUDGED_S)
    chosen: list[int] = []
    for number in range(count):
        free = is_known.copy()
        for index in chosen:
            free &= np.abs(times - times[index]) > _APART_S
        wanted = free & before if number % 2 == 0 and (free & before).any() else free
        if wanted.any():
            chosen.append(int(rng.choice(np.flatnonzero(wanted))))
    return sorted({index - back for index in chosen for back in range(CONTEXT_LEN)})
