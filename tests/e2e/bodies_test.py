"""What a sender sends is what the flow gets; bad requests get a clear answer and harm nobody."""
import hashlib
import json
import random
import unittest

from lib import MirrorCase, deliver, send, send_raw

MEBIBYTE = 1 << 20
NOISE = random.Random("bodies").randbytes(MEBIBYTE)
BODIES = (b"", b"\0", b"a\0b\0", b"\0" * 1000, bytes(range(256)), b"\xff\xfe\xc0\xaf\xed\xa0\x80",
          b"\r\n\r\nPOST / HTTP/1.1\r\n\r\n", b'{"text": "plain"}', NOISE[:65537], NOISE)

OPAQUE = (b"", b"not json", b'{"text": "x"', b'\xef\xbb\xbf{"text": "x"}',
          b'{"text": "x", "text": "y"}', b'{"text": "x", "number": 1e999}',
          b'{"text": "a\\u0000b"}', b"[" * 5000, b"nan",
          b'{"text": "\xff"}', b'{"text": "x"}\0', b'{"text": "x"} {"text": "y"}',
          b'{"number": 99999999999999999999999999}')
DEFAULTS = {"text": "", "number": -7, "real": 0.5, "flag": 0, "count": 0, "has": 0, "mark": "",
            "whole": None, "inner": None}


class Bodies(MirrorCase):
    def through(self, bodies, restart=False, **how):
        """Sends all bodies to one flow and gives what reached the partner."""
        flow, url = self.mirror(len(bodies))
        since = len(self.partner.heard)
        for number, body in enumerate(bodies):
            self.assertEqual(deliver(url, body, f"{flow}-{number}", **how), 200)
            if restart and number == len(bodies) // 2:
                self.restart()
        self.assertEqual(self.wait_end(flow)["result"], {"messages": len(bodies)})
        return self.partner.told("/bytes", since), self.partner.told("/read", since)

    def assert_exact(self, sent, told):
        for body, heard in zip(sent, told, strict=True):
            self.assertEqual((len(heard.body), hashlib.sha256(heard.body).hexdigest()),
                             (len(body), hashlib.sha256(body).hexdigest()), body[:40])

    def test_bytes_are_exact(self):
        self.assert_exact(BODIES, self.through(BODIES)[0])

    def test_bytes_are_exact_by_put(self):
        self.assert_exact(BODIES, self.through(BODIES, method="PUT")[0])

    def test_bytes_are_exact_through_a_kill(self):
        self.assert_exact(BODIES, self.through(BODIES, restart=True)[0])

    def test_chunked_bytes_are_exact(self):
        for chunks in (1, 7, 4096, 100_000):
            bodies = [body for body in BODIES if len(body) <= 2000 * chunks]
            self.assert_exact(bodies, self.through(bodies, chunks=chunks)[0])

    def test_readers_read(self):
        body = {"text": 'a"b\\c\n\u00e9', "number": 42, "real": 2.5, "flag": True,
                "list": [1, 2, 3], "inner": {"deep": [None]}}
        _, read = self.through([json.dumps(body).encode()], headers={"X-Mark": "marked"})
        self.assertEqual(read[0].json(), {"text": body["text"], "number": 42, "real": 2.5,
                                          "flag": 1, "count": 3, "has": 1, "mark": "marked",
                                          "whole": body, "inner": body["inner"]})

    def test_readers_of_what_is_no_json_give_defaults(self):
        told, read = self.through(OPAQUE)
        self.assert_exact(OPAQUE, told)
        for body, heard in zip(OPAQUE, read, strict=True):
            self.assertEqual(heard.json(), DEFAULTS, body[:40])

    def test_a_sender_cannot_add_members(self):
        intruder = '", "admin": true, "x": "'
        bodies = [json.dumps({"text": intruder, "inner": intruder}).encode(),
                  b'{"text": "x"}, "admin": true', b'null, "admin": true',
                  b'null}, {"admin": true',
                  b'{"text": "x", "inner": {"admin": true}}', b'"' + intruder.encode() + b'"',
                  b'1 /* */, "admin": true', b'\xff", "admin": true']
        _, read = self.through(bodies, headers={"X-Mark": intruder})
        for body, heard in zip(bodies, read, strict=True):
            self.assertEqual(set(heard.json()), set(DEFAULTS), body)
            self.assertEqual(heard.json()["mark"], intruder)
        self.assertEqual(read[0].json()["text"], intruder)
        self.assertEqual(read[0].json()["inner"], intruder)


class Door(MirrorCase):
    def setUp(self):
        super().setUp()
        self.flow, self.url = self.mirror(1)
        self.path = "/" + self.url.split("/", 3)[3]

    def assert_lives(self):
        """The flow still waits, and gets what it is sent."""
        self.assertEqual(deliver(self.url, b"well"), 200)
        self.assertEqual(self.wait_end(self.flow)["result"], {"messages": 1})
        self.assertEqual([heard.body for heard in self.partner.told("/bytes")], [b"well"])

    def test_malformed_http_is_400(self):
        line = f"POST {self.path} HTTP/1.1\r\n".encode()
        host = b"Host: a\r\n"
        for text in (b"nonsense\r\n\r\n", b"\0\0\0\0\r\n\r\n",
                     line + b"Content-Length: 1\r\n\r\nx",
                     line + host + b"Content-Length: -1\r\n\r\n",
                     line + host + b"Content-Length: 1, 2\r\n\r\nxx",
                     line + host + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
                     line + host + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
                     b"0\r\n\r\n",
                     line + host + b"Transfer-Encoding: chunked\r\n\r\nno\r\n",
                     line + host + b"Content-Length : 1\r\n\r\nx",
                     line + host + b"A: \0\r\nContent-Length: 1\r\n\r\nx",
                     line + host + b" folded: 1\r\nContent-Length: 1\r\n\r\nx"):
            self.assertEqual(send_raw(self.url, text), 400, text)
        self.assert_lives()

    def test_a_sender_that_goes_away_harms_nobody(self):
        line = f"POST {self.path} HTTP/1.1\r\nHost: a\r\n".encode()
        for text in (b"", b"PO", line, line + b"Content-Length: 10\r\n\r\nhalf",
                     line + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhal"):
            self.assertIn(send_raw(self.url, text), (None, 400), text)
        self.assert_lives()

    def test_forged_is_404(self):
        base, token = self.url.rsplit("/", 1)
        forged = [token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:]
                  for at in range(0, len(token) - 1, 5)]
        for wrong in [*forged, "", "x", token + "A", token[:-1], token + "/", token + "%00",
                      "A" * 5000]:
            self.assertIn(deliver(f"{base}/{wrong}"), (404, 414), wrong)
        for path in ("/", "/h", "/flows", "/other"):
            self.assertEqual(deliver(self.url.replace(self.path, path)), 404, path)
        self.assert_lives()

    def test_other_methods_are_405(self):
        for method in ("GET", "HEAD", "DELETE", "PATCH", "OPTIONS"):
            status, headers, _ = send(self.url, method=method)
            self.assertEqual(status, 405, method)
            self.assertIn("POST", headers["allow"])
        self.assert_lives()

    def test_too_big_is_413(self):
        self.assertEqual(deliver(self.url, NOISE + b"x"), 413)
        self.assertEqual(deliver(self.url, NOISE + b"x", chunks=65536), 413)
        self.assert_lives()

    def test_ended_is_410_for_ever(self):
        self.assert_lives()
        self.assertEqual(deliver(self.url, b"late"), 410)
        self.restart()
        self.assertEqual(deliver(self.url, b"later"), 410)
        self.assertEqual(len(self.partner.told("/bytes")), 1)

    def test_an_answer_is_200_with_an_empty_body(self):
        status, headers, body = send(self.url, b"x")
        self.assertEqual((status, headers.get("content-length"), body), (200, "0", b""))


class Duplicates(MirrorCase):
    def test_a_duplicate_is_answered_and_wakes_nobody(self):
        flow, url = self.mirror(3)
        self.assertEqual(deliver(url, b"one", "id-1"), 200)
        self.assertEqual(deliver(url, b"one", "id-1"), 200)
        self.assertEqual(deliver(url, b"another body", "id-1"), 200)
        self.restart()
        self.assertEqual(deliver(url, b"one", "id-1"), 200)
        key = {"Idempotency-Key": "id-2"}
        self.assertEqual(deliver(url, b"two", headers=key), 200)
        self.assertEqual(deliver(url, b"two", headers=key), 200)
        self.assertEqual(deliver(url, b"three"), 200)
        shown = self.wait_end(flow)
        for message_id in ("id-1", "id-2"):
            self.assertEqual(deliver(url, b"again", message_id), 200)
        self.assertEqual(deliver(url, b"new", "id-3"), 410)
        self.restart()
        for message_id in ("id-1", "id-2"):
            self.assertEqual(deliver(url, b"again", message_id), 200)
        self.assertEqual(deliver(url, b"new", "id-3"), 410)
        self.assertEqual([heard.body for heard in self.partner.told("/bytes")],
                         [b"one", b"two", b"three"])
        self.assertEqual(shown["untaken"], [])

    def test_without_an_id_each_is_a_message(self):
        flow, url = self.mirror(3)
        for _ in range(3):
            self.assertEqual(deliver(url, b"same"), 200)
        self.wait_end(flow)
        self.assertEqual(len(self.partner.told("/bytes")), 3)

    def test_ids_belong_to_their_hook(self):
        first, first_url = self.mirror(1, "first")
        second, second_url = self.mirror(1, "second")
        self.assertEqual(deliver(first_url, b"a", "same"), 200)
        self.assertEqual(deliver(second_url, b"b", "same"), 200)
        self.wait_end(first)
        self.wait_end(second)
        self.assertEqual({heard.body for heard in self.partner.told("/bytes")}, {b"a", b"b"})


if __name__ == "__main__":
    unittest.main()
