"""The command explain."""

from __future__ import annotations

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.console.outlook import looked
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
    from mvmdb.catalog.ask.describe import describe, find_skycells
    from mvmdb.catalog.ask.history import load_history_of
    from mvmdb.console.history import event_json, event_words
    from mvmdb.console.render import plan_line

    with options.reading(session) as (begin, policy), begin() as connection:
        cells = find_skycells(connection, name, policy)
    with looked(session, cells) as (outlook, begin, policy), begin() as connection:
        description = describe(connection, name, policy)
        events = load_history_of(connection, description.kind, description.name, newest=_NEWEST)
    stale = [line for line in outlook.plan.layers if line.name in description.layers]
    if as_json:
        plans = [plan_line(line) for line in stale]
        options.emit_json(
            {
                "kind": description.kind,
                "name": description.name,
                "lines": list(description.lines),
                "stale": plans,
                "history": list(map(event_json, events)),
            }
        )
        return
    say(f"{description.name} ({description.kind})")
    for text in description.lines:
        say(f"  {text}")
    for line in stale:
        because = f" ({line.drizzle_because})" if line.drizzle_because else ""
        say(f"  Stale: {plan_line(line)}{because}")
    if description.layers and not stale:
        say("  Fresh: nothing has to be done for it.")
    for event in events:
        say(f"  History: {event_words(event)}")
    if len(events) == _NEWEST:
        say("  Earlier events: see mvmdb history.")
