"""Other clients of Redis that listen on channels, as redis-cli SUBSCRIBE would."""

import json
import threading
import time

import redis


class Listener:
    """Collects the messages of channels in the order in which they come."""

    def __init__(self, url, *channels):
        self.url, self.channels = url, channels
        self.received = []
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()
        assert self.ready.wait(10), "no subscription"

    def _listen(self):
        link = redis.Redis.from_url(self.url, decode_responses=True)
        subscription = link.pubsub()
        subscription.subscribe(*self.channels)
        confirmed = 0
        while not self.ended.is_set():
            message = subscription.get_message(timeout=0.05)
            if message is None:
                continue
            if message["type"] == "subscribe":
                confirmed += 1
                if confirmed == len(self.channels):
                    self.ready.set()
            elif message["type"] == "message":
                with self.lock:
                    self.received.append((message["channel"], json.loads(message["data"])))
        link.close()

    def messages(self, channel=None):
        with self.lock:
            return [message for name, message in self.received if channel in (None, name)]

    def settled(self, quiet_seconds=0.5):
        """The messages once none has come for a while: for what must not come."""
        while True:
            count = len(self.messages())
            time.sleep(quiet_seconds)
            if len(self.messages()) == count:
                return self.messages()

    def close(self):
        self.ended.set()
        self.thread.join(10)
