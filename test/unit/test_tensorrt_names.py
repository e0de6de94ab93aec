# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Every name of TensorRT that is used exists in 10.3, 10.16 and 11.4.

``tensorrt_names/`` lists, by class, what ``dir()`` showed of the Python bindings in the wheels
``tensorrt-cu12-bindings`` of those versions, loaded with empty libraries in place of TensorRT's.
"""

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / 'wm_ros' / 'inference'
VERSIONS = {path.stem: {name: set(text.split()) for name, text in json.loads(
    path.read_text(encoding='utf-8')).items()}
    for path in sorted((ROOT / 'test' / 'tensorrt_names').glob('*.json'))}
# What variables and attributes of these names hold, in files that use TensorRT.
HOLDERS = {
    'trt': 'module', '_trt': 'module', 'tensorrt': 'module', '_builder': 'Builder',
    'network': 'INetworkDefinition', 'config': 'IBuilderConfig',
    'profile': 'IOptimizationProfile', 'timings': 'ITimingCache', 'parser': 'OnnxParser',
    'error': 'ParserError', 'tensor': 'ITensor', '_runtime': 'Runtime',
    '_engine': 'ICudaEngine', 'context': 'IExecutionContext', '_context': 'IExecutionContext'}
ENUMS = ('TensorIOMode', 'DataType', 'NetworkDefinitionCreationFlag', 'MemoryPoolType',
         'BuilderFlag', 'ILogger')
FILES = sorted(PACKAGE.glob('tensorrt_*.py'))
# The same names mean torch's tensors, or ours, there.
OTHERS = {'tensorrt_graph.py': {'tensor', 'error'}, 'tensorrt_engine.py': {'error'},
          'tensorrt_module.py': {'error'}}


def uses(path: Path) -> list[tuple[str, str]]:
    """List (class, name) of what a file uses of TensorRT."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if not isinstance(node, ast.Attribute):
            continue
        owner = node.value
        name = owner.id if isinstance(owner, ast.Name) else getattr(owner, 'attr', None)
        if name in ENUMS and isinstance(owner, ast.Attribute):
            found.append((name, node.attr))
        elif name in HOLDERS and name not in OTHERS.get(path.name, ()):
            found.append((HOLDERS[name], node.attr))
    return found


def missing(names: dict[str, set[str]], used: list[tuple[str, str]]) -> list[str]:
    """List what is used and not there."""
    return sorted({f'{owner}.{name}' for owner, name in used
                   if not name.startswith('__') and name not in names[owner]})


@pytest.mark.parametrize('version', VERSIONS)
def test_every_name_exists(version):
    for path in FILES:
        assert missing(VERSIONS[version], uses(path)) == [], path.name


def test_the_walk_finds_what_is_used():
    used = {use for path in FILES for use in uses(path)}
    assert {('module', 'Runtime'), ('module', 'OnnxParser'), ('BuilderFlag', 'TF32'),
            ('Builder', 'build_serialized_network'), ('IExecutionContext', 'execute_async_v3'),
            ('ICudaEngine', 'get_tensor_profile_shape'), ('ITimingCache', 'serialize'),
            ('Runtime', 'deserialize_cuda_engine'), ('IOptimizationProfile', 'set_shape'),
            ('ParserError', 'node_operator'), ('INetworkDefinition', 'get_input')} <= used
    assert len(VERSIONS) == 3


def test_what_is_gone_in_the_newest_version_is_found(tmp_path):
    path = tmp_path / 'tensorrt_old.py'
    path.write_text('def f(self, trt, config):\n'
                    '    config.set_flag(trt.BuilderFlag.FP16)\n'
                    '    config.int8_calibrator = None\n'
                    '    return self._builder.platform_has_fast_fp16\n')
    assert missing(VERSIONS['10.3.0'], uses(path)) == []
    assert missing(VERSIONS['11.4.0.106'], uses(path)) == [
        'Builder.platform_has_fast_fp16', 'BuilderFlag.FP16', 'IBuilderConfig.int8_calibrator']


def test_the_stand_in_has_no_name_that_tensorrt_lacks():
    pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")
    import fake_tensorrt as fake
    classes = {'Builder': fake.Builder, 'IBuilderConfig': fake.Config,
               'ITimingCache': fake.Timings, 'IOptimizationProfile': fake.Profile,
               'OnnxParser': fake.OnnxParser, 'Runtime': fake.Runtime,
               'ICudaEngine': fake.Engine, 'IExecutionContext': fake.Context}
    for names in VERSIONS.values():
        for owner, made in classes.items():
            public = {name for name, value in vars(made).items()
                      if callable(value) and not name.startswith('_')}
            assert public <= names[owner], owner
