"""Shuts this process in: no network, no other processes, and nothing to write but the folders that are named.

Linux alone has what this takes (user namespaces), and not every machine allows it. `enter` returns only inside, or raises
`Unavailable` before anything has changed for good, if the caller ends the process then.
"""

import os
import signal
import sys

NEW_MOUNTS = 0x00020000
NEW_IPC = 0x08000000
NEW_USER = 0x10000000
NEW_PIDS = 0x20000000
NEW_NETWORK = 0x40000000

READ_ONLY, NO_SUID, NO_DEVICES, NO_EXEC, REMOUNT = 1, 2, 4, 8, 32
NO_ATIME, NO_DIR_ATIME, BIND, RECURSIVE, PRIVATE, RELATIME = 1 << 10, 1 << 11, 1 << 12, 1 << 14, 1 << 18, 1 << 21
FLAGS = {
    "nosuid": NO_SUID,
    "nodev": NO_DEVICES,
    "noexec": NO_EXEC,
    "noatime": NO_ATIME,
    "nodiratime": NO_DIR_ATIME,
    "relatime": RELATIME,
}
DIE_WITH_PARENT, NO_NEW_PRIVILEGES = 1, 38
CAPABILITIES_VERSION = 0x20080522


class Unavailable(Exception):
    pass


def enter(writable, shielded):
    """`writable` stays so; that `shielded` is not is made sure of."""
    if not sys.platform.startswith("linux"):
        raise Unavailable("this system has no namespaces")
    try:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        libc.unshare, libc.mount, libc.prctl, libc.capset
    except (ImportError, OSError, AttributeError) as error:
        raise Unavailable(str(error))

    def check(result, what):
        if result != 0:
            raise Unavailable(what + ": " + os.strerror(ctypes.get_errno()))

    def mount(source, target, flags):
        return libc.mount(source, os.fsencode(target), None, ctypes.c_ulong(flags), None)

    user, group = os.getuid(), os.getgid()
    check(libc.unshare(NEW_USER | NEW_MOUNTS | NEW_NETWORK | NEW_IPC | NEW_PIDS), "unshare")
    try:
        for name, line in [("setgroups", "deny"), ("uid_map", "%d %d 1" % (user, user)), ("gid_map", "%d %d 1" % (group, group))]:
            with open("/proc/self/" + name, "w") as file:
                file.write(line)
    except OSError as error:
        raise Unavailable(str(error))
    check(mount(None, "/", RECURSIVE | PRIVATE), "mount")
    for folder in writable:
        check(mount(os.fsencode(folder), folder, BIND), "mount " + folder)
    for point, options in mounts():
        if any(point == folder or point.startswith(folder + "/") for folder in writable):
            continue
        flags = sum(FLAGS.get(option, 0) for option in options)
        # Some cannot be changed; those that count are looked at below.
        mount(None, point, REMOUNT | BIND | READ_ONLY | flags)
    for folder in shielded:
        if not os.statvfs(folder).f_flag & os.ST_RDONLY:
            raise Unavailable("`%s` stays writable" % folder)

    child = os.fork()
    if child:
        # The new process identifiers count from the first child on.
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
            os.kill(os.getpid(), os.WTERMSIG(status))
        os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1)
    libc.prctl(DIE_WITH_PARENT, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
    check(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0), "prctl")
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0)
    check(libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")
    # The folder was entered before the mounts were made.
    os.chdir(os.getcwd())


def mounts():
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields = line.split(" ")
            point = fields[4]
            for code, character in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]:
                point = point.replace(code, character)
            yield point, fields[5].split(",")
