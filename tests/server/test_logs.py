"""Logs: one line an entry, with its role; as JSON without the local variables, which may be personal."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import logging, sys, structlog
from server.logs import configure_logs
from server.settings import Settings
configure_logs(Settings(log_json=sys.argv[1] == "json", log_level="info"), "worker")
log = structlog.get_logger()
log.debug("not shown")
log.info("shown", member="m-1")
logging.getLogger("some.library").warning("odd: %s", 7)
phone = "+8613800138000"
try:
    len(7)
except TypeError:
    log.exception("broken")
"""


def logged(form: str) -> str:
    done = subprocess.run([sys.executable, "-c", SCRIPT, form], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr


def test_json() -> None:
    entries = [json.loads(line) for line in logged("json").splitlines()]
    assert [(entry["event"], entry["level"], entry["role"]) for entry in entries] == [
        ("shown", "info", "worker"),
        ("odd: 7", "warning", "worker"),
        ("broken", "error", "worker"),
    ]
    assert entries[0]["member"] == "m-1"
    assert entries[2]["exception"][0]["exc_type"] == "TypeError"


def test_text() -> None:
    lines = logged("text").splitlines()
    assert "worker" in lines[0]
    assert "shown" in lines[0]
    assert "member=m-1" in lines[0]
    assert lines[-1].startswith("TypeError")


@pytest.mark.parametrize("form", ["json", "text"])
def test_local_variables_are_not_logged(form: str) -> None:
    assert "13800138000" not in logged(form).replace('phone = "+8613800138000"', "")
