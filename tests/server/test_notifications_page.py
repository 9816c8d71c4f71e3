"""The example of docs/notifications.md does what the page says."""

import re
from importlib import resources
from pathlib import Path

from typer.testing import CliRunner

from server.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "notifications.md"


def test_the_page_says_what_happens(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    section = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0]
    [(command, shown)] = re.findall(r"```\n\$ tessera (.*?)\n(.*?)```", page, re.DOTALL)
    file = tmp_path / "alliance.yaml"
    sample = (resources.files("server.samples") / "demo.yaml").read_text(encoding="utf-8")
    file.write_text(sample.replace("    stores:\n", section + "    stores:\n", 1), encoding="utf-8")
    done = CliRunner().invoke(app, command.replace("alliance.yaml", str(file)).split())
    assert (done.exit_code, done.stdout) == (0, shown)
