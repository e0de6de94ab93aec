# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of the predictor and the visualiser: files and classes name the same keys."""

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from wm_ros.errors import CheckpointError
from wm_ros.inference.engine_settings import EngineSettings
from wm_ros.ros.predictor_config import PredictorConfig, checkpoint_directory
from wm_ros.ros.visualizer_config import VisualizerConfig

CONFIG = Path(__file__).resolve().parents[2] / 'config'


@pytest.mark.parametrize(('node', 'config_type'), [
    ('wm_predictor', PredictorConfig), ('wm_visualizer', VisualizerConfig)])
def test_the_deployed_file_gives_every_key_and_no_other(node, config_type):
    content = yaml.safe_load((CONFIG / f'{node}.yaml').read_text())
    given = content[f'/**/{node}']['ros__parameters']
    assert set(given) == {item.name for item in fields(config_type)}
    config_type(**{key: tuple(value) if isinstance(value, list) else value
                   for key, value in given.items()})


@pytest.mark.parametrize(('change', 'text'), [
    ({'checkpoint_path': ''}, 'checkpoint_path is not set'),
    ({'engine': 'magic'}, "engine is 'magic'"), ({'num_threads': 0}, 'num_threads is 0'),
    ({'image_timeout': 0.0}, 'image_timeout is 0.0'),
    ({'joint_state_timeout': float('nan')}, 'joint_state_timeout is nan'),
    ({'frozen_frames': 1}, 'frozen_frames is 1'), ({'jpeg_quality': 101}, 'jpeg_quality is 101'),
    ({'camera_topics': ('a', 'b')}, r'have \[2, 1, 1\] entries; give a topic and a name'),
    ({'camera_names': ()}, 'camera_names'),
    ({'camera_info_topics': ()}, 'camera_info_topics'),
    ({'camera_info_topics': ('a', 'b')}, r'have \[1, 2, 1\]'),
    ({'slow_factors': (0.4, 0.8)}, r'slow_factors is \[0.4, 0.8\]; each must be smaller'),
    ({'slow_factors': (1.0,)}, 'slow_factors'), ({'slow_risk_share': 0.0}, 'slow_risk_share'),
    ({'plan_horizons': (0.5, 0.5)}, 'plan_horizons'),
    ({'sampler_guidance': -0.1}, 'sampler_guidance is -0.1'),
    ({'engine_pins': ('abc',)}, "pin 'abc' is no SHA-256"),
    ({'engine_precision': 'int8'}, "engine_precision is 'int8'; allowed is one of fp32"),
    ({'engine_max_batch': 0}, 'engine_max_batch is 0'),
    ({'camera_topics': ('a', 'a'), 'camera_names': ('front', 'wrist')}, 'one of its own'),
    ({'camera_topics': ('a', 'b'), 'camera_names': ('front', 'front')}, 'one of its own'),
])
def test_a_setting_that_cannot_be_is_named(change, text):
    with pytest.raises(ValueError, match=text):
        PredictorConfig(**{'checkpoint_path': 'x', **change})


def test_the_settings_of_an_engine_are_those_of_the_node(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    plain = PredictorConfig(checkpoint_path='x').engine_settings()
    assert plain == EngineSettings(cache_dir=tmp_path / 'wm_ros' / 'engines')
    pin = 'a' * 64
    asked = PredictorConfig(
        checkpoint_path='x', engine_precision='fp16', engine_max_batch=2, cuda_graphs=True,
        engine_cache_dir='/engines', engine_pins=('', pin)).engine_settings()
    assert asked == EngineSettings(precision='fp16', max_batch=2, pins=(pin,),
                                   cache_dir=Path('/engines'), cuda_graphs=True)


def test_the_guidance_of_futures_reaches_the_judge(tmp_path, monkeypatch):
    pytest.importorskip('rclpy', reason='needs ROS')
    from wm_ros.inference.judge import Judge
    from wm_ros.ros.predictor_node import load_judge
    given = []
    monkeypatch.setattr(Judge, 'load', lambda path, **options: given.append(options['guidance']))
    for changes in ({}, {'sampler_guidance': 2.5}):
        load_judge(PredictorConfig(checkpoint_path=str(tmp_path), **changes))
    assert given == [1.0, 2.5]


def test_a_directory_is_taken_as_it_is(tmp_path):
    assert checkpoint_directory(str(tmp_path)) == tmp_path


@pytest.mark.parametrize(('text', 'expected'), [
    ('/nowhere/model', '/nowhere/model'), ('package://no_such_package/models', 'no_such_package')])
def test_a_checkpoint_that_is_not_there_is_named(text, expected):
    if text.startswith('package'):
        pytest.importorskip('ament_index_python', reason='needs ROS')
    with pytest.raises(CheckpointError, match=expected):
        checkpoint_directory(text)


@pytest.mark.parametrize('text', [
    'package://wm_ros/../../../etc', 'package://wm_ros//etc', 'package://wm_ros/models/../../x'])
def test_a_package_is_not_a_way_to_somewhere_else(text):
    with pytest.raises(CheckpointError, match='leaves the package'):
        checkpoint_directory(text)
