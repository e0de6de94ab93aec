# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The last moments of one camera and one arm, and the observation that a model needs of them.

The main rule: what cannot be trusted is refused with a reason, and the refusal lasts until good
data is back. No clock is read here; ``now`` is an argument.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wm_ros.datatypes import JointSample, Observation, Reason
from wm_ros.errors import ObservationError
from wm_ros.inference.history_config import HistoryConfig

NS_PER_S = 1_000_000_000
_MAX_FRAMES = 128
_MAX_JOINTS = 512


class UnusableObservation(ObservationError):
    """
    A sample was refused, or the history cannot give an observation now.

    :param reason: for the verdict.
    :param message: names the value that is wrong.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ObservationHistory:
    """
    A bounded history of small frames and of joint states; not thread-safe.

    A refused sample makes ``observe`` refuse as well until the next good one, because the sample
    before it no longer tells what is going on.
    """

    def __init__(self, config: HistoryConfig) -> None:
        self.config = config
        self._span_ns = _ns(config.step_s * (config.context_len - 1) + config.slop_s
                            + config.image_timeout_s + config.max_future_s)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._frames: dict[int, NDArray[np.uint8]] = {}
        self._joints: list[JointSample] = []
        self._image_problem: UnusableObservation | None = None
        self._joint_problem: UnusableObservation | None = None
        self._last_now_ns = 0
        self._content: int | None = None
        self._num_equal = 0
        self._equal_since_ns = 0
        self._equal_joints: NDArray[np.float64] | None = None
        self._equal_motion_rad = 0.0

    def add_image(self, image: NDArray[np.uint8], stamp_ns: int, now_ns: int, *,
                  content: int) -> None:
        """
        Take a frame, in any order of stamps.

        :param image: uint8 RGB (h, w, 3) at the model's size; kept, not copied.
        :param stamp_ns: the camera's stamp, ns.
        :param now_ns: the clock of the stamps, ns.
        :param content: hash of the picture before it was resized.
        :raises UnusableObservation: TIME_SYNC for a zero, future or old stamp.
        """
        self._watch_clock(now_ns)
        try:
            self._check_stamp('image', stamp_ns, now_ns, self.config.image_timeout_s)
        except UnusableObservation as error:
            self._image_problem = error
            raise
        if stamp_ns > max(self._frames, default=0):
            self._watch_content(content, stamp_ns)
        self._image_problem = None
        self._frames[stamp_ns] = image
        newest = max(self._frames)
        kept = sorted(s for s in self._frames if s >= newest - self._span_ns)[-_MAX_FRAMES:]
        self._frames = {stamp: self._frames[stamp] for stamp in kept}

    def refuse_image(self, message: str) -> UnusableObservation:
        """
        Note that a frame came which nobody can use; ``observe`` refuses until a good one.

        :param message: what was wrong with it.
        :returns: the error, for the caller to log.
        """
        self._image_problem = UnusableObservation(Reason.STALE_IMAGE, message)
        return self._image_problem

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
            self._check_stamp('joint state', stamp_ns, now_ns, self.config.joint_timeout_s)
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

        :param now_ns: the clock of the stamps, ns.
        :returns: frames oldest first, none newer than now.
        :raises UnusableObservation: saying what is missing, refused, stale or frozen.
        """
        self._watch_clock(now_ns)
        for problem in (self._image_problem, self._joint_problem):
            if problem is not None:
                raise UnusableObservation(problem.reason, str(problem))
        stamps = self._context_stamps(now_ns)
        joints = self._joints_at(stamps[-1], now_ns)
        self._check_frozen()
        return Observation(images=np.stack([self._frames[stamp] for stamp in stamps]),
                           image_stamps_ns=tuple(stamps), joints=joints)

    def image_age_s(self, now_ns: int) -> float:
        """
        Tell the age of the newest frame that shows something new, -1 before any.

        :param now_ns: the clock of the stamps, ns.
        :returns: s; for a frozen camera it counts from the first of the equal pictures.
        """
        if not self._frames:
            return -1.0
        newest = self._equal_since_ns if self._is_frozen() else max(self._frames)
        return max(0.0, (now_ns - newest) / NS_PER_S)

    def joint_age_s(self, now_ns: int) -> float:
        """Tell the age of the newest joint state in s, -1 before any."""
        return max(0.0, (now_ns - self._joints[-1].stamp_ns) / NS_PER_S) if self._joints else -1.0

    def _watch_clock(self, now_ns: int) -> None:
        """Forget everything when the clock went back: all stamps are of another time line."""
        if now_ns < self._last_now_ns - _ns(self.config.max_future_s):
            self.reset()
        self._last_now_ns = max(now_ns, self._last_now_ns)

    def _check_stamp(self, what: str, stamp_ns: int, now_ns: int, limit_s: float) -> None:
        age_s = (now_ns - stamp_ns) / NS_PER_S
        if stamp_ns <= 0:
            raise UnusableObservation(Reason.TIME_SYNC, f'{what} has stamp {stamp_ns}; the driver '
                                      'must stamp it')
        if age_s < -self.config.max_future_s:
            raise UnusableObservation(Reason.TIME_SYNC, f'{what} is stamped {-age_s:.3f} s in the '
                                      f'future; allowed is {self.config.max_future_s} s')
        if age_s > limit_s:
            raise UnusableObservation(Reason.TIME_SYNC, f'{what} was {age_s:.3f} s old when it '
                                      f'came; allowed is {limit_s} s')

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

    def _context_stamps(self, now_ns: int) -> list[int]:
        config = self.config
        usable = sorted(stamp for stamp in self._frames if stamp <= now_ns)
        if not usable:
            raise UnusableObservation(Reason.STALE_IMAGE, 'no camera frame yet')
        newest = usable[-1]
        age_s = (now_ns - newest) / NS_PER_S
        if age_s > config.image_timeout_s:
            raise UnusableObservation(Reason.STALE_IMAGE, f'newest frame is {age_s:.3f} s old; '
                                      f'allowed is {config.image_timeout_s} s')
        chosen = [newest]
        for step in range(1, config.context_len):
            wanted = newest - _ns(step * config.step_s)
            distance, nearest = min((abs(stamp - wanted), stamp) for stamp in usable)
            if distance > _ns(config.slop_s):
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

    def _watch_content(self, content: int, stamp_ns: int) -> None:
        if content != self._content:
            self._content, self._num_equal, self._equal_since_ns = content, 0, stamp_ns
            self._equal_joints, self._equal_motion_rad = None, 0.0
        self._num_equal += 1
        # Joints as they were when the picture was taken: newer ones may have begun to move.
        joints = [sample for sample in self._joints if sample.stamp_ns <= stamp_ns]
        if not joints:
            return
        if self._equal_joints is None:
            self._equal_joints = joints[-1].positions
        moved = float(np.max(np.abs(joints[-1].positions - self._equal_joints)))
        self._equal_motion_rad = max(moved, self._equal_motion_rad)

    def _is_frozen(self) -> bool:
        return (self._num_equal >= self.config.frozen_frames
                and self._equal_motion_rad >= self.config.frozen_motion_rad)

    def _check_frozen(self) -> None:
        if self._is_frozen():
            raise UnusableObservation(Reason.STALE_IMAGE, f'camera is frozen: {self._num_equal} '
                                      'equal pictures with fresh stamps')


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)
