"""What app and partner have in common: seeded choices, a ledger, and calling back until heard.

Choices come from the seed and an order's name and never from timing, so that a run with the same
seed makes the same choices however fast the machine is and wherever the broker is killed.
"""
import argparse
import asyncio
import json
import random
import time

from web import Client, Server

WAIT_MS = 5000              # that broker.c waits for a courier
PAUSE_FIRST_S = 0.02
PAUSE_MAX_S = 0.5
FINAL = (200, 201, 202, 204, 404, 410)     # 404 and 410: this URL is dead, nobody asks again


def chance(seed, *words):
    """A stream of chance that belongs to these words alone."""
    return random.Random("/".join([str(seed), *words]))


class Ledger:
    """All that a party was told and what it heard in answer, one JSON object a line."""

    def __init__(self, path):
        self.file = open(path, "a", buffering=1)

    def write(self, event, **what):
        self.file.write(json.dumps({"at": round(time.time(), 3), "event": event, **what}) + "\n")


class Party:
    """One process with an HTTP server, a client and a ledger."""

    def __init__(self, options):
        self.options = options
        self.seed = options.seed
        self.ledger = Ledger(options.ledger)
        self.client = Client()
        self.tasks = set()

    def spawn(self, work):
        """Runs work beside the requests. asyncio holds its tasks only weakly, hence the set."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def tell(self, event, find_url, message_id, value, **what):
        """Posts value until the answer is final and returns its status. Each attempt is a line in
        the ledger; one message_id for all of them tells the receiver that they are one."""
        body = json.dumps(value).encode()
        pause = PAUSE_FIRST_S
        attempt = 0
        while True:
            attempt += 1
            why = {}
            try:
                status = await self.client.post(find_url(), body, [f"webhook-id: {message_id}"])
            except (OSError, TimeoutError) as error:
                status, why = 0, {"why": str(error) or type(error).__name__}
            self.ledger.write(event, id=message_id, attempt=attempt, status=status, **what, **why)
            if status in FINAL:
                return status
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, PAUSE_MAX_S)

    def status(self, **what):
        """For whoever waits for the end: busy counts the callbacks and posts not yet through."""
        return 200, {"busy": len(self.tasks), **what}

    async def run(self):
        print(f"listening on {await Server(self.answer).open()}", flush=True)
        await asyncio.Event().wait()


def options_of(about):
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--seed", default="1", help="decides every choice")
    parser.add_argument("--ledger", required=True, help="the file to append to")
    parser.add_argument("--wait-ms", type=int, default=WAIT_MS,
                        help="how long the broker waits for a courier")
    return parser


def main(party):
    try:
        asyncio.run(party.run())
    except KeyboardInterrupt:
        pass
