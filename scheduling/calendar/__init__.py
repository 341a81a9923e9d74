"""When the calendar lets a change ship: its rules, read, judged, and exchanged with other calendars."""
