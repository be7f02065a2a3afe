"""curl in every framing that it has: each body arrives whole, once."""
import json
import unittest

from kit import Case

WAITS = 'expect: 100-continue'


class Curl(Case):
    def curl(self, *words):
        return self.run_client("curl", "-sS", "-o", "/dev/null", "--max-time", "20",
                               "-w", "%{http_code} %{num_connects} %{http_version}\\n", *words).split("\n")[:-1]

    def file(self, size):
        path = self.crew.folder / f"body-{size}"
        path.write_text(json.dumps("x" * (size - 2)))
        return path

    def body(self, size):
        return "x" * (size - 2)

    def sent(self, *words, size=200):
        flow, url = self.take("probe")
        self.assertEqual([line.split()[0] for line in self.curl(*words, url)], ["200"], words)
        self.assertEqual(self.wait_end(flow), self.body(size))

    def test_framings(self):
        small = self.file(200)
        json_type = ("-H", "Content-Type: application/json")
        self.sent(*json_type, "--data-binary", f"@{small}")
        self.sent(*json_type, "-H", "Transfer-Encoding: chunked", "--data-binary", f"@{small}")
        self.sent(*json_type, "-T", str(small))                                  # PUT
        self.sent(*json_type, "--http1.0", "--data-binary", f"@{small}")
        self.sent(*json_type, "-H", "Connection: close", "--data-binary", f"@{small}")
        self.sent(*json_type, "--http2", "--data-binary", f"@{small}")           # Upgrade: h2c, which is let be

    def test_a_body_that_waits_to_be_asked_for(self):
        big = self.file(1_048_000)      # curl expects 100 from 1 MiB on; here it is told to
        self.sent("-H", "Content-Type: application/json", "-H", WAITS, "--data-binary", f"@{big}", size=1_048_000)

    def test_one_too_large_is_told_so_before_it_is_sent(self):
        _, url = self.take("probe")
        huge = self.file(3_000_000)
        told = self.curl("-w", "%{size_upload}\n", "-H", WAITS, "--data-binary", f"@{huge}", url)
        self.assertEqual(told, ["0"])

    def test_forms_and_parts(self):
        flow, url = self.take("probe")
        self.assertEqual(self.curl("--data-urlencode", "text=Grüße & so", "-d", "n=1", url)[0][:3], "200")
        self.wait_end(flow)
        flow, url = self.take("probe")
        self.assertEqual(self.curl("-F", "a=b", "-F", f"f=@{self.file(200)}", url)[0][:3], "200")
        self.wait_end(flow)

    def test_many_on_one_connection_and_many_at_once(self):
        flow, url = self.take("probe", messages=40)
        json_type = ("-H", "Content-Type: application/json")
        told = self.curl(*json_type, "-d", "1", url, *(word for _ in range(19) for word in ("-o", "/dev/null", url)))
        self.assertEqual({line.split()[0] for line in told}, {"200"})
        self.assertEqual(sum(int(line.split()[1]) for line in told), 1)
        told = self.curl("--parallel", *json_type, "-d", "1", url,
                         *(word for _ in range(19) for word in ("-o", "/dev/null", url)))
        self.assertEqual({line.split()[0] for line in told}, {"200"})
        self.assertEqual(self.wait_end(flow), 1)

    def test_a_head_and_a_get(self):
        _, url = self.take("probe")
        self.assertEqual(self.curl("-I", url)[0][:3], "200")
        self.assertEqual(self.curl(url)[0][:3], "200")
        _, url = self.take("github")
        self.assertEqual(self.curl("-I", url)[0][:3], "405")


if __name__ == "__main__":
    unittest.main()
