# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of wm_evidence: the deployed ones are valid and whole, bad ones are named."""

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from wm_ros.ros.evidence_config import EvidenceConfig

ROOT = Path(__file__).resolve().parents[2]


def test_the_deployed_settings_are_all_there_and_valid():
    text = yaml.safe_load((ROOT / 'config/wm_evidence.yaml').read_text(encoding='utf-8'))
    values = text['/**/wm_evidence']['ros__parameters']
    config = EvidenceConfig(**{
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()})
    # An empty list has no type in YAML.
    assert {item.name for item in fields(EvidenceConfig)} - set(values) == {'extra_topics'}
    assert config.triggers == ('veto', 'estop')


@pytest.mark.parametrize(('change', 'text'), [
    ({'directory': ''}, 'directory is not set'), ({'span': 0.0}, 'span is 0.0'),
    ({'after': -1.0}, 'after is -1.0'), ({'max_disk_mb': 0.0}, 'max_disk_mb is 0.0'),
    ({'triggers': ('crash',)}, "triggers is 'crash'"),
    ({'camera_topics': ('a', 'b')}, 'have 2 and 1 entries; give a name'),
])
def test_a_setting_that_cannot_be_is_named(change, text):
    with pytest.raises(ValueError, match=text):
        EvidenceConfig(**{'directory': 'x', **change})
