"""Typed settings of the daemon, from a TOML file and the environment. What the deployer says of the law is the policy.

Every key can be set as `HEGUI_` and its path with double underscores: `HEGUI_KAFKA__BOOTSTRAP_SERVERS`. The environment wins.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin

import msgspec
from msgspec import Meta

from hegui.rules.issues import Timing
from hegui.streams.errors import SettingsError

PREFIX = "HEGUI_"
# `HEGUI_CONFIG` names the file; the others Kubernetes sets in every pod beside a Service called hegui.
_NOT_OURS = re.compile(r"HEGUI_(?:CONFIG|SERVICE_HOST|SERVICE_PORT(?:_.*)?|PORT(?:_.*)?)")

Seconds = Annotated[float, Meta(gt=0)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Partitions = Annotated[int, Meta(ge=1, le=10_000)]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class TlsSettings(_Section, frozen=True):
    """TLS to the broker; paths of PEM files."""

    enabled: bool = False
    """Whether to use TLS."""
    ca_file: str | None = None
    """Certificate authority; the system's when absent. A broker whose certificate is not trusted ends the start."""
    certificate_file: str | None = None
    """Client certificate, for mutual TLS."""
    key_file: str | None = None
    """Its key, without a password."""


class SaslSettings(_Section, frozen=True):
    """SASL to the broker."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    """Mechanism; none when absent."""
    username: str | None = None
    """User."""
    password: str | None = None
    """Password; better set by the environment. One that the broker refuses ends the start."""


class KafkaSettings(_Section, frozen=True):
    """The broker and the group."""

    bootstrap_servers: str
    """`host:port`, several separated by commas."""
    group_id: str = "hegui"
    """Consumer group of the evaluators; the state agents use `<group_id>-state`."""
    group_instance_id: str | None = None
    """Static membership: a name of this process that no other has. A process that comes back under it takes its partitions at once."""
    session_timeout_seconds: Seconds = 30.0
    """After how long the group gives up a silent member."""
    check_crcs: bool = False
    """Whether to check the checksum of every fetched batch: 0.5 us for 1 kB. The broker checked it when the batch came in."""
    tls: TlsSettings = TlsSettings()
    """TLS."""
    sasl: SaslSettings = SaslSettings()
    """SASL."""


class InputTopic(_Section, frozen=True):
    """One topic of events."""

    name: str
    """Its name."""
    format: Literal["cloudevents"] = "cloudevents"
    """How its records are decoded."""
    partitions: Partitions = 4
    """Partitions when `hegui topics create` makes it."""


class TopicSettings(_Section, frozen=True):
    """Topics. Partition counts of observations, state and findings are fixed at creation: they are checked at start."""

    inputs: tuple[InputTopic, ...] = (InputTopic("compliance.generation.v1"), InputTopic("compliance.ingest.v1"))
    """Topics of events."""
    violations: str = "compliance.violations.v1"
    """One record per failing event."""
    observations: str = "compliance.observations.v1"
    """Sums from evaluators to state agents."""
    findings: str = "compliance.findings.v1"
    """OCSF findings, compacted."""
    dead_letters: str = "compliance.dead-letters.v1"
    """Records that could not be decoded."""
    coverage_gaps: str = "compliance.coverage-gaps.v1"
    """Ranges of input, and of observations, that the log no longer had."""
    optouts: str | None = "compliance.optouts.v1"
    """Opt-outs, compacted; an empty text declares that there is none."""
    filings: str | None = "compliance.filings.v1"
    """Model filings, compacted; an empty text declares that there is none."""
    notices: str | None = "compliance.notices.v1"
    """Rights holders' notices, compacted; an empty text declares that there is none."""
    waivers: str | None = "compliance.waivers.v1"
    """Waivers beside those of the policy, compacted; an empty text declares that there is none."""
    sources: str | None = "compliance.sources.v1"
    """Sources with too much illegal content, compacted; written by the state agents; an empty text declares that there is none."""
    suspensions: str | None = "compliance.suspensions.v1"
    """Users who must not be served for a time, compacted; written by the state agents; an empty text declares that there is none."""
    sweeps: str = "compliance.sweeps.v1"
    """How far the sweeper has come, compacted."""
    state_partitions: Partitions = 4
    """Partitions of observations, state and findings."""
    output_partitions: Partitions = 4
    """Partitions of violations and dead letters."""
    replication_factor: Annotated[int, Meta(ge=1)] = 1
    """Replicas of every topic made."""
    retention_days: Annotated[int, Meta(ge=1)] = 190
    """Retention of violations, findings' history and dead letters; the law asks logs of six months."""

    observations_days: Annotated[int, Meta(ge=7)] = 30
    """Retention of observations: state agents that stand still for longer, and copies of the table that are older when they are restored, lose counts."""

    def facts(self) -> dict[str, str]:
        """Return fact name to topic, for the declared ones."""
        named = {
            name: getattr(self, name) for name in ("optouts", "filings", "notices", "waivers", "sources", "suspensions")
        }
        return {name: topic for name, topic in named.items() if topic}


class EvaluatorSettings(_Section, frozen=True):
    """The evaluator."""

    client: Literal["aiokafka", "librdkafka"] = "aiokafka"
    """Kafka client that carries the events; `librdkafka` (extra `librdkafka`) fetches in threads of its own, beside the judgement."""
    delivery: Literal["at_least_once", "exactly_once"] = "at_least_once"
    """`exactly_once` (`client = "librdkafka"` only): results and positions are committed in one transaction every `commit_seconds`; those who read
    committed records see each result once, and not before. Events of open and aborted transactions are not judged."""
    assignment: Literal["roundrobin", "cooperative-sticky"] = "roundrobin"
    """How the group shares the partitions. `cooperative-sticky` (`client = "librdkafka"`, `delivery = "at_least_once"` only): who comes or goes moves only the partitions that change hands; the others go on meanwhile. Stop all members to change it: the group takes one kind at a time."""
    start: Literal["earliest", "latest"] = "earliest"
    """Where a new group begins; `latest`: at the last multiple of 4,096 before the end. A group that has committed goes on from there, always."""
    max_batch_records: Annotated[int, Meta(ge=1)] = 4096
    """Most records judged at once."""
    max_event_bytes: Annotated[int, Meta(ge=1)] = 1_048_576
    """Larger records are dead letters."""
    tick_seconds: Seconds = 1.0
    """How often sums and ticks are sent."""
    commit_seconds: Seconds = 1.0
    """How often offsets are committed, at most; with `exactly_once` less than `kafka.session_timeout_seconds`, after which a transaction expires."""
    max_future_seconds: Seconds = 300.0
    """How far an event's time may lie ahead of the broker's before it is not trusted."""
    max_age_days: Seconds = 400.0
    """How far it may lie behind before it is not trusted."""
    identity_window_events: Annotated[int, Meta(ge=0)] = 100_000
    """Over how many events of a partition identities are compared (EVT004, EVT006), and records and label coverage counted once: 130 bytes each, 230 of dataset records; 0: not at all, which saves 0.5 us an event, 1 us a dataset record."""
    facts_timeout_seconds: Seconds = 60.0
    """How long to wait for the facts before joining the group; after that, rules that need them are inconclusive."""


class FactsSettings(_Section, frozen=True):
    """How facts are kept."""

    optouts_folder: str | None = None
    """Folder of a snapshot of the opt-outs (extra `optouts`), relative to the settings file, shared by all processes of the machine; none: all of them in memory."""
    optouts_most_recent: Annotated[int, Meta(ge=1)] = 50_000
    """After how many records since the snapshot a new one is written; 600 bytes of memory each."""


class SweepSettings(_Section, frozen=True):
    """The sweeper: finds what was ingested before an opt-out that covers it (`streams/optouts.md`)."""

    batch_seconds: Seconds = 10.0
    """How long opt-outs are collected after the first new one, before a sweep begins."""
    max_optouts: Annotated[int, Meta(ge=1)] = 100_000
    """Most opt-outs of one sweep, 2 KB of memory each; more take several sweeps."""
    records_per_second: Annotated[int, Meta(ge=1)] = 20_000
    """Most records read in a second, so that broker and machine are left to the events."""
    topics: tuple[str, ...] = ()
    """Input topics that carry ingest events; none: all inputs are read."""


class IssueSettings(_Section, frozen=True):
    """Issues and findings."""

    quiet_seconds: Seconds = 900.0
    """How long, by event time, a rule must pass and not fail before its issue closes."""
    update_seconds: Seconds = 10.0
    """Least time between two updates of one finding."""
    pages_url: str = ""
    """Base address of the rule pages, for links in findings."""

    def timing(self) -> Timing:
        """Return the same in milliseconds."""
        return Timing(quiet_ms=round(self.quiet_seconds * 1000), update_ms=round(self.update_seconds * 1000))


class HttpSettings(_Section, frozen=True):
    """`/metrics`, `/livez`, `/readyz`: one port per process."""

    host: str = "127.0.0.1"
    """Address to bind."""
    port: Port = 9464
    """Port of the evaluator; 0 takes a free one."""
    state_port: Port = 9465
    """Port of the state agents; 0 takes a free one."""
    sweep_port: Port = 9466
    """Port of the sweeper; 0 takes a free one."""


class DeadLetterSettings(_Section, frozen=True):
    """Dead letters."""

    public_key: str | None = None
    """The operator's X25519 public key, Base64: payloads are sealed to it (extra `seal`). Absent: payloads are left out."""


class WatchdogSettings(_Section, frozen=True):
    """Ends a process that stands still, so that it is started again."""

    stalled_seconds: Seconds = 120.0
    """How long lag may stand with no commit moving."""


class AlertSettings(_Section, frozen=True):
    """`hegui alerts test`."""

    alertmanager_url: str = "http://127.0.0.1:9093"
    """Alertmanager's address."""


class LogSettings(_Section, frozen=True):
    """Logs, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level."""
    format: Literal["json", "console"] = "json"
    """JSON lines, or text for people."""


class Settings(_Section, frozen=True):
    """All settings."""

    kafka: KafkaSettings
    """The broker."""
    policy_file: str | None = None
    """The deployer's policy (YAML), relative to the settings file; none: an empty policy."""
    policy_check_seconds: Seconds = 5.0
    """How often the policy file is looked at for changes."""
    topics: TopicSettings = TopicSettings()
    """Topics."""
    evaluator: EvaluatorSettings = EvaluatorSettings()
    """The evaluator."""
    facts: FactsSettings = FactsSettings()
    """How facts are kept."""
    sweep: SweepSettings = SweepSettings()
    """The sweeper."""
    issues: IssueSettings = IssueSettings()
    """Issues and findings."""
    http: HttpSettings = HttpSettings()
    """HTTP."""
    dead_letters: DeadLetterSettings = DeadLetterSettings()
    """Dead letters."""
    watchdog: WatchdogSettings = WatchdogSettings()
    """Watchdog."""
    alerts: AlertSettings = AlertSettings()
    """Test page."""
    log: LogSettings = LogSettings()
    """Logs."""


def load_settings(file: Path | None, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of a TOML file and the environment.

    Raises:
        SettingsError: a key is missing, unknown or has a wrong value; one sentence with key, value and remedy.
    """
    found: dict[str, Any] = {}
    if file is not None:
        try:
            found = tomllib.loads(file.read_text("utf-8"))
        except OSError as error:
            raise SettingsError(
                f"settings: {file} cannot be read ({error.strerror}); give the right path with --config"
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"settings: {file} is not TOML ({error}); correct it") from None
    found.setdefault("kafka", {})
    _merge(found, os.environ if environment is None else environment)
    try:
        settings = msgspec.convert(found, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(_sentence(str(error), found)) from None
    _check(settings)
    if file is not None and settings.policy_file and not Path(settings.policy_file).is_absolute():
        settings = msgspec.structs.replace(settings, policy_file=str(file.resolve().parent / settings.policy_file))
    folder = settings.facts.optouts_folder
    if file is not None and folder and not Path(folder).is_absolute():
        facts = msgspec.structs.replace(settings.facts, optouts_folder=str(file.resolve().parent / folder))
        settings = msgspec.structs.replace(settings, facts=facts)
    return settings


def _merge(found: dict[str, Any], environment: Mapping[str, str]) -> None:
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX) or _NOT_OURS.fullmatch(name):
            continue
        *sections, key = name[len(PREFIX) :].lower().split("__")
        place = found
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise SettingsError(f"settings: {name} is set, but {section} is no section; remove one of the two")
        if _is_list((*sections, key)):
            raise SettingsError(f"settings: {name} is a list; set it in the TOML file")
        place[key] = value


def _is_list(path: tuple[str, ...]) -> bool:
    struct: Any = Settings
    for part in path:
        hints = (
            msgspec.structs.fields(struct) if isinstance(struct, type) and issubclass(struct, msgspec.Struct) else ()
        )
        struct = next((f.type for f in hints if f.name == part), None)
    return get_origin(struct) is tuple


def _sentence(message: str, found: dict[str, Any]) -> str:
    problem, _, place = message.partition(" - at `$")
    path = place.rstrip("`").lstrip(".")
    if problem.startswith("Object missing required field"):
        key = ".".join(filter(None, (path, problem.split("`")[1])))
        variable = "" if "[" in key else f" or as {PREFIX}{key.upper().replace('.', '__')}"
        return f"settings: {key} is not set; set it in the TOML file{variable}"
    if problem.startswith("Object contains unknown field"):
        key = ".".join(filter(None, (path, problem.split("`")[1])))
        return f"settings: {key} is unknown; remove it or correct its spelling (`hegui config keys` lists them)"
    value: Any = found
    for part in path.replace("[", ".").replace("]", "").split("."):
        value = (
            value.get(part)
            if isinstance(value, dict)
            else value[int(part)]
            if isinstance(value, list) and part.isdigit()
            else None
        )
    shown = "***" if path.startswith("kafka.sasl") or isinstance(value, dict | list) else repr(value)
    return f"settings: {path} is {shown}; {problem[0].lower() + problem[1:]}"


def _check(settings: Settings) -> None:
    kafka = settings.kafka
    if not kafka.bootstrap_servers.strip():
        raise SettingsError("settings: kafka.bootstrap_servers is empty; set it to host:port")
    for server in kafka.bootstrap_servers.split(","):
        if not server.strip().rpartition(":")[2].isdigit() or ":" not in server:
            raise SettingsError(f"settings: kafka.bootstrap_servers has {server.strip()!r}; write it as host:port")
    if kafka.sasl.mechanism and not (kafka.sasl.username and kafka.sasl.password):
        raise SettingsError("settings: kafka.sasl.mechanism is set without username and password; set both")
    if bool(kafka.tls.certificate_file) != bool(kafka.tls.key_file):
        raise SettingsError("settings: kafka.tls needs certificate_file and key_file together; set both or neither")
    for name in ("ca_file", "certificate_file", "key_file"):
        path = getattr(kafka.tls, name)
        if path and not Path(path).is_file():
            raise SettingsError(f"settings: kafka.tls.{name} is {path!r}, which is no file; correct the path")
    if settings.evaluator.delivery == "exactly_once" and settings.evaluator.client != "librdkafka":
        raise SettingsError(
            f'settings: evaluator.delivery is "exactly_once" with evaluator.client {settings.evaluator.client!r}, whose transactions do not keep out '
            'a member that the group gave up; set evaluator.client to "librdkafka", or evaluator.delivery to "at_least_once"'
        )
    if (
        settings.evaluator.delivery == "exactly_once"
        and settings.evaluator.commit_seconds >= kafka.session_timeout_seconds
    ):
        raise SettingsError(
            f'settings: evaluator.commit_seconds is {settings.evaluator.commit_seconds:g} with evaluator.delivery "exactly_once", and the broker aborts a '
            f"transaction after kafka.session_timeout_seconds ({kafka.session_timeout_seconds:g}); set it to less"
        )
    _check_assignment(settings.evaluator)
    topics = settings.topics
    names = [t.name for t in topics.inputs]
    names += [topics.violations, topics.observations, topics.findings, topics.dead_letters, topics.coverage_gaps]
    names.append(topics.sweeps)
    names += topics.facts().values()
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise SettingsError(f"settings: topics has {doubled!r} twice; every topic needs its own name")
    if strange := next((name for name in settings.sweep.topics if name not in {t.name for t in topics.inputs}), None):
        raise SettingsError(f"settings: sweep.topics has {strange!r}, which topics.inputs has not; name inputs only")
    if not topics.inputs:
        raise SettingsError("settings: topics.inputs is empty; name at least one topic of events")


def _check_assignment(evaluator: EvaluatorSettings) -> None:
    if evaluator.assignment == "roundrobin":
        return
    if evaluator.client != "librdkafka":
        raise SettingsError(
            f'settings: evaluator.assignment is "cooperative-sticky" with evaluator.client {evaluator.client!r}, which has no such assignment; '
            'set evaluator.client to "librdkafka", or evaluator.assignment to "roundrobin"'
        )
    if evaluator.delivery == "exactly_once":
        raise SettingsError(
            'settings: evaluator.assignment is "cooperative-sticky" with evaluator.delivery "exactly_once", whose aborted transactions take back what was judged of '
            'all partitions; set evaluator.assignment to "roundrobin", or evaluator.delivery to "at_least_once"'
        )


def describe() -> list[tuple[str, str, str]]:
    """Return every key with its default and meaning, for the settings page and `hegui config keys`."""
    rows: list[tuple[str, str, str]] = []
    _describe(Settings, "", rows)
    return rows


def _describe(struct: type[msgspec.Struct], prefix: str, rows: list[tuple[str, str, str]]) -> None:
    from hegui.rules.documentation import field_docs

    docs = field_docs(struct)
    for field in msgspec.structs.fields(struct):
        if isinstance(field.type, type) and issubclass(field.type, _Section):
            _describe(field.type, f"{prefix}{field.name}.", rows)
        else:
            default = "required" if field.required else msgspec.json.encode(field.default).decode()
            rows.append((prefix + field.name, default, " ".join(docs.get(field.name, "").split())))
            for part in getattr(field.type, "__args__", ()):
                if isinstance(part, type) and issubclass(part, _Section):
                    _describe(part, f"{prefix}{field.name}[].", rows)
