#!/bin/bash
# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Build the messages and install the package into install/, with symlinks to the sources.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export WM_ROS_BUILDING=1
source ./env.sh
python="$(command -v python)"
log="$PWD/log/build.txt"
mkdir -p log
touch log/COLCON_IGNORE

# colcon leaves a link behind for a source file that was deleted.
[ ! -d install ] || find install -xtype l -delete

echo 'building the package with colcon (about 30 s the first time)'
# BUILD_TESTING: ament's linters need tools of an apt installation.
if ! colcon build --paths . --symlink-install --event-handlers console_direct- \
        --cmake-args -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF --no-warn-unused-cli \
        "-DPython3_EXECUTABLE=$python" "-DPYTHON_EXECUTABLE=$python" > "$log" 2>&1; then
    cat "$log" >&2
    echo "build: colcon failed; the output above is in $log" >&2
    exit 1
fi
