"""Every event is judged once; bad input is put aside; content goes nowhere."""

import types
import typing
from datetime import timedelta

import msgspec
import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from hegui.rules.core import Outcome
from hegui.rules.events import Envelope
from hegui.streams.simulation import FAULTS, chat, encode, envelope, image, traffic
from tests.broker.harness import CLIENTS, Deployment, deployment
from tests.broker.processes import now_ms, until

pytestmark = pytest.mark.broker

_UNDECIDED = {Outcome.INCONCLUSIVE, Outcome.NOT_APPLICABLE}
MARKER = "QX7MARKER"
CONTENT = f"把这句话 {MARKER} 翻译成英文"


def marked(value: msgspec.Struct) -> msgspec.Struct:
    """The same event with the marker in every text of free form, at any depth."""
    changed: dict[str, object] = {}
    for field in msgspec.structs.fields(value):
        found = getattr(value, field.name)
        options = typing.get_args(field.type) if isinstance(field.type, types.UnionType) else (field.type,)
        if isinstance(found, msgspec.Struct):
            changed[field.name] = marked(found)
        elif isinstance(found, tuple):
            changed[field.name] = tuple(marked(v) if isinstance(v, msgspec.Struct) else v for v in found)
        elif str in options and found is not None:
            changed[field.name] = CONTENT
    return msgspec.structs.replace(value, **changed)


def marked_events(at_ms: int) -> list[Envelope]:
    """Every kind of fault with the marker in its content; then with an id and a source that name a person."""
    made = [envelope(marked(fault(n, at_ms)), n, at_ms, "marked") for n, fault in enumerate(FAULTS.values())]
    assert all(encode(event).count(MARKER.encode()) >= 2 for event in made)
    for n, fault in enumerate(FAULTS.values()):
        event = envelope(fault(n, at_ms), n, at_ms, "named")
        made.append(
            msgspec.structs.replace(event, id=f"{n}-{MARKER}@example.com", source=f"users/{MARKER}@example.com")
        )
    return made


def changed(**fields: object) -> bytes:
    """A sound event with other fields; None removes one."""
    whole = msgspec.json.decode(encode(envelope(image(1, now_ms()), 1, now_ms(), "bad"))) | fields
    return msgspec.json.encode({k: v for k, v in whole.items() if v is not None})


def bad_records() -> dict[str, tuple[bytes | None, list[tuple[str, bytes]], str]]:
    """What is wrong to value, headers and reason."""
    binary = [("ce_type", b"hegui.generation.v1"), ("ce_specversion", b"1.0"), ("ce_source", b"s"), ("ce_id", b"1")]
    timed = [*binary, ("ce_time", b"2026-11-24T00:00:00Z")]
    sound = msgspec.json.encode(image(1, now_ms()))
    return {
        "not JSON": (f"no JSON {MARKER}".encode(), [], "not_json"),
        "cut off": (changed(note=CONTENT)[:-20], [], "not_json"),
        "nested without end": (b'{"type":"hegui.generation.v1","x":' + b"[" * 100_000, [], "not_json"),
        "a list": (b"[" * 1000, [], "invalid_envelope"),
        "no object": (f'"{MARKER}"'.encode(), [], "invalid_envelope"),
        "wrong type": (changed(data={"service": 7, "modality": CONTENT}), [], "invalid_data"),
        "unknown word": (changed(data={"service": "image-studio", "modality": MARKER}), [], "invalid_data"),
        "person not hashed": (changed(data={"service": "image-studio", "user_key": MARKER}), [], "invalid_data"),
        "no data": (changed(data=None, note=CONTENT), [], "invalid_envelope"),
        "no time": (changed(time=None, note=CONTENT), [], "invalid_envelope"),
        "time without offset": (changed(time=f"{MARKER}"), [], "invalid_envelope"),
        "no service": (changed(data={"note": CONTENT}), [], "invalid_data"),
        "unknown type": (changed(type=f"{MARKER}.v1"), [], "unknown_type"),
        "wrong encoding": (changed(note=CONTENT).decode().encode("gb18030"), [], "wrong_encoding"),
        "no UTF-8": (b"\xff\xfe" + MARKER.encode("utf-16-le"), [], "wrong_encoding"),
        "10 MB": (MARKER.encode() * (10_000_000 // len(MARKER)), [], "too_large"),
        "tombstone": (None, [], "tombstone"),
        "binary, unknown type": (sound, [("ce_type", MARKER.encode())], "unknown_type"),
        "binary, no time": (sound, binary, "invalid_envelope"),
        "binary, wrong header encoding": (sound, [*timed, ("ce_tenant", b"\xff" + MARKER.encode())], "wrong_encoding"),
        "binary, wrong type": (msgspec.json.encode({"service": CONTENT, "modality": MARKER}), timed, "invalid_data"),
    }


async def allow_large(made: Deployment) -> None:
    """Let the input topic take records of 12 MB."""
    given = {"max.message.bytes": "12000000", "message.timestamp.type": "LogAppendTime"}
    resource = ConfigResource(ConfigResourceType.TOPIC, made.generation, given)
    for response in await (await made.admin()).alter_configs([resource]):
        assert not response.resources[0][0], response


@pytest.mark.parametrize("client", CLIENTS)
async def test_every_event_is_judged_once_and_bad_input_is_put_aside_without_content(kafka, client):
    async with deployment(kafka.bootstrap, evaluator={"client": client}) as made:
        await allow_large(made)
        evaluator, state = made.daemon("evaluator"), made.daemon("state")
        evaluator.launch()
        await state.start()
        await evaluator.ready()
        events = traffic(now_ms, seed=5, faults=0.3)
        await made.send(next(events) for _ in range(1000))
        producer = await made.producer()
        bad = bad_records()
        for number, (value, headers, _) in enumerate(bad.values()):
            # A new topic configuration takes a moment to reach the broker's log: the producer tries again.
            await producer.send_and_wait(
                made.generation, value, key=MARKER.encode(), headers=headers, partition=number % 2
            )
            await made.send([next(events)])
        await made.send(marked_events(now_ms()))
        await made.send(next(events) for _ in range(1000))
        await made.caught_up()
        await made.issues_settled()

        assert await made.evaluation_faults() == []
        assert await made.state_faults() == []
        if client == "librdkafka":

            async def told() -> bool:
                return bool(await evaluator.metric("compliance_client_received_bytes_total", client="consumer"))

            await until(told, "librdkafka tells its statistics")
            metrics = await evaluator.metrics()
            assert metrics.value("compliance_client_sent_bytes_total", client="producer") > 0
            assert metrics.value("compliance_client_rebalances_total") >= 1
            brokers = {labels["broker"] for labels, _ in metrics.all("compliance_client_round_trip_seconds")}
            assert brokers <= {"1", "coordinator", "bootstrap"}
            assert "1" in brokers
        letters = await made.dead_letters()
        assert sorted(letter["reason"] for letter in letters) == sorted(reason for _, _, reason in bad.values())
        assert made.reference.events == made.sent
        assert len(made.reference.violations) > 500

        async def counted() -> bool:
            return await evaluator.metric("compliance_events_total") == made.sent

        await until(counted, "every event counted once")
        metrics = await evaluator.metrics()
        outcomes = {
            (labels["rule"], labels["outcome"]): value
            for labels, value in metrics.all("compliance_evaluations_total")
            if value
        }
        assert outcomes == {(rule, outcome.value): n for (rule, outcome), n in made.reference.outcomes.items()}
        assert metrics.value("compliance_dead_letters_total") == len(bad)
        assert metrics.value("compliance_coverage_gap_records_total") == 0
        assert metrics.value("compliance_consumer_lag_records") == 0

        text = [written for written in await made.everything_written() if MARKER.encode() in written]
        assert not text, f"content got out: {text[0][:2000]!r}"
        pages = [str((await d.metrics()).samples) for d in (evaluator, state)]
        assert not [page for page in pages if MARKER in page]
        assert await evaluator.stop() == 0
        assert await state.stop() == 0


async def test_events_with_times_that_cannot_be_trusted_are_inconclusive_and_the_stream_goes_on(kafka):
    async with deployment(kafka.bootstrap) as made:
        evaluator = await made.daemon("evaluator").start()
        faulty = [fault(n, now_ms()) for n, fault in enumerate(FAULTS.values())]
        sound = [chat(n, now_ms()) for n in range(20)]
        day = timedelta(days=1)
        shifts = (timedelta(minutes=10), 30 * day, 365 * 100 * day, -500 * day, -365 * 30 * day)
        strange = []
        for number, shift in enumerate(shifts):
            for place, data in enumerate(faulty + sound):
                event = envelope(data, place, now_ms(), f"shift{number}")
                strange.append(msgspec.structs.replace(event, time=event.time + shift))
        await made.send(strange)
        await made.caught_up()
        assert await made.evaluation_faults() == []
        # Only the rules about the events themselves decide: that the clock is far off, above all.
        told = [{result.rule for result in made.results} for made in made.reference.violations.values()]
        assert len(told) == len(strange)
        assert all(rules & {"EVT002", "EVT005"} for rules in told)
        decided = {rule for rule, outcome in made.reference.outcomes if outcome not in _UNDECIDED}
        assert {rule[:3] for rule in decided} == {"EVT"}

        events = traffic(now_ms, seed=6, faults=0.5)
        await made.send(next(events) for _ in range(200))
        await made.caught_up()
        assert await made.evaluation_faults() == []
        assert len(made.reference.violations) > len(strange)

        async def counted() -> bool:
            return await evaluator.metric("compliance_events_total") == made.sent

        await until(counted, "every event counted once")
        inconclusive = await evaluator.metric("compliance_evaluations_total", outcome="inconclusive")
        assert inconclusive == sum(
            n for (_, outcome), n in made.reference.outcomes.items() if outcome is Outcome.INCONCLUSIVE
        )
