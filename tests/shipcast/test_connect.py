"""Connecting a source, from the command line to the settings that it writes."""

import json
import tomllib
from pathlib import Path

import pytest
import test_argocd
import test_gitlab
import test_jenkins
import test_pagerduty
from test_github import shop
from test_prometheus import QUERY, Server
from vendor import TOKEN, Told, Vendor, serving

from shipcast.__main__ import run
from shipcast.answers.connect import clear_said
from shipcast.answers.operations import Sample
from shipcast.ingest.remote.connectors import site_of
from shipcast.ingest.remote.site import PATIENCE
from shipcast.settings import load_settings
from shipcast.settings.errors import ConfigurationError
from shipcast.settings.sources import GithubSource
from shipcast.settings.writing import add_source, replace_source
from shipcast.verbs.connect import fitting


def services_too(account):
    """The account, with a list of services, of which no incident is."""

    def answer(asked):
        if asked.path == "/services":
            return Told({"services": [{"id": "PIDLE", "name": "Idle"}, {"id": "PMAIL", "name": "Mail"}], "more": False})
        return account.answer(asked)

    return answer


def one_job():
    job = test_jenkins.Job()
    job.take(test_jenkins.build(1, "SUCCESS"))
    return job.answer


# The place, the server's answers, services that it has, and one that it has not.
NAMING = {
    "gitlab": (["acme/shop"], lambda: test_gitlab.shop().answer, ["shop"], "shopp"),
    "pagerduty": ([], lambda: services_too(test_pagerduty.busy()), ["PIDLE", "Idle", "Mail"], "Mails"),
    "argocd": ([], lambda: test_argocd.shop().answer, ["pay", "cart"], "root"),
    "prometheus": ([QUERY], lambda: Server([{"service": "checkout"}], kept=48).answer, ["checkout"], "shop"),
    "jenkins": (["team/deploy shop"], one_job, ["deploy shop"], "deploy"),
}
DOCS = Path(__file__).parents[2] / "docs" / "connect"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)


@pytest.fixture
def github():
    with serving(Vendor(shop().answer)) as vendor:
        yield vendor


def connect(capsys, *arguments):
    code = run(["connect", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def sources():
    return tomllib.loads(Path(".shipcast/shipcast.toml").read_text())["sources"]


def test_a_source_whose_production_is_known_by_its_name_is_written(capsys, github):
    code, answer = connect(capsys, "github", "acme/shop", "--url", github.url, "--since", "2025-01-01")

    assert (code, answer["production"]) == (0, ["production"])
    assert sources() == [{"kind": "github", "repository": "acme/shop", "url": github.url, "since": "2025-01-01"}]
    assert len({item["table"] for item in answer["items"]}) == len(answer["items"])
    assert all(len(item["rows"]) <= 3 for item in answer["items"])


def test_a_source_whose_production_is_not_known_asks_and_is_not_written(capsys, github):
    code, answer = connect(capsys, "github", "acme/shop", "--url", github.url, "--environment", "production=prod-eu")

    assert (code, answer["proposed"], answer["written"]) == (2, ["prod-eu"], None)
    assert answer["undecided"] == ["Which are production, perhaps prod-eu?"]
    assert "Which are production, perhaps prod-eu?" in answer["sentence"]
    assert not Path(".shipcast/shipcast.toml").exists()


def test_what_was_said_to_be_production_counts_as_it_after_a_run(capsys, github):
    connect(capsys, "github", "acme/shop", "--url", github.url, "--environment", "production=eu", "--production", "eu")
    [source] = load_settings({}).sources

    assert (source.environments, source.production) == ({"production": "eu"}, ("eu",))


def test_a_production_that_is_not_there_is_said_last_and_nothing_is_written(capsys, github):
    renamed = ["--environment", "production=prod-eu", "--production", "prodeu"]
    code = run(["connect", "github", "acme/shop", "--url", github.url, *renamed])
    last = " ".join(capsys.readouterr().out.split()).partition(" github acme/shop at ")[2]

    assert code == 2
    assert "There is no environment 'prodeu' in what was read first (under production): there is prod-eu." in last
    assert last.endswith("next: the same again with --production prod-eu")
    assert not Path(".shipcast/shipcast.toml").exists()


def test_one_production_that_is_not_there_beside_one_that_is_stops_where_all_are_known(capsys, monkeypatch):
    monkeypatch.setenv("GITLAB_TOKEN", TOKEN)
    with serving(Vendor(test_gitlab.shop().answer)) as vendor:
        flags = ["--url", vendor.url, "--production", "production", "--production", "prodeu"]
        code, answer = connect(capsys, "gitlab", "acme/shop", *flags)

    assert (code, answer["written"]) == (2, None)
    assert answer["undecided"] == [
        "There is no environment 'prodeu' (under production): there are prod-eu and production."
    ]


def test_names_that_nothing_there_has_are_said_with_those_that_are_there(capsys, github):
    given = ["--service", "Shopp=shop", "--service", "cart=shop", "--environment", "prod=live"]
    code, answer = connect(capsys, "github", "acme/shop", "--url", github.url, *given, "--environment", "review-*=")

    assert (code, answer["written"]) == (2, None)
    assert answer["undecided"] == [
        "There is no service 'Shopp' or 'cart' (under services): there is shop. A name counts as it is spelt there."
    ]
    assert (
        "There is no environment 'prod' in what was read first (under environments): there is production. A name "
        "counts as it is spelt there."
    ) in answer["warnings"][0]


@pytest.mark.parametrize("kind", ["gitlab", "pagerduty", "argocd", "prometheus", "jenkins"])
def test_names_count_among_all_that_a_source_has(capsys, kind, monkeypatch):
    monkeypatch.setenv(f"{kind.upper()}_TOKEN", TOKEN)
    monkeypatch.setenv("JENKINS_USER", "butler")
    place, answer, there, absent = NAMING[kind]
    with serving(Vendor(answer())) as vendor:
        flags = [flag for name in (*there, absent) for flag in ("--service", f"{name}=x")]
        _, said = connect(capsys, kind, *place, "--url", vendor.url, *flags, "--dry-run")

    [told] = [words for words in (*said["undecided"], *said["warnings"]) if "under services" in words]
    assert f"There is no service '{absent}' " in told


# What is given with it, and what is said of it.
PARAMETERS = {
    "jenkins": (
        "service_parameter=SERVIC",
        "parameter 'SERVIC' (under service_parameter): there are SERVICE and STAGE.",
    ),
    "prometheus": ("service_label=app", "label 'app' (under service_label): there are env and service."),
    "argocd": ("service_label=app", "label 'app' (under service_label): there is service."),
    "pagerduty": ("service_ids=PIDEL", "service id 'PIDEL' (under service_ids): there are PIDLE and PMAIL."),
}


def parametrised():
    job = test_jenkins.Job(defined=["STAGE"])
    job.take(test_jenkins.build(1, "SUCCESS", test_jenkins.parameters(SERVICE="pay")))
    return job.answer


def labelled():
    server = test_argocd.shop()
    server.applications[0].labels["service"] = "pay"
    return server.answer


ANSWERS = {
    "jenkins": parametrised,
    "prometheus": lambda: Server([{"service": "shop", "env": "eu"}], kept=48).answer,
    "argocd": labelled,
    "pagerduty": lambda: services_too(test_pagerduty.busy()),
}


@pytest.mark.parametrize("kind", PARAMETERS)
def test_a_parameter_or_label_that_nothing_has_is_said_and_not_written(capsys, kind, monkeypatch):
    monkeypatch.setenv(f"{kind.upper()}_TOKEN", TOKEN)
    monkeypatch.setenv("JENKINS_USER", "butler")
    given, words = PARAMETERS[kind]
    with serving(Vendor(ANSWERS[kind]())) as vendor:
        code, said = connect(capsys, kind, *NAMING[kind][0], "--url", vendor.url, "--with", given)

    assert (code, said["written"]) == (2, None)
    assert any(told.startswith(f"There is no {words}") for told in said["undecided"])


def test_a_token_that_may_not_see_all_names_is_no_failure(capsys, monkeypatch):
    monkeypatch.setenv("PAGERDUTY_TOKEN", TOKEN)
    with serving(Vendor(test_pagerduty.busy().answer)) as vendor:
        code, answer = connect(capsys, "pagerduty", "--url", vendor.url, "--service", "Nobody=x", "--dry-run")

    assert code == 0
    assert any("There is no service 'Nobody' in what was read first" in warning for warning in answer["warnings"])


@pytest.fixture
def prometheus():
    with serving(Vendor(Server([{"service": "checkout", "env": "eu"}], kept=48).answer)) as vendor:
        yield vendor


def test_a_query_that_gives_nothing_is_said_with_its_days_and_written(capsys, prometheus):
    prometheus.answer = Server([]).answer
    code, answer = connect(capsys, "prometheus", QUERY, "--url", prometheus.url, "--since", "2026-01-02")
    words = " ".join(answer["warnings"])

    assert (code, [item["rows"] for item in answer["items"]]) == (0, [[]])
    assert "gave nothing." in answer["sentence"]
    assert QUERY in words
    assert "gives no series at all from 2026-01-02 to 20" in words
    assert "nothing was found from 2026-01-02 on" in words
    assert [source["query"] for source in sources()] == [QUERY]


def test_items_that_cannot_be_read_are_counted_where_nothing_else_is_there(capsys, monkeypatch):
    monkeypatch.setenv("PAGERDUTY_TOKEN", TOKEN)
    account = test_pagerduty.busy()
    account.incidents = [{**each, "service": "text"} for each in account.incidents]
    with serving(Vendor(account.answer)) as vendor:
        _, answer = connect(capsys, "pagerduty", "--url", vendor.url, "--dry-run")
    words = " ".join(answer["warnings"])

    assert "12 items could not be read, the first: id Q000: the server gives an item that is not" in words
    assert "nothing was refused" not in words


def test_a_star_in_an_environments_name_stands_for_any_letters(capsys, github):
    url = ("--url", github.url)
    _, left_out = connect(capsys, "github", "acme/shop", *url, "--environment", "prod*=", "--dry-run")
    _, renamed = connect(
        capsys, "github", "acme/shop", *url, "--environment", "p*=eu", "--environment", "production=live", "--dry-run"
    )

    assert "production" not in left_out["environments"]
    assert [row for item in left_out["items"] if item["table"] == "deployments" for row in item["rows"]] == []
    assert (renamed["environments"], renamed["production"]) == (["live"], ["live"])


def test_connecting_twice_writes_once(capsys, github):
    for _ in range(2):
        code, answer = connect(capsys, "github", "acme/shop", "--url", github.url)

    assert (code, len(sources())) == (0, 1)
    assert "stands in" in answer["sentence"]


def test_connecting_the_same_with_other_keys_says_what_its_entry_lacks_and_writes_nothing(capsys, github):
    connect(capsys, "github", "acme/shop", "--url", github.url)
    code, answer = connect(capsys, "github", "acme/shop", "--url", github.url, "--with", "incident_labels=outage")

    assert (code, len(sources())) == (2, 1)
    assert "is configured already, with other keys; nothing was written." in answer["detail"]
    assert answer["detail"].endswith('with --replace, or put into it in shipcast.toml: incident_labels = "outage"')


def test_its_entry_is_written_over_where_that_is_asked_for_and_what_it_loses_is_said(capsys, github):
    connect(capsys, "github", "acme/shop", "--url", github.url, "--since", "2025-01-01")
    path = Path(".shipcast/shipcast.toml")
    path.write_text(f'{path.read_text()}# what was said of it\n\n[[sources]]  # the other\npath = "tables"\n')
    other = ["--url", github.url, "--with", "incident_labels=outage", "--replace"]
    code, answer = connect(capsys, "github", "acme/shop", *other)
    again = connect(capsys, "github", "acme/shop", *other)[1]
    more = connect(capsys, "github", "acme/shop", *other, "--with", "branch=main")[1]  # its label says the branch
    last = connect(capsys, "github", "acme/shop", *other, "--since", "2026-01-01")[1]

    assert code == 0
    assert [source.get("incident_labels") for source in sources()] == ["outage", None, "outage"]
    assert ("Wrote it into" in more["sentence"], "over its entry" in last["sentence"]) == (True, True)
    assert "Wrote it over its entry" in answer["sentence"]
    assert answer["warnings"][-1].endswith("its entry had since too, which shipcast.toml says no more.")
    assert '# what was said of it\n\n[[sources]]  # the other\npath = "tables"\n' in path.read_text()
    assert "stands in" in again["sentence"]


OLD = """tz = "UTC"

# the shop
[[sources]]
kind = "github"
# why
repository = "acme/shop"
[sources.environments]
a = "b"

# the rest
[quality]
"""


NEW = """tz = "UTC"

# the shop
[[sources]]
# why
kind = "github"
repository = "acme/shop"

# the rest
[quality]
"""


def test_an_entry_is_replaced_with_what_belongs_to_it_and_remarks_stay(tmp_path):
    (tmp_path / "shipcast.toml").write_text(OLD)

    replace_source(tmp_path, {"kind": "github", "repository": "acme/shop"}, lambda entry: entry["kind"] == "github")

    assert (tmp_path / "shipcast.toml").read_text() == NEW


@pytest.mark.parametrize(
    "text", ['sources = [{kind = "github"}]\n', 'a = """\n[[sources]]\n"""\n[[sources]]\nkind = "github"\n']
)
def test_an_entry_that_cannot_be_told_from_the_rest_is_left_alone(tmp_path, text):
    (tmp_path / "shipcast.toml").write_text(text)

    with pytest.raises(ConfigurationError, match="nothing was written"):
        replace_source(tmp_path, {"kind": "github", "repository": "acme/shop"}, lambda entry: True)
    assert (tmp_path / "shipcast.toml").read_text() == text


@pytest.mark.parametrize(
    ("url", "is_told"),
    [("http://ghe.example.com/api", True), ("https://ghe.example.com/api", False), ("http://127.0.0.1:8", False)],
)
def test_that_a_token_crosses_a_network_in_clear_is_said(url, is_told):
    assert bool(clear_said(GithubSource(kind="github", repository="acme/shop", url=url))) == is_told


def test_a_token_goes_to_no_other_machine_in_clear_unless_the_entry_says_so(capsys):
    url = "http://ghe.invalid/api"
    code, said = connect(capsys, "github", "acme/shop", "--url", url)
    allowed = GithubSource(kind="github", repository="acme/shop", url=url, plain_http=True)

    assert code == 3
    assert site_of(allowed, print, PATIENCE).token is not None
    assert "others could read the token in GITHUB_TOKEN on the way; nothing was sent." in said["detail"]
    assert "--with plain_http=true" in said["detail"]


def test_a_look_writes_nothing(capsys, github):
    assert connect(capsys, "github", "acme/shop", "--url", github.url, "--dry-run")[1]["written"] is None
    assert not Path(".shipcast").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["gitbub", "acme/shop"], 2, "One of github"),
        (["github"], 2, "repository is missing. Give it: shipcast connect github REPOSITORY"),
        (["github", "acme"], 2, "write it owner/name"),
        (["github", "acme/shop", "--with", "labels=x"], 2, "has no key 'labels'"),
        (["pagerduty", "acme"], 2, "one place as a whole"),
        (["prometheus", "up"], 2, "the address of its server is missing. Give it: --url https://..."),
        (["prometheus", "--url", "https://x", "--with", "step_minute=5"], 2, "Did you mean step_minutes?"),
        (["github", "acme/shop", "--url", "ftp://x"], 2, "no address"),
        (["github", "acme/shop", "--url", "https://me:secret@x"], 2, "no user and no password"),
        (["github", "acme/shop", "--url", "ana:canary@h.example"], 2, "no user and no password"),
        (["gitlab", "acme/shop", "--url", "https://h.example/?private_token=canary"], 2, "ends with its path"),
        (["github", "acme/shop", "--token-env", "ghp_16C7e42F292c6912E7710c83"], 2, "never holds the token"),
        (["github", "acme/shop", "--token-env", "ghp_x-y"], 2, "never holds the token"),
        (["github", "acme/shop", "--token-env", "NOWHERE"], 3, "NOWHERE is not set"),
        (["github", "acme/shop", "--token-file", "nowhere"], 3, "cannot be read"),
        (["github", "acme/shop", "--environment", "prod"], 2, "must be written NAME=VALUE"),
    ],
)
def test_what_cannot_be_connected_says_why(capsys, arguments, code, words):
    assert run(["connect", *arguments]) == code
    said = " ".join(capsys.readouterr().err.split())
    assert words in said
    assert "secret" not in said
    assert "ghp_" not in said
    assert "canary" not in said


def test_the_token_is_in_no_file_and_no_word(capsys, github):
    run(["connect", "github", "acme/shop", "--url", github.url, "-v"])
    github.faults = ["expired"]
    run(["connect", "github", "acme/shop", "--url", github.url, "--json"])
    said = capsys.readouterr()

    assert TOKEN not in said.out + said.err
    assert not [path for path in Path().rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]


def test_the_rest_of_the_settings_stays_as_it_was(tmp_path):
    (tmp_path / "shipcast.toml").write_text('# mine\ntz = "Europe/London"  # here\n')

    add_source(tmp_path, {"kind": "github", "repository": "acme/shop", "environments": {'a"b': "c\\d"}})

    text = (tmp_path / "shipcast.toml").read_text()
    assert text.startswith('# mine\ntz = "Europe/London"  # here\n')
    assert tomllib.loads(text)["sources"][0]["environments"] == {'a"b': "c\\d"}


def test_settings_to_which_nothing_can_be_added_are_left_alone(tmp_path):
    (tmp_path / "shipcast.toml").write_text("sources = []\n")

    with pytest.raises(ConfigurationError, match="by hand"):
        add_source(tmp_path, {"kind": "github"})
    assert (tmp_path / "shipcast.toml").read_text() == "sources = []\n"


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_a_page_names_rights_three_commands_and_what_is_a_proxy(page):
    text = page.read_text()

    assert [heading in text for heading in ("## What you need", "## Three commands", "## What is a proxy")] == [
        True
    ] * 3
    assert text.count("\n$ ") >= 3


def test_the_settings_keep_their_rights_their_line_ends_and_their_place(tmp_path):
    target = tmp_path / "kept" / "shipcast.toml"
    target.parent.mkdir()
    target.write_bytes(b'tz = "UTC"\r\n')
    target.chmod(0o600)
    (tmp_path / "shipcast.toml").symlink_to(target)

    add_source(tmp_path, {"kind": "github", "repository": "acme/shop"})

    assert target.read_bytes().startswith(b'tz = "UTC"\r\n\r\n[[sources]]\r\n')
    assert (target.stat().st_mode & 0o777, (tmp_path / "shipcast.toml").is_symlink()) == (0o600, True)


def test_settings_that_may_only_be_read_are_left_alone(tmp_path):
    path = tmp_path / "shipcast.toml"
    path.write_text("")
    path.chmod(0o400)

    with pytest.raises(ConfigurationError, match="only be read"):
        add_source(tmp_path, {"kind": "github"})


def test_no_cell_of_a_sample_is_broken_over_two_lines():
    row = {"deployment_id": "d" * 30, "service": "s" * 30, "environment": "e" * 30, "status": "succeeded"}
    times = {"started_at": "2025-03-04T11:10:00.123+01:00", "finished_at": "2025-03-04T10:12:00.000Z"}
    names, [cells] = fitting(Sample(table="deployments", rows=({**row, **times},)), [*row, *times])

    assert names == [*row, *times]
    assert cells[4:] == ["2025-03-04T10:10:00Z", "2025-03-04T10:12:00Z"]
    assert sum(map(len, cells)) + 2 * len(cells) <= 100
