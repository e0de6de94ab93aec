# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Install the ROS-free core and the `wm-ros` command with pip, for training machines.

On robots colcon builds the package from CMakeLists.txt and ignores this file.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent


def requirements(name: str) -> list[str]:
    """Read the version ranges of one file in requirements/."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    return [line for line in lines if line and not line.startswith('#')]


def version() -> str:
    """Read the version without importing the package, whose dependencies are not there yet."""
    text = (ROOT / 'wm_ros' / '__init__.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '([^']+)'$", text, re.MULTILINE).group(1)


def shared_files(folder: str) -> list[tuple[str, list[str]]]:
    """List a folder's files for share/wm_ros, where colcon installs them too."""
    by_folder: dict[str, list[str]] = {}
    for path in sorted((ROOT / folder).rglob('*')):
        if path.is_file():
            parent = path.parent.relative_to(ROOT)
            by_folder.setdefault(f'share/wm_ros/{parent}', []).append(str(path.relative_to(ROOT)))
    return sorted(by_folder.items())


setup(
    name='wm_ros',
    version=version(),
    description='A world model that predicts the consequence of robot commands and a gate on it',
    license='Apache-2.0',
    author='The wm_ros authors',
    maintainer='The wm_ros maintainers',
    maintainer_email='maintainers@wm-ros.dev',
    packages=find_packages(include=['wm_ros', 'wm_ros.*']),
    data_files=shared_files('models') + shared_files('config'),
    python_requires='>=3.10',
    install_requires=requirements('core'),
    extras_require={name: requirements(name)
                    for name in ('sim', 'train', 'data', 'kinematics', 'bench', 'tensorrt',
                                 'test')},
    entry_points={'console_scripts': ['wm-ros = wm_ros.cli:main']},
)
