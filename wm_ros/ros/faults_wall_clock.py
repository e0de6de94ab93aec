# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A process whose wall clock can be stepped, without a privilege and without touching the host's.

A small library, compiled when it is needed, stands before the C library's clock and adds to the
wall clock what a file says. The steady clock stays as it is, as it does when a host's clock steps.

    python -m wm_ros.ros.faults_wall_clock LIBRARY FILE MODULE [ARGUMENTS]

becomes MODULE with that clock.
"""

import os
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

from wm_ros.faults.fault import NotMeasured

_FILE_VARIABLE = 'WM_ROS_CLOCK_OFFSET'
_SOURCE = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static volatile int64_t *offset_ns;
static int (*real_clock)(clockid_t, struct timespec *);

__attribute__((constructor)) static void open_offset(void) {
  real_clock = dlsym(RTLD_NEXT, "clock_gettime");
  int file = open(getenv("WM_ROS_CLOCK_OFFSET"), O_RDONLY);
  void *memory = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
  if (memory != MAP_FAILED) offset_ns = memory;
}

int clock_gettime(clockid_t which, struct timespec *at) {
  if (!real_clock) real_clock = dlsym(RTLD_NEXT, "clock_gettime");
  int result = real_clock(which, at);
  if (result == 0 && which == CLOCK_REALTIME && offset_ns) {
    int64_t nanoseconds = at->tv_nsec + *offset_ns % 1000000000;
    at->tv_sec += *offset_ns / 1000000000 + (nanoseconds >= 1000000000) - (nanoseconds < 0);
    at->tv_nsec = (nanoseconds + 1000000000) % 1000000000;
  }
  return result;
}
'''


class SteppedClock:
    """
    The library, and the file with the offset.

    :param directory: where both go.
    :raises NotMeasured: without a C compiler.
    """

    def __init__(self, directory: Path) -> None:
        compiler = shutil.which('cc') or shutil.which('gcc')
        if compiler is None:
            raise NotMeasured("stepping a clock needs a C compiler: 'apt install gcc'")
        source, self.library = directory / 'clock.c', directory / 'clock.so'
        source.write_text(_SOURCE, encoding='ascii')
        done = subprocess.run(
            [compiler, '-shared', '-fPIC', '-O1', '-o', str(self.library), str(source), '-ldl'],
            capture_output=True, text=True)
        if done.returncode:
            raise NotMeasured(f'the clock cannot be compiled: {done.stderr[-400:]}')
        self.file = directory / 'offset'
        self._offset_ns = 0
        self.file.write_bytes(struct.pack('=q', 0))

    def step(self, seconds: float) -> None:
        """Step the clock by so much, s; it takes effect at once."""
        self._offset_ns += round(seconds * 1e9)
        # In place: the processes have mapped this very file.
        with self.file.open('r+b') as handle:
            handle.write(struct.pack('=q', self._offset_ns))

    def now_ns(self) -> int:
        """Return the stepped wall clock, ns."""
        return time.time_ns() + self._offset_ns


def main(args: list[str] | None = None) -> NoReturn:
    """Become the module; does not return."""
    library, file, module, *rest = sys.argv[1:] if args is None else args
    environment = {**os.environ, 'LD_PRELOAD': library, _FILE_VARIABLE: file}
    os.execve(sys.executable, [sys.executable, '-m', module, *rest], environment)


if __name__ == '__main__':
    main()
