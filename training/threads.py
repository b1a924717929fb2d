"""Memory allocator and thread count of a training process; imports torch only when asked to."""

from __future__ import annotations

import ctypes
import os
import platform

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_MMAP_MAX = -4


def tune_allocator() -> bool:
    """Make glibc keep freed memory instead of returning it to the kernel after every layer.

    With glibc's defaults nearly half of a small network's training time is page faults. Call it
    before torch is imported: memory already handed out keeps its old treatment.

    Returns
    -------
    bool
        True where it took effect (glibc), False elsewhere, where nothing is changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    mallopt.argtypes = [ctypes.c_int, ctypes.c_int]
    mallopt.restype = ctypes.c_int
    settings = ((_M_MMAP_THRESHOLD, 1 << 30), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_MMAP_MAX, 0))
    # glibc refuses a threshold above half a heap, which _M_MMAP_MAX = 0 makes immaterial.
    taken = [bool(mallopt(option, value)) for option, value in settings]
    return taken[-1]


def wait_passively() -> None:
    """Have idle threads of OpenMP sleep instead of spin, unless the environment says otherwise.

    On a processor that other work shares, spinning threads made a training step with two threads
    ten times slower (1,280 against 121 ms); on an idle one sleeping costs a fifth at most. Call it
    before torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def prepare_process() -> None:
    """Tune allocator and threads of a process that will train; before torch is imported."""
    tune_allocator()
    wait_passively()


def set_threads(threads: int) -> None:
    """Fix the number of threads that torch computes with; results repeat bit for bit at one count.

    Parameters
    ----------
    threads
        Number of threads, at least 1.
    """
    import torch

    torch.set_num_threads(threads)
