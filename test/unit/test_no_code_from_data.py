# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Nothing that is read becomes code, and no shell stands between the program and its processes.

Walks the syntax of every Python file, so that neither a comment nor a string counts.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ('wm_ros', 'scripts', 'launch', 'test')

PICKLES = frozenset({'pickle', 'cPickle', '_pickle', 'cloudpickle', 'dill', 'joblib', 'shelve',
                     'marshal', 'jsonpickle'})
CALLS = {
    'eval': 'runs text as code', 'exec': 'runs text as code', 'compile': 'makes code of text',
    'os.system': 'goes through a shell', 'os.popen': 'goes through a shell',
    'subprocess.getoutput': 'goes through a shell',
    'subprocess.getstatusoutput': 'goes through a shell', 'torch.load': 'unpickles',
    'yaml.load': 'makes any object; use yaml.safe_load',
    'yaml.load_all': 'makes any object; use yaml.safe_load_all',
    'yaml.unsafe_load': 'makes any object', 'yaml.full_load': 'makes many objects',
    'torch.hub.load': 'runs code from elsewhere',
}
TRUE_KEYWORDS = {'shell': 'goes through a shell', 'allow_pickle': 'unpickles',
                 'trust_remote_code': 'runs code from elsewhere'}


def dangers(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, words) of everything in a file that may run what it reads."""
    for node in ast.walk(ast.parse(source)):
        for name in imported(node):
            if name.split('.')[0] in PICKLES:
                yield node.lineno, f'imports {name}'
            if name in CALLS:
                yield node.lineno, f'{name} {CALLS[name]}'
        if isinstance(node, ast.Call):
            yield from ((node.lineno, words) for words in dangers_of_call(node))


def imported(node: ast.AST) -> list[str]:
    """Name everything that one node imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or '', *(f'{node.module}.{alias.name}' for alias in node.names)]
    return []


def dangers_of_call(node: ast.Call) -> Iterator[str]:
    """Yield what is dangerous about a call, in words."""
    called = ast.unparse(node.func)
    if called in CALLS:
        yield f'{called} {CALLS[called]}'
    for keyword in node.keywords:
        is_off = isinstance(keyword.value, ast.Constant) and not keyword.value.value
        if keyword.arg in TRUE_KEYWORDS and not is_off:
            yield f'{keyword.arg} {TRUE_KEYWORDS[keyword.arg]}'


def python_files() -> list[Path]:
    """List every Python file of the repository, scripts without an ending too."""
    found = [ROOT / 'setup.py']
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob('*')):
            if path.suffix == '.py' or (path.parent.name == 'scripts' and path.is_file()
                                        and 'python' in path.read_text().split('\n', 1)[0]):
                found.append(path)
    return found


def test_nothing_that_is_read_becomes_code():
    found = [f'{path.relative_to(ROOT)}:{line}: {words}' for path in python_files()
             for line, words in dangers(path.read_text(encoding='utf-8'))]
    assert found == []


def test_the_walk_sees_the_whole_repository():
    names = {str(path.relative_to(ROOT)) for path in python_files()}
    assert {'setup.py', 'scripts/wm_gate', 'launch/guard.launch.py', 'wm_ros/cli.py',
            'wm_ros/gate/machine.py', 'test/isolation.py'} <= names
    assert len(names) > 150


@pytest.mark.parametrize('source', [
    'import pickle', 'from pickle import loads', 'import joblib.memory', 'eval(text)',
    'exec(text)', 'os.system(line)', 'subprocess.run(line, shell=True)',
    'subprocess.run(line, shell=is_shell)', 'torch.load(path)',
    'torch.load(path, weights_only=True)',
    'yaml.load(text)', 'yaml.load(text, Loader=yaml.Loader)', 'np.load(path, allow_pickle=True)',
    'from os import system', 'from yaml import load', 'def f():\n    import dill'])
def test_the_walk_sees_what_is_dangerous(source):
    assert list(dangers(source))


@pytest.mark.parametrize('source', [
    'model.eval()', 'yaml.safe_load(text)', 'subprocess.run([a, b])', 'np.load(path)',
    'subprocess.run([a], shell=False)', 're.compile(text)', 'x = "eval(text)"  # pickle',
    'np.load(path, allow_pickle=False)'])
def test_the_walk_passes_what_is_not(source):
    assert not list(dangers(source))
