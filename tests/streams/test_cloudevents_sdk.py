"""What the CloudEvents SDK writes for Kafka, we read: the SDK is the oracle of the binding."""

import json

import pytest
from cloudevents.core.bindings.kafka import from_kafka_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from hegui.rules.evidence import reference
from hegui.rules.violations import VIOLATION_TYPE
from hegui.streams import simulation
from hegui.streams.decoders import decode_cloudevents
from tests.streams.example import KINDS, TOPIC, envelope, evaluator, records


def sdk_event(kind: str, **attributes: object) -> CloudEvent:
    ours = envelope(kind)
    plain = json.loads(simulation.encode(ours))
    given = {"id": ours.id, "source": ours.source, "type": plain["type"], "time": ours.time, **attributes}
    return CloudEvent(attributes=given, data=plain["data"])


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("write", [to_structured_event, to_binary_event])
def test_an_event_that_the_sdk_writes_is_read(kind, write):
    message = write(sdk_event(kind, datacontenttype="application/json"))
    assert decode_cloudevents(message.value, list(message.headers.items())) == (envelope(kind),)


@pytest.mark.parametrize("write", [to_structured_event, to_binary_event])
def test_extension_attributes_of_the_sdk_are_read(write):
    message = write(sdk_event("image", tenant="north", revision=2, partitionkey="user-7", traceparent="00-ab-cd-01"))
    (found,) = decode_cloudevents(message.value, list(message.headers.items()))
    assert (found.tenant, found.revision) == ("north", 2)


def test_the_sdk_reads_the_violations_we_write():
    from cloudevents.core.bindings.kafka import KafkaMessage

    ours = evaluator()
    ours.assign((TOPIC, 0), 0, 0)
    (output,) = ours.judge({(TOPIC, 0): records(["LBL001"])}).outputs
    found = from_kafka_event(KafkaMessage(dict(output.headers), output.key, output.value))
    assert found.get_type() == VIOLATION_TYPE
    assert found.get_id().encode() == output.key
    assert found.get_data()["results"][0]["rule"] == "LBL001"
    assert reference("人工智能生成") not in output.value.decode()
