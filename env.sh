# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Put ROS, the virtual environment and the built package in place. Source it from bash or zsh:
#     source /path/to/wm_ros/env.sh
# It may be sourced twice. What is already set and is the user's choice stays as it is:
# ROS_DOMAIN_ID, ROS_AUTOMATIC_DISCOVERY_RANGE, RMW_IMPLEMENTATION, FASTRTPS_DEFAULT_PROFILES_FILE.

_wm_root="$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")" && pwd)"

# Put the directory $2 first in the colon list named $1, once, and only if it exists.
_wm_prepend() {
    [ -d "$2" ] || return 0
    eval "_wm_list=\":\${$1:-}:\""
    while [ "${_wm_list#*:"$2":}" != "$_wm_list" ]; do
        _wm_list="${_wm_list%%:"$2":*}:${_wm_list#*:"$2":}"
    done
    _wm_list="${_wm_list#:}"
    _wm_list="$2:${_wm_list%:}"
    eval "export $1=\"\${_wm_list%:}\""
}

# apt's ROS when it is there, else the wheels in the virtual environment. setup.bash is not clean
# under `set -u`, and a shell that sourced another ROS distribution must not be mixed with this one.
if [ -z "${WM_ROS_WHEELS:-}" ] && [ -f /opt/ros/jazzy/local_setup.bash ]; then
    case "$-" in *u*) _wm_nounset=1; set +u ;; *) _wm_nounset= ;; esac
    if [ -n "${ZSH_VERSION:-}" ]; then . /opt/ros/jazzy/setup.zsh; else . /opt/ros/jazzy/setup.bash; fi
    [ -z "$_wm_nounset" ] || set -u
    unset _wm_nounset
fi
if [ -d "$_wm_root/.venv/bin" ]; then
    export VIRTUAL_ENV="$_wm_root/.venv"
    unset PYTHONHOME
    _wm_prepend PATH "$VIRTUAL_ENV/bin"
    if [ -d "$VIRTUAL_ENV/share/rclpy" ]; then
        _wm_prepend AMENT_PREFIX_PATH "$VIRTUAL_ENV"
        _wm_prepend CMAKE_PREFIX_PATH "$VIRTUAL_ENV"
        _wm_prepend LD_LIBRARY_PATH "$VIRTUAL_ENV/lib"
        for _wm_dir in $(find "$VIRTUAL_ENV"/lib/python3.*/site-packages -maxdepth 1 -name 'ros_*.libs'); do
            _wm_prepend LD_LIBRARY_PATH "$_wm_dir"
        done
        # The wheels would otherwise run every Python program twice to set LD_LIBRARY_PATH.
        export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
    fi
fi

_wm_prefix="$_wm_root/install/wm_ros"
if [ -d "$_wm_prefix" ]; then
    _wm_prepend AMENT_PREFIX_PATH "$_wm_prefix"
    _wm_prepend CMAKE_PREFIX_PATH "$_wm_prefix"
    _wm_prepend LD_LIBRARY_PATH "$_wm_prefix/lib"
    _wm_prepend PATH "$_wm_prefix/lib/wm_ros"
    # apt's layout is local/lib/python3.x/dist-packages, that of a virtual environment lib/python3.x.
    for _wm_dir in $(find "$_wm_prefix/lib" "$_wm_prefix/local/lib" -maxdepth 2 \
            \( -name site-packages -o -name dist-packages \) 2>/dev/null); do
        _wm_prepend PYTHONPATH "$_wm_dir"
    done
elif [ -z "${WM_ROS_BUILDING:-}" ]; then
    echo "env.sh: $_wm_prefix is missing, so wm_ros.msg is not built yet: run 'make setup'" >&2
fi

export RMW_IMPLEMENTATION="${RMW_IMPLEMENTATION:-rmw_fastrtps_cpp}"
export FASTRTPS_DEFAULT_PROFILES_FILE="${FASTRTPS_DEFAULT_PROFILES_FILE:-$_wm_root/config/fastdds.xml}"

unset _wm_root _wm_prefix _wm_dir _wm_list
unset -f _wm_prepend
