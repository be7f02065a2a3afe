"""Hooks that name their sender, with real requests signed by other code than ours: hmac of Python."""
import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import re
import time
import unittest
from pathlib import Path
from urllib.parse import quote, urlsplit

from lib import PATIENCE_S, Partner, program, send_raw
from crew import Broker, Crew, Failed, poll

SECRET = "geheim 1/2: s3cr3t"
OLD_SECRET = "older: 0123456789"
WHSEC_KEY = b"0123456789abcdef0123456789abcdef"
PARTNER_TOKEN = "b3arer-0123"
PARTNER_SECRET = "signs calls: c4lls"
ADMIN_TOKEN = "admin-t0ken-0123456789"
WHSEC = "whsec_" + base64.b64encode(WHSEC_KEY).decode()


def mac(text, key=SECRET, how=hashlib.sha256):
    return hmac.new(key if isinstance(key, bytes) else key.encode(), text, how)


def now():
    return str(int(time.time()))


def github(body, key=SECRET):
    return {"X-Hub-Signature-256": "sha256=" + mac(body, key).hexdigest()}


def stripe(body, key=SECRET, ts=None):
    ts = ts or now()
    return {"Stripe-Signature": f"t={ts},v1={mac(f'{ts}.'.encode() + body, key).hexdigest()}"}


def slack(body, key=SECRET):
    ts = now()
    return {"X-Slack-Request-Timestamp": ts,
            "X-Slack-Signature": "v0=" + mac(f"v0:{ts}:".encode() + body, key).hexdigest()}


def zoom(body, key=SECRET):
    ts = now()
    return {"x-zm-request-timestamp": ts,
            "x-zm-signature": "v0=" + mac(f"v0:{ts}:".encode() + body, key).hexdigest()}


def standard(body, ident="msg_1", key=WHSEC_KEY):
    ts = now()
    signed = base64.b64encode(mac(f"{ident}.{ts}.".encode() + body, key).digest()).decode()
    return {"webhook-id": ident, "webhook-timestamp": ts, "webhook-signature": f"v1,{signed}"}


class Senders(unittest.TestCase):
    def setUp(self):
        self.crew = self.enterContext(Crew(keep_on_failure=False))
        self.partner = self.enterContext(contextlib.closing(Partner()))
        self.env = {"SECRET": SECRET, "OLD_SECRET": OLD_SECRET, "WHSEC": WHSEC, "PARTNER_URL": self.partner.url,
                    "PARTNER_TOKEN": PARTNER_TOKEN, "PARTNER_SECRET": PARTNER_SECRET, "FISH_ADMIN_TOKEN": ADMIN_TOKEN}
        self.server = Broker(self.crew, program("senders"), "senders", self.env)
        self.server.start()

    def take(self, sender, messages=1):
        """A flow that takes from this sender: its id and the URL."""
        flow = self.server.admin("/flows/take", "POST", json.dumps({"from": sender, "messages": messages}))[1]["id"]
        return flow, poll(lambda: self.server.flow(flow)["published"].get("url"), PATIENCE_S, "no URL was published")

    def ask(self, url, headers=None, body=b"", method="POST", query=""):
        to = urlsplit(url)
        connection = http.client.HTTPConnection(to.netloc, timeout=PATIENCE_S)
        try:
            connection.request(method, to.path + query, body or None, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def post(self, url, body, headers):
        return self.ask(url, {"Content-Type": "application/json", **headers}, body)[0]

    def wait_end(self, flow, result):
        told = poll(lambda: (f := self.server.flow(flow))["state"] == "ended" and f, PATIENCE_S, "it does not end")
        self.assertEqual(told["result"], result)

    def test_genuine_ones_are_taken_and_forged_ones_refused(self):
        for sender, sign in (("github", github), ("stripe", stripe), ("slack", slack), ("zoom", zoom)):
            with self.subTest(sender):
                body = json.dumps({"id": f"evt {sender}", "text": "Grüße \\ud83d\\ude00"}).encode()
                flow, url = self.take(sender)
                self.assertEqual(self.post(url, body, {}), 401)
                self.assertEqual(self.post(url, body + b" ", sign(body)), 401)
                self.assertEqual(self.post(url, body, sign(body, "another")), 401)
                self.assertEqual(self.post(url, body, sign(body, OLD_SECRET)), 200)
                self.wait_end(flow, json.loads(body))

    def test_standard_webhooks(self):
        flow, url = self.take("standard", messages=2)
        self.assertEqual(self.post(url, b"{}", standard(b"{}", key=WHSEC.encode())), 401)
        for _ in range(3):                      # signed anew each time, and still the same message
            self.assertEqual(self.post(url, b'{"n": 1}', standard(b'{"n": 1}')), 200)
        self.assertEqual(self.post(url, b'{"n": 2}', standard(b'{"n": 2}', "msg_2")), 200)
        self.wait_end(flow, {"n": 2})

    def test_a_token_is_kept_nowhere(self):
        flow, url = self.take("gitlab", messages=3)
        self.assertEqual(self.post(url, b"{}", {}), 401)
        self.assertEqual(self.post(url, b"{}", {"X-Gitlab-Token": SECRET + "!"}), 401)
        event = {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Event-UUID": "e-1"}
        for _ in range(2):
            self.assertEqual(self.post(url, b'{"n": 1}', {"X-Gitlab-Token": SECRET, **event}), 200)
        self.assertEqual(self.post(url, b'{"n": 2}', {"X-Gitlab-Token": OLD_SECRET, **event}), 200)
        exported = self.server.command("export", flow)
        self.assertIn("Push Hook", exported)
        told = exported + self.server.command("show", flow) + json.dumps(self.server.flow(flow))
        self.assertEqual(self.post(url, b'{"n": 3}', {"X-Gitlab-Token": SECRET}), 200)
        self.wait_end(flow, {"n": 3})
        self.server.kill()
        kept = b"".join(path.read_bytes() for path in Path(self.server.store).parent.glob(
            Path(self.server.store).name + "*"))
        self.assertIn(b"Push Hook", kept)
        for secret in (SECRET, OLD_SECRET):
            self.assertNotIn(secret, told + self.server.log.read_text())
            self.assertNotIn(secret.encode(), kept)

    def test_a_url_is_signed_as_it_is_configured(self):
        flow, url = self.take("own")
        ts = now()

        def signed(text):
            return {"X-Own-Time": ts, "X-Own": "v=" + mac(text.encode()).hexdigest()}
        self.assertEqual(self.ask(url, {**signed(f"{ts}.http://evil.example{urlsplit(url).path}.1"),
                                        "Host": "evil.example"}, b"1")[0], 401)
        self.assertEqual(self.ask(url, signed(f"{ts}.{url}?a=b.1"), b"1", query="?a=b")[0], 200)
        self.wait_end(flow, 1)

    def test_repetitions_over_a_kill(self):
        flow, url = self.take("stripe", messages=2)
        body = b'{"id": "evt_1", "type": "payment_intent.succeeded"}'
        self.assertEqual(self.post(url, body, stripe(body)), 200)
        self.server.kill()
        self.server.start()
        self.assertEqual(self.post(url, body, stripe(body)), 200)
        self.assertEqual(self.post(url, body, stripe(body, ts=str(int(time.time()) - 301))), 401)
        self.assertEqual(self.server.flow(flow)["hooks"][0]["received"], 1)
        self.assertEqual(self.post(url, b'{"id": "evt_2"}', stripe(b'{"id": "evt_2"}')), 200)
        self.wait_end(flow, {"id": "evt_2"})

    def test_a_secret_is_rotated_under_a_waiting_flow(self):
        flow, url = self.take("github")
        self.server.kill()
        self.server.env = {**self.server.env, "SECRET": "a new one", "OLD_SECRET": "a new one"}
        self.server.start()
        self.assertEqual(self.post(url, b"{}", github(b"{}")), 401)
        self.assertEqual(self.post(url, b"{}", github(b"{}", "a new one")), 200)
        self.wait_end(flow, {})

    def test_questions(self):
        _, url = self.take("slack")
        body = b'{"type": "url_verification", "challenge": "3eZbrw1aB"}'
        status, text, headers = self.ask(url, slack(body), body)
        self.assertEqual((status, text, headers["X-Content-Type-Options"]), (200, b"3eZbrw1aB", "nosniff"))
        self.assertEqual(self.ask(url, slack(body, "forged"), body)[0], 401)
        _, url = self.take("meta")
        query = "?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
        self.assertEqual(self.ask(url, method="GET", query=query + quote(SECRET))[:2], (200, b"1158201444"))
        self.assertEqual(self.ask(url, method="GET", query=query + "guess")[:2], (403, b""))
        _, url = self.take("cloudevents")
        status, _, headers = self.ask(url, {"WebHook-Request-Origin": "eventemitter.example.com"}, method="OPTIONS")
        self.assertEqual((status, headers["WebHook-Allowed-Origin"], headers["Allow"]), (200, "*", "POST"))
        _, url = self.take("probe")
        self.assertEqual(self.ask(url, method="HEAD")[:2], (200, b""))
        self.assertEqual(self.ask(url, method="OPTIONS")[0], 405)
        _, url = self.take("zoom")
        body = b'{"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vl"}}'
        status, text, _ = self.ask(url, zoom(body), body)
        self.assertEqual((status, json.loads(text)),
                         (200, {"plainToken": "qgg8vl", "encryptedToken": mac(b"qgg8vl").hexdigest()}))

    def test_a_cloudevent_at_a_door_starts_one_flow(self):
        url = "http://%s:%d/in/events" % self.server.port.getsockname()
        status, _, headers = self.ask(url, {"WebHook-Request-Origin": "emitter.example.com"}, method="OPTIONS")
        self.assertEqual((status, headers["WebHook-Allowed-Origin"]), (200, "*"))
        event = {"ce-specversion": "1.0", "ce-type": "com.example.made", "ce-source": "/made"}
        for ident in ("a", "a", "b", "a"):
            self.assertEqual(self.post(url, b'{"n": 1}', {**event, "ce-id": ident}), 200)
        self.server.kill()
        self.server.start()
        url = "http://%s:%d/in/events" % self.server.port.getsockname()
        self.assertEqual(self.post(url, b'{"n": 1}', {**event, "ce-id": "b"}), 200)
        poll(lambda: not self.server.flows(everything=False), PATIENCE_S, "they do not end")
        told = [self.server.flow(flow["id"])["result"] for flow in self.server.flows()]
        self.assertCountEqual(told, [{"id": ident, "type": event["ce-type"], "data": {"n": 1}} for ident in "ab"])
        for _ in range(2):                      # nobody could know these for the same
            self.assertEqual(self.post(url, b"{}", event), 200)
        self.assertEqual(len(self.server.flows()), 4)

    def test_what_was_refused_is_put_back(self):
        flow, url = self.take("github", messages=2)
        forged = github(b'{"n": 1}', "another")
        self.assertEqual(self.post(url, b'{"n": 1}', {**forged, "X-GitHub-Delivery": "d-1"}), 401)
        self.assertEqual(self.post(url, b'{"n": 2}', {}), 401)
        book, = self.server.flow(flow)["ledger"]
        first, second = (request["number"] for request in book["requests"])
        self.assertEqual([(r["fate"], r["status"], r["text"]) for r in book["requests"]],
                         [("refused", 401, '{"n": 1}'), ("refused", 401, '{"n": 2}')])
        self.assertIn(["x-hub-signature-256", "…"], book["requests"][0]["headers"])
        told = self.server.command("show", flow)
        self.assertRegex(told, rf"(?s)\nRequests\n  in  2 refused since .*\n +{first}  .*UTC  "
                               r'refused 401  POST from 127\.0\.0\.1\S*, 8 bytes \{"n": 1\}\n +no-match: ')
        self.assertEqual(self.server.command("redeliver", flow, str(first)), f"delivered to {flow}\n")
        self.assertEqual(json.loads(self.server.command("redeliver", flow, str(second), "--json")),
                         {"id": flow, "number": second})
        self.wait_end(flow, {"n": 2})
        stored = [r for r in self.server.flow(flow)["ledger"][0]["requests"] if "entry" in r]
        self.assertEqual([(r["fate"], r["text"]) for r in stored], [("taken", '{"n": 1}'), ("taken", '{"n": 2}')])
        self.assertIn(f"  entry {stored[1]['entry']} ", self.server.command("show", flow))
        for number, why in ((first, "it was put back already"), (4711, "the ledger has no such request"),
                            ("x", "tell which request with ?number=N")):
            with self.assertRaisesRegex(Failed, "failed with 1: .*" + re.escape(why)):
                self.server.command("redeliver", flow, str(number))
        log = self.server.log.read_text()
        self.assertIn(f"hook.redelivered flow={flow} hook=0 number={first}", log)
        self.assertNotIn(forged["X-Hub-Signature-256"].partition("=")[2], log + told)

    def forge(self, url, sender, sign):
        """Every way to be refused, and to be taken; what must not be told of it."""
        body = json.dumps({"id": f"evt_{sender}"}).encode()
        private = {"Authorization": "Bearer s3nder", "Cookie": "c00kie", "X-Api-Key": "k3y"}
        bad, good = sign(body, b"another"), sign(body, WHSEC_KEY if sender in ("standard", "svix") else SECRET)
        doubled = {name: f"{value},{value}" for name, value in bad.items()}
        for headers in ({}, bad, {**bad, **private}, doubled, dict.fromkeys(bad, "g4rbage"), good, {**good, **private}):
            self.ask(url, {"Content-Type": "application/json", **headers}, body, query="?token=qu3ry")
        for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
            self.ask(url, bad, method=method, query="?hub.mode=subscribe&hub.challenge=1&hub.verify_token=qu3ry")
        for broken in ("Content-Length: 1\r\nContent-Length: 2", "Content-Length: 99999999", "Bad Name: x"):
            head = "".join(f"{name}: {value}\r\n" for name, value in {**bad, **private}.items())
            send_raw(url, f"POST {urlsplit(url).path}?token=qu3ry HTTP/1.1\r\nHost: x\r\n{head}{broken}\r\n\r\nx".encode())
        values = [*bad.values(), *good.values()]
        return {piece for value in values for piece in re.split(r"[=, ]", value) if len(piece) > 20}

    def test_no_secret_and_no_signature_is_ever_logged(self):
        signs = {"github": github, "stripe": stripe, "slack": slack, "zoom": zoom, "meta": github, "own": github,
                 "standard": lambda body, key: standard(body, key=key), "svix": lambda body, key: standard(body, key=key),
                 "mailgun": github, "twilio": github, "cloudevents": github, "probe": github}
        private = {SECRET, OLD_SECRET, WHSEC, WHSEC_KEY.decode(), PARTNER_TOKEN, PARTNER_SECRET, ADMIN_TOKEN, "s3nder",
                   "c00kie", "k3y", "qu3ry", "g4rbage", "m4ilgun", "0ther-admin"}
        for sender, sign in signs.items():
            flow, url = self.take(sender, messages=9)
            private |= self.forge(url, sender, sign) | {urlsplit(url).path.rpartition("/")[2]}
            if sender == "mailgun":
                self.post(url, b'{"signature": {"timestamp": "1700000000", "token": "m4ilgun", "signature": "m4ilgun"}}', {})
            for request in self.server.flow(flow)["ledger"][0]["requests"]:
                if request["fate"] not in ("stored", "taken"):
                    with contextlib.suppress(Failed):       # some were repeated by a good one
                        self.server.command("redeliver", flow, str(request["number"]))
        base = url.partition("/h/")[0]
        for door, sign in (("github", github), ("stripe", stripe)):
            private |= self.forge(f"{base}/in/{door}", door, sign)
        self.partner.answer = lambda heard: (500, b"")
        call = self.server.admin("/flows/call", "POST", "{}")[1]["id"]
        self.wait_end(call, None)
        private |= {heard.headers["webhook-signature"][3:] for heard in self.partner.heard}
        self.server.kill()
        self.server.flags = ("--admin", "127.0.0.1:0")
        self.server.start()
        admin = re.search(r"admin on (http://\S+),", self.server.log.read_text())[1]
        self.assertEqual(self.ask(admin + "/flows", {"Authorization": "Bearer 0ther-admin"}, method="GET")[0], 401)
        log = self.server.log.read_text()
        self.assertGreater(log.count("hook.refused"), 40)
        for line in ("door.refused", "hook.redelivered", "told ", "server.ready"):
            self.assertIn(line, log)
        self.assertEqual([text for text in sorted(private) if text in log], [])

    def test_a_secret_that_is_none_is_not_told_at_the_start(self):
        self.server.kill()
        self.server.env = {**self.server.env, "WHSEC": "whsec_no base64: g3heim"}
        self.server.begin()
        poll(lambda: not self.server.process.alive(), PATIENCE_S, "it started without its secret")
        log = self.server.log.read_text()
        self.assertIn("sender 'standard': its secret 1: ", log)
        self.assertNotIn("g3heim", log)

    def test_a_secret_that_is_not_set_is_said_at_the_start(self):
        self.server.kill()
        self.server.env = {name: value for name, value in self.server.env.items() if name != "WHSEC"}
        self.server.begin()
        poll(lambda: not self.server.process.alive(), PATIENCE_S, "it started without its secret")
        self.assertIn("sender 'standard': its secret asks for ${WHSEC}, and WHSEC is not set", self.server.log.read_text())


if __name__ == "__main__":
    unittest.main()
