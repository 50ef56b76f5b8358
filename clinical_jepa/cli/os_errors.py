"""What a person does about an error of the operating system."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_AGAIN = "what was committed is kept, nothing of the step under way; make room and run the same again"
_NO_FOLDER = "{path} is a file where a folder is needed; name another"
_SAID = {
    errno.ENOSPC: "no space left where {path} lies; " + _AGAIN,
    errno.EDQUOT: "this user's quota is used up where {path} lies; " + _AGAIN,
    errno.EACCES: "this user may not read or write {path}; give it the right, or run as a user who has it",
    errno.EPERM: "this user may not read or write {path}; give it the right, or run as a user who has it",
    errno.EROFS: "{path} lies where nothing can be written (a read-only file system); name another place",
    errno.ENOTDIR: _NO_FOLDER,
    errno.EEXIST: _NO_FOLDER,
}
_UNNAMED = (errno.ENOSPC, errno.EDQUOT)  # come of writing to a file that is open: the system does not say which


def explained(error: OSError) -> tuple[str, int] | None:
    """What to do, and the exit status (2: wrong use); None for an error of which nothing better is known than its text."""
    said = _SAID.get(error.errno or 0)
    if said is None or (error.filename is None and error.errno not in _UNNAMED):
        return None
    path = "the file that was being written" if error.filename is None else os.fsdecode(error.filename)
    if said != _NO_FOLDER:
        return said.format(path=path), 1
    file = next((one for one in (Path(path), *Path(path).parents) if os.path.isfile(one)), None)
    return None if file is None else (said.format(path=file), 2)
