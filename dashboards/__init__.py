"""The web page: layout only, a file a page; every number and sentence comes from `answers`."""
