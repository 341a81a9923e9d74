"""What the child process of a build runs: dbt, until it is done or until its parent is gone."""

from __future__ import annotations

import os
import threading


def main() -> None:
    """Run dbt with this process's arguments; its exit code is dbt's."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    from dbt.cli.main import cli

    cli()


def end_with_parent() -> None:
    """End at once when the pipe from the parent closes, however the parent ended: DuckDB survives that."""
    os.read(0, 1)
    os._exit(143)


if __name__ == "__main__":
    main()
