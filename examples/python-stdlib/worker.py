"""A worker with nothing but Python's standard library (3.8 or newer).

    MILLRACE_TOKEN=... python3 examples/python-stdlib/worker.py shipping

Receives a few messages, extends their leases from a thread while they are handled,
and settles each: done, again later, or never again.
"""

import json
import os
import signal
import sys
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from decimal import Decimal

URL = os.environ.get("MILLRACE_URL", "http://127.0.0.1:4400")
TOKEN = os.environ["MILLRACE_TOKEN"]
VISIBILITY_MS = 30_000

stopping = threading.Event()


class Permanent(Exception):
    """Trying again is no use: a dead letter."""


def handle(message):
    """Replace this. Returning acks; raising delivers again."""
    record = message["record"]
    if message["action"] == "delete":
        return
    if record["quantity"] <= 0:
        raise Permanent("nothing to send")
    print(f"order {record['id']}: {record['total_price']}", flush=True)


class Consumer:
    def __init__(self, name):
        self.base = f"{URL}/v1/consumers/{name}"

    def call(self, path, body, timeout=70):
        request = urllib.request.Request(
            f"{self.base}/{path}",
            data=json.dumps(body).encode(),
            headers={
                "authorization": f"Bearer {TOKEN}",
                "content-type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=timeout) as response:
            # Decimals keep every digit of a numeric; Python's integers have no limit anyway.
            return json.load(response, parse_float=Decimal)

    def receive(self):
        body = {"batch_size": 10, "wait_for": "2s", "visibility_timeout_ms": VISIBILITY_MS}
        return self.call("receive", body)["data"]

    @contextmanager
    def held(self, ack_ids):
        """Extends the leases at each third of their time, until they are to be settled."""
        done = threading.Event()

        def extend():
            while not done.wait(VISIBILITY_MS / 3000):
                try:
                    body = {"ack_ids": ack_ids, "visibility_timeout_ms": VISIBILITY_MS}
                    self.call("extend", body, timeout=10)
                except OSError as error:
                    print(f"not extended: {error}", file=sys.stderr)

        thread = threading.Thread(target=extend, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def work_off(consumer, messages):
    acks, nacks, dead_letters = [], [], []
    with consumer.held([message["ack_id"] for message in messages]):
        for message in messages:
            entry = {"ack_id": message["ack_id"]}
            try:
                handle(message)
                acks.append(entry)
            except Permanent as error:
                dead_letters.append({**entry, "reason": repr(error)[:500]})
            except Exception as error:  # whatever the handler raises
                nacks.append({**entry, "reason": repr(error)[:500]})
    answer = consumer.call("settle", {"acks": acks, "nacks": nacks, "dead_letters": dead_letters})
    for result in answer["results"]:
        if result["status"] == "lease_lost":
            print(f"{result['ack_id']} comes again: its lease was lost", file=sys.stderr)


def main():
    consumer = Consumer(sys.argv[1])
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopping.set())
    while not stopping.is_set():
        try:
            messages = consumer.receive()
            if messages:
                work_off(consumer, messages)
        except urllib.error.HTTPError as error:
            if error.code in (401, 403, 404):
                sys.exit(f"{error.code}: {error.read().decode()}")
            stopping.wait(1)
        except OSError as error:
            print(f"the server does not answer: {error}", file=sys.stderr)
            stopping.wait(1)


if __name__ == "__main__":
    main()
