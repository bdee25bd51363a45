"""The console blocks of README and docs, as commands and what they print."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def examples(page: str) -> list[tuple[str, str]]:
    """(command, expected output) of every console block, in order; SQL in double quotes may run over several lines."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"```console\n(.*?)```", (REPOSITORY / page).read_text(), re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            while command.count('"') % 2:
                line, _, output = output.partition("\n")
                command += f"\n{line}"
            found.append((command, output))
    return found


def twelve_questions() -> dict[str, str]:
    """SQL of docs/catalog.md by the question that stands before it, such as `4. Which programs share a sky cell?`."""
    text = (REPOSITORY / "docs/catalog.md").read_text()
    pattern = r'^\*\*(\d+\. .*?)\*\*\n\n```console\n\$ mvmdb query --csv "(.*?)"\n'
    return dict(re.findall(pattern, text, re.DOTALL | re.MULTILINE))
