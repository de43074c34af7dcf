"""Starting programs that must not outlive the Python process which started them."""

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Asks Linux to kill the process when its parent dies, then becomes the program. This runs in the
# child as a program of its own and not as preexec_fn, which can deadlock (and from Python 3.12 on
# warns) in a process with threads. The request survives exec, and the process id stays the same.
# The check of the parent covers a parent that died before the request was made.
_LAUNCHER = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    if ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit("prctl(PR_SET_PDEATHSIG): " + os.strerror(ctypes.get_errno()))
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent process is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""

# Linux sends the death signal when the *thread* that started the child ends. A server started in
# a short-lived thread would die with it, so one thread, which lives as long as the interpreter,
# starts them all.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="server-spawner")


def spawn(command: Sequence[str], *, log: Path, folder: Path) -> subprocess.Popen[bytes]:
    """Start `command` in `folder`, with stdout and stderr appended to the file `log`.

    `command[0]` is an absolute path. On Linux the child is killed when this process ends,
    however it ends; elsewhere only an orderly end stops it.
    Raises OSError when no process can be made; a bad `command[0]` shows in the log instead.
    """
    return _spawner.submit(_popen, list(command), log, folder).result()


def _popen(command: list[str], log: Path, folder: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C in the terminal is for the tests, which then stop their servers in order.
            start_new_session=True,
        )
