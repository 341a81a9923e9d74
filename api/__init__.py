"""The answers over HTTP: for programs, beside the page for people and the command line for both."""
