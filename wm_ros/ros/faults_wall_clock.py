# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A process whose wall clock can be stepped, without a privilege and without touching the host's.

A small library, compiled when it is needed, stands before the C library's clock and adds to the
wall clock what a file says. The steady clock stays as it is, as it does when a host's clock steps.
Deadlines that a program takes from the wall clock are handed on in the host's time: else each wait
would be longer by the step, which no real step of a clock makes it, and DDS deaf for as long.

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
#include <pthread.h>
#include <semaphore.h>
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

static void add_to(struct timespec *at, int64_t by_ns) {
  int64_t nanoseconds = at->tv_nsec + by_ns % 1000000000;
  at->tv_sec += by_ns / 1000000000 + (nanoseconds >= 1000000000) - (nanoseconds < 0);
  at->tv_nsec = (nanoseconds + 1000000000) % 1000000000;
}

int clock_gettime(clockid_t which, struct timespec *at) {
  if (!real_clock) real_clock = dlsym(RTLD_NEXT, "clock_gettime");
  int result = real_clock(which, at);
  if (result == 0 && which == CLOCK_REALTIME && offset_ns) add_to(at, *offset_ns);
  return result;
}

/* No host has been up for thirty years: only the wall clock gives such a time. */
static struct timespec of_host(const struct timespec *deadline) {
  struct timespec at = *deadline;
  if (offset_ns && at.tv_sec > 1000000000) add_to(&at, -*offset_ns);
  return at;
}

static void *next(const char *name) {
  void *found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");  /* x86_64 has an older one too */
  return found ? found : dlsym(RTLD_NEXT, name);
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                           const struct timespec *deadline) {
  static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  if (!real) real = next("pthread_cond_timedwait");
  struct timespec at = of_host(deadline);
  return real(condition, mutex, &at);
}

int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *deadline) {
  static int (*real)(pthread_mutex_t *, const struct timespec *);
  if (!real) real = next("pthread_mutex_timedlock");
  struct timespec at = of_host(deadline);
  return real(mutex, &at);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *deadline) {
  static int (*real)(sem_t *, const struct timespec *);
  if (!real) real = next("sem_timedwait");
  struct timespec at = of_host(deadline);
  return real(semaphore, &at);
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
