"""The report of a night as text, as a page in HTML, and as JSON."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mvmdb.catalog.ask.night import count_listed
from mvmdb.console.history import cost_words
from mvmdb.console.mixing import misaligned_words, mixed_words
from mvmdb.console.render import reasons_words
from mvmdb.console.show import printable
from mvmdb.errors import InputError, UsageError
from mvmdb.records import Reason, ReasonCode

FORMS = (".txt", ".html", ".json")
_MIXED = "Mixed frames"
_APART = "Members apart"
_SECTIONS = (
    "Came", "Left", "Refused", "Made", "Removed", "Took longest", "Failed", "Not tried", "Problems", _MIXED, _APART,
    "Left alone", "Not made beside products",
)  # fmt: skip

Report = Mapping[str, Any]


def check_report_path(path: Path) -> None:
    """Raise UsageError unless the ending of a report's file names one of FORMS."""
    if path.suffix.lower() not in FORMS:
        raise UsageError(f"--report {path}: found the ending {path.suffix!r}; expected one of {', '.join(FORMS)}")


def write_report(path: Path, report: Report) -> None:
    """Write a report in the form that the ending of the path names. Raises InputError if it cannot be written."""
    from mvmdb.atomic import replace_file

    form = path.suffix.lower()
    if form == ".json":
        text = json.dumps(report, indent=1) + "\n"
    elif form == ".html":
        text = format_page(report)
    else:
        text = "\n".join(format_lines(report)) + "\n"
    try:
        replace_file(path.absolute(), lambda file: file.write(text.encode()))
    except OSError as error:
        raise InputError(
            f"cannot write the report {path} ({error.strerror}); expected a folder that can be written; "
            "the night's work is done, and the catalog keeps its report"
        ) from error


def format_lines(report: Report) -> Iterator[str]:
    """The report in lines for people: a title, then each section that is not empty."""
    yield title(report)
    for name, number, lines in _sections(report):
        yield ""
        yield _heading(name, number, lines)
        yield from (f"  {printable(line)}" for line in lines)
    yield ""
    yield comparison(report)


def format_page(report: Report) -> str:
    """The report as a page in HTML that needs nothing beside it; everything from the catalog is escaped."""
    body = [f"<h1>{_text(title(report))}</h1>", f"<p>{_text(comparison(report))}</p>"]
    for name, number, lines in _sections(report):
        items = "\n".join(f"<li>{_text(line)}</li>" for line in lines)
        attention = ' class="attention"' if name in ("Failed", "Problems", "Refused") else ""
        body.append(f"<section{attention}>\n<h2>{_heading(name, number, lines)}</h2>\n<ul>\n{items}\n</ul>\n</section>")
    return _PAGE.format(title=_text(title(report)), body="\n".join(body))


def title(report: Report) -> str:
    """What was done in this night, in one line."""
    names = ("came", "refused", "made", "failed")
    counts = ", ".join(f"{count_listed(report, name)} {name}" for name in names)
    counts += f", {removed} removed" if (removed := count_listed(report, "removed")) else ""
    return f"mvmdb night of {report['started_at'][:10]} (run {report['run']}): {counts}"


def comparison(report: Report) -> str:
    """What is new against the night before, in one line."""
    last = report["last_night"]
    if last["run"] is None:
        return "There is no report of an earlier night to compare with."
    parts = [
        f"{words}: {', '.join(last[name])}"
        for words, name in (("new failures", "new_failures"), ("no longer failing", "mended"))
        if last[name]
    ]
    same = "the same layers fail" if report["failed"] else "nothing fails, as before"
    return f"Against the night before (run {last['run']}): {'; '.join(parts) or same}."


def _sections(report: Report) -> Iterator[tuple[str, int, list[str]]]:
    """Each section that is not empty: its name, how many things it is about, and a line for each that is listed."""
    values = (
        [_words(line["exposure"], line["what"], line["path"], line["detail"]) for line in report["came"]],
        [_words(line["exposure"], line["path"]) for line in report["left"]],
        [_refused_words(line) for line in report["refused"]],
        [_made_words(line) for line in report["made"] if line["action"] != "removed"],
        [_made_words(line) for line in report["made"] if line["action"] == "removed"],
        [f"{line['layer']}: {line['seconds']:.1f} s" for line in report["slowest"]],
        [_failed_words(line) for line in report["failed"]],
        [resting_words(line) for line in report["resting"]],
        list(report["problems"]),
        _mixing_lines(report.get("astrometry")),
        _misaligned_lines(report.get("astrometry")),
        [line.removeprefix("left alone: ") for line in report["left_alone"]],
        list(report.get("unmade", ())),
    )
    for name, lines in zip(_SECTIONS, values, strict=True):
        if lines:
            yield name, max(count_listed(report, name.lower()), len(lines)), lines


def _heading(name: str, number: int, lines: list[str]) -> str:
    if name in (_MIXED, _APART):
        return name
    return f"{name} ({number})" if number == len(lines) else f"{name} ({number}, of which the first {len(lines)})"


def _words(subject: str, *facts: str | None) -> str:
    return f"{subject}: {'; '.join(fact for fact in facts if fact)}"


def _refused_words(line: Mapping[str, Any]) -> str:
    """The path once: most reasons name it."""
    subject, detail = line["exposure"] or line["path"], line["detail"] or ""
    return f"{line['what']}: {detail}" if subject in detail else _words(subject, line["what"], detail)


def _made_words(line: Mapping[str, Any]) -> str:
    reasons = tuple(Reason(ReasonCode(r["code"]), r["exposure"], r["detail"]) for r in line["reasons"])
    cost = cost_words(line["n_members"], line["seconds"], line["bytes"], line["memory_mb"])
    return f"{line['layer']}: {line['action']}; {'; '.join([reasons_words(reasons), *cost])}"


def _failed_words(line: Mapping[str, Any]) -> str:
    times = f"attempt {line['attempts']} since {line['since'][:10]}" if line["attempts"] > 1 else "for the first time"
    return f"{line['layer']}: {line['error']} ({times}; {_next_attempt(line['retry_at'])})"


def resting_words(line: Mapping[str, Any]) -> str:
    """A layer that failed again and again, and was not tried in this night."""
    times = f"{line['attempts']} attempts since {line['since'][:10]}"
    return f"{line['layer']}: {line['error']} ({times}; {_next_attempt(line['retry_at'])})"


def _mixing_lines(mixing: Mapping[str, Any] | None) -> list[str]:
    """How many layers made in this night mix astrometric frames, and the worst; earlier reports say nothing of it."""
    if not mixing or not mixing["mixed_layers"]:
        return []
    n, in_all = mixing["mixed_layers"], mixing["mixed_layers_in_all"]
    return [
        f"{n} of the layers made, {in_all} in all: members of different astrometric frames overlap, which can "
        "smear sources; list: mvmdb astrometry",
        *(f"worst: {mixed_words(layer)}" for layer in mixing["worst"]),
    ]


def _misaligned_lines(astrometry: Mapping[str, Any] | None) -> list[str]:
    """How many layers made in this night have members that do not lie together, and the worst, as `_mixing_lines`."""
    if not astrometry or not astrometry.get("misaligned_layers"):
        return []
    n, in_all = astrometry["misaligned_layers"], astrometry["misaligned_layers_in_all"]
    return [
        f"{n} of the layers made, {in_all} in all: members do not lie together, which smears sources; "
        "list: mvmdb astrometry --apart",
        *(f"worst: {misaligned_words(layer)}" for layer in astrometry["farthest"]),
    ]


def _next_attempt(retry_at: str | None) -> str:
    if retry_at is None:
        return "not tried again until it changes, or by mvmdb reconcile"
    return f"tried again by the first night from {retry_at[:16].replace('T', ' ')} UTC"


def _text(text: str) -> str:
    return html.escape(printable(text))


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 72em; margin: 2em auto; padding: 0 1em; color: #1b1f24; }}
h1 {{ font-size: 1.3em; }}
h2 {{ font-size: 1.05em; margin-bottom: 0.3em; }}
ul {{ padding-left: 1.2em; }}
li {{ overflow-wrap: anywhere; }}
.attention h2 {{ color: #b3261e; }}
@media (prefers-color-scheme: dark) {{
  body {{ background: #14171a; color: #e4e7ea; }}
  .attention h2 {{ color: #ff8a80; }}
}}
</style>
</head>
<body>
{body}
</body>
</html>
"""
