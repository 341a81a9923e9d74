"""A server that is asked by a proxy, as the environment says."""

from urllib.parse import urlsplit

import pytest
from certificates import Authority
from pydantic import SecretStr
from tunnels import Proxy, tunnelling
from vendor import HASTY, TOKEN, Told, Vendor, serving

from shipcast.ingest.remote.site import Site
from shipcast.settings.errors import ConfigurationError, SourceUnreachable
from shipcast.settings.proxies import proxy_of

SHOP, CANARY = "https://shop.example", "pass%20word"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A server that is called shop.example, and an authority that vouches for it."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with serving(Vendor(lambda _: Told({"fine": True})), authority.server("shop.example")) as vendor:
        yield vendor


def asked(url=SHOP):
    return Site("shop", url, SecretStr(TOKEN), patience=HASTY).carry().get("jobs").data


def port_of(vendor):
    return urlsplit(vendor.url).port


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_a_server_is_asked_by_the_proxy_which_sees_no_token(shop, monkeypatch, name):
    with tunnelling(Proxy(port_of(shop), user="me:pass word")) as proxy:
        monkeypatch.setenv(name, proxy.url.replace("://", f"://me:{CANARY}@"))
        assert asked() == {"fine": True}

    assert shop.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert "proxy-authorization" not in shop.asked[0].headers
    assert proxy.heard[0].startswith("CONNECT shop.example:443 ")
    assert TOKEN not in proxy.heard[0]


def test_one_that_refuses_is_named_without_its_password(shop, monkeypatch):
    with tunnelling(Proxy(port_of(shop), user="me:another")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", f"://me:{CANARY}@"))
        with pytest.raises(SourceUnreachable) as refused:
            asked()

    place = urlsplit(proxy.url).netloc
    assert f"the proxy {place} does not let it through: it answers 407." in str(refused.value)
    assert "pass" not in str(refused.value)
    assert shop.asked == []


def test_one_that_is_not_there_is_told_from_a_server_that_is_not(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "127.0.0.1:1")

    with pytest.raises(SourceUnreachable, match=r"the proxy 127\.0\.0\.1:1 does not .*: the connection was refused"):
        asked()
    with pytest.raises(SourceUnreachable, match=r"the last: the connection was refused"):
        asked("http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("name", "value", "url"),
    [
        ("HTTPS_PROXY", "http://proxy.example:3128", "https://127.0.0.1:8443"),
        ("HTTP_PROXY", "http://proxy.example:3128", "http://localhost:8080"),
        ("HTTP_PROXY", "http://proxy.example:3128", SHOP),
        ("HTTPS_PROXY", "", SHOP),
    ],
)
def test_what_lies_on_this_machine_or_is_of_another_kind_is_asked_directly(monkeypatch, name, value, url):
    monkeypatch.setenv(name, value)

    assert proxy_of(url) is None


@pytest.mark.parametrize(("names", "is_asked_by_it"), [("shop.example", False), (".example", False), ("x", True)])
def test_what_no_proxy_names_is_asked_directly(monkeypatch, names, is_asked_by_it):
    monkeypatch.setenv("https_proxy", "proxy.example:3128")
    monkeypatch.setenv("no_proxy", names)

    found = proxy_of(f"{SHOP}:8443/api")
    assert (found is not None) is is_asked_by_it
    assert found is None or found.url == "http://proxy.example:3128"


@pytest.mark.parametrize("value", [f"socks5://me:{CANARY}@proxy", "http://", f"http://me:{CANARY}@proxy:port"])
def test_what_is_no_proxy_is_refused_and_not_repeated(monkeypatch, value):
    monkeypatch.setenv("HTTPS_PROXY", value)

    with pytest.raises(ConfigurationError, match="The variable HTTPS_PROXY holds no address") as refused:
        asked()
    assert "pass" not in str(refused.value)
