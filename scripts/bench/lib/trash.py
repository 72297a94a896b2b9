"""What timed work leaves behind is put aside, and deleted between rounds."""

import shutil
import sys
import time

# ext4 without a journal does not give out inodes that were freed within the last minute, and goes through all of them
# at each new file: whoever creates files after many were deleted would be measured several times slower.
REST = 65


class Trash:
    """On the file system of what is put into it, since it is renamed."""

    def __init__(self, folder):
        self.folder, self.count = folder, 0
        shutil.rmtree(folder, ignore_errors=True)

    def put(self, path):
        """`path` is gone at once; nothing happens where it is absent."""
        if not (path.exists() or path.is_symlink()):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.count += 1
        path.rename(self.folder / str(self.count))

    def empty(self, rest=REST):
        """Deletes, and waits until the file system has forgotten it."""
        if self.folder.exists():
            shutil.rmtree(self.folder)
            if rest:
                print(f"waiting {rest} s after deleting what the last round left", file=sys.stderr)
                time.sleep(rest)
