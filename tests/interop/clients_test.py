"""The senders' own libraries sign and deliver; Fish takes what is genuine, once."""
import json
import shutil
import unittest

from kit import Case, HERE, NODE, SECRET, WHSEC

SECRETS = {"standard": WHSEC, "svix": WHSEC, "stripe": SECRET, "github": SECRET}
BODY = {"id": "evt_interop", "text": "Grüße, 世界 \u2028", "amount": 1e21, "nested": [[[]], {}]}


@unittest.skipUnless(shutil.which("node") and NODE.is_dir(), f"node, or its packages in {NODE}, are not there")
class Clients(Case):
    def deliver(self, client, url, secret=""):
        script = NODE.parent / "deliver.mjs"
        if not script.is_file():
            shutil.copy(HERE / "deliver.mjs", script)
        return json.loads(self.run_client("node", script, client, url, secret))

    def signed(self, sender):
        flow, url = self.take(sender)
        self.assertEqual(self.deliver(sender, url, SECRETS[sender]), {"good": 200, "again": 200, "forged": 401})
        self.assertEqual(self.wait_end(flow), BODY)
        other, url = self.take(sender)
        another = "whsec_" + "A" * 43 + "=" if sender in ("standard", "svix") else "another"
        self.assertEqual(self.deliver(sender, url, another), {"good": 401, "again": 401, "forged": 401})
        self.assertEqual(self.received(other), 0)

    def test_standardwebhooks(self):
        self.signed("standard")

    def test_svix(self):
        self.signed("svix")

    def test_stripe(self):
        self.signed("stripe")

    def test_octokit(self):
        self.signed("github")

    def test_repetitions_are_counted_once(self):
        flow, url = self.take("stripe", messages=2)
        self.deliver("stripe", url, SECRET)
        self.assertEqual(self.received(flow), 1)

    def test_cloudevents_in_chunks_binary_and_structured(self):
        flow, url = self.take("cloudevents", messages=3)
        self.assertEqual(self.deliver("cloudevents", url), {"heard": [200, 200, 200]})
        self.assertEqual(self.received(flow), 2)     # the binary one twice, by its ce-id

    def test_undici_with_ten_requests_on_their_way(self):
        flow, url = self.take("probe", messages=50)
        self.assertEqual(self.deliver("undici", url), {"heard": [200], "get": 200})
        self.assertIn("n", self.wait_end(flow))      # that each was counted


if __name__ == "__main__":
    unittest.main()
