"""Globs as Argo CD understands them, in the writing of ours.

It reads `*` (any text), `?`, `{a,b}` (either, and in each other), `[abc]`, `[a-c]`, `[!a]`, and a backslash before what
is to stand for itself. One that it cannot read matches nothing there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

MOST = 1_000  # globs that one stands for, and letters of a range
DEEPEST = 20  # braces in each other


class NoGlob(ValueError):
    """It is no glob, so that Argo CD lets it match nothing."""


@lru_cache(maxsize=10_000)
def ours(pattern: str) -> tuple[str, ...]:
    """The globs of ours that together match what the pattern does.

    >>> ours("pay-*"), ours("{shop,pay-{api,web}}-?"), ours(r"\\{a\\}\\*"), ours("[!a-c]**")
    (('pay-*',), ('shop-?', 'pay-api-?', 'pay-web-?'), ('{a}[*]',), ('[!a-c]*',))

    Raises
    ------
    NoGlob
        Argo CD cannot read it either.
    ValueError
        It stands for too many.
    """
    return tuple(dict.fromkeys(Reader(pattern).sequence()))


def is_all(globs: Sequence[str]) -> bool:
    """Whether one of the globs matches every name."""
    return any(set(glob) == {"*"} for glob in globs)


class Reader:
    """Reads a pattern from its begin to its end."""

    def __init__(self, pattern: str) -> None:
        self.pattern, self.place, self.depth = pattern, 0, 0

    def next(self) -> str:
        """The next letter; empty: there is none."""
        letter = self.pattern[self.place : self.place + 1]
        self.place += 1
        return letter

    def letter(self) -> str:
        if not (found := self.next()):
            raise NoGlob("it ends in brackets")
        return found

    @property
    def following(self) -> str:
        return self.pattern[self.place : self.place + 1]

    def sequence(self) -> list[str]:
        """What may stand in a row, up to the end or to what ends an alternative."""
        found = [""]
        while (letter := self.following) and not (self.depth and letter in ",}"):
            found = combined(found, self.parts())
        return found

    def parts(self) -> Sequence[str]:
        """What the next part may be."""
        letter = self.next()
        match letter:
            case "*":
                while self.following == "*":
                    self.next()
            case "[":
                return [self.brackets()]
            case "{":
                return self.alternatives()
            case "\\":
                return [exactly(self.next())]
        return [letter]

    def alternatives(self) -> list[str]:
        """What stands in braces; those that are not closed end with the pattern."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise ValueError(f"{self.pattern[:40]!r} is nested too deeply")
        found = self.sequence()
        while self.next() == ",":
            found = [*found, *self.sequence()]
            check_number(len(found))
        self.depth -= 1
        return found

    def brackets(self) -> str:
        """One letter of a list or of a range, or none of these."""
        sign = "!" if self.following == "!" and self.next() else ""
        first = self.letter()
        if self.following == "-":
            self.next()
            last = self.letter()
            if self.letter() != "]" or last < first:
                raise NoGlob("in brackets there is one list of letters, or one range")
            check_number(ord(last) - ord(first) + 1)
            return letters(sign, [chr(code) for code in range(ord(first), ord(last) + 1)])
        self.place -= 1
        return letters(sign, self.listed())

    def listed(self) -> list[str]:
        found = list[str]()
        while (letter := self.letter()) != "]":
            found.append(self.letter() if letter == "\\" else letter)
        if not found:
            raise NoGlob("there is nothing in its brackets")
        return found


def combined(begins: Sequence[str], ends: Sequence[str]) -> list[str]:
    check_number(len(begins) * len(ends))
    return [begin + end for begin in begins for end in ends]


def check_number(number: int) -> None:
    if number > MOST:
        raise ValueError(f"a glob stands for more than {MOST:,} others")


def letters(sign: str, found: Sequence[str]) -> str:
    """One of some letters; `sign` "!": another one.

    >>> letters("", "abc"), letters("", "]-!"), letters("!", "!"), letters("", "!")
    ('[a-c]', '[]!-]', '[!!]', '!')
    """
    chosen = set(found)
    if not sign and len(chosen) == 1:
        return exactly(*chosen)
    special = {letter for letter in chosen if not letter.isalnum()}
    plain = ranges(sorted(chosen - special))
    rest = "".join(sorted(special - set("]-!^")))
    end = "".join(letter for letter in "^!" if letter in chosen)
    dash = "-" if "-" in chosen else ""
    if not (plain or rest or "]" in chosen or sign):
        return f"[{dash}{end}]" if dash else f"[{end}]"  # a sign of negation must not come first
    return f"[{sign}{']' if ']' in chosen else ''}{plain}{rest}{end}{dash}]"


def ranges(ordered: Sequence[str]) -> str:
    """Letters in order, of which three or more neighbours are written as a range."""
    found, begin = "", 0
    for place in range(1, len(ordered) + 1):
        if place == len(ordered) or ord(ordered[place]) != ord(ordered[place - 1]) + 1:
            run = ordered[begin:place]
            found += f"{run[0]}-{run[-1]}" if len(run) > 2 else "".join(run)
            begin = place
    return found


def exactly(name: str) -> str:
    """The glob that matches that name alone.

    >>> exactly("a[1]*")
    'a[[]1][*]'
    """
    return re.sub(r"([*?\[])", r"[\1]", name)
