# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The topics that the files of config/ name."""

from pathlib import Path

import pytest
import yaml

CONFIG = Path(__file__).resolve().parents[2] / 'config'


@pytest.mark.parametrize('node', ['wm_gate', 'wm_predictor', 'wm_evidence', 'wm_visualizer'])
def test_every_topic_follows_the_namespace_of_its_node(node):
    """Two guards in two namespaces wrote the one controller that an absolute name led to."""
    settings = yaml.safe_load((CONFIG / f'{node}.yaml').read_text(encoding='utf-8'))
    topics = {key: [value] if isinstance(value, str) else value
              for key, value in settings[f'/**/{node}']['ros__parameters'].items()
              if 'topic' in key}
    assert topics
    assert not [text for texts in topics.values() for text in texts if text.startswith('/')]
