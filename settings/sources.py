"""What `[[sources]]` entries may say: one model for each kind of source.

Where a source asks for a token, the entry names the variable or the file that holds it, never the token itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from shipcast.settings.secrets import is_set, secret


def split_names(value: object) -> object:
    """A variable holds its names separated by commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def split_sources(value: object) -> object:
    """A variable holds folders separated by commas; an entry that names no kind is a folder of files."""
    if isinstance(value, str):
        return [{"kind": "files", "path": part} for part in value.split(",") if part]
    if isinstance(value, list):
        return [{"kind": "files", **entry} if isinstance(entry, dict) else entry for entry in value]
    return value


def check_url(text: str) -> str:
    """The address without a slash at its end, if it is one of http or https that names a host and no password."""
    parts = urlsplit(text)
    if "@" in (parts.netloc or text):
        raise ValueError("an address holds no user and no password; name them by token_env or token_file")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{text!r} is no address; write it such as https://gitlab.example.com")
    if "?" in text or "#" in text:
        raise ValueError(
            "an address ends with its path, before any ? or #; a token is named by token_env or token_file"
        )
    return text.rstrip("/")


TOKEN = re.compile(r"(gh[pousr]|github_pat)_(?=.*[0-9])\w{16,}")  # of GitHub, all of whose letters a name may have


def check_variable(name: str) -> str:
    """The name of a variable of the environment; what looks like a token itself is refused, and not repeated.

    >>> check_variable("GITHUB_TOKEN_2")
    'GITHUB_TOKEN_2'
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", name) or TOKEN.fullmatch(name):
        raise ValueError("it names a variable of the environment, such as GITHUB_TOKEN, and never holds the token")
    return name


def narrowed(place: str, branch: str | None, service: str | None) -> str:
    """A repository, by what of it is read, since two sources may read one.

    >>> narrowed("acme/shop", None, None), narrowed("acme/shop", "main", "pay")
    ('acme/shop', 'acme/shop@main as pay')
    """
    return f"{place}{f'@{branch}' if branch else ''}{f' as {service}' if service else ''}"


def key_of(names: Mapping[str, str], name: str) -> str | None:
    """The key of a table of names that a source's own name falls under; None: none does.

    Itself, else the longest key that holds a `*`, which stands for any letters, and fits it.

    >>> names = {"*": "", "[b]-*": "beta", "[b]-1": "demo"}
    >>> [key_of(names, name) for name in ("[b]-1", "[b]-12", "b-1")]
    ['[b]-1', '[b]-*', '*']
    """
    if name in names:
        return name
    fits = [key for key in names if "*" in key and re.fullmatch(".*".join(map(re.escape, key.split("*"))), name, re.S)]
    return max(fits, key=len, default=None)


def name_here(names: Mapping[str, str], name: str) -> str:
    """What a source's own name is here, by such a table; empty: what it names is left out."""
    key = key_of(names, name)
    return name if key is None else names[key]


def check_place(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,59}", name):
        raise ValueError(f"{name!r} must be of small letters, digits and dashes, such as ci-pipeline")
    return name


def check_repository(name: str) -> str:
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise ValueError(f"{name!r} is no repository; write it owner/name")
    return name


Names = Annotated[tuple[str, ...], BeforeValidator(split_names)]
Url = Annotated[str, AfterValidator(check_url)]
Variable = Annotated[str, AfterValidator(check_variable)]


class FilesSource(BaseModel):
    """A folder of contract tables."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    path: Path
    kind: Literal["files"] = "files"

    @property
    def label(self) -> str:
        """What messages call the source."""
        return str(self.path)


class GitopsSource(BaseModel):
    """A repository whose files name the deployed versions.

    Parameters
    ----------
    template
        The paths of those files, with `{environment}` and `{service}` in their places.
    key, pattern
        The place of the version in a file; neither: the file names one version alone.
    holds
        A key whose switches are holds: held while it is false, or has the value behind a `=`.
    branch
        Whose main line is deployed; None: the one that HEAD leads to.
    environment, service
        The one there is, where neither path nor key says.
    returns
        Whether going back to the version before is a rollback where versions have no order.
    names
        Whether people are named, and not only told apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    path: Path
    template: str
    kind: Literal["gitops"] = "gitops"
    key: str | None = None
    pattern: str | None = None
    holds: str | None = None
    branch: str | None = None
    environment: str | None = None
    service: str | None = None
    returns: bool = False
    names: bool = False

    @property
    def label(self) -> str:
        return str(self.path)


class GitSource(BaseModel):
    """A repository of a service's code.

    Parameters
    ----------
    service
        Whose code it is, where its deployments come from elsewhere; None: it is named after the repository's folder.
    branch
        Whose main line counts; None: the one that HEAD leads to.
    releases
        What a release is: a tag, or each commit of the main line (what was merged or pushed).
    tags
        The tags that are releases, with `{version}` in the place of what deployments call them.
    paths
        Glob patterns of the files that are the service's, from the repository's top; none: all of them.
    proxy
        Whether each release stands in for a deployment; None: where no service is named.
    environment
        The environment of those deployments.
    names
        Whether people are named, and not only told apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    path: Path
    kind: Literal["git"] = "git"
    service: str | None = None
    branch: str | None = None
    releases: Literal["tags", "merges"] = "tags"
    tags: str = "{version}"
    paths: Names = ()
    proxy: bool | None = None
    environment: str = "production"
    names: bool = False

    @property
    def label(self) -> str:
        return str(self.path)


class ExportSource(BaseModel):
    """A file that another program exported, read by a mapping: ServiceNow's and Jira's CSV or JSON.

    Parameters
    ----------
    path
        The file, or a folder of such files that are read together.
    mapping
        The TOML file that says which table it feeds, and where each column's values come from.
    names
        Whether people are named, and not only told apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    path: Path
    mapping: Path
    kind: Literal["export"] = "export"
    names: bool = False

    @property
    def label(self) -> str:
        return str(self.path)


THEIRS = {  # the keys that hold names of the source's own, and what these are of
    "services": "service",
    "service_ids": "service id",
    "environments": "environment",
    "service_parameter": "parameter",
    "environment_parameter": "parameter",
    "version_parameter": "parameter",
    "service_label": "label",
    "environment_label": "label",
}


class RemoteSource(BaseModel):
    """What the sources have in common that are asked over HTTP.

    Parameters
    ----------
    url
        The address of the server.
    token_env, token_file
        The variable, or the file, that holds the token; neither: the kind's usual variable.
    hook_env, hook_file
        The variable, or the file, that holds the secret of its webhooks; neither: none are taken.
    since
        The first day whose records are read; None: all there are.
    environments, services
        What the source calls them, to the names they have here; an empty name leaves its records out. A `*` in a key
        stands for any letters; the longest key that fits counts.
    production
        The environments, by their names here, that are production, where their names do not say so.
    names
        Whether people are named, and not only told apart.
    plain_http
        Whether its token may go to another machine by http://, where all on the way can read it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    usual_url: ClassVar[str] = ""
    usual_variable: ClassVar[str] = ""
    needs_token: ClassVar[bool] = True
    takes_hooks: ClassVar[bool] = False
    main_key: ClassVar[str | None] = None  # which key the place that `connect` is given stands for

    url: Url = ""
    token_env: Variable | None = None
    token_file: Path | None = None
    hook_env: Variable | None = None
    hook_file: Path | None = None
    since: date | None = None
    environments: dict[str, str] = Field(default_factory=dict)
    services: dict[str, str] = Field(default_factory=dict)
    production: Names = ()
    names: bool = False
    plain_http: bool = False

    @model_validator(mode="before")
    @classmethod
    def at_usual_url(cls, given: Any) -> Any:
        """Take the kind's own address where none is given; a kind that has none asks for it."""
        if not isinstance(given, dict) or given.get("url"):
            return given
        if not cls.usual_url:
            raise ValueError("it lacks the key 'url', the address of the server")
        return {**given, "url": cls.usual_url}

    @property
    def variable(self) -> str | None:
        """The variable that holds the token; None: a file does."""
        return None if self.token_file else self.token_env or self.usual_variable

    @property
    def is_told_alone(self) -> bool:
        """Whether webhooks alone tell of it: it names their secret and no token, and the kind's variable is not set."""
        names_hook, names_token = self.hook_env or self.hook_file, self.token_env or self.token_file
        return bool(self.takes_hooks and names_hook and not names_token) and not is_set(self.usual_variable)

    def token(self) -> SecretStr | None:
        """What gives access; None: it is not there.

        Raises
        ------
        ConfigurationError
            It cannot be read, or is none.
        """
        return secret(self.variable, self.token_file, self.label)

    @property
    def theirs(self) -> dict[str, tuple[str, ...]]:
        """The names of the source's own that its entry holds, by their keys; those with a `*` are for what may come."""
        found = {key: getattr(self, key, None) for key in THEIRS}
        if getattr(self, "service", None):
            found.pop("service_label")  # it may be missing
        names = {key: (value,) if isinstance(value, str) else tuple(value) for key, value in found.items() if value}
        return {key: tuple(name for name in given if "*" not in name) for key, given in names.items()}

    @property
    def place(self) -> str:
        """What is read at that address, in the source's own words."""
        return urlsplit(self.url).netloc

    @property
    def label(self) -> str:
        """What messages call it, and the database its rows: no two sources may share it."""
        host = urlsplit(self.url).netloc
        where = "" if self.url == self.usual_url or host in self.place else f" at {host}"
        return f"{getattr(self, 'kind', '')} {self.place}{where}"

    @property
    def prefix(self) -> str:
        """What the ids of its records begin with, so that those of two servers do not meet."""
        return str(getattr(self, "kind", "")) if self.url == self.usual_url else urlsplit(self.url).netloc

    @property
    def begins_at(self) -> datetime | None:
        """The instant from which records are read; None: from the first."""
        return None if self.since is None else datetime(self.since.year, self.since.month, self.since.day, tzinfo=UTC)

    @property
    def options(self) -> dict[str, Any]:
        """All that decides which rows it gives: others are another reading."""
        tokens = {"token_env", "token_file", "hook_env", "hook_file", "user_env", "user_file"}
        others = {*tokens, "sync_windows", "plain_http"}
        return self.model_dump(mode="json", exclude=others)


class EventsSource(BaseModel):
    """Events that others send by themselves (CloudEvents 1.0), each a row of the contract.

    Parameters
    ----------
    name
        What messages call it, and what its address ends with.
    hook_env, hook_file
        The variable, or the file, that holds the secret by which they are signed (Standard Webhooks); None: only
        those are taken that come with a token of the scope `ingest`.
    names
        Whether people are named, and not only told apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: Annotated[str, AfterValidator(check_place)]
    kind: Literal["events"] = "events"
    hook_env: Variable | None = None
    hook_file: Path | None = None
    environments: dict[str, str] = Field(default_factory=dict)
    services: dict[str, str] = Field(default_factory=dict)
    names: bool = False

    @property
    def label(self) -> str:
        return f"events {self.name}"


class GithubSource(RemoteSource):
    """A repository on GitHub: deployments, the main line's changes, releases, and labelled issues as incidents.

    Parameters
    ----------
    repository
        `owner/name`.
    service
        What its deployments deploy; None: the repository's name.
    branch
        Whose main line counts; None: the default branch.
    incident_labels
        Issues with any of these labels are incidents; none: no issue is.
    """

    usual_url: ClassVar[str] = "https://api.github.com"
    usual_variable: ClassVar[str] = "GITHUB_TOKEN"
    takes_hooks: ClassVar[bool] = True
    main_key: ClassVar[str | None] = "repository"

    repository: Annotated[str, AfterValidator(check_repository)]
    kind: Literal["github"] = "github"
    service: str | None = None
    branch: str | None = None
    incident_labels: Names = ("incident",)

    @property
    def place(self) -> str:
        return narrowed(self.repository, self.branch, self.service)

    @property
    def owned_service(self) -> str:
        return self.service or self.repository.split("/")[1]


class GitlabSource(RemoteSource):
    """A project on GitLab: deployments, the main line's changes, releases, and incidents.

    Parameters
    ----------
    project
        `group/name`, or the project's number.
    service
        What its deployments deploy; None: the project's name.
    branch
        Whose main line counts; None: the default branch.
    """

    usual_url: ClassVar[str] = "https://gitlab.com"
    usual_variable: ClassVar[str] = "GITLAB_TOKEN"
    takes_hooks: ClassVar[bool] = True
    main_key: ClassVar[str | None] = "project"

    project: str
    kind: Literal["gitlab"] = "gitlab"
    service: str | None = None
    branch: str | None = None

    @property
    def place(self) -> str:
        return narrowed(self.project, self.branch, self.service)

    @property
    def owned_service(self) -> str:
        return self.service or self.project.rsplit("/", 1)[-1]


class PagerdutySource(RemoteSource):
    """Incidents from PagerDuty; `services` says which of its services is which, by its name or its id.

    Parameters
    ----------
    account
        The account's name, to tell entries of two accounts apart; nothing else hangs on it.
    environment
        Where all of its incidents are; None: where the deployment was that caused one, else production.
    service_ids
        Only incidents of these services, by PagerDuty's ids; none: of all that the token sees.
    urgency
        Only incidents of this urgency; None: of all.
    """

    usual_url: ClassVar[str] = "https://api.pagerduty.com"
    usual_variable: ClassVar[str] = "PAGERDUTY_TOKEN"
    takes_hooks: ClassVar[bool] = True

    kind: Literal["pagerduty"] = "pagerduty"
    account: str = ""
    environment: str | None = None
    service_ids: Names = ()
    urgency: Literal["high", "low"] | None = None

    @property
    def place(self) -> str:
        parts = (self.account or urlsplit(self.url).netloc, *self.service_ids, self.urgency)
        return " ".join(part for part in parts if part)


class PrometheusSource(RemoteSource):
    """Load from a Prometheus server, or one that answers as it does: Thanos, Mimir, VictoriaMetrics.

    Parameters
    ----------
    query
        An instant-vector expression that gives the requests of the interval before an instant, such as
        `sum by (service) (increase(http_requests_total[1h]))`.
    service_label, environment_label
        The labels of its series that say the service and the environment.
    service
        The service of every series, where no label says it.
    step_minutes
        The length of the intervals, the same as in the query.
    tenant
        Whose series are asked for (`X-Scope-OrgID`), where a server holds those of several.
    """

    usual_variable: ClassVar[str] = "PROMETHEUS_TOKEN"
    main_key: ClassVar[str | None] = "query"
    needs_token: ClassVar[bool] = False

    query: str
    kind: Literal["prometheus"] = "prometheus"
    service_label: str = "service"
    environment_label: str | None = None
    service: str | None = None
    step_minutes: int = Field(60, ge=1, le=1440)
    tenant: str | None = None

    @property
    def place(self) -> str:
        return " ".join(part for part in (urlsplit(self.url).netloc, self.tenant, self.query) if part)


class ArgocdSource(RemoteSource):
    """Applications of Argo CD: each synchronisation of their history is a deployment.

    Parameters
    ----------
    project, selector
        Only applications of this project, and with these labels (`team=shop`); None: all that the token sees.
    service_label, environment_label
        The labels of an application that say its service and environment; without them its name does.
    environment
        The environment of all its applications, where it is one.
    name
        How applications are called, with `{service}` and `{environment}` in their places; None: `{service}` where the
        environment is said otherwise, else `{service}-{environment}`.
    sync_windows
        Whether the sync windows of these applications' projects become windows of the calendar.
    """

    usual_variable: ClassVar[str] = "ARGOCD_TOKEN"
    main_key: ClassVar[str | None] = "project"

    kind: Literal["argocd"] = "argocd"
    project: str | None = None
    selector: str | None = None
    name: str | None = None
    service_label: str | None = None
    environment_label: str | None = None
    environment: str | None = None
    sync_windows: bool = False

    @property
    def pattern(self) -> str:
        """How applications are called."""
        says_where = self.environment or self.environment_label
        return self.name or ("{service}" if says_where else "{service}-{environment}")

    @property
    def place(self) -> str:
        return " ".join(filter(None, (urlsplit(self.url).netloc, self.project, self.selector)))

    @model_validator(mode="after")
    def check_places(self) -> ArgocdSource:
        """Something says the service, and something the environment."""
        if not self.service_label and "{service}" not in self.pattern:
            raise ValueError("name says no {service}, and neither does a service_label")
        if not (self.environment or self.environment_label) and "{environment}" not in self.pattern:
            raise ValueError("name says no {environment}; give it, or environment_label, or environment")
        return self


class JenkinsSource(RemoteSource):
    """Builds of a Jenkins job, each of which is a deployment.

    Parameters
    ----------
    job
        The job, with its folders: `team/deploy-checkout`.
    service, environment
        What the job deploys and where to, unless a parameter says so; no service: the job's name.
    service_parameter, environment_parameter, version_parameter
        The build parameters that say it.
    repository
        How the address of the service's repository ends, where builds check out several.
    user_env, user_file
        The variable, or the file, that holds the name of the user whose token it is.
    """

    usual_variable: ClassVar[str] = "JENKINS_TOKEN"
    main_key: ClassVar[str | None] = "job"

    job: str
    kind: Literal["jenkins"] = "jenkins"
    service: str | None = None
    environment: str = "production"
    service_parameter: str | None = None
    environment_parameter: str | None = None
    version_parameter: str | None = None
    repository: str | None = None
    user_env: Variable = "JENKINS_USER"
    user_file: Path | None = None

    @property
    def owned_service(self) -> str | None:
        """What a build deploys whose parameters don't say it; None: nobody knows."""
        return self.service or (None if self.service_parameter else self.job.strip("/").rsplit("/", 1)[-1])

    @property
    def place(self) -> str:
        return f"{urlsplit(self.url).netloc} {self.job}"


REMOTE_KINDS: dict[str, type[RemoteSource]] = {
    "github": GithubSource,
    "gitlab": GitlabSource,
    "pagerduty": PagerdutySource,
    "prometheus": PrometheusSource,
    "argocd": ArgocdSource,
    "jenkins": JenkinsSource,
}
Remote = GithubSource | GitlabSource | PagerdutySource | PrometheusSource | ArgocdSource | JenkinsSource
Source = Annotated[
    FilesSource | GitopsSource | GitSource | EventsSource | ExportSource | Remote, Field(discriminator="kind")
]
Sources = Annotated[tuple[Source, ...], BeforeValidator(split_sources)]
KINDS: dict[str, type[BaseModel]] = {
    "files": FilesSource,
    "gitops": GitopsSource,
    "git": GitSource,
    "events": EventsSource,
    "export": ExportSource,
    **REMOTE_KINDS,
}
