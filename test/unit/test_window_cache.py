# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Decoded windows come back from a file as they were, and only as long as they are right."""

import os
from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_checkpoint import make_episode, tiny_config

from wm_ros.data import window_cache
from wm_ros.data.episode import list_episodes, write_episode
from wm_ros.data.window_cache import IRRELEVANT, cached_windows, entry_name, prune
from wm_ros.data.windows import cut_windows, load_windows
from wm_ros.errors import DatasetError
from wm_ros.world_model.config import ModelConfig


@pytest.fixture
def paths(tmp_path):
    """Return three episode files, two of them with a hazard."""
    for number, at in enumerate((None, 0.8, 1.2)):
        write_episode(tmp_path / f'episode_{number}.safetensors', make_episode(hazard_at=at))
    return list_episodes(tmp_path)


def forbid(*_, **__):
    raise AssertionError('episodes were decoded again')


def test_the_cache_holds_what_memory_would(tmp_path, paths, monkeypatch):
    wanted = load_windows(paths, tiny_config())
    told = []
    built = cached_windows(paths, tiny_config(), tmp_path / 'cache', on_progress=told.append)
    assert told == [1, 2, 3, 3]
    monkeypatch.setattr(window_cache, 'iterate_windows', forbid)
    read = cached_windows(paths, tiny_config(), tmp_path / 'cache')
    for found in (built, read):
        for item in fields(wanted):
            one, two = getattr(wanted, item.name), getattr(found, item.name)
            assert one.dtype == two.dtype
            np.testing.assert_array_equal(one, two, err_msg=item.name)
    # It is mapped, not read: the array does not own its data.
    assert type(read.frames) is np.ndarray
    assert isinstance(read.frames.base, np.memmap)
    assert not read.frames.flags.writeable


def test_the_cache_knows_what_was_not_filmed(tmp_path, paths):
    whole = make_episode(hazard_at=0.8)
    for number in range(2):
        write_episode(paths[number], replace(
            whole, frames=whole.frames[3:7], frame_stamps_ns=whole.frame_stamps_ns[3:7]))
    wanted = load_windows(paths, tiny_config(), unfilmed=True)
    found = cached_windows(paths, tiny_config(), tmp_path / 'cache', unfilmed=True)
    assert found.is_filmed.tolist() == [False] * 6 + [True] * 14
    for item in fields(wanted):
        np.testing.assert_array_equal(
            getattr(wanted, item.name), getattr(found, item.name), err_msg=item.name)
    assert len(cached_windows(paths, tiny_config(), tmp_path / 'cache')) == 14


def test_an_entry_is_named_after_all_that_decides_what_is_in_it(paths):
    name = entry_name(paths, tiny_config())
    assert entry_name(paths, tiny_config(dim=64, num_blocks=3, joint_std=(2.0,) * 3)) == name
    others = [entry_name(paths, tiny_config(horizon=4)),
              entry_name(paths, tiny_config(image_height=48)),
              entry_name(paths[:2], tiny_config()),
              entry_name(paths, tiny_config(), unfilmed=True)]
    stat = paths[0].stat()
    os.utime(paths[0], ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    others.append(entry_name(paths, tiny_config()))
    assert len({name, *others}) == 6


@pytest.mark.parametrize('change', [
    {'edge_dim': 0}, {'substeps': 2}, {'action_mode': 'delta'}, {'flow_blocks': 2}])
def test_sizes_of_the_network_do_not_decode_again(paths, change):
    """A channel more for edges decoded everything again: their name had been another."""
    assert entry_name(paths, tiny_config(**change)) == entry_name(paths, tiny_config())


def test_what_is_no_matter_of_cutting_is_a_setting_and_is_not_read(monkeypatch):
    """A name that was no setting any more stayed in the list, as nothing looked at it."""
    names = {item.name for item in fields(ModelConfig)}
    assert names >= IRRELEVANT
    read = set()
    found = ModelConfig.__getattribute__

    def note(config, name):
        read.add(name)
        return found(config, name)

    config = tiny_config(extra_cameras=('wrist',), geometry=SimpleNamespace(
        camera_rotation=(1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)))
    filmed = replace(make_episode(cameras=('wrist',)), info={'scene': {'look': {'camera': {
        'turn_rad': [0.0] * 3, 'offset_m': [0.0] * 3}}}})
    monkeypatch.setattr(ModelConfig, '__getattribute__', note)
    assert len(cut_windows(filmed, config))
    assert read & names == names - IRRELEVANT


@pytest.mark.parametrize('how', ['shorter frames', 'broken windows', 'no windows'])
def test_a_damaged_entry_is_made_again(tmp_path, paths, how):
    cache = tmp_path / 'cache'
    wanted = cached_windows(paths, tiny_config(), cache)
    frames, entry = wanted.frames.copy(), cache / entry_name(paths, tiny_config())
    del wanted
    if how == 'shorter frames':
        with (entry / 'frames.u8').open('r+b') as handle:
            handle.truncate(1000)
    elif how == 'broken windows':
        (entry / 'windows.safetensors').write_bytes(b'not windows')
    else:
        (entry / 'windows.safetensors').unlink()
    np.testing.assert_array_equal(cached_windows(paths, tiny_config(), cache).frames, frames)
    assert [path.name for path in cache.iterdir()] == [entry.name]


def test_a_broken_episode_leaves_no_entry_and_is_named(tmp_path, paths):
    paths[1].write_bytes(b'no episode')
    with pytest.raises(DatasetError, match=r'episode_1\.safetensors: not a whole episode'):
        cached_windows(paths, tiny_config(), tmp_path / 'cache')
    assert list((tmp_path / 'cache').iterdir()) == []


def test_a_cache_that_cannot_be_written_says_what_to_do(tmp_path, paths):
    (tmp_path / 'file').write_bytes(b'')
    with pytest.raises(DatasetError, match='give --cache a directory on a disk with more room'):
        cached_windows(paths, tiny_config(), tmp_path / 'file')


def test_pruning_keeps_what_is_named(tmp_path, paths):
    cache = tmp_path / 'cache'
    for config in (tiny_config(), replace(tiny_config(), horizon=4)):
        cached_windows(paths, config, cache)
    (cache / 'of the user').mkdir()
    prune(cache, {entry_name(paths, tiny_config())})
    assert {path.name for path in cache.iterdir()} == {
        entry_name(paths, tiny_config()), 'of the user'}
