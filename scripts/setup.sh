#!/bin/bash
# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Make .venv and install what the demo or the tests need:  scripts/setup.sh demo|test|tensorrt
# Running it again changes nothing. Versions come from requirements/constraints.txt alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
group="${1:?usage: scripts/setup.sh demo|test|tensorrt}"

say() { printf '[setup %3ds] %s\n' "$SECONDS" "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
has_apt_ros() { [ -z "${WM_ROS_WHEELS:-}" ] && [ -f /opt/ros/jazzy/setup.bash ]; }

# Print the Debian packages that are missing, one a line.
missing_packages() {
    command -v cmake > /dev/null || echo cmake
    command -v g++ > /dev/null || echo g++
    [ -e /usr/share/glvnd/egl_vendor.d/50_mesa.json ] || echo libegl1 libgl1-mesa-dri
    ldconfig -p | grep -q 'libEGL\.so\.1' || echo libegl1
    ldconfig -p | grep -qE 'lib(OpenGL|GL)\.so\.' || echo libgl1
    [ -n "$(find /usr/lib -name swrast_dri.so -print -quit 2> /dev/null)" ] || echo libgl1-mesa-dri
    if ! python="$(find_python)"; then
        echo python3 python3-venv python3-dev
        return
    fi
    "$python" -c 'import ensurepip, venv' 2> /dev/null || echo python3-venv
    "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(sysconfig.get_paths()["include"] + "/Python.h"))' || echo python3-dev
}

install_packages() {
    local packages root=
    # One package may be asked for by two checks.
    packages="$(missing_packages | tr ' ' '\n' | sort -u | tr '\n' ' ')"
    [ -n "${packages// /}" ] || return 0
    command -v apt-get > /dev/null || fail "install these with your package manager: $packages"
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2> /dev/null \
            || fail "run this line once, then make again:  sudo apt-get install -y $packages"
        root=sudo
    fi
    say "installing with apt: $packages"
    $root apt-get update -qq
    # shellcheck disable=SC2086  # a list of words
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        $packages > /dev/null
}

# Print a Python that the wheels or apt's ROS were made for.
find_python() {
    local python
    # apt's ROS is bound to the system's own Python, whatever stands first in PATH.
    if has_apt_ros; then echo /usr/bin/python3; return; fi
    for python in ${PYTHON:-python3 python3.12 python3.11 /usr/bin/python3}; do
        if "$python" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
                2> /dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

make_venv() {
    [ -x .venv/bin/python ] && return
    local python
    python="$(find_python)" || fail 'no Python 3.11 or 3.12 found: ROS wheels exist for these only;
install one and run:  make setup PYTHON=/path/to/python3.12'
    say "creating .venv with $("$python" --version)"
    if has_apt_ros; then
        "$python" -m venv --system-site-packages .venv
    else
        [ "$(uname -m)" = x86_64 ] || fail "ROS wheels exist for x86-64 only, this is $(uname -m):
install ROS 2 Jazzy with apt (/opt/ros/jazzy) and run make again"
        "$python" -m venv .venv
    fi
    pip_install pip setuptools wheel
}

# Bytecode is made when a module is first used: compiling all of it here takes longer.
pip_install() {
    .venv/bin/python -m pip install --quiet --quiet --no-compile --disable-pip-version-check \
        --constraint requirements/constraints.txt "$@"
}

install_torch() {
    .venv/bin/python -c 'import torch' 2> /dev/null && return
    local version index=()
    version="$(sed -n 's/^torch==//p' requirements/constraints.txt)"
    [ -z "${TORCH_INDEX:-}" ] || index=(--extra-index-url "$TORCH_INDEX")
    if ! command -v nvidia-smi > /dev/null; then
        say "installing torch $version, CPU build"
        pip_install "${index[@]}" "torch==$version+cpu" 2> /dev/null && return
        say 'pip finds no CPU build (TORCH_INDEX=URL names a place that has one)'
    fi
    say "installing torch $version: the plain build brings gigabytes of CUDA"
    pip_install "${index[@]}" "torch==$version"
}

install_demo() {
    install_packages
    make_venv
    local files=(-r requirements/core.txt -r requirements/sim.txt -r requirements/nodes.txt
                 -r requirements/build.txt)
    if has_apt_ros; then
        say 'installing the core and the simulator; ROS is /opt/ros/jazzy'
        pip_install "${files[@]}"
    else
        say 'installing ROS 2 Jazzy, the core and the simulator (about 400 MB)'
        pip_install "${files[@]}" -r requirements/ros.txt
        .venv/bin/python scripts/fix_wheel_paths.py
    fi
    say 'the demo has what it needs'
}

install_test() {
    install_torch
    say 'installing the train, data and kinematics extras and the test tools'
    pip_install -r requirements/train.txt -r requirements/data.txt -r requirements/bench.txt \
        -r requirements/examples.txt -r requirements/kinematics.txt -r requirements/test.txt
    # A few seconds and 96 MB, and the tests without it build no engine. Not everywhere to be had.
    install_tensorrt || say 'no tensorrt-rtx here: the tests that build engines will skip'
    say 'the tests have what they need'
}

install_tensorrt() {
    .venv/bin/python -c 'import importlib.util as found
exit(found.find_spec("tensorrt_rtx") is None)' && return
    say 'installing tensorrt-rtx, which builds engines without a GPU (96 MB)'
    pip_install -r requirements/tensorrt_rtx.txt
}

case "$group" in
    demo) install_demo ;;
    test) install_test ;;
    tensorrt) install_tensorrt ;;
    *) echo "setup: unknown group '$group': demo, test or tensorrt" >&2; exit 2 ;;
esac
