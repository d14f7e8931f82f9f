"""Showing folders at other paths to one process alone, in a mount namespace of its own; Linux only.

Run inside a forked child before user code begins (zygote_main), and as a program to find out whether this machine allows
it. Where a path does not exist it is made in a copy of its parent that only the process sees: a temporary file system with
everything of the parent bound into it. Standard library only, and Python 3.8's.
"""

from __future__ import annotations

import ctypes
import os
import sys

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_BIND = 4096
MS_MOVE = 8192
MS_REC = 16384
MS_PRIVATE = 1 << 18
CAPABILITY_VERSION_3 = 0x20080522


class Mounter:
    """One process's own view of the file system. `scratch` is an empty folder for it to work in."""

    def __init__(self, scratch: str) -> None:
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.scratch = scratch
        self.copies: set[str] = set()
        self.is_own_user = self.unshare()
        self.mount("none", "/", "", MS_REC | MS_PRIVATE)

    def call(self, what: str, result: int) -> None:
        if result != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"{what}: {os.strerror(number)}")

    def unshare(self) -> bool:
        """Enter a mount namespace; True: it needed a user namespace too."""
        if self.libc.unshare(CLONE_NEWNS) == 0:
            return False
        uid, gid = os.getuid(), os.getgid()
        self.call("unshare", self.libc.unshare(CLONE_NEWUSER | CLONE_NEWNS))
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
        return True

    def mount(self, source: str, target: str, kind: str, flags: int, data: str = "") -> None:
        words = [os.fsencode(word) if word else None for word in (source, target, kind, data)]
        self.call(f"mount on {target}", self.libc.mount(*words[:3], ctypes.c_ulong(flags), words[3]))

    def show(self, source: str, target: str) -> None:
        """From now on TARGET is the folder SOURCE."""
        if not os.path.isdir(target):
            self.make(target)
        self.mount(source, target, "", MS_BIND | MS_REC)

    def make(self, target: str) -> None:
        """Make a folder that the machine does not have."""
        parent = os.path.dirname(target)
        while not os.path.isdir(parent):
            if os.path.lexists(parent):
                raise OSError(20, f"{parent} is no folder")
            parent = os.path.dirname(parent)
        parent = os.path.realpath(parent)
        if parent not in self.copies:
            self.copy(parent)
        os.makedirs(target)

    def copy(self, parent: str) -> None:
        """Put a temporary file system in PARENT's place, with all that PARENT holds."""
        self.mount("tmpfs", self.scratch, "tmpfs", 0, "mode=0755")
        for name in os.listdir(parent):
            there, here = os.path.join(parent, name), os.path.join(self.scratch, name)
            if os.path.islink(there):
                os.symlink(os.readlink(there), here)
                continue
            if os.path.isdir(there):
                os.mkdir(here)
            else:
                os.close(os.open(here, os.O_CREAT | os.O_WRONLY, 0o600))
            self.mount(there, here, "", MS_BIND | MS_REC)
        if parent == "/":
            os.chdir(self.scratch)
        self.mount(self.scratch, parent, "", MS_MOVE)
        if parent == "/":
            os.chroot(".")
        self.copies.add(parent)

    def leave(self) -> None:
        """Give up what the user namespace gave: user code has the rights that it would have without."""
        if self.is_own_user:
            header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
            self.call("capset", self.libc.capset(header, (ctypes.c_uint32 * 6)()))


def show(binds: list[tuple[str, str]], scratch: str) -> None:
    """Show each folder at its path, outer paths first."""
    mounter = Mounter(scratch)
    for source, target in sorted(binds, key=lambda bind: bind[1].count("/")):
        mounter.show(source, target)
    mounter.leave()


def main() -> None:
    """`mounts_main.py SCRATCH`: try it, with a path that no machine has."""
    folder = os.path.join(sys.argv[1], "shown")
    os.mkdir(folder)
    scratch = os.path.join(sys.argv[1], "scratch")
    os.mkdir(scratch)
    try:
        show([(folder, "/headrace-mount-test/here")], scratch)
        os.listdir("/headrace-mount-test/here")
    except OSError as error:
        sys.exit(str(error.strerror))


if __name__ == "__main__":
    main()
