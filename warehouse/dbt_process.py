"""What the child process of a build runs: dbt, until it is done or until its parent is gone.

It writes one JSON object a line: the level and the words of an event that dbt tells its users, and its node where it
has one; at the end what became of each node.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from typing import Any

# dbt's own loggers put every event into words, those that nobody sees too: a sixth of a small build. The files in
# which it describes the project are another tenth.
SILENT = ["--log-level", "none", "--log-level-file", "none", "--no-write-json"]
TOLD = ("info", "warn", "error")


def main() -> None:
    """Run dbt with this process's arguments; exits with 1 where it did not succeed."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    gc.disable()  # the process is short, and looking for cycles took a tenth of it
    from dbt.cli.main import dbtRunner

    pass_over_what_is_not_told()
    take_our_files_for_valid()
    look_up_no_callers()
    done = dbtRunner(callbacks=[tell]).invoke([*sys.argv[1:], *SILENT])
    if done.exception is not None:
        say({"level": "error", "message": str(done.exception)})
    results = [outcome(result) for result in getattr(done.result, "results", [])]
    say({"level": "info", "message": f"{len(results)} nodes ended", "results": results})
    sys.exit(0 if done.success else 1)


def pass_over_what_is_not_told() -> None:
    """Let dbt drop the events that are not meant for its users: to describe each of them took a sixth of a build."""
    from dbt_common.events.base_types import BaseEvent, DebugLevel
    from dbt_common.events.event_manager import EventManager
    from dbt_common.events.event_manager_client import ctx_set_event_manager

    def noted(event: Any, *facts: Any, **named: Any) -> None:
        event.__dict__["given"] = facts, named

    class OfTold(EventManager):
        def fire_event(self, e: Any, level: Any = None, *more: Any, **named: Any) -> None:
            if (level or e.level_tag()) in TOLD:
                if "given" in e.__dict__:
                    facts, its_named = e.__dict__.pop("given")
                    BaseEvent.__init__(e, *facts, **its_named)
                super().fire_event(e, level, *more, **named)

    DebugLevel.__init__ = noted  # type: ignore[assignment, method-assign]
    ctx_set_event_manager(OfTold())


def take_our_files_for_valid() -> None:
    """Spare dbt from deriving the JSON schemas of its files to hold ours against them, a twentieth of a build.

    Whoever changes a file of the project runs its unit tests, for which dbt looks.
    """
    from dbt_common.dataclass_schema import dbtClassMixin

    dbtClassMixin.validate = classmethod(lambda cls, data: None)  # type: ignore[assignment, method-assign]


def look_up_no_callers() -> None:
    """Spare dbt from reading the sources of all that called it to say whose a flag of its adapter is: half a second."""
    from dbt_common.behavior_flags import BehaviorFlagRendered

    BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt")  # type: ignore[method-assign]


def tell(event: Any) -> None:
    """One event of dbt that is meant for its users."""
    told = {"level": event.info.level, "name": event.info.name, "message": event.info.msg}
    if event.info.name in ("LogModelResult", "LogSeedResult"):
        data = event.data
        told |= {"node": data.node_info.node_name, "index": data.index, "total": data.total}
    say(told)


def outcome(result: Any) -> dict[str, Any]:
    """What became of a node."""
    return {"unique_id": result.node.unique_id, "status": str(result.status), "message": result.message}


def say(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def end_with_parent() -> None:
    """End at once when the pipe from the parent closes, however the parent ended: DuckDB survives that."""
    os.read(0, 1)
    os._exit(143)


if __name__ == "__main__":
    main()
