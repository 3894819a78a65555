"""What a process that opens strangers' streams may still do: compute, within bounds. No network, no other process.

On Linux the kernel itself refuses (seccomp): a decoder that a hostile stream has taken over can neither call home nor
start a shell, and no child of its own outlives the process that is ended at its limit. Elsewhere, and where the kernel
does not offer it, the bounds of memory and time remain.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterator

from isocenter.errors import IsocenterError, LimitReached, Refused

__all__ = ["bound_memory", "bounded_memory", "confine"]

_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2  # of prctl
_ALLOW, _REFUSE, _ABSENT = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF: ld [k], jeq, jge, jset, ret
_THREAD = 0x10000  # CLONE_THREAD: what is begun is a thread of this process, and no process
_OTHER_ABI = 0x40000000  # numbers of the x32 interface, which would pass a list of the plain ones by
_CLONE3 = 435  # its flags lie where a filter cannot look; where it is absent libraries use clone
_KERNELS: dict[str, tuple[int, int, tuple[int, ...]]] = {
    # machine: its number for the filter; clone; socket, connect, bind, listen, execve, execveat, ptrace, io_uring, …
    "x86_64": (0xC000003E, 56, (41, 42, 49, 50, 53, 57, 58, 59, 101, 322, 425)),
    "aarch64": (0xC00000B7, 220, (198, 199, 200, 201, 203, 117, 221, 281, 425)),
}


def confine() -> bool:
    """Give up network and the start of programs for the rest of this process; whether the kernel holds us to it."""
    if not sys.platform.startswith("linux") or platform.machine() not in _KERNELS:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    program = _program(*_KERNELS[platform.machine()])
    filter_ = ctypes.create_string_buffer(program, len(program))
    told = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(filter_))
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return False
    return not libc.prctl(_SECCOMP, _FILTER, ctypes.create_string_buffer(told, len(told)), 0, 0)


def bound_memory(more: int) -> None:
    """Bound the address space to what is mapped now and so many bytes more; again for each task, up or down."""
    if not sys.platform.startswith("linux"):
        return
    import resource

    with open("/proc/self/statm", encoding="ascii") as statm:
        mapped = int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = mapped + more
    resource.setrlimit(resource.RLIMIT_AS, (wanted if most < 0 else min(wanted, most), most))


@contextlib.contextmanager
def bounded_memory(more: int = 0) -> Iterator[None]:
    """Do something with a stranger's file without taking more memory than there is; also as a decorator.

    Args:
        more: bytes beyond what is mapped now; 0: what the machine has to give at the moment.

    Raises:
        LimitReached: it asked for more. Refused: a model that ONNX Runtime does not run.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    bound_memory(more or _available())
    try:
        yield
    except IsocenterError:
        raise
    except Exception as fault:
        # ONNX Runtime and torch say it in words of their own.
        if isinstance(fault, MemoryError) or any(word in str(fault).lower() for word in _OUT_OF_MEMORY):
            raise LimitReached(
                "it needs more memory than there is", f"{(more or _available()) >> 20} MiB, and it asked for more",
                "take a smaller model, or fewer images at once",
            ) from None  # fmt: skip
        if type(fault).__module__.startswith("onnxruntime"):
            raise Refused("the model cannot be run on these images", str(fault)[:300], "export it again") from fault
        raise
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


_OUT_OF_MEMORY = ("bad_alloc", "failed to allocate", "can't allocate memory", "cannot allocate memory")


def _available() -> int:
    with open("/proc/meminfo", encoding="ascii") as meminfo:
        told = dict(line.split(":", 1) for line in meminfo)
    return int(told["MemAvailable"].split()[0]) * 1024


def _program(machine: int, clone: int, refused: tuple[int, ...]) -> bytes:
    """The filter: another machine's calls, those on the list and new processes are refused, all others pass."""
    lines = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, machine), (_RETURN, 0, 0, _REFUSE), (_LOAD, 0, 0, 0)]
    left = len(refused)
    lines.append((_AT_LEAST, left + 5, 0, _OTHER_ABI))
    lines += [(_EQUAL, left + 4 - n, 0, number) for n, number in enumerate(refused)]
    lines += [(_EQUAL, 2, 0, clone), (_EQUAL, 4, 0, _CLONE3), (_RETURN, 0, 0, _ALLOW)]
    lines += [(_LOAD, 0, 0, 16), (_ANY_BIT, 2, 0, _THREAD)]  # the low half of the first argument: the flags
    lines += [(_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ABSENT), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("HBBI", *line) for line in lines)
