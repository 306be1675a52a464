"""A real file system of a few megabytes, to be filled. It is a tmpfs in a mount namespace of its own, so
that nothing is left behind when the test is killed, and no root is needed where namespaces are allowed.
"""
import errno
import pathlib
import shutil
import subprocess
import tempfile

from server import Server


class NoNamespaces(Exception):
    """This machine lets nobody mount."""


class SmallDisk:
    def __init__(self, megabytes):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kiwi-disk-"))
        # It ends with our end of the pipe.
        hold = f"mount -t tmpfs -o size={megabytes}m none {self.folder} && echo mounted && exec cat"
        self.holder = subprocess.Popen(["unshare", "-rm", "sh", "-c", hold], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self.holder.stdout.readline().strip() != b"mounted":
            why = self.holder.stderr.read().decode().strip()
            self.remove()
            raise NoNamespaces(why)

    def inside(self, path=""):
        """The same place as seen from here."""
        return pathlib.Path(f"/proc/{self.holder.pid}/root{self.folder}") / path

    def fill(self, leave=0):
        """Until nothing fits, or so many bytes are left."""
        with open(self.inside("filler"), "ab", buffering=0) as filler:
            spare = shutil.disk_usage(self.inside()).free - leave
            for size in (1 << 20, 4096, 1) if leave == 0 else (min(spare, 1 << 20), 4096):
                try:
                    while leave == 0 or shutil.disk_usage(self.inside()).free >= leave + size:
                        filler.write(b"f" * size)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def give_back(self):
        self.inside("filler").unlink()

    def remove(self):
        self.holder.stdin.close()
        self.holder.wait(10)
        self.holder.stdout.close()
        self.holder.stderr.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class SmallDiskServer(Server):
    """A server with its data folder on the disk."""

    def __init__(self, binary, disk, args=None, port=None):
        # It begins in the namespace's root folder.
        super().__init__(pathlib.Path(binary).resolve(), args, folder=disk.folder / "data", port=port)
        self.disk = disk

    def command_line(self):
        return ["nsenter", "-t", str(self.disk.holder.pid), "-U", "-m", "--preserve-credentials",
                *super().command_line()]

    def states(self):
        """The folders of states that lie on the disk."""
        folder = self.disk.inside("data")
        return sorted(p.name for p in folder.iterdir() if p.name.startswith("state"))

    def remove(self):
        super().remove()
        self.disk.remove()
        shutil.rmtree(self.folder.parent, ignore_errors=True)
