# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Drawing of what was judged, one frame at a time, after the verdict.

One frame in a turn, and before the first what they share: all of them take longer than the gate
waits for a beat, and a command that comes meanwhile must not wait for pictures of the one before.
Belongs to the inference thread.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class DrawingOutputs(Protocol):
    """Where drawn frames go."""

    def wants_prediction(self, *, is_refused: bool) -> bool: ...

    def wants_futures(self) -> bool: ...

    def publish_prediction(self, judgement: Any, headers: Any,
                           frames: NDArray[np.uint8]) -> None: ...

    def publish_future(self, judgement: Any, headers: Any, frames: NDArray[np.uint8],
                       number: int) -> None: ...


class Drawing:
    """
    The frames of one judgement: the mean future, then the sampled ones of its plan.

    :param judgement: the judge's answer, with a prediction.
    :param headers: for each camera the stamp of the source image and the camera's frame.
    :param outputs: asked what is wanted when a future begins, so that nothing is drawn for nobody.
    :param is_refused: the command is not released; some want to see only such.
    """

    def __init__(self, judgement: Any, headers: Any, outputs: DrawingOutputs, *,
                 is_refused: bool = False) -> None:
        self._judgement, self._headers, self._outputs = judgement, headers, outputs
        self._number = 0 if outputs.wants_prediction(is_refused=is_refused) else 1
        self._future: Any = None
        self._frames: list[NDArray[np.uint8]] = []
        # Two looks at one command show the same futures.
        self._rng = np.random.default_rng(judgement.verdict.chunk_id)

    @property
    def is_done(self) -> bool:
        """Say whether nothing is left that anybody wants to see."""
        if self._number == 0:
            return False
        return (self._number > self._judgement.verdict.num_futures
                or not self._outputs.wants_futures())

    def step(self, judge: Any) -> None:
        """Draw one more frame, or do what they share; the last of a future publishes it."""
        judgement = self._judgement
        if judge.begin_frames(judgement):
            return
        if self._number and not self._frames:
            self._future = judge.begin_future(judgement, self._rng)
        self._frames.append(judge.frame(judgement, len(self._frames), self._future))
        if len(self._frames) < len(judgement.prediction.offsets_s):
            return
        frames, number = np.stack(self._frames), self._number
        self._frames, self._future, self._number = [], None, number + 1
        if number:
            self._outputs.publish_future(judgement, self._headers, frames, number)
        else:
            self._outputs.publish_prediction(judgement, self._headers, frames)
