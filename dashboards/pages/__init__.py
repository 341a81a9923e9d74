"""One file a page: its `TITLE`, its `PATH` in the address, and `draw`, which lays it out."""
