# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of wm_evidence: one frozen object, checked as a whole."""

from dataclasses import dataclass

from wm_ros.config import check_settings, setting

TRIGGERS = ('veto', 'abstain', 'invalid', 'hold', 'estop')


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceConfig:
    """
    Settings of wm_evidence; each field says its meaning, unit and range in its metadata.

    :raises ValueError: from the constructor, naming the setting, its value and what is allowed.
    """

    directory: str = setting(
        '', required=True, help='where the files go; is made if it is missing, ~ is your home')
    triggers: tuple[str, ...] = setting(
        ('veto', 'estop'), choices=TRIGGERS,
        help='what is worth a file: verdicts on commands (veto, abstain, invalid) and states that '
             'the gate enters (hold, estop)')
    span: float = setting(5.0, unit='s', range=(1.0, 60.0),
                          help='how much of the inputs before the trigger')
    after: float = setting(1.0, unit='s', range=(0.0, 10.0),
                           help='how much after it; predicted frames come within this time')
    max_disk_mb: float = setting(2000.0, unit='MB', range=(1.0, 1e7),
                                 help='size of all files together; the oldest are removed')
    max_memory_mb: float = setting(512.0, unit='MB', range=(1.0, 1e5),
                                   help='size of the inputs that are kept in memory')
    wants_frames: bool = setting(
        True, help='have the predictor draw the future of each refused command, after its verdict')
    camera_topics: tuple[str, ...] = setting(
        ('camera/image_raw',), required=True,
        help='raw topic of each camera of the predictor, in its order; with compressed transport '
             '/compressed is appended')
    camera_names: tuple[str, ...] = setting(
        ('front',), required=True, help='name of each camera, as in the predictor')
    image_transport: str = setting('raw', choices=('raw', 'compressed'),
                                   help='Image or CompressedImage, as in the predictor')
    command_topics: tuple[str, ...] = setting(
        ('wm_gate/joint_trajectory', 'wm_gate/commands', '/arm_controller/joint_trajectory'),
        help='topics of commands, before and behind the gate, of any type')
    extra_topics: tuple[str, ...] = setting((), help='more topics to keep, of any type')

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        check_settings(self)
        if len(self.camera_topics) != len(self.camera_names):
            raise ValueError(f'camera_topics and camera_names have {len(self.camera_topics)} and '
                             f'{len(self.camera_names)} entries; give a name for each topic')
        if len(set(self.camera_names)) != len(self.camera_names):
            raise ValueError(f'camera_names is {list(self.camera_names)}; each camera needs one '
                             'of its own')
