"""The colours of the levels, as people with each kind of colour vision see them, and their text on them."""

from itertools import combinations

import numpy as np
import pytest

from shipcast.dashboards.style import LEVELS

APART, LEGIBLE = 25, 4.5  # ΔE of 1976; the contrast that WCAG 2.2 asks of text
SEEN = {  # of linear RGB, at full severity: Machado, Oliveira and Fernandes (2009), table 1
    "usual": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = TO_XYZ @ np.ones(3)


def linear(colour):
    """sRGB as light."""
    given = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(given <= 0.04045, given / 12.92, ((given + 0.055) / 1.055) ** 2.4)


def lab(light):
    relative = TO_XYZ @ np.clip(light, 0, 1) / WHITE
    root = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


def luminance(colour):
    return float(TO_XYZ[1] @ linear(colour))


@pytest.mark.parametrize("eyes", SEEN)
def test_any_two_levels_are_told_apart(eyes):
    seen = {word: lab(SEEN[eyes] @ linear(look.fill)) for word, look in LEVELS.items()}
    apart = {pair: float(np.linalg.norm(seen[pair[0]] - seen[pair[1]])) for pair in combinations(seen, 2)}

    assert {pair: distance for pair, distance in apart.items() if distance < APART} == {}


@pytest.mark.parametrize("look", LEVELS.values(), ids=LEVELS)
def test_the_word_on_a_level_can_be_read(look):
    bright, dark = sorted((luminance(look.fill), luminance(look.text)), reverse=True)

    assert (bright + 0.05) / (dark + 0.05) >= LEGIBLE


def test_levels_have_words_and_marks_of_their_own():
    assert len({look.mark for look in LEVELS.values()}) == len({look.fill for look in LEVELS.values()}) == 5
    assert list(LEVELS) == ["calm", "fair", "moderate", "rough", "storm"]
    assert [look.bounds for look in LEVELS.values()] == [
        "below 0.5", "0.5 to 0.8", "0.8 to 1.25", "1.25 to 2", "2 and above",
    ]  # fmt: skip
