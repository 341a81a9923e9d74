"""Bookings, freezes, approvals and overrides: one append-only chain of entries, which is the log and the store."""
