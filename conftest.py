"""Shared by the tests and the notebooks: seconds a page, and pages on real data."""

from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
# Pages on real data, and the data sets that they need.
REAL = {
    "book/real/tooth.ipynb": ["tooth"],
}


def pytest_collection_modifyitems(items):
    """Skip, visibly, the pages whose data can neither be found nor downloaded."""
    from srtools.datasets import available

    pages = defaultdict(list)
    for item in items:
        page = item.path.relative_to(ROOT).as_posix()
        if page in REAL:
            pages[page].append(item)
    for page, cells in pages.items():
        missing = [name for name in REAL[page] if not available(name)]
        if missing:
            reason = f"{page}: {', '.join(missing)} not in SRTOOLS_DATA, no network"
            for cell in cells:
                cell.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter):
    """Print the ledger: seconds a page."""
    seconds = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            name = getattr(report, "nodeid", "").split("::")[0]
            if name.endswith(".ipynb"):
                seconds[name] += report.duration
    if seconds:
        terminalreporter.section("seconds a page")
        for name, value in sorted(seconds.items()):
            terminalreporter.write_line(f"{value:7.1f}  {name}")
        terminalreporter.write_line(f"{sum(seconds.values()):7.1f}  in all")
