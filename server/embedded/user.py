"""Which user the embedded servers run as. PostgreSQL refuses to run as root; then it is `nobody`."""

import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ServiceUser:
    """`ids` are the user and group to become, or None for our own."""

    ids: tuple[int, int] | None

    @classmethod
    def choose(cls) -> "ServiceUser":
        """Ourselves, or `nobody` if we are root."""
        if os.geteuid() != 0:
            return cls(None)
        nobody = pwd.getpwnam("nobody")
        return cls((nobody.pw_uid, nobody.pw_gid))

    def make_folder(self, path: Path) -> None:
        """Make a folder that this user alone may enter."""
        path.mkdir(mode=0o700, parents=True)
        if self.ids is not None:
            os.chown(path, *self.ids)

    def data_argument(self, folder: Path) -> str:
        """How to name, on its command line, the folder that a server was started in.

        `nobody` may not go down the path of a folder below /root, but where it already is it may stay: so the servers
        are started in their folder, and find it as their working directory.
        """
        if self.ids is not None and sys.platform == "linux":
            return "/proc/self/cwd"
        return str(folder)

    def run(self, argv: list[str], *, cwd: Path | str, input_: bytes = b"") -> None:
        """Run a command to its end. Raises CalledProcessError with its output, or PermissionError."""
        uid, gid = self.ids or (None, None)
        subprocess.run(
            argv,
            cwd=cwd,
            user=uid,
            group=gid,
            extra_groups=None if self.ids is None else [],
            input=input_,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=True,
        )

    def may_run(self, program: Path) -> bool:
        """Whether this user can reach and execute a program."""
        try:
            self.run([str(program), "--version"], cwd="/")
        except PermissionError:
            return False
        return True
