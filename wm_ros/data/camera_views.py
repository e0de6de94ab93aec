# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What all cameras of a model show at one moment, as one tall picture.

The cameras of a robot are not synchronised: to each frame of the main camera belongs the nearest
one of each further camera, if it is near enough.

Letters: F frames of the main camera, V cameras, h w image.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from wm_ros.data.episode import Episode
from wm_ros.errors import DatasetError
from wm_ros.world_model.config import ModelConfig

# How far a frame may be from the moment it stands for, in steps.
SLOP_STEPS = 0.3


def nearest_frames(stamps: NDArray[np.int64], wanted: NDArray[np.int64], step_ns: int
                   ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the index nearest to each wanted stamp, and which rows are all within the slop."""
    after = np.clip(np.searchsorted(stamps, wanted), 1, len(stamps) - 1)
    before = after - 1
    nearest = np.where(wanted - stamps[before] <= stamps[after] - wanted, before, after)
    good = np.abs(stamps[nearest] - wanted) <= SLOP_STEPS * step_ns
    return nearest, good.all(axis=1)


def check_cameras(episode: Episode, cameras: tuple[str, ...], what: str = 'the episode', *,
                  whose: str = 'the model') -> None:
    """
    Refuse an episode of another main camera, or one that lacks further cameras of a model.

    :param cameras: those of the model, the main one first.
    :param what: how to call the episode.
    :param whose: how to call what has these cameras.
    :raises DatasetError: naming the cameras.
    """
    main, *names = cameras
    if episode.camera_name != main:
        raise DatasetError(
            f'the main camera of {what} is {episode.camera_name!r}, that of {whose} {main!r}; '
            "keep them apart, or, if it is the same camera, import or record it again with "
            f"'--camera-name {main}'")
    missing = [name for name in names if name not in episode.extra_cameras]
    if missing:
        raise DatasetError(
            f'cameras {missing} are not among the further cameras of {what}, which has '
            f'{list(episode.cameras)}; collect or record it with them, or leave them out of '
            'model.extra_cameras')


def pair_cameras(episode: Episode, names: tuple[str, ...], step_ns: int
                 ) -> tuple[dict[str, NDArray[np.int64]], NDArray[np.bool_]]:
    """
    Find for each frame of the main camera the nearest one of each further camera.

    :param names: of the further cameras, which are in the episode.
    :returns: their indices, int64 (F,) by camera, and at which frames of the main camera all of
        them are within the slop, bool (F,).
    :raises DatasetError: if one of them has no frame.
    """
    pairs, good = {}, np.ones(len(episode.frames), np.bool_)
    for name in names:
        stamps = episode.extra_cameras[name].stamps_ns
        if not len(stamps):
            raise DatasetError(f'camera {name!r} has no frame')
        rows, near = nearest_frames(stamps, episode.frame_stamps_ns[:, None], step_ns)
        pairs[name] = rows[:, 0]
        good &= near
    return pairs, good


def all_views(episode: Episode, config: ModelConfig, pairs: dict[str, NDArray[np.int64]]
              ) -> NDArray[np.uint8]:
    """
    Return what all cameras show at each frame of the main one, cameras above each other.

    :param pairs: from ``pair_cameras``, in the order of the config's cameras.
    :returns: RGB uint8 (F, V h, w, 3).
    :raises DatasetError: naming the frame, if one is damaged or of another size than the one
        before it.
    """
    height = config.image_height
    frames = np.empty((len(episode.frames), config.picture_height, config.image_width, 3),
                      np.uint8)
    # Squeezed to the model's size, things would be elsewhere than where they are.
    episode.check_pictures()
    for index in range(len(frames)):
        frames[index, :height] = resize_frame(episode.decode(index), config)
    for top, (name, rows) in enumerate(pairs.items(), 1):
        view = frames[:, top * height:(top + 1) * height]
        try:
            _fill(view, episode.of_camera(name), rows, config)
        except DatasetError as error:
            raise DatasetError(f'camera {name!r}: {error}') from error
    return frames


def _fill(view: NDArray[np.uint8], episode: Episode, rows: NDArray[np.int64],
          config: ModelConfig) -> None:
    episode.check_pictures()
    for index, row in enumerate(rows):
        if index and row == rows[index - 1]:
            # A camera that is slower than the main one.
            view[index] = view[index - 1]
            continue
        view[index] = resize_frame(episode.decode(int(row)), config)


def resize_frame(image: NDArray[np.uint8], config: ModelConfig) -> NDArray[np.uint8]:
    """Return an RGB image at the model's size, averaged over areas so that nothing aliases."""
    size = (config.image_width, config.image_height)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
