"""Replace this process by a command that dies with its parent and, where asked, is not root.

Run by path, `python -I -S launch.py SIGNAL PARENT self|namespace|nobody COMMAND …`, so that it costs a few
milliseconds. A small program of its own instead of a `preexec_fn`: the supervisor has threads, and Python
code between fork and exec may deadlock there.
"""

import ctypes
import os
import pwd
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CLONE_NEWUSER = 0x10000000
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522

CapabilityHeader = ctypes.c_uint32 * 2
CapabilityWords = ctypes.c_uint32 * 6


def enter_user_namespace(uid: int) -> None:
    """Look like `uid` from inside while files stay the outer user's. Raises OSError where that is forbidden."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{uid} {outer_gid} 1")


def become(uid: int, gid: int) -> None:
    """Become an ordinary user that may still walk through folders that are closed to it, such as /root.

    The binaries and the data may lie in root's home. Where the capability is not to be had (a container that
    dropped it) the plain user has to do.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux":
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if sys.platform == "linux":
        bit = 1 << CAP_DAC_OVERRIDE
        words = CapabilityWords(bit, bit, bit, 0, 0, 0)  # effective, permitted, inheritable; then the high halves
        if libc.capset(CapabilityHeader(CAPABILITY_VERSION_3, 0), words) == 0:
            libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def die_with_parent(signal_number: int, parent: int) -> None:
    """Have the kernel send `signal_number` when the parent ends. Call it last: a change of user resets it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the supervisor has gone")


def show_as(name: str) -> None:
    """Be known by `name` (15 bytes) to `top` and `ps -o comm`: a fork looks like its parent otherwise."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def main(arguments: list[str]) -> None:
    signal_number, parent, identity, *command = arguments
    nobody = pwd.getpwnam("nobody")
    if identity == "namespace":
        enter_user_namespace(nobody.pw_uid)
    elif identity == "nobody":
        become(nobody.pw_uid, nobody.pw_gid)
    die_with_parent(int(signal_number), int(parent))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
