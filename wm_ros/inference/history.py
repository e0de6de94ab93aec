# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The last moments of the cameras and one arm, and the observation that a model needs of them.

The main rule: what cannot be trusted is refused with a reason, and the refusal lasts until good
data is back. No clock is read here; ``now`` is an argument.
"""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wm_ros.datatypes import JointSample, Observation, Reason
from wm_ros.inference.camera_history import NS_PER_S, CameraHistory, check_stamp, ns
from wm_ros.inference.camera_history import UnusableObservation as UnusableObservation
from wm_ros.inference.history_config import HistoryConfig

_MAX_JOINTS = 512


class ObservationHistory:
    """
    A bounded history of small frames and of joint states; not thread-safe.

    A refused sample makes ``observe`` refuse as well until the next good one, because the sample
    before it no longer tells what is going on.
    """

    def __init__(self, config: HistoryConfig) -> None:
        self.config = config
        self._span_ns = ns(config.step_s * (config.context_len - 1) + config.slop_s
                           + config.image_timeout_s + config.max_future_s)
        is_alone = len(config.cameras) == 1
        self._cameras = [CameraHistory(config, '' if is_alone else f'camera {name!r}: ')
                         for name in config.cameras]
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        for camera in self._cameras:
            camera.reset()
        self._joints: list[JointSample] = []
        self._joint_problem: UnusableObservation | None = None
        self._last_now_ns = 0

    def add_image(self, image: NDArray[np.uint8], stamp_ns: int, now_ns: int, *,
                  content: int, camera: int = 0) -> None:
        """
        Take a frame, in any order of stamps.

        :param image: uint8 RGB (h, w, 3) at the model's size; kept, not copied.
        :param stamp_ns: the camera's stamp, ns.
        :param now_ns: the clock of the stamps, ns.
        :param content: hash of the picture before it was resized.
        :param camera: which of the config's cameras took it.
        :raises UnusableObservation: TIME_SYNC for a zero, future or old stamp.
        """
        self._watch_clock(now_ns)
        self._cameras[camera].add(image, stamp_ns, now_ns, content=content, joints=self._joints)

    def refuse_image(self, message: str, camera: int = 0) -> UnusableObservation:
        """
        Note that a frame came which nobody can use; ``observe`` refuses until a good one.

        :param message: what was wrong with it.
        :param camera: which of the config's cameras it came from.
        :returns: the error, for the caller to log.
        """
        return self._cameras[camera].refuse(message)

    def add_joints(self, names: Sequence[str], positions: Sequence[float],
                   velocities: Sequence[float], stamp_ns: int, now_ns: int) -> None:
        """
        Take a joint state; joints are found by name, those the model does not know are dropped.

        :param names: names of the entries, in any order.
        :param positions: rad.
        :param velocities: rad/s, or empty for a driver that gives none (taken as 0).
        :param stamp_ns: the driver's stamp, ns.
        :param now_ns: the clock of the stamps, ns.
        :raises UnusableObservation: STALE_JOINTS for a missing joint, sizes that differ or a value
            that is not finite; TIME_SYNC for its stamp.
        """
        self._watch_clock(now_ns)
        try:
            check_stamp('joint state', stamp_ns, now_ns, self.config.joint_timeout_s,
                        self.config.max_future_s)
            sample = self._pick_joints(names, positions, velocities, stamp_ns)
        except UnusableObservation as error:
            self._joint_problem = error
            raise
        self._joint_problem = None
        self._joints.append(sample)
        self._joints.sort(key=lambda joints: joints.stamp_ns)
        oldest = self._joints[-1].stamp_ns - self._span_ns
        self._joints = [joints for joints in self._joints
                        if joints.stamp_ns >= oldest][-_MAX_JOINTS:]

    def observe(self, now_ns: int) -> Observation:
        """
        Give the newest frame, the frames one step apart before it, and the joints at its time.

        A context frame is the one nearest to its time, within the slop. The joints are the last
        ones up to the newest frame, as the model was trained; their limit of age is kept by the
        newest joint state, so that a driver that died is noticed whatever the camera does.

        Of several cameras the newest frame is the newest one of the first camera to which all
        others have a frame within the slop: those that belong to a newer one may be on their way.

        :param now_ns: the clock of the stamps, ns.
        :returns: frames oldest first, none newer than now; cameras above each other.
        :raises UnusableObservation: saying what is missing, refused, stale or frozen.
        """
        self._watch_clock(now_ns)
        for problem in (*(camera.problem for camera in self._cameras), self._joint_problem):
            if problem is not None:
                raise UnusableObservation(problem.reason, str(problem))
        moments = self._moments(now_ns)
        stamps = self._context_stamps(sorted(moments))
        joints = self._joints_at(stamps[-1], now_ns)
        for camera in self._cameras:
            camera.check_frozen()
        images = [np.concatenate([camera[stamp] for camera, stamp in zip(
            self._cameras, moments[moment], strict=True)]) for moment in stamps]
        return Observation(images=np.stack(images), image_stamps_ns=tuple(stamps), joints=joints)

    def image_age_s(self, now_ns: int) -> float:
        """
        Tell the age of the newest frame that shows something new, -1 before any.

        :param now_ns: the clock of the stamps, ns.
        :returns: s, of the camera that is worst; for a frozen one it counts from the first of the
            equal pictures.
        """
        ages = [camera.age_s(now_ns) for camera in self._cameras]
        return -1.0 if min(ages) < 0 else max(ages)

    def joint_age_s(self, now_ns: int) -> float:
        """Tell the age of the newest joint state in s, -1 before any."""
        return max(0.0, (now_ns - self._joints[-1].stamp_ns) / NS_PER_S) if self._joints else -1.0

    def _watch_clock(self, now_ns: int) -> None:
        """Forget everything when the clock went back: all stamps are of another time line."""
        if now_ns < self._last_now_ns - ns(self.config.max_future_s):
            self.reset()
        self._last_now_ns = max(now_ns, self._last_now_ns)

    def _pick_joints(self, names: Sequence[str], positions: Sequence[float],
                     velocities: Sequence[float], stamp_ns: int) -> JointSample:
        if len(positions) != len(names) or len(velocities) not in (0, len(names)):
            raise UnusableObservation(
                Reason.STALE_JOINTS, f'joint state has {len(names)} names, {len(positions)} '
                f'positions and {len(velocities)} velocities')
        index = {name: i for i, name in enumerate(names)}
        missing = [name for name in self.config.joint_names if name not in index]
        if missing or len(index) != len(names):
            raise UnusableObservation(
                Reason.STALE_JOINTS, f"joint state lacks {', '.join(missing)}; it has "
                f"{', '.join(names)}" if missing else f'joint state repeats a name: {list(names)}')
        order = [index[name] for name in self.config.joint_names]
        values = np.asarray(positions, dtype=np.float64)[order]
        speeds = np.asarray(velocities, dtype=np.float64)[order] if len(velocities) else 0 * values
        if not (np.all(np.isfinite(values)) and np.all(np.isfinite(speeds))):
            raise UnusableObservation(Reason.STALE_JOINTS, 'joint state is not finite: positions '
                                      f'{values.tolist()}, velocities {speeds.tolist()}')
        return JointSample(names=self.config.joint_names, positions=values, velocities=speeds,
                           stamp_ns=stamp_ns)

    def _moments(self, now_ns: int) -> dict[int, tuple[int, ...]]:
        """Return by stamp of the first camera the stamps of all cameras that belong together."""
        first, *others = (camera.fresh_stamps(now_ns) for camera in self._cameras)
        slop_ns, found = ns(self.config.slop_s), {}
        for stamp in first:
            near = [_nearest(stamps, stamp) for stamps in others]
            if all(abs(other - stamp) <= slop_ns for other in near):
                found[stamp] = (stamp, *near)
        age_s = (now_ns - max(found, default=0)) / NS_PER_S
        if age_s > self.config.image_timeout_s:
            names = ', '.join(map(repr, self.config.cameras))
            raise UnusableObservation(
                Reason.STALE_IMAGE, f'cameras {names} have taken no frames within '
                f'{self.config.slop_s} s of each other for {self.config.image_timeout_s} s')
        return found

    def _context_stamps(self, usable: list[int]) -> list[int]:
        config, newest = self.config, usable[-1]
        chosen = [newest]
        for step in range(1, config.context_len):
            wanted = newest - ns(step * config.step_s)
            nearest = _nearest(usable, wanted)
            if abs(nearest - wanted) > ns(config.slop_s):
                raise UnusableObservation(
                    Reason.STALE_IMAGE, f'{len(chosen)} of {config.context_len} frames: none '
                    f'within {config.slop_s} s of {step * config.step_s:.3f} s before the newest')
            chosen.append(nearest)
        return chosen[::-1]

    def _joints_at(self, frame_ns: int, now_ns: int) -> JointSample:
        usable = [joints for joints in self._joints if joints.stamp_ns <= now_ns]
        if not usable:
            raise UnusableObservation(Reason.STALE_JOINTS, 'no joint state yet')
        age_s = (now_ns - usable[-1].stamp_ns) / NS_PER_S
        if age_s > self.config.joint_timeout_s:
            raise UnusableObservation(Reason.STALE_JOINTS, f'joint state is {age_s:.3f} s old; '
                                      f'allowed is {self.config.joint_timeout_s} s')
        before = [joints for joints in usable if joints.stamp_ns <= frame_ns]
        return before[-1] if before else usable[0]


def _nearest(stamps: list[int], wanted: int) -> int:
    """Return the nearest of increasing stamps, the older one of two that are as near."""
    place = bisect_left(stamps, wanted)
    return min(stamps[max(0, place - 1):place + 1], key=lambda stamp: abs(stamp - wanted))
