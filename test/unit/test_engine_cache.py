# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The engine cache: what is stored loads again, and nothing else does."""

import dataclasses
import hashlib
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager

import pytest

from wm_ros.errors import EngineError
from wm_ros.inference import engine_key
from wm_ros.inference.checkpoint import CONFIG_FILE, WEIGHTS_FILE, Checkpoint
from wm_ros.inference.engine_cache import METADATA_FILE, SIGNATURE_FILE, EngineCache
from wm_ros.inference.engine_key import DeviceFacts, EngineKey, engine_shapes, make_key
from wm_ros.inference.engine_settings import EngineSettings, default_cache_dir
from wm_ros.inference.engine_signature import KEY_FILE

KEY = EngineKey(
    weights_sha256='w' * 64, config_sha256='c' * 64, exporter_sha256='e' * 64,
    shapes={'encode': (1, 1, 16), 'steps': (1, 10, 10)}, precision='fp16', flags='f',
    tensorrt='10.3.0', cuda='12.6', driver='540.4', gpu='Orin', capability='8.7',
    num_multiprocessors=16)
PLANS = {'encode': b'plan of encode', 'predict': bytes(range(256)) * 40}


@pytest.fixture
def cache(tmp_path):
    made = EngineCache(tmp_path / 'engines')
    with made.lock(KEY, timeout_s=0):
        made.store(KEY, PLANS, {'note': 'n'})
    return made


def test_what_was_stored_loads_and_belongs_to_this_user_alone(cache):
    assert cache.load(KEY) == PLANS
    assert stat.S_IMODE(cache.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((cache.directory / KEY_FILE).stat().st_mode) == 0o600
    metadata = json.loads((cache.entry(KEY) / METADATA_FILE).read_text())
    assert metadata['key'] == KEY.to_dict()
    assert metadata['note'] == 'n'
    # Nothing half-made is left beside it.
    assert sorted(path.name for path in cache.directory.iterdir()) == sorted(
        [KEY_FILE, cache.entry(KEY).name, f'{cache.entry(KEY).name}.lock'])


def test_storing_again_replaces_the_whole_engine(cache):
    cache.store(KEY, {'encode': b'new'}, {})
    assert cache.load(KEY) == {'encode': b'new'}


@pytest.mark.parametrize('field', [field.name for field in dataclasses.fields(EngineKey)])
def test_every_part_of_the_key_makes_another_engine(cache, field):
    old = getattr(KEY, field)
    new = {'shapes': {'encode': (1, 1, 8)}, 'num_multiprocessors': 8}.get(field, 'other')
    other = dataclasses.replace(KEY, **{field: new})
    assert other.digest != KEY.digest
    assert KEY.digest == dataclasses.replace(KEY).digest
    assert KEY.differences(KEY.to_dict()) == []
    with pytest.raises(EngineError) as caught:
        cache.load(other)
    message = str(caught.value)
    assert "build it with 'wm-ros build-engine'" in message
    if field != 'weights_sha256':
        # Says why the engine that is there will not do.
        was = json.loads(json.dumps(old))
        assert f'has the same weights, but {field} is' in message
        assert f'that engine has {was!r}' in message


def test_an_engine_in_the_place_of_another_is_refused(cache):
    other = dataclasses.replace(KEY, tensorrt='10.16.1', gpu='Thor')
    shutil.copytree(cache.entry(KEY), cache.entry(other))
    with pytest.raises(EngineError, match="holds another engine: tensorrt is '10.16.1', that "
                                          "engine has '10.3.0'; gpu is 'Thor'"):
        cache.load(other)


def flip(path, place=-1):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(('spoil', 'match'), [
    (lambda entry: flip(entry / 'predict.plan'), 'predict.plan was altered: 10240 bytes'),
    (lambda entry: os.truncate(entry / 'predict.plan', 100), 'was altered: 100 bytes'),
    (lambda entry: (entry / 'predict.plan').unlink(), 'predict.plan: No such file.*build'),
    (lambda entry: flip(entry / METADATA_FILE, 5), 'was not written here or was altered'),
    (lambda entry: os.truncate(entry / METADATA_FILE, 9), 'was not written here or was altered'),
    (lambda entry: flip(entry / SIGNATURE_FILE), 'was not written here or was altered'),
    (lambda entry: (entry / SIGNATURE_FILE).write_bytes(b'\xff'), 'was not written here'),
    (lambda entry: (entry / SIGNATURE_FILE).unlink(), 'can run any code: build it here'),
    (lambda entry: shutil.rmtree(entry), 'has no engine for this'),
])
def test_an_altered_engine_is_refused_with_the_command_that_helps(cache, spoil, match):
    spoil(cache.entry(KEY))
    with pytest.raises(EngineError, match=match) as caught:
        cache.load(KEY)
    assert 'wm-ros build-engine' in str(caught.value)


def test_an_engine_from_elsewhere_loads_only_if_it_is_pinned(cache, tmp_path):
    here = EngineCache(tmp_path / 'here')
    shutil.copytree(cache.entry(KEY), here.entry(KEY))
    with pytest.raises(EngineError, match='was not written here') as caught:
        here.load(KEY)
    # Of its own key, too: that of another machine signs nothing here.
    with here.lock(KEY, timeout_s=0):
        here.store(dataclasses.replace(KEY, gpu='x'), PLANS, {})
    with pytest.raises(EngineError, match='was not written here'):
        here.load(KEY)
    pin = hashlib.sha256((here.entry(KEY) / METADATA_FILE).read_bytes()).hexdigest()
    assert pin in str(caught.value)
    pinned = EngineCache(here.directory, pins=(pin,))
    assert pinned.load(KEY) == PLANS
    flip(here.entry(KEY) / 'encode.plan')
    with pytest.raises(EngineError, match='encode.plan was altered'):
        pinned.load(KEY)


def test_pinned_metadata_that_is_none_is_refused(tmp_path):
    cache = EngineCache(tmp_path)
    for content in (b'{', b'[]', b'{"sha256": 3}'):
        cache.entry(KEY).mkdir(exist_ok=True)
        (cache.entry(KEY) / METADATA_FILE).write_bytes(content)
        pin = hashlib.sha256(content).hexdigest()
        with pytest.raises(EngineError, match='metadata.json cannot be read.*build the engine'):
            EngineCache(tmp_path, pins=(pin,)).load(KEY)


@pytest.mark.parametrize(('name', 'mode', 'match'), [
    (KEY_FILE, 0o640, 'has mode 640, so others could replace engines; run: chmod 600'),
    ('.', 0o770, 'has mode 770, so others could replace engines; run: chmod go-w'),
])
def test_a_key_that_others_may_touch_is_not_used(cache, name, mode, match):
    (cache.directory / name).chmod(mode)
    with pytest.raises(EngineError, match=match):
        cache.load(KEY)
    with pytest.raises(EngineError, match=match):
        cache.store(KEY, PLANS, {})


def test_a_key_of_another_user_or_length_is_not_used(cache, monkeypatch):
    (cache.directory / KEY_FILE).write_bytes(b'short')
    with pytest.raises(EngineError, match='holds 5 bytes, expected 32; remove it'):
        cache.load(KEY)
    monkeypatch.setattr(os, 'geteuid', lambda: 12345)
    with pytest.raises(EngineError, match='to 12345: an engine there is not trusted'):
        cache.load(KEY)


@contextmanager
def file_size_limit(size):
    """Let the system refuse to make files longer than this, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_leaves_the_old_engine_and_nothing_else(cache):
    before = sorted(cache.directory.rglob('*'))
    with file_size_limit(5000), pytest.raises(
            EngineError, match='engines cannot be written: File too large; make room there'):
        cache.store(KEY, {**PLANS, 'encode': b'new'}, {})
    assert sorted(cache.directory.rglob('*')) == before
    assert cache.load(KEY) == PLANS


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / 'file').write_text('')
    for directory in (tmp_path / 'file' / 'engines', '/proc/engines'):
        cache = EngineCache(type(tmp_path)(directory))
        with pytest.raises(EngineError, match=f'{directory} cannot be written: .*--cache-dir'), \
                cache.lock(KEY, timeout_s=0):
            pytest.fail('was locked')
    with pytest.raises(EngineError, match='Not a directory; engines are read from --cache-dir'):
        EngineCache(tmp_path / 'file' / 'engines').load(KEY)


def test_what_a_killed_builder_left_is_removed_by_the_next(cache):
    left = cache.directory / f'.{cache.entry(KEY).name}.99999.tmp'
    left.mkdir()
    other = cache.directory / '.someone-else.99999.tmp'
    other.mkdir()
    with cache.lock(KEY, timeout_s=0):
        assert not left.exists()
        assert other.exists()


HOLD = '''
import pathlib, sys
from wm_ros.inference.engine_files import locked
with locked(pathlib.Path(sys.argv[1]), sys.argv[2], timeout_s=0):
    print('held', flush=True)
    sys.stdin.read()
'''


def test_another_process_that_builds_is_named_and_its_death_frees_the_lock(cache):
    process = subprocess.Popen(
        [sys.executable, '-c', HOLD, cache.directory, cache.entry(KEY).name],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b'held\n'
        with pytest.raises(EngineError, match=f'process {process.pid} is building this engine'), \
                cache.lock(KEY, timeout_s=0):
            pytest.fail('was locked')
        # Another engine is none of its business.
        with cache.lock(dataclasses.replace(KEY, gpu='x'), timeout_s=0):
            pass
    finally:
        process.kill()
        process.communicate()
    with cache.lock(KEY, timeout_s=60):
        assert (cache.directory / f'{cache.entry(KEY).name}.lock').read_text() == str(os.getpid())


def test_timings_are_kept_for_the_device_and_not_for_the_model(cache):
    assert cache.timing_cache(KEY) == b''
    cache.store_timing_cache(KEY, b'timings')
    assert cache.timing_cache(dataclasses.replace(KEY, weights_sha256='x')) == b'timings'
    for field in ('gpu', 'tensorrt', 'driver'):
        assert cache.timing_cache(dataclasses.replace(KEY, **{field: 'x'})) == b''


def test_the_key_holds_the_checkpoint_the_device_and_the_code(tmp_path, monkeypatch):
    from tiny_checkpoint import tiny_config
    checkpoint = Checkpoint(tmp_path, tiny_config(), None, 'm',
                            {WEIGHTS_FILE: 'w', CONFIG_FILE: 'c'})
    facts = DeviceFacts('gpu', '8.9', 24, '13.0', '580')
    settings = EngineSettings(max_batch=4, precision='bf16')
    key = make_key(checkpoint, settings, facts, '11.4')
    assert (key.weights_sha256, key.config_sha256, key.precision) == ('w', 'c', 'bf16')
    assert (key.gpu, key.capability, key.cuda, key.driver) == ('gpu', '8.9', '13.0', '580')
    assert key.shapes == engine_shapes(tiny_config(), 4)
    assert key.shapes['predict'] == (1, 1, 4)
    assert key.shapes['flow'] == key.shapes['steps'] == (1, 5, 5)
    package = tmp_path / 'package'
    shutil.copytree(engine_key._PACKAGE, package, ignore=shutil.ignore_patterns('*.pyc'))
    monkeypatch.setattr(engine_key, '_PACKAGE', package)
    assert make_key(checkpoint, settings, facts, '11.4') == key
    flip(package / 'world_model' / 'layers.py')
    assert make_key(checkpoint, settings, facts, '11.4').exporter_sha256 != key.exporter_sha256


def test_settings_that_no_engine_can_have_are_refused(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match='max_batch is 0; allowed is 1 to 256'):
        EngineSettings(max_batch=0)
    with pytest.raises(ValueError, match="pin 'ABC' is no SHA-256"):
        EngineSettings(pins=('ABC',))
    EngineSettings(pins=('a' * 64,))
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert default_cache_dir() == tmp_path / 'wm_ros' / 'engines'
    assert EngineSettings().cache_dir == default_cache_dir()
