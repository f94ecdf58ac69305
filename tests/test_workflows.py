"""Workflows have least rights, and use the actions of GitHub itself alone."""

import re
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[1] / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
WRITES = {
    ("book.yml", "publish"): {"pages", "id-token"},
    ("release.yml", "release"): {"contents"},
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_who_must_may_write(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(workflow["permissions"].values()) <= {"read"}
    for name, job in workflow["jobs"].items():
        rights = job.get("permissions", {})
        writes = {k for k, right in rights.items() if right == "write"}
        assert writes == WRITES.get((path.name, name), set())
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_actions_are_those_of_github_itself_by_digest(path):
    used = re.findall(r"uses: *(.+)", path.read_text(encoding="utf-8"))
    assert used
    for action in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}  # v[\d.]+", action)


def test_an_action_has_one_digest_and_its_updates_are_proposed():
    text = "".join(path.read_text(encoding="utf-8") for path in FILES)
    used = set(re.findall(r"uses: *(.+)", text))
    assert len({action.split("@")[0] for action in used}) == len(used)
    updates = yaml.safe_load((FOLDER.parent / "dependabot.yml").read_text())["updates"]
    assert "github-actions" in [update["package-ecosystem"] for update in updates]
