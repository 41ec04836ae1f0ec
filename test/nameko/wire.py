#!/usr/bin/python3
"""Nameko's wire format, spoken by kombu alone.

    wire.py client URL           does what each line of its input asks for
    wire.py worker URL SERVICE   serves SERVICE, until its input ends

Both read and write one JSON object a line. They declare, publish and answer
exactly as Nameko 2.14 does, with its oddities: the client's reply queue is
durable and expires, the worker takes arguments by position and by name, checks
them against the signature, acks after the reply, and acks events whose handler
fails. Unlike Nameko, the client removes its reply queue when it ends, and gives
up on a reply after ten seconds.

The client's requests, with what it answers:

    {"call": "demo.add", "args": [1], "kwargs": {"b": 2}, "context": {"language": "th"}}
        {"result": 3} | {"raises": "RemoteError", "error": {...}} |
        {"raises": "UnknownService"} | {"raises": "RpcTimeout"}
    {"raw": "demo.add", "body": "[]", "content_type": "application/json"}
        the same; the body goes out as it is
    {"dispatch": "shop.sold", "payload": {"id": 1}}
        {"dispatched": true}

The worker serves echo, fail, custom and emit, and handles what emits itself:

    {"subscribe": "shop.sold"}
        {"subscribed": "shop.sold"}, then {"event": "shop.sold", "payload": ...}
"""

import inspect
import json
import queue
import signal
import socket
import sys
import threading
import time
import uuid

from kombu import Connection, Consumer, Exchange, Producer, Queue

RPC = Exchange("nameko-rpc", type="topic", durable=True)
PREFETCH = 10
REPLY_TIMEOUT = 10
REPLY_QUEUE_TTL_MS = 300_000
REGISTERED = {
    "nameko.exceptions.MalformedRequest",
    "nameko.exceptions.MethodNotFound",
    "nameko.exceptions.IncorrectSignature",
}


def say(**line):
    print(json.dumps(line), flush=True)


def connect(url):
    return Connection(url, transport_options={"confirm_publish": True})


class Publisher:
    """Publishes as Nameko's does: confirmed, persistent, JSON."""

    def __init__(self, url):
        self.connection = connect(url)
        self.channel = self.connection.channel()
        self.returned = False
        self.producer = Producer(self.channel, on_return=self._on_return)

    def _on_return(self, *_):
        self.returned = True

    def publish(self, payload, **options):
        """Returns False when the message was mandatory and nobody is bound."""
        self.returned = False
        self.producer.publish(payload, delivery_mode=2, priority=0, retry=False, **options)
        return not self.returned

    def close(self):
        self.connection.close()


class Client:
    """A standalone client: one reply queue, one call id."""

    def __init__(self, url):
        self.key = str(uuid.uuid4())
        self.call_id = "standalone_rpc_proxy.call.%s" % uuid.uuid4()
        self.replies = {}
        self.publisher = Publisher(url)
        self.connection = connect(url)
        self.queue = Queue(
            "rpc.reply-standalone_rpc_proxy-" + self.key,
            exchange=RPC,
            routing_key=self.key,
            queue_arguments={"x-expires": REPLY_QUEUE_TTL_MS},
        )(self.connection.channel())
        self.queue.declare()
        self.consumer = Consumer(self.queue.channel, [self.queue], callbacks=[self._on_reply])
        self.consumer.consume()

    def _on_reply(self, body, message):
        message.ack()
        self.replies[message.properties.get("correlation_id")] = body

    def call(self, target, payload, context, **options):
        correlation_id = str(uuid.uuid4())
        headers = {"nameko." + key: value for key, value in context.items()}
        headers["nameko.call_id_stack"] = [self.call_id]
        routed = self.publisher.publish(
            payload,
            exchange=RPC,
            routing_key=target,
            mandatory=True,
            reply_to=self.key,
            correlation_id=correlation_id,
            headers=headers,
            **options,
        )
        if not routed:
            return {"raises": "UnknownService"}
        deadline = time.monotonic() + REPLY_TIMEOUT
        while correlation_id not in self.replies:
            left = deadline - time.monotonic()
            if left <= 0:
                return {"raises": "RpcTimeout"}
            try:
                self.connection.drain_events(timeout=left)
            except socket.timeout:
                pass
        return self._outcome(self.replies.pop(correlation_id))

    @staticmethod
    def _outcome(reply):
        """What a Nameko client makes of a reply; it indexes result."""
        error = reply.get("error")
        if not error:
            return {"result": reply["result"]}
        registered = error["exc_path"] in REGISTERED
        return {"raises": error["exc_type"] if registered else "RemoteError", "error": error}

    def dispatch(self, event, payload):
        source, kind = event.split(".", 1)
        exchange = Exchange(source + ".events", type="topic", durable=True)
        exchange(self.publisher.channel).declare()
        self.publisher.publish(payload, exchange=exchange, routing_key=kind, serializer="json", headers={})
        return {"dispatched": True}

    def do(self, request):
        if "call" in request:
            payload = {"args": request.get("args") or [], "kwargs": request.get("kwargs") or {}}
            return self.call(request["call"], payload, request.get("context") or {}, serializer="json")
        if "raw" in request:
            return self.call(
                request["raw"],
                request["body"],
                {},
                content_type=request.get("content_type", "application/json"),
                content_encoding="utf-8",
            )
        return self.dispatch(request["dispatch"], request["payload"])

    def close(self):
        self.queue.delete()
        self.connection.close()
        self.publisher.close()


def run_client(url):
    client = Client(url)
    try:
        say(ready=True)
        for line in sys.stdin:
            say(**client.do(json.loads(line)))
    finally:
        client.close()


class MethodNotFound(Exception):
    pass


class IncorrectSignature(Exception):
    pass


class MalformedRequest(Exception):
    pass


class Custom(Exception):
    pass


def path_of(exception):
    kind = type(exception)
    if kind in (MethodNotFound, IncorrectSignature, MalformedRequest):
        return "nameko.exceptions." + kind.__name__
    return kind.__module__ + "." + kind.__name__


def safe(value):
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return {safe(k): safe(v) for k, v in value.items()}
    if hasattr(value, "__iter__"):
        return [safe(v) for v in value]
    return str(value)


def serialize(exception):
    return {
        "exc_type": type(exception).__name__,
        "exc_path": path_of(exception),
        "exc_args": [safe(a) for a in exception.args],
        "value": str(exception),
    }


class Worker:
    """One instance of a service, with one thread of work."""

    def __init__(self, url, service):
        self.service = service
        self.headers = {}
        self.publisher = Publisher(url)
        self.connection = Connection(url, heartbeat=60)
        self.channel = self.connection.channel()
        self.methods = {"echo": self.echo, "fail": self.fail, "custom": self.custom, "emit": self.emit}
        requests = Queue("rpc-" + service, exchange=RPC, routing_key=service + ".*", durable=True)
        self.consumers = []
        self.consume(requests, self.on_request)

    def consume(self, from_queue, handle):
        consumer = Consumer(self.channel, [from_queue], on_message=handle, auto_declare=True)
        consumer.qos(prefetch_count=PREFETCH)
        consumer.consume()
        self.consumers.append(consumer)

    # What the service does.

    def echo(self, *args, **kwargs):
        return {"args": args, "kwargs": kwargs, "headers": self.headers}

    def fail(self, text, code=7):
        raise ValueError(text, code)

    def custom(self):
        raise Custom("x", {"k": [1, None, 2.5, True]})

    def emit(self, kind, payload):
        exchange = Exchange(self.service + ".events", type="topic", durable=True)
        exchange(self.publisher.channel).declare()
        headers = dict(self.headers)
        stack = headers.get("nameko.call_id_stack", [])
        headers["nameko.call_id_stack"] = stack + ["%s.emit.%s" % (self.service, uuid.uuid4())]
        self.publisher.publish(payload, exchange=exchange, routing_key=kind, serializer="json", headers=headers)

    # How Nameko serves it.

    def on_request(self, message):
        try:
            body = message.payload
        except Exception:
            message.ack()  # Nameko logs it and leaves the caller waiting
            return
        reply = {"result": None, "error": None}
        try:
            reply["result"] = self.run(message, body)
        except Exception as exception:
            reply["error"] = serialize(exception)
        self.publisher.publish(
            reply,
            exchange=RPC,
            routing_key=message.properties["reply_to"],
            correlation_id=message.properties.get("correlation_id"),
            serializer="json",
            headers={},
        )
        message.ack()

    def run(self, message, body):
        method = message.delivery_info["routing_key"].split(".", 1)[1]
        if method not in self.methods:
            raise MethodNotFound(method)
        try:
            args, kwargs = body["args"], body["kwargs"]
        except KeyError:
            raise MalformedRequest("Message missing `args` or `kwargs`") from None
        try:
            inspect.signature(self.methods[method]).bind(*args, **kwargs)
        except TypeError as mismatch:
            raise IncorrectSignature(str(mismatch)) from None
        self.headers = {k: v for k, v in message.headers.items() if k.startswith("nameko.")}
        return self.methods[method](*args, **kwargs)

    def subscribe(self, event):
        source, kind = event.split(".", 1)
        name = "evt-%s-%s--%s.on_event" % (source, kind, self.service)
        exchange = Exchange(source + ".events", type="topic", durable=True)
        events = Queue(name, exchange=exchange, routing_key=kind, durable=True)

        def handle(message):
            say(event=event, payload=message.payload, headers=message.headers)
            message.ack()

        self.consume(events, handle)
        say(subscribed=event)

    def close(self):
        for consumer in self.consumers:
            consumer.cancel()
        self.connection.close()
        self.publisher.close()


def run_worker(url, service):
    worker = Worker(url, service)
    lines = queue.Queue()

    def read():
        for line in sys.stdin:
            lines.put(json.loads(line))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    try:
        say(ready=True)
        while True:
            try:
                worker.connection.drain_events(timeout=0.05)
            except socket.timeout:
                pass
            while not lines.empty():
                line = lines.get()
                if line is None:
                    return
                worker.subscribe(line["subscribe"])
    finally:
        worker.close()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    mode, url, *rest = sys.argv[1:]
    if mode == "client":
        run_client(url)
    elif mode == "worker":
        run_worker(url, *rest)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
