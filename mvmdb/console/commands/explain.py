"""The command explain."""

from __future__ import annotations

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.console.show import say

_NEWEST = 20
"""How many of the latest events are shown."""


@click.command(short_help="Describe a layer, sky cell or exposure in words.")
@click.argument("name")
@options.as_json
@click.pass_obj
def explain(session: Session, name: str, as_json: bool) -> None:
    """Describe in words all that is known about one layer, sky cell, exposure or quarantined file.

    Example: mvmdb explain hst_skycell-p0726x10y04_wfc3_ir_f125w_all
    """
    from mvmdb.console.history import event_json, event_words
    from mvmdb.console.render import plan_line

    found = session.archive().explain(name)
    if as_json:
        plans = [plan_line(line) for line in found.stale]
        options.emit_json(
            {
                "kind": found.kind,
                "name": found.name,
                "lines": list(found.lines),
                "stale": plans,
                "history": list(map(event_json, found.events)),
            }
        )
        return
    say(f"{found.name} ({found.kind})")
    for text in found.lines:
        say(f"  {text}")
    for line in found.stale:
        because = f" ({line.drizzle_because})" if line.drizzle_because else ""
        say(f"  Stale: {plan_line(line)}{because}")
    if found.description.layers and not found.stale:
        say("  Fresh: nothing has to be done for it.")
    for event in found.events:
        say(f"  History: {event_words(event)}")
    if found.has_more:
        say("  Earlier events: see mvmdb history.")
