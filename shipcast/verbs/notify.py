"""The verb that tells people what they should know."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from shipcast.ask import Ask, verb
from shipcast.console import hint, say, show, table, tell
from shipcast.settings.errors import UsageError

if TYPE_CHECKING:
    from shipcast.answers.notify import NotifyAnswer, NotifyItem


def add_verbs(app: typer.Typer) -> None:
    verb(app, "notify", "shipcast notify --dry-run")(notify_verb)


def notify_verb(
    ask: Ask,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show each message as each channel would get it; send and store nothing.")
    ] = False,
    test: Annotated[
        str | None, typer.Option(metavar="CHANNEL", help="Send one test message by this channel, and nothing else.")
    ] = None,
) -> None:
    """Tell people what they should know, by webhook, Slack or e-mail: windows, risks, conflicts, sources, the week."""
    from shipcast.answers import notify

    if dry_run and test is not None:
        raise UsageError("--dry-run and --test exclude each other.")
    if ask.as_of_text is not None and not dry_run:
        raise UsageError("Messages are sent as of now.", next_step="Leave --as-of out, or look with --dry-run.")
    if dry_run:
        answer = notify.dry_run(ask.settings, ask.as_of)
    elif test is not None:
        answer = notify.try_channel(ask.settings, ask.as_of, test)
    else:
        answer = notify.notify(ask.settings, ask.as_of)
    show(ask, answer, lambda: show_notify(ask, answer))
    if answer.exit_code:
        raise typer.Exit(answer.exit_code)


def show_notify(ask: Ask, answer: NotifyAnswer) -> None:
    say(answer.sentence)
    if not answer.dry_run:
        rows = [[item.channel, item.kind, item.service, *state(item)] for item in answer.items]
        table(["channel", "event", "service", "state", "tried from"], rows)
        return
    for item in answer.items:
        held = f", held back until {waits(item.quiet_until)}" if item.quiet_until else ""
        again = f", tried again from {waits(item.next_at)} on" if item.attempts else ""
        tell(f"\n--- {item.kind} to {item.channel}{held}{again}\n{item.message}")
    if answer.items:
        typer.echo()
        hint(ask, "shipcast notify")


def state(item: NotifyItem) -> tuple[str, str]:
    """What became of a message, and from when it is tried; one that quiet hours hold back is not before they end."""
    if item.quiet_until is not None:
        return "held back (quiet)", waits(item.quiet_until)
    return item.state, waits(item.next_at)


def waits(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"
