"""Answers of a flow that are not JSON: what really goes over the wire, and goes there again."""
import http.client
import unittest
from urllib.parse import urlsplit

from lib import PATIENCE_S, program
from crew import Broker, Crew, poll

TWIML = '<?xml version="1.0"?><Response><Say>grüß dich</Say></Response>'.encode()


class Answers(unittest.TestCase):
    def setUp(self):
        self.crew = self.enterContext(Crew(keep_on_failure=False))
        self.server = Broker(self.crew, program("answers"), "answers", {})
        self.server.start()
        self.flow = self.server.admin("/flows/phone", "POST", "null")[1]["id"]
        self.url = poll(lambda: self.server.flow(self.flow)["published"].get("url"), PATIENCE_S, "no URL was published")

    def post(self, body, ident, times=2):
        """Status, headers and body of the answers on one connection: a wrong length would garble the next."""
        to = urlsplit(self.url)
        connection = http.client.HTTPConnection(to.netloc, timeout=PATIENCE_S)
        told = []
        try:
            for _ in range(times):
                connection.request("POST", to.path, body, {"webhook-id": ident})
                answer = connection.getresponse()
                told.append((answer.status, sorted(answer.getheaders()), answer.read()))
        finally:
            connection.close()
        self.assertEqual(told[0], told[-1])
        return told[0]

    def check_all(self):
        self.assertEqual(self.post("call", "a"), (200, [
            ("Content-Length", str(len(TWIML))), ("Content-Type", "text/xml; charset=utf-8"), ("X-Call", "1")], TWIML))
        self.assertEqual(self.post("empty", "b"), (204, [], b""))
        self.assertEqual(self.post("blob", "c"), (404, [
            ("Content-Length", "4"), ("Content-Type", "application/octet-stream")], b"\0\r\n\xff"))

    def test_bytes_as_they_were_given_after_a_kill_and_the_end_too(self):
        self.check_all()
        self.server.kill()
        self.server.start()
        self.check_all()
        journal = self.server.flow(self.flow)["journal"]
        self.assertEqual([e["text"] for e in journal if e["entry"] == "answer"][1:],
                         ["reply 204 to the delivery of entry %d: 0 headers, 0 bytes" % self.entry_of(journal, "empty"),
                          "reply 404 to the delivery of entry %d: 1 header, 4 bytes" % self.entry_of(journal, "blob")])
        self.post("end", "e", times=1)
        poll(lambda: self.server.flow(self.flow)["state"] == "ended", PATIENCE_S, "it does not end")
        self.check_all()
        self.server.kill()
        self.server.start()
        self.check_all()

    def entry_of(self, journal, body):
        return next(e["seq"] for e in journal if e["entry"] == "message" and f" bytes {body} (" in e["text"])

    def test_a_fallback_of_bytes(self):
        self.assertEqual(self.post("nobody answers this", "x"), (503, [
            ("Content-Length", "5"), ("Content-Type", "text/plain")], b"busy\n"))


if __name__ == "__main__":
    unittest.main()
