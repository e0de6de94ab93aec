# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a file of evidence says of itself."""

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any

from wm_ros import __version__
from wm_ros.data.evidence_writer import RECORD_VERSION
from wm_ros.ros.evidence_config import EvidenceConfig

# What can change a figure in its last bits.
_PACKAGES = ('onnxruntime', 'torch', 'tensorrt', 'numpy', 'opencv-python-headless')


@dataclass(slots=True)
class Open:
    """
    A case that still waits for what comes after its trigger.

    :param since_ns: steady time from which inputs belong to it.
    :param due_ns: steady time at which it is complete.
    :param triggers: kind, chunk and time of each trigger.
    :param model_id: which model judged, '' if none did.
    """

    since_ns: int
    due_ns: int
    triggers: list[dict[str, Any]] = field(default_factory=list)
    model_id: str = ''

    @property
    def label(self) -> str:
        """Say in a file name why there is a file."""
        first = self.triggers[0]
        return f"{first['kind']}_{first['chunk_id']}" if first['chunk_id'] else first['kind']


def make_record(case: Open, config: EvidenceConfig, *, topics: Mapping[str, Any],
                parameters: Mapping[str, Mapping[str, Any]], uses_sim_time: bool,
                num_short: int) -> dict[str, Any]:
    """
    Make the record of a case.

    :param topics: full name of each topic by what it is.
    :param parameters: of gate and predictor, by node; empty where it did not answer.
    :param num_short: messages that were too much for the memory.
    :returns: what can be written as JSON.
    """
    return {
        'version': RECORD_VERSION, 'wm_ros': __version__, 'triggers': case.triggers,
        'model_id': case.model_id, 'topics': dict(topics),
        'parameters': {**parameters, 'wm_evidence': asdict(config)},
        'use_sim_time': uses_sim_time, 'left_out_messages': num_short,
        'host': {'machine': platform.machine(), 'python': platform.python_version(),
                 'packages': installed_versions()}}


def installed_versions() -> dict[str, str]:
    """Return the versions of the packages that figures depend on, without importing them."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
