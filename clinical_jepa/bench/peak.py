"""The most memory that a process has held."""

from __future__ import annotations

import resource
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak() -> int:
    """Bytes that this process held at most since its program began.

    Linux's ``VmHWM`` (proc_pid_status(5)) begins anew with a program. ``ru_maxrss`` (getrusage(2)) is taken only where there
    is no such file: it survives exec, so that the child of a large process seems large from its first line on.
    """
    if not STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(fields["VmHWM"].removesuffix("kB")) * 1024
