# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``wm-ros build-engine`` and ``wm-ros export --check``: what they print, and their exit codes."""

import hashlib
import json
import shutil

import pytest

torch = pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

import fake_tensorrt as trt  # noqa: E402
import onnx  # noqa: E402
from onnx import numpy_helper  # noqa: E402
from tiny_checkpoint import write_tiny_checkpoint  # noqa: E402

from wm_ros.cli import main  # noqa: E402
from wm_ros.inference import building, tensorrt_engine  # noqa: E402
from wm_ros.inference.checkpoint import load_checkpoint, write_manifest  # noqa: E402


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp('verbs') / 'tiny'
    write_tiny_checkpoint(path)
    return path


@pytest.fixture
def wm_ros(capsys, monkeypatch):
    """Run a verb; returns its exit code, output in one line, and errors."""
    monkeypatch.setenv('COLUMNS', '250')

    def run(*arguments):
        capsys.readouterr()
        code = main([str(item) for item in arguments])
        captured = capsys.readouterr()
        return code, ' '.join(captured.out.split()), captured.err

    return run


@pytest.fixture
def on_host(monkeypatch):
    for module in (building, tensorrt_engine):
        monkeypatch.setattr(module, 'CudaDevice', lambda name: trt.HostDevice())
        monkeypatch.setattr(module, 'load_tensorrt', lambda: trt)


def test_an_engine_is_built_and_then_agrees(wm_ros, written, tmp_path, on_host):
    where = ('--checkpoint', written, '--cache-dir', tmp_path / 'engines', '--max-batch', '2')
    code, output, _ = wm_ros('build-engine', *where, '--fp16')
    assert code == 0
    (metadata,) = (tmp_path / 'engines').glob('*/metadata.json')
    assert f'engine in {metadata.parent}' in output
    assert f'engine_pins [{hashlib.sha256(metadata.read_bytes()).hexdigest()}]' in output
    assert 'risk differs from ONNX Runtime by' in output
    assert 'predict: Building' in output

    code, output, _ = wm_ros('export', '--check', *where, '--engine', 'tensorrt')
    # One precision that is here is enough, and the others say what they lack.
    assert code == 0
    assert 'tensorrt │ fp16 │' in output
    assert "but precision is 'fp32', that engine has 'fp16'" in output


def test_without_a_gpu_building_says_so_and_int8_is_refused_first(wm_ros, written):
    if torch.cuda.is_available():
        pytest.skip('there is a CUDA device')
    code, _, error = wm_ros('build-engine', '--checkpoint', written)
    assert (code, "device 'cuda' was asked for, but torch" in error) == (1, True)
    code, _, error = wm_ros('build-engine', '--checkpoint', 'nowhere', '--int8')
    assert (code, 'int8 is not offered' in error) == (1, True)
    with pytest.raises(SystemExit, match='2'):
        main(['build-engine', '--fp16', '--bf16'])


def test_the_graphs_of_an_engine_are_written_without_a_gpu(wm_ros, written, tmp_path):
    code, output, _ = wm_ros('build-engine', '--checkpoint', written, '--fp16', '--onnx',
                             tmp_path / 'graphs')
    assert code == 0
    assert 'graphs in fp16' in output
    assert sorted(path.name for path in (tmp_path / 'graphs').iterdir()) == [
        'decode.onnx', 'encode.onnx', 'flow.onnx', 'predict.onnx', 'without_action.onnx']
    model = onnx.load(tmp_path / 'graphs' / 'encode.onnx')
    assert model.opset_import[0].version == 20
    assert any(item.data_type == onnx.TensorProto.FLOAT16 for item in model.graph.initializer)


def test_engines_that_agree_pass_the_check(wm_ros, written):
    code, output, _ = wm_ros('export', '--check', '--checkpoint', written)
    assert code == 0
    for row in ('onnxruntime, exported anew │ fp32', 'rounded to 16 bits │ bf16',
                'torch │ fp32'):
        assert row in output
    assert 'differs' not in output.replace('differences', '')


def test_graphs_of_other_weights_fail_the_check(wm_ros, written, tmp_path):
    path = tmp_path / 'spoilt'
    shutil.copytree(written, path)
    model = onnx.load(path / 'predict.onnx')
    for item in model.graph.initializer:
        if item.name == 'model.hazard.bias':
            item.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(item) + 1, item.name))
    onnx.save(model, path / 'predict.onnx')
    write_manifest(path)
    code, output, error = wm_ros('export', '--check', '--checkpoint', path, '--engine', 'torch')
    assert code == 1
    assert 'torch in fp32: risk differs by 0.' in error
    assert 'torch │ fp32' in output


def test_what_is_asked_for_by_name_must_be_there(wm_ros, written, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    code, _, error = wm_ros('export', '--check', '--checkpoint', written, '--engine', 'tensorrt')
    assert (code, 'tensorrt is not here: device' in error) == (1, True)
    code, _, error = wm_ros('export', '--check', '--checkpoint', written, '--engine', 'tpu')
    assert (code, "engine 'tpu' is unknown; choose one of" in error) == (1, True)
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.delenv('CXX', raising=False)
    code, _, error = wm_ros('export', '--check', '--checkpoint', written, '--engine',
                            'torch_compile')
    assert (code, 'needs a C++ compiler on the CPU: apt-get install g++' in error) == (1, True)


def test_an_export_without_its_options_says_which(wm_ros):
    code, _, error = wm_ros('export', '--check', '--out', 'x')
    assert (code, 'give --data, --run to write a checkpoint, or --check' in error) == (2, True)


def test_graphs_of_an_older_version_are_exported_again_from_the_weights(
        wm_ros, written, tmp_path, on_host):
    old = tmp_path / 'old'
    shutil.copytree(written, old)
    for path in old.glob('*.onnx'):
        path.write_bytes(b'of another version')
    write_manifest(old)
    manifest = json.loads((old / 'manifest.json').read_text())
    (old / 'manifest.json').write_text(json.dumps({**manifest, 'graphs': 2}))
    code, _, errors = wm_ros('export', '--check', '--checkpoint', old, '--engine', 'torch')
    assert code == 1
    assert f'wm-ros export --renew --checkpoint {old}' in errors
    code, output, _ = wm_ros('export', '--renew', '--checkpoint', old, '--check', '--engine',
                             'torch')
    assert code == 0
    assert f'the graphs of {old} are exported again' in output
    kept, made = (load_checkpoint(path).sha256 for path in (written, old))
    assert kept.keys() == made.keys()
    assert all(made[name] == kept[name] for name in kept if not name.endswith('.onnx'))


def test_graphs_of_altered_weights_are_not_exported(wm_ros, written, tmp_path):
    altered = tmp_path / 'altered'
    shutil.copytree(written, altered)
    content = bytearray((altered / 'model.safetensors').read_bytes())
    content[-1] ^= 1
    (altered / 'model.safetensors').write_bytes(content)
    code, _, errors = wm_ros('export', '--renew', '--checkpoint', altered)
    assert code == 1
    assert 'model.safetensors was altered' in errors
    code, _, errors = wm_ros('export', '--renew')
    assert code == 2
    assert 'give --checkpoint' in errors
