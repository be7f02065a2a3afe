"""A story told in several ways: a server that runs one example, its scripted partners, and a stage
that kills the server while the story goes on.

Invariant: whatever the way, a story has the same end, and to each partner each call has one key and
one body. In a way that is "dying" the server ends itself with kill -9 at each write of its journal,
after its commit or before it, and is started again and again; so all that a story says to it is said
until it is heard, always with the same id.
"""
import http.client
import itertools
import json
import threading
import unittest
import uuid

from lib import PATIENCE_S, Broker, Crew, Failed, Partner, deliver, poll, program

DYING_PATIENCE_S = 60
BROKEN = (OSError, http.client.HTTPException, ValueError)


class Way:
    """How the server fares while a story is told. builds(example) are the programs that take turns, one
    a life of the server; there is one program without it."""

    def __init__(self, name, park=False, killed=False, dying=None, builds=None):
        self.name = name
        self.builds = builds or (lambda example: [program(example)])
        self.killed = killed        # once at each middle() of the story
        self.dying = bool(dying)
        self.env = {"FISH_TEST_PARK": "1" if park else "0"}
        if dying:
            # Before the first commit of a life nothing would ever go on.
            self.env["FISH_TEST_KILL_AT_COMMIT"] = "1" if dying == "after" else "2"
            self.env["FISH_TEST_KILL_PHASE"] = dying


WAYS = (Way("plain"), Way("killed", killed=True), Way("parked", park=True),
        Way("parked_killed", park=True, killed=True), Way("dying_after_each_commit", dying="after"),
        Way("dying_before_each_second_commit", dying="before"),
        Way("parked_dying", park=True, dying="after"))


def in_each_way(cls, ways=WAYS):
    """Makes tests of a class's stories: test_NAME_WAY of each story_NAME."""
    for name in [name for name in dir(cls) if name.startswith("story_")]:
        for way in ways:
            setattr(cls, f"test_{name.removeprefix('story_')}_{way.name}", one_test(name, way))
    return cls


def in_other_ways(ways):
    """For a subclass: its stories are told in these ways only, instead of those that its parent has
    tests for."""
    def decorate(cls):
        for name in [name for name in dir(cls) if name.startswith("test_")]:
            if name not in vars(cls):
                setattr(cls, name, None)
        return in_each_way(cls, ways)
    return decorate


def one_test(story, way):
    return lambda self: self.tell_story(story, way)


class Scripted(Partner):
    """Answers by its script, a function of what it heard that gives a status and a value. Like a
    good partner it goes by the key: a call made again gets the same answer, and has no effect."""

    def __init__(self, script=lambda heard: (200, {})):
        self.script = script
        self.answers = {}
        self.turn = threading.Lock()
        super().__init__()

    def answer(self, heard):
        with self.turn:
            if heard.key not in self.answers:
                status, value = self.script(heard)
                self.answers[heard.key] = status, json.dumps(value).encode()
            return self.answers[heard.key]

    def calls(self):
        """(path, what it was told) of each call, in order of its first coming."""
        seen = {}
        with self.news:
            for heard in self.heard:
                seen.setdefault(heard.key, heard)
        return [(heard.path, heard.json()) for heard in seen.values()]

    def torn(self):
        """Keys that stood for two calls, and calls without one: always empty."""
        said = {}
        with self.news:
            for heard in self.heard:
                said.setdefault(heard.key, set()).add((heard.path, heard.body))
        return [(key, what) for key, what in said.items() if not key or len(what) > 1]


class Stage:
    """A server that stays up in the way's manner, until it is closed."""

    def __init__(self, crew, example, way, env):
        self.way = way
        self.lives = 0
        self.closed = threading.Event()
        self.programs = itertools.cycle(way.builds(example))
        self.server = Broker(crew, None, example, {**env, **way.env})
        self.watch = threading.Thread(target=self.start_again_and_again, daemon=True)
        if way.dying:
            self.watch.start()
        else:
            self.live()

    def live(self):
        self.lives += 1
        self.server.program = next(self.programs)
        self.server.start()

    def start_again_and_again(self):
        while not self.closed.is_set():
            self.server.program = next(self.programs)
            process = self.server.begin()
            self.lives += process.wait_ready()
            while process.alive() and not self.closed.wait(0.002):
                pass
            self.server.kill()

    def middle(self):
        """Here a kill must change nothing."""
        if self.way.killed:
            self.server.kill()
            self.live()

    def close(self):
        self.closed.set()
        if self.way.dying:
            self.watch.join()

    def until(self, look, what):
        """look(), asked until it gives something; a server that is down for the moment is not."""
        def careful():
            try:
                return look()
            except BROKEN:
                return None
        return poll(careful, DYING_PATIENCE_S if self.way.dying else PATIENCE_S, what, 0.005)


class Story(unittest.TestCase):
    """What the stories of all examples say. example: the program's name, run in environment; its
    partners are made in partners(), each found through the variable that it is put under."""

    example = None
    environment = {}

    def partners(self):
        raise NotImplementedError

    def tell_story(self, story, way):
        with Crew(keep_on_failure=False) as crew:
            everybody = self.partners()
            env = {name: partner.url for name, partner in everybody.items()}
            self.stage = Stage(crew, self.example, way, {**env, **self.environment})
            try:
                getattr(self, story)()
            finally:
                self.stage.close()
                for partner in everybody.values():
                    partner.close()
            for name, partner in everybody.items():
                self.assertEqual(partner.torn(), [], f"{name} saw keys mixed up")
            if way.dying or way.killed:
                self.assertGreater(self.stage.lives, 1, "it was never killed")

    def middle(self):
        self.stage.middle()

    def start(self, flow, **given):
        """A flow's id. Started until it is heard, with one key: one flow."""
        key = {"Idempotency-Key": uuid.uuid4().hex}

        def ask():
            status, told = self.stage.server.admin(f"/flows/{flow}", "POST", json.dumps(given), key)
            return told["id"] if status < 300 else None
        return self.stage.until(ask, f"{flow} was not started")

    def cancel(self, flow):
        self.stage.until(lambda: self.stage.server.admin(f"/flows/{flow}/cancel", "POST")[0] < 500,
                         "it could not be cancelled")

    def tell(self, url, value, message_id=None, **headers):
        """The status of a delivery, sent with one id until there is one."""
        body = json.dumps(value).encode()
        message_id = message_id or uuid.uuid4().hex
        return self.stage.until(lambda: deliver(url, body, message_id, headers=headers),
                                f"{url} did not answer")

    def shown(self, flow, holds, what):
        """The flow as shown, once it is as it should be."""
        def look():
            flow_now = self.stage.server.flow(flow)
            return flow_now if flow_now and holds(flow_now) else None
        try:
            return self.stage.until(look, what)
        except Failed as failed:
            raise Failed(f"{failed}: {json.dumps(self.stage.server.flow(flow), indent=1)}") from None

    def end(self, flow):
        return self.shown(flow, lambda now: now["state"] in ("ended", "stopped"), "it never ended")

    def result(self, flow):
        ended = self.end(flow)
        self.assertEqual(ended.get("status"), "done", ended.get("why"))
        return ended["result"]

    def failure(self, flow):
        ended = self.end(flow)
        self.assertEqual(ended.get("status"), "failed", ended.get("why"))
        return ended["why"]

    def heard(self, partner, path, count):
        """The first so many calls to path, as soon as they have come: what each was told."""
        def came():
            calls = [told for where, told in partner.calls() if where == path]
            return calls if len(calls) >= count else None
        return self.stage.until(came, lambda: f"{path} was to be called {count} times: "
                                              f"{partner.calls()}")
