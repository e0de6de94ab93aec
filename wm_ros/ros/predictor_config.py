# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of wm_predictor: one frozen object, checked as a whole."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from wm_ros.config import check_settings, setting
from wm_ros.errors import CheckpointError
from wm_ros.inference.checkpoint import resolve_checkpoint
from wm_ros.inference.engine import ENGINES
from wm_ros.inference.engine_settings import EngineSettings, default_cache_dir
from wm_ros.inference.precision import PRECISIONS

_PACKAGE = 'package://'
_TIMEOUT = (0.001, 60.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class PredictorConfig:
    """
    Settings of wm_predictor; each field says its meaning, unit and range in its metadata.

    :raises ValueError: from the constructor, naming the setting, its value and what is allowed.
    """

    checkpoint_path: str = setting(
        '', required=True,
        help="directory of the model, package://PACKAGE/DIRECTORY, or 'default' for the model "
             'that comes with wm_ros')
    engine: str = setting('onnxruntime', choices=ENGINES, help='what runs the model')
    device: str = setting('cpu', help='where it runs: cpu, cuda or cuda:N')
    num_threads: int = setting(1, range=(1, 64), help='threads of the engine on the CPU')
    engine_precision: str = setting(
        'fp32', choices=PRECISIONS, help='of the TensorRT engine, as it was built')
    engine_max_batch: int = setting(
        16, range=(1, 256), help='most candidates in one pass of the TensorRT engine, as built')
    engine_cache_dir: str = setting(
        '', help="directory of TensorRT engines; empty for the user's own, "
                 '~/.cache/wm_ros/engines')
    engine_pins: tuple[str, ...] = setting(
        ('',), help='SHA-256 of metadata.json of TensorRT engines that were built elsewhere and '
                    'are trusted')
    cuda_graphs: bool = setting(
        False, help='record runs of TensorRT and replay them; each is compared bit for bit first')
    camera_topics: tuple[str, ...] = setting(
        ('camera/image_raw',), required=True,
        help='raw topic of each camera of the model, in its order; with compressed transport '
             '/compressed is appended')
    camera_info_topics: tuple[str, ...] = setting(
        ('camera/camera_info',), required=True,
        help='calibration topic of each camera; that of the first is used')
    camera_names: tuple[str, ...] = setting(
        ('front',), required=True, help="name of each camera in the model's training data")
    image_transport: str = setting('raw', choices=('raw', 'compressed'),
                                   help='Image or CompressedImage')
    image_timeout: float = setting(0.3, unit='s', range=_TIMEOUT,
                                   help='longest age of the newest frame')
    joint_state_timeout: float = setting(0.2, unit='s', range=_TIMEOUT,
                                         help='longest age of the newest joint state')
    context_slop: float = setting(0.05, unit='s', range=(0.001, 10.0),
                                  help='how far a context frame may lie from its time')
    max_future_skew: float = setting(0.02, unit='s', range=(0.0, 1.0),
                                     help='how far a stamp may lie ahead of this clock')
    frozen_frames: int = setting(10, range=(2, 10_000),
                                 help='equal pictures with fresh stamps that mean a frozen camera')
    frozen_motion: float = setting(
        0.0, unit='rad', range=(0.0, 10.0),
        help='a joint must move this far for them to count; above 0 only for a simulated camera, '
             'which has no noise')
    verdict_ttl: float = setting(0.3, unit='s', range=(0.001, 5.0),
                                 help='how long a verdict may release its command')
    latency_budget_ms: float = setting(
        150.0, unit='ms', range=(0.1, 60_000.0),
        help='most that a check of the largest plan may take, at the 99th percentile, when the '
             "node is configured; at most the gate's decision_timeout")
    strict_budget: bool = setting(
        True, help='refuse to be configured where that is exceeded; false: only warn')
    plan_horizons: tuple[float, ...] = setting(
        (1.0,), range=(0.01, 1.0), required=True,
        help="shares of the model's horizon to look at, falling: the largest that is expected to "
             'be done by decide_by is used, and what the gate forwards ends with it')
    plan_futures: tuple[int, ...] = setting(
        (), range=(0, 64),
        help='sampled futures of each plan, drawn after the verdict while somebody listens to '
             '~/futures; empty: none')
    plan_sampler_steps: tuple[int, ...] = setting(
        (), range=(1, 64), help='steps of the sampler for those of each plan; empty: 4')
    sampler_guidance: float = setting(
        1.0, range=(0.0, 10.0),
        help='how strongly sampled futures follow the command; 1 as they were learned')
    slow_factors: tuple[float, ...] = setting(
        (), range=(0.05, 0.95),
        help='speeds, as factors, at which a command that is refused for its risk is looked at '
             'again, falling; the first that is allowed is released so; empty: none')
    slow_risk_share: float = setting(
        0.5, range=(0.01, 1.0),
        help='the risk of a slowed command must be below this share of its threshold')
    decision_margin: float = setting(
        0.005, unit='s', range=(0.0, 1.0),
        help='how long before decide_by a verdict should be on its way')
    allow_uncalibrated: bool = setting(
        False, help='run a model without thresholds; the gate then works in shadow mode only')
    require_action_sensitivity: bool = setting(
        True, help='refuse a model that ignores its actions, and let one whose checkpoint cannot '
                   'be tested for it work in shadow mode only')
    require_golden_frame: bool = setting(
        True, help='let a checkpoint without golden frames, which cannot show that it runs as it '
                   'was made, work in shadow mode only')
    enable_drift_monitor: bool = setting(
        True, help='score pictures and predictions, and abstain while they do not fit the '
                   'calibration')
    drift_false_alarms_per_hour: float = setting(
        0.1, unit='1/h', range=(1e-6, 3600.0), help='most false alarms of the drift monitor')
    drift_period: float = setting(
        1.5, unit='s', range=(0.1, 60.0), help='least time between two scores of a kind')
    drift_recovery: int = setting(
        10, range=(1, 100_000), help='good scores in a row that end an alarm')
    drift_adaptive_gain: float = setting(
        0.0, range=(0.0, 1.0),
        help='how fast the threshold on pictures follows slow change; 0 keeps it fixed')
    stop_timeout: float = setting(5.0, unit='s', range=(0.1, 60.0),
                                  help='longest wait for the inference thread to stop')
    jpeg_quality: int = setting(90, range=(1, 100), tunable=True,
                                help='quality of the predicted frames')

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        check_settings(self)
        self._check_cameras()
        self._check_plans()
        self.engine_settings()

    def _check_plans(self) -> None:
        shares = self.plan_horizons
        for key in ('plan_horizons', 'slow_factors'):
            values = getattr(self, key)
            if any(not later < earlier for earlier, later in pairwise(values)):
                raise ValueError(f'{key} is {list(values)}; each must be smaller than the one '
                                 'before')
        for key in ('plan_futures', 'plan_sampler_steps'):
            values = getattr(self, key)
            if values and len(values) != len(shares):
                raise ValueError(f'{key} has {len(values)} entries; give one for each of the '
                                 f'{len(shares)} of plan_horizons, or none')

    def engine_settings(self) -> EngineSettings:
        """Return which TensorRT engine is asked for."""
        return EngineSettings(
            precision=self.engine_precision, max_batch=self.engine_max_batch,
            cache_dir=Path(self.engine_cache_dir or default_cache_dir()).expanduser(),
            # An empty list has no type in a YAML file of ROS.
            pins=tuple(pin for pin in self.engine_pins if pin), cuda_graphs=self.cuda_graphs)

    def _check_cameras(self) -> None:
        sizes = [len(self.camera_topics), len(self.camera_info_topics), len(self.camera_names)]
        if sizes[0] != sizes[2] or not 1 <= sizes[1] <= sizes[0]:
            raise ValueError(f'camera_topics, camera_info_topics and camera_names have {sizes} '
                             'entries; give a topic and a name for each camera, and a calibration '
                             'topic for the first at least')
        for key in ('camera_topics', 'camera_names'):
            values = getattr(self, key)
            if len(set(values)) != len(values):
                raise ValueError(f'{key} is {list(values)}; each camera needs one of its own')


def checkpoint_directory(text: str) -> Path:
    """
    Find the directory that ``checkpoint_path`` means.

    :param text: a path, ``package://PACKAGE/DIRECTORY`` or ``default``.
    :returns: the directory; whether it holds a model is for its reader to say.
    :raises CheckpointError: if the package is not installed, its directory is left or there is no
        such directory.
    """
    if not text.startswith(_PACKAGE):
        return resolve_checkpoint(text)
    package, _slash, inner = text.removeprefix(_PACKAGE).partition('/')
    if Path(inner).is_absolute() or '..' in Path(inner).parts:
        raise CheckpointError(f'checkpoint_path is {text!r}, which leaves the package; name a '
                              'directory inside its share directory, or give a plain path')
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
    try:
        return resolve_checkpoint(str(Path(get_package_share_directory(package)) / inner))
    except (PackageNotFoundError, ValueError) as error:
        raise CheckpointError(f'checkpoint_path is {text!r}, but package {package!r} is not '
                              'installed; build and source it, or give a directory') from error
