"""Settings: defaults, file and environment, and one sentence for every mistake: key, value, remedy."""

import msgspec
import pytest

from hegui.streams.broker import client_options
from hegui.streams.drivers import choice, librdkafka_clients
from hegui.streams.drivers.aiokafka import AiokafkaDriver
from hegui.streams.drivers.librdkafka import LibrdkafkaDriver
from hegui.streams.errors import SettingsError
from hegui.streams.settings import PREFIX, InputTopic, Settings, describe, load_settings
from tests.streams.example import ENVIRONMENT, EXAMPLES

SECRET = "hunter2-hunter2"
KAFKA = '[kafka]\nbootstrap_servers = "localhost:9092"\n'


@pytest.fixture
def load(tmp_path):
    def from_text(text: str = KAFKA, **environment: str) -> Settings:
        file = tmp_path / "hegui.toml"
        file.write_text(text, "utf-8")
        return load_settings(file, {PREFIX + key: value for key, value in environment.items()})

    return from_text


def sentence(load, text: str = KAFKA, **environment: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(text, **environment)
    found = str(caught.value)
    assert "\n" not in found
    assert SECRET not in found
    return found


def test_the_example_loads_and_names_its_policy_beside_it():
    settings = load_settings(EXAMPLES / "hegui.toml", {})
    assert settings.policy_file == str(EXAMPLES / "policy.yaml")
    assert [topic.name for topic in settings.topics.inputs] == ["compliance.generation.v1", "compliance.ingest.v1"]


def test_one_key_is_enough():
    settings = load_settings(None, ENVIRONMENT)
    assert settings.kafka.bootstrap_servers == "localhost:9092"
    assert settings.http.host == "127.0.0.1"
    assert settings.issues.timing().quiet_ms == 900_000


def test_the_environment_wins_and_its_texts_become_numbers_and_booleans(load):
    settings = load(
        KAFKA + "[http]\nport = 1\n",
        KAFKA__BOOTSTRAP_SERVERS="other:9092",
        HTTP__PORT="8080",
        KAFKA__TLS__ENABLED="true",
        EVALUATOR__TICK_SECONDS="0.5",
        POLICY_FILE="/etc/policy.yaml",
    )
    assert settings.kafka.bootstrap_servers == "other:9092"
    assert (settings.http.port, settings.kafka.tls.enabled, settings.evaluator.tick_seconds) == (8080, True, 0.5)
    assert settings.policy_file == "/etc/policy.yaml"


def test_other_variables_are_none_of_our_business(load):
    assert load_settings(None, {**ENVIRONMENT, "PATH": "x", "HEGUILE": "y"}) == load_settings(None, ENVIRONMENT)


def test_the_variable_that_names_the_settings_file_is_no_setting():
    # `--config` reads HEGUI_CONFIG (streams/commands/options.py).
    load_settings(None, {**ENVIRONMENT, "HEGUI_CONFIG": "/etc/hegui/hegui.toml"})


def test_an_empty_text_declares_that_there_is_no_fact_topic(load):
    assert not load(KAFKA + '[topics]\noptouts = ""\n').topics.optouts
    assert not load(TOPICS__FILINGS="").topics.filings


@pytest.mark.parametrize(
    ("text", "environment", "parts"),
    [
        ("", {}, ["kafka.bootstrap_servers is not set", "TOML file or as HEGUI_KAFKA__BOOTSTRAP_SERVERS"]),
        ("[kafka\n", {}, ["hegui.toml is not TOML", "correct it"]),
        (KAFKA + "[htp]\nport = 1\n", {}, ["htp is unknown", "hegui config keys"]),
        (KAFKA + "[http]\nprot = 1\n", {}, ["http.prot is unknown", "hegui config keys"]),
        (KAFKA, {"HTTP__PROT": "1"}, ["http.prot is unknown"]),
        (KAFKA + "[http]\nport = 99999\n", {}, ["http.port is 99999", "<= 65535"]),
        (KAFKA, {"HTTP__PORT": "many"}, ["http.port is 'many'", "expected `int`"]),
        (KAFKA + "[evaluator]\ntick_seconds = 0\n", {}, ["evaluator.tick_seconds is 0", "> 0"]),
        (KAFKA + '[evaluator]\nstart = "middle"\n', {}, ["evaluator.start is 'middle'"]),
        (KAFKA + '[log]\nlevel = "loud"\n', {}, ["log.level is 'loud'"]),
        (KAFKA, {"HTTP": "1"}, ["http is '1'", "expected `object`"]),
        (KAFKA, {"HTTP": "1", "HTTP__PORT": "2"}, ["HEGUI_HTTP__PORT is set, but http is no section", "remove one"]),
        (KAFKA, {"TOPICS__INPUTS": "a,b"}, ["HEGUI_TOPICS__INPUTS is a list", "set it in the TOML file"]),
        (KAFKA + "[topics]\ninputs = []\n", {}, ["topics.inputs is empty", "name at least one"]),
        (KAFKA + '[topics]\ninputs = [{format = "cloudevents"}]\n', {}, ["topics.inputs[0].name is not set"]),
        (KAFKA + '[topics]\ninputs = [{name = "a", format = "xml"}]\n', {}, ["topics.inputs[0].format is 'xml'"]),
        (KAFKA + '[topics]\nviolations = "x"\nfindings = "x"\n', {}, ["topics has 'x' twice", "its own name"]),
        (KAFKA + '[topics]\nviolations = "x"\nsweeps = "x"\n', {}, ["topics has 'x' twice", "its own name"]),
        (KAFKA + '[sweep]\ntopics = ["x"]\n', {}, ["sweep.topics has 'x'", "name inputs only"]),
        (KAFKA, {"KAFKA__BOOTSTRAP_SERVERS": " "}, ["kafka.bootstrap_servers is empty", "host:port"]),
        (KAFKA, {"KAFKA__BOOTSTRAP_SERVERS": "kafka"}, ["bootstrap_servers has 'kafka'", "write it as host:port"]),
        (KAFKA, {"KAFKA__BOOTSTRAP_SERVERS": "a:1,b"}, ["bootstrap_servers has 'b'"]),
        (KAFKA, {"KAFKA__SASL__MECHANISM": "PLAIN"}, ["kafka.sasl.mechanism is set without", "set both"]),
        (KAFKA, {"KAFKA__TLS__KEY_FILE": "k.pem"}, ["certificate_file and key_file together", "both or neither"]),
        (KAFKA, {"KAFKA__TLS__CA_FILE": "/no/ca.pem"}, ["kafka.tls.ca_file is '/no/ca.pem'", "correct the path"]),
    ],
)
def test_a_mistake_is_told_in_one_sentence_with_key_value_and_remedy(load, text, environment, parts):
    found = sentence(load, text, **environment)
    assert found.startswith("settings: ")
    for part in parts:
        assert part in found


def test_a_missing_file_is_told_with_its_path(tmp_path):
    with pytest.raises(SettingsError, match=r"nothing\.toml cannot be read \(No such file.*--config"):
        load_settings(tmp_path / "nothing.toml", {})


def test_a_file_in_another_encoding_is_told(tmp_path):
    file = tmp_path / "hegui.toml"
    file.write_bytes(KAFKA.encode("utf-16"))
    with pytest.raises(SettingsError, match="is not TOML"):
        load_settings(file, {})


def test_no_remedy_names_a_variable_that_would_be_refused(load):
    found = sentence(load, KAFKA + '[topics]\ninputs = [{format = "cloudevents"}]\n')
    assert "HEGUI_TOPICS__INPUTS" not in found


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        (KAFKA + f'[kafka.sasl]\npassword = ["{SECRET}"]\n', {}),
        (KAFKA + f'[kafka.sasl]\nuser = "a"\npassword = "{SECRET}"\n', {}),
        (KAFKA + f'[[kafka.sasl]]\npassword = "{SECRET}"\n', {}),
        (KAFKA, {"KAFKA__SASL": SECRET}),
        (KAFKA, {"KAFKA__SASL__PASSWORD": SECRET, "KAFKA__SASL__MECHANISM": "NONE"}),
        (KAFKA, {"KAFKA__SASL__PASSWORD": SECRET, "KAFKA__SASL__MECHANISM": "PLAIN"}),
    ],
)
def test_a_password_is_never_shown(load, text, environment):
    assert "kafka.sasl" in sentence(load, text, **environment)


def test_the_password_reaches_the_client_and_nothing_that_prints_settings(load):
    environment = {"KAFKA__SASL__MECHANISM": "PLAIN", "KAFKA__SASL__USERNAME": "u", "KAFKA__SASL__PASSWORD": SECRET}
    options = client_options(load(**environment).kafka)
    assert (options["sasl_plain_password"], options["security_protocol"]) == (SECRET, "SASL_PLAINTEXT")
    assert all(SECRET not in " ".join(row) for row in describe())


def test_tls_is_switched_on_with_the_systems_authorities(load):
    options = client_options(load(KAFKA__TLS__ENABLED="1").kafka)
    assert options["security_protocol"] == "SSL"
    assert options["ssl_context"].check_hostname


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (["CA_FILE"], "kafka.tls.ca_file"),
        (["CERTIFICATE_FILE", "KEY_FILE"], "kafka.tls.certificate_file"),
    ],
)
def test_a_file_that_is_no_pem_is_told_in_one_sentence(load, tmp_path, keys, told):
    file = tmp_path / "a.pem"
    file.write_text("no certificate\n", "utf-8")
    settings = load(KAFKA__TLS__ENABLED="1", **{f"KAFKA__TLS__{key}": str(file) for key in keys})
    with pytest.raises(SettingsError) as caught:
        client_options(settings.kafka)
    found = str(caught.value)
    assert found.startswith(f"settings: {told} {str(file)!r}")
    assert "\n" not in found


def test_librdkafka_gets_the_same_credentials_and_files(load, tmp_path):
    pem = tmp_path / "a.pem"
    pem.write_text("", "utf-8")
    environment = {
        "KAFKA__BOOTSTRAP_SERVERS": "a:1, b:2",
        "KAFKA__TLS__ENABLED": "1",
        "KAFKA__TLS__CA_FILE": str(pem),
        "KAFKA__SASL__MECHANISM": "SCRAM-SHA-512",
        "KAFKA__SASL__USERNAME": "u",
        "KAFKA__SASL__PASSWORD": SECRET,
    }
    options = librdkafka_clients.client_options(load(**environment).kafka)
    told = {"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.password": SECRET}
    assert told.items() <= options.items()
    assert (options["bootstrap.servers"], options["ssl.ca.location"]) == ("a:1,b:2", str(pem))
    assert "ssl.key.location" not in options
    plain = librdkafka_clients.client_options(load(KAFKA__TLS__CA_FILE=str(pem)).kafka)
    assert plain["security.protocol"] == "PLAINTEXT"
    assert not [key for key in plain if key.startswith(("ssl.", "sasl."))]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"KAFKA__GROUP_INSTANCE_ID": "one", "KAFKA__CHECK_CRCS": "true"},
        {"KAFKA__SESSION_TIMEOUT_SECONDS": "600"},
        {"KAFKA__SASL__MECHANISM": "PLAIN", "KAFKA__SASL__USERNAME": "u", "KAFKA__SASL__PASSWORD": SECRET},
        {"KAFKA__TLS__ENABLED": "true"},
    ],
    ids=str,
)
def test_librdkafka_takes_what_the_settings_say(load, environment):
    kafka = load(KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1", **environment).kafka
    librdkafka_clients.group_consumer(kafka, print).close()
    librdkafka_clients.group_consumer(kafka, print, assignment="cooperative-sticky").close()
    librdkafka_clients.producer(kafka, print)


def test_exactly_once_is_refused_where_a_zombie_could_commit(load):
    with pytest.raises(SettingsError) as raised:
        load(EVALUATOR__DELIVERY="exactly_once")
    told = str(raised.value)
    assert "evaluator.delivery" in told
    assert '"librdkafka"' in told
    assert "\n" not in told
    found = load(EVALUATOR__DELIVERY="exactly_once", EVALUATOR__CLIENT="librdkafka")
    assert found.evaluator.delivery == "exactly_once"


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({}, "evaluator.client"),
        ({"EVALUATOR__CLIENT": "librdkafka", "EVALUATOR__DELIVERY": "exactly_once"}, "evaluator.delivery"),
    ],
)
def test_a_cooperative_group_is_refused_where_it_is_not_sound(load, other, named):
    with pytest.raises(SettingsError) as raised:
        load(EVALUATOR__ASSIGNMENT="cooperative-sticky", **other)
    told = str(raised.value)
    assert "evaluator.assignment" in told
    assert named in told
    assert "\n" not in told
    found = load(EVALUATOR__ASSIGNMENT="cooperative-sticky", EVALUATOR__CLIENT="librdkafka")
    assert found.evaluator.assignment == "cooperative-sticky"
    assert load().evaluator.assignment == "roundrobin"


def test_a_transaction_that_would_expire_before_it_is_committed_is_refused(load):
    exactly_once = {"EVALUATOR__DELIVERY": "exactly_once", "EVALUATOR__CLIENT": "librdkafka"}
    for seconds in ("6", "7.5"):
        told = sentence(load, KAFKA__SESSION_TIMEOUT_SECONDS="6", EVALUATOR__COMMIT_SECONDS=seconds, **exactly_once)
        assert f"evaluator.commit_seconds is {seconds} " in told
        assert "kafka.session_timeout_seconds (6)" in told
    load(KAFKA__SESSION_TIMEOUT_SECONDS="6", EVALUATOR__COMMIT_SECONDS="5.9", **exactly_once)
    load(KAFKA__SESSION_TIMEOUT_SECONDS="6", EVALUATOR__COMMIT_SECONDS="7.5")


def test_the_client_is_chosen_by_its_name(load):
    assert choice.driver_class(load()) is AiokafkaDriver
    assert choice.driver_class(load(EVALUATOR__CLIENT="librdkafka")) is LibrdkafkaDriver
    assert "evaluator.client is 'kafka-python'" in sentence(load, EVALUATOR__CLIENT="kafka-python")


def test_a_client_that_is_not_installed_is_named_with_the_remedy(load, monkeypatch):
    monkeypatch.setattr(choice, "find_spec", lambda _: None)
    assert choice.driver_class(load()) is AiokafkaDriver
    with pytest.raises(SettingsError) as caught:
        choice.driver_class(load(EVALUATOR__CLIENT="librdkafka"))
    assert str(caught.value) == (
        'settings: evaluator.client is "librdkafka", but confluent-kafka is not installed; install hegui[librdkafka]'
    )


def keys_of(struct, prefix=""):
    for field in msgspec.structs.fields(struct):
        nested = isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
        yield from keys_of(field.type, f"{prefix}{field.name}.") if nested else [prefix + field.name]


def test_every_key_is_described_with_default_and_meaning():
    rows = {key: (default, meaning) for key, default, meaning in describe()}
    assert set(keys_of(Settings)) <= set(rows)
    assert all(meaning.endswith((".", ";")) and default for default, meaning in rows.values())
    assert rows["kafka.bootstrap_servers"][0] == "required"


def test_the_keys_of_an_input_topic_are_described_too():
    described = " ".join(key for key, _, _ in describe())
    for field in msgspec.structs.fields(InputTopic):
        assert f"topics.inputs[].{field.name}" in described


def test_every_scalar_key_can_be_set_by_the_environment():
    for key, default, _ in describe():
        if key.startswith("topics.inputs") or default in {"required", "null"} or default.startswith("["):
            continue
        plain = msgspec.json.decode(default)
        variable = PREFIX + key.upper().replace(".", "__")
        text = str(plain).lower() if isinstance(plain, bool) else str(plain)
        assert load_settings(None, {**ENVIRONMENT, variable: text}) == load_settings(None, ENVIRONMENT)
