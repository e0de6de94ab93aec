# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several processes train one model: gloo on CPUs here, the same code elsewhere."""

import json
import socket

import pytest

torch = pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

from safetensors.torch import load_file  # noqa: E402
from training_rig import make_trainer, start_python  # noqa: E402

from wm_ros.errors import CheckpointError  # noqa: E402

# Three processes import everything, on machines that may be busy.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.skipif(
    torch.cuda.is_available(), reason='one GPU cannot serve two processes of NCCL')]

# What ``accelerate launch`` and ``torchrun`` do: set the environment and start each process.
WORKER = '''
import json, pathlib, sys
from safetensors.torch import save_file
from training_rig import Recorder, make_trainer
out = pathlib.Path(sys.argv[1])
heard = Recorder()
trainer = make_trainer(out, validate_every=2, clip_norm=1e9)
assert trainer.accelerator.num_processes == 2
rank = trainer.accelerator.process_index
trainer.run(heard, stop_at=1)
def whole(tensors):
    return {name: value.contiguous() for name, value in tensors if value is not None}

gradients = ((name, value.grad) for name, value in trainer.model.named_parameters())
save_file(whole(gradients), out / f'gradients_{rank}.safetensors')
trainer.run(heard, stop_at=3)
save_file(whole(trainer.model.state_dict().items()), out / f'weights_{rank}.safetensors')
print(json.dumps([heard.losses, [step for step, _ in heard.validations], trainer.is_main]))
'''


def free_port():
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        return server.getsockname()[1]


@pytest.fixture(scope='module')
def pair(tmp_path_factory):
    """Return the directory and the words of two processes that trained together."""
    out = tmp_path_factory.mktemp('pair')
    shared = {'WORLD_SIZE': '2', 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(free_port()),
              'GLOO_SOCKET_IFNAME': 'lo'}
    workers = [start_python(WORKER, out, RANK=str(rank), LOCAL_RANK=str(rank), **shared)
               for rank in range(2)]
    said = []
    for worker in workers:
        with worker:
            words, errors = worker.communicate()
        assert worker.returncode == 0, errors
        said.append(words.split('\n')[0])
    return out, said


def test_both_processes_have_the_same_weights(pair):
    one, two = (load_file(pair[0] / f'weights_{rank}.safetensors') for rank in range(2))
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert torch.equal(value, two[name]), name


def test_their_gradient_is_that_of_one_process_with_both_batches(pair, tmp_path):
    alone = make_trainer(tmp_path, accumulate=2, clip_norm=1e9)
    alone.run(stop_at=1)
    together = load_file(pair[0] / 'gradients_0.safetensors')
    compared = 0
    for name, parameter in alone.model.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(
                together[name], parameter.grad, rtol=1e-4, atol=1e-6, msg=name)
            compared += 1
    assert compared == len(together) > 10


def test_one_process_takes_up_the_run_of_two(pair):
    with pytest.raises(CheckpointError, match='batches_per_step: 2 there, 1 here'):
        make_trainer(pair[0], clip_norm=1e9)
    assert make_trainer(pair[0], accumulate=2, clip_norm=1e9).step == 3


def test_the_first_process_alone_validates_and_both_report_the_mean_loss(pair):
    (losses, steps, is_main), (same, none, is_not) = (json.loads(words) for words in pair[1])
    assert losses == same
    assert (steps, none) == ([2], [])
    assert (is_main, is_not) == (True, False)
