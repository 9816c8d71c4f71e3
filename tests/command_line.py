"""The command `tessera` without the seconds that a process takes to import it: forked from one that has."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path

_READY = """
import gc, importlib, json, os, pkgutil, sys
import alliance, domain, server.cli, server.commands, server.migrate, sqlalchemy.orm, typer.main, uvloop

for package in (alliance, domain, server.commands):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
server.migrate.newest()
sqlalchemy.orm.configure_mappers()
typer.main.get_command(server.cli.app)
gc.collect()
gc.freeze()
for line in sys.stdin:
    asked = json.loads(line)
    if (child := os.fork()) == 0:
        os.environ.clear()
        os.environ.update(asked["environment"])
        for number, path in enumerate((os.devnull, asked["out"], asked["err"])):
            os.dup2(os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY), number)
        sys.argv = ["tessera", *asked["arguments"]]
        sys.exit(server.cli.main())
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
_one_at_a_time = threading.Lock()


@cache
def _ready() -> subprocess.Popen[str]:
    """One a process of the tests; it ends with the pipe to it."""
    process = subprocess.Popen([sys.executable, "-c", _READY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(process.communicate)
    return process


def tessera(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `tessera` answers to these arguments, with these variables besides those of this process."""
    process = _ready()
    assert process.stdin is not None
    assert process.stdout is not None
    with _one_at_a_time, tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
        asked = {
            "arguments": arguments,
            "environment": os.environ | {"COLUMNS": "200"} | environment,
            "out": out.name,
            "err": err.name,
        }
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        code = int(process.stdout.readline())
        told = [Path(file.name).read_text() for file in (out, err)]
    return subprocess.CompletedProcess(["tessera", *arguments], code, *told)
