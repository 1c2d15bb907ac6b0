"""Reads one event of a running installation with the independent client of NATS and the CloudEvents SDK.

usage: read_event.py NATS_URL SUBJECT

It prints the event's attributes, the types of their values, and its payload in base64, as one JSON object.
"""

import asyncio
import base64
import json
import sys
from datetime import datetime

import nats
from cloudevents.core.bindings.http import HTTPMessage, from_binary_event
from nats.js.api import ConsumerConfig, DeliverPolicy

WAIT_SECONDS = 20


async def read(url, subject):
    client = await nats.connect(url, connect_timeout=5, max_reconnect_attempts=3)
    try:
        jetstream = client.jetstream()
        stream = await jetstream.find_stream_name_by_subject(subject)
        configuration = ConsumerConfig(deliver_policy=DeliverPolicy.ALL, inactive_threshold=30)
        subscription = await jetstream.pull_subscribe(subject, stream=stream, config=configuration)
        [message] = await subscription.fetch(1, timeout=WAIT_SECONDS)
        await message.ack()
        return message
    finally:
        await client.close()


def attributes(message):
    """The event as the SDK reads and validates it; what it finds wrong, it raises."""
    headers = dict(message.headers)
    # In this binding every attribute is a `ce-` header; the SDK knows HTTP's, where the type of the data is not.
    headers["content-type"] = headers.pop("ce-datacontenttype")
    event = from_binary_event(HTTPMessage(headers=headers, body=message.data))
    time = event.get_time()
    assert isinstance(time, datetime) and time.tzinfo is not None, time
    return {
        "id": event.get_id(),
        "source": event.get_source(),
        "type": event.get_type(),
        "specversion": event.get_specversion(),
        "subject": event.get_subject(),
        "datacontenttype": event.get_datacontenttype(),
        "time": time.isoformat(),
        "lane": event.get_extension("lane"),
        "aggregateversion": event.get_extension("aggregateversion"),
    }


def main():
    url, subject = sys.argv[1:]
    message = asyncio.run(read(url, subject))
    print(json.dumps({
        "subject": message.subject,
        "message_id": message.headers["Nats-Msg-Id"],
        "event": attributes(message),
        "payload": base64.b64encode(message.data).decode(),
    }))


main()
