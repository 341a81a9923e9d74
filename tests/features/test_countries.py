"""What is taken from the library's files equals what the library itself gives."""

import holidays
import pytest

from shipcast.features.countries import codes, country_class


def test_the_codes_are_those_of_the_library_aliases_too():
    assert set(codes()) == set(holidays.list_supported_countries())


@pytest.mark.parametrize("code", ["US", "GBR", "AS", "HK"])  # American Samoa's class is made from another country's
def test_a_country_has_the_holidays_and_the_parts_that_the_library_says(code):
    found, expected = country_class(code), holidays.country_holidays(code, years=range(2020, 2030))

    assert dict(found(years=range(2020, 2030))) == dict(expected)
    assert found.subdivisions == expected.subdivisions
