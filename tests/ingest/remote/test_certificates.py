"""A token goes only to a server for which somebody that is trusted vouches."""

import pytest
from certificates import Authority
from pydantic import SecretStr
from vendor import HASTY, TOKEN, Told, Vendor, serving

from shipcast.ingest.remote.site import Site
from shipcast.settings.errors import SourceUnreachable


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def trusted(authority, monkeypatch):
    """The authority, which this process trusts as its user says."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


def vendor():
    return Vendor(lambda _: Told({"fine": True}))


def asking(url):
    return Site("shop", url, SecretStr(TOKEN), patience=HASTY).carry()


def test_a_server_is_asked_whose_authority_the_user_names(trusted):
    with serving(vendor(), trusted.server()) as found:
        assert asking(found.url).get("jobs").data == {"fine": True}
        assert found.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_one_that_nobody_vouches_for_is_told_nothing_and_not_asked_again(authority):
    with serving(vendor(), authority.server()) as found:
        with pytest.raises(SourceUnreachable, match=f"{found.url}: its certificate is not trusted") as refused:
            asking(found.url).get("jobs")

        assert "SSL_CERT_FILE" in refused.value.next_step
        assert found.asked == []


@pytest.mark.parametrize(("name", "days"), [("other.example", 10), ("127.0.0.1", -1)], ids=["of another", "expired"])
def test_nor_is_one_whose_certificate_is_not_its_own_or_no_longer_good(trusted, name, days):
    with serving(vendor(), trusted.server(name, days)) as found:
        with pytest.raises(SourceUnreachable, match="is not trusted"):
            asking(found.url).get("jobs")

        assert found.asked == []


def test_one_that_speaks_in_clear_is_not_blamed_for_its_certificate(trusted):
    with (
        serving(vendor()) as found,
        pytest.raises(SourceUnreachable, match=r"no encrypted connection came about \(WRONG_VERSION_NUMBER\)"),
    ):
        asking(found.url.replace("http:", "https:")).get("jobs")
