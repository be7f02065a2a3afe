"""fishctl: verdicts with their reasons, signatures that verify, and no secret anywhere.

The program runs on files in a folder of the test's own. Where the test data of others is there, every
signature goes through the command line as well.
"""
import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

BUILD = Path(os.environ.get("FISH_BUILD", Path(__file__).parents[2] / "build" / "release"))
ROOT = Path(__file__).resolve().parents[2]
FISHCTL = BUILD / "src" / "fishctl"
VECTORS = Path(os.environ.get("FISH_VECTORS", ROOT.parent / "shared" / "vectors"))
SECRET = "whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0"
NOW = 1750000000
# How a scheme is called by those who made the data, where that is not its name and a suffix.
NAMES = {"aws-sns": "sns", "x-twitter": "x"}


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.secret = self.file("secret", SECRET + "\n")
        self.body = self.file("body", '{"id":"evt_1"}')

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def run_it(self, *words, status=0, **more):
        done = subprocess.run([FISHCTL, *map(str, words)], capture_output=True, text=True, timeout=60, **more)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertNotIn(SECRET[6:], done.stdout + done.stderr)
        return done

    def sign(self, *words):
        return self.file("headers", self.run_it("sign", *words, "--now", NOW).stdout)

    def verify(self, *words, status=0, now=NOW):
        return self.run_it("verify", *words, "--now", now, status=status)


class Verify(Folder):
    def signed(self, scheme, *more):
        return self.sign(scheme, "--secret-file", self.secret, "--body", self.body, *more)

    def judge(self, scheme, *more, status=0, now=NOW):
        return self.verify(scheme, "--secret-file", self.secret, "--headers", self.folder / "headers",
                           "--body", self.body, *more, status=status, now=now)

    def test_what_it_signs_it_verifies(self):
        for scheme in ("stripe", "github", "slack", "paddle", "shopify", "twitch", "outpost"):
            with self.subTest(scheme):
                self.signed(scheme, "--id", "m1")
                self.assertTrue(self.judge(scheme).stdout.startswith("valid\n"))

    def test_the_signature_is_what_others_compute(self):
        mac = hmac.new(SECRET.encode(), f"{NOW}.".encode() + b'{"id":"evt_1"}', hashlib.sha256).hexdigest()
        self.signed("stripe")
        done = subprocess.run([FISHCTL, "sign", "stripe", "--secret-file", self.secret, "--body", self.body,
                               "--now", str(NOW)], capture_output=True, timeout=60)
        self.assertEqual(done.stdout, f"Stripe-Signature: t={NOW},v1={mac}\n".encode())

    def test_tokens_of_senders_that_sign_nothing(self):
        old, new = self.file("old", "t0ken of old\n"), self.file("new", "t0ken of now\n")
        for scheme, header in (("gitlab", "X-Gitlab-Token"), ("telegram", "X-Telegram-Bot-Api-Secret-Token"),
                               ("token header=X-Own", "X-Own")):
            with self.subTest(scheme):
                self.assertEqual(self.run_it("sign", scheme, "--secret-file", old, "--body", self.body).stdout,
                                 f"{header}: t0ken of old\n")
                self.file("headers", f"{header}: t0ken of old\n")
                both = ("--secret-file", new, "--secret-file", old)
                said = self.verify(scheme, *both, "--headers", self.folder / "headers", "--body", self.body).stdout
                self.assertRegex(said, r"(?s)\Avalid\n.*secret   of \S+/old\n")
                said = self.verify(scheme, "--secret-file", new, "--headers", self.folder / "headers",
                                   "--body", self.body, status=1).stdout
                self.assertIn(f"the token in {header} is none of the configured secrets", said)
                self.assertNotIn("t0ken", said)

    def test_a_refusal_says_what_was_missing(self):
        self.file("headers", "POST /h HTTP/1.1\r\nHost: x\r\nwebhook-id: msg_1\r\nwebhook-timestamp: 1750000000\r\n\r\n")
        said = self.judge("standard-webhooks", status=1).stdout
        self.assertIn("refused: missing-header\n", said)
        self.assertIn("the header webhook-signature is missing", said)

    def test_headers_as_curl_shows_them(self):
        self.signed("stripe")
        line = (self.folder / "headers").read_text()
        for text in (f"*   Trying 127.0.0.1:80...\n> POST /h/x HTTP/1.1\n> Host: x\n> {line}> \n"
                     "} [14 bytes data]\n< HTTP/1.1 401 Unauthorized\n< Content-Length: 0\n< \n",
                     f"> {line}", f"Via: 1.1 HTTP/1.1\n{line}", f"\nPOST /h/x HTTP/1.1\r\n{line}"):
            with self.subTest(text):
                self.file("headers", text)
                self.assertTrue(self.judge("stripe").stdout.startswith("valid\n"))
        self.file("headers", f"Stripe-Signature\n{line}")
        self.verify("stripe", "--secret-file", self.secret, "--headers", self.folder / "headers",
                    "--body", self.body, status=2)

    def test_a_refusal_says_how_far_the_clock_is_off(self):
        self.signed("stripe")
        said = self.judge("stripe", status=1, now=NOW + 400).stdout
        self.assertIn("refused: too-old\n", said)
        self.assertIn("400 s old, 300 s are tolerated", said)
        self.assertIn("6 min 40 s old", said)
        self.judge("stripe", "--tolerance", "400", now=NOW + 400)
        self.judge("stripe", "--tolerance=none", now=NOW + 40000)
        self.judge("stripe", now="2025-06-15T15:06:40Z")

    def test_a_refusal_shows_what_should_have_been_signed(self):
        self.signed("slack")
        self.body = self.file("body", b'{"id":"evt_2"}\x1b[2J')
        said = self.judge("slack", status=1).stdout
        self.assertIn("refused: no-match\n", said)
        self.assertIn(f'v0:{NOW}:{{"id":"evt_2"}}\\x1b[2J', said)

    def test_json_tells_the_same(self):
        self.signed("stripe")
        said = json.loads(self.judge("stripe", "--json", now=NOW + 2).stdout)
        self.assertEqual(said, {"valid": True, "scheme": "stripe", "verdict": "valid",
                                "why": "the signature is good", "id": "evt_1", "id_signed": True,
                                "secret": 1, "skew_ms": 2000})
        self.file("headers", "Stripe-Signature: t=1750000000,v1=00\n")
        said = json.loads(self.judge("stripe", "--json", status=1).stdout)
        self.assertEqual((said["valid"], said["verdict"]), (False, "malformed-header"))
        self.assertEqual(said["signed"], '1750000000.{"id":"evt_1"}')

    def test_several_secrets_are_tried(self):
        self.signed("github")
        other = self.file("other", "other")
        said = self.verify("github", "--secret-file", other, "--secret-file", self.secret, "--headers",
                           self.folder / "headers", "--body", self.body).stdout
        self.assertIn(self.secret, said)

    def test_a_scheme_can_be_described(self):
        words = ["hmac-sha256", "header=X-Sig", "prefix=sha256=", "sign={ts}.{body}", "ts=X-Time", "tolerance=300"]
        self.sign(*words, "--secret-file", self.secret, "--body", self.body)
        self.verify(*words, "--secret-file", self.secret, "--headers", self.folder / "headers", "--body",
                    self.body)

    def test_a_secret_that_cannot_be_is_said_to_be(self):
        self.file("headers", "webhook-id: m\nwebhook-timestamp: 1750000000\nwebhook-signature: v1,AAAA\n")
        self.secret = self.file("secret", "whsec_no base64 at all")
        done = self.judge("standard-webhooks", status=1)
        self.assertIn("not base64", done.stderr)
        self.assertIn("bad-secret", done.stdout)
        self.assertNotIn("at all", done.stdout + done.stderr)

    def test_an_unsigned_id_and_a_missing_certificate_are_told(self):
        self.signed("github", "--id", "guid")
        self.assertIn("guid (of a header that is not signed", self.judge("github").stdout)
        url = "https://sns.us-west-2.amazonaws.com/a.pem"
        self.body = self.file("body", json.dumps({
            "Type": "Notification", "MessageId": "1", "TopicArn": "a", "Message": "m", "Timestamp": "t",
            "SignatureVersion": "2", "SigningCertURL": url, "Signature": "AAAA"}))
        said = self.judge("sns", status=1).stdout
        self.assertIn("refused: certificate\n", said)
        self.assertIn(url, said)

    def test_wrong_use_is_exit_status_2(self):
        self.file("headers", "")
        missing = str(self.folder / "missing")
        cases = [
            ([], "Usage"), (["wrong"], "no command"), (["verify"], "SCHEME is missing"), (["verify", "strip"], "no scheme"),
            (["verify", "stripe", "--body", self.body], "--headers is missing"),
            (["verify", "stripe", "--headers", missing, "--body", self.body], missing),
            (["verify", "stripe", "--headers", self.body], "--body is missing"),
            (["verify", "stripe", "--headers", self.body, "--body", self.body], "not \"Name: value\""),
            (["verify", "square", "--headers", str(self.folder / "headers"), "--body", self.body], "--url"),
            (["verify", "stripe", "--secret=hush"], "no option --secret here"),
            (["verify", "stripe", "--body"], "needs a value"), (["verify", "stripe", "--json=1"], "takes no value"),
            (["verify", "stripe", "--url", "a", "--url", "b"], "given twice"),
            (["verify", "stripe", "--headers", str(self.folder / "headers"), "--body", self.body, "--now", "soon"], "--now"),
            (["verify", "stripe", "--headers", str(self.folder / "headers"), "--body", self.body, "--tolerance", "-1"], "--tolerance"),
            (["sign", "sns", "--secret-file", self.secret, "--body", self.body], "only the sender has"),
            (["sign", "standard-webhooks", "--secret-file", self.secret, "--body", self.body], "signs an id"),
            (["sign", "github", "--body", self.body], "no secret"), (["schemes", "x"], "no arguments"),
        ]
        for words, wanted in cases:
            with self.subTest(words):
                done = self.run_it(*words, status=2)
                self.assertIn(wanted, done.stderr)
                self.assertNotIn("hush", done.stderr)
                self.assertEqual(done.stdout, "")

    def test_help_has_examples(self):
        self.assertIn("verify SCHEME", self.run_it("--help").stdout)
        for command in ("verify", "sign", "schemes"):
            self.assertIn("fishctl " + command, self.run_it(command, "--help").stdout)


class Schemes(Folder):
    def test_the_page_has_the_table_of_the_program(self):
        page = (ROOT / "docs" / "signatures.md").read_text()
        for row in self.run_it("schemes", "--markdown").stdout.splitlines():
            self.assertIn(row + "\n", page)
        listed = re.findall(r"^\| ([a-z][\w-]*) \|.*\|.*\|.*\|.*\|.*\|.*\|.*\|.*\|.*\|$", page, re.M)
        self.assertEqual(listed[1:], [one["name"] for one in json.loads(self.run_it("schemes", "--json").stdout)])

    def test_the_page_has_every_verdict(self):
        page = (ROOT / "docs" / "signatures.md").read_text()
        header = (ROOT / "src" / "wire" / "scheme.h").read_text()
        verdicts = re.findall(r'^\tX\(\w+,\s*"([\w-]+)",\s*"(.*)"\)', header, re.M)
        self.assertEqual(len(verdicts), 19)
        for name, meaning in verdicts:
            self.assertIn(f"| {name} | {meaning} |\n", page)


@unittest.skipUnless((VECTORS / "signatures").is_dir(), f"no signatures in {VECTORS}")
class Vectors(Folder):
    def test_all_get_their_strict_verdicts(self):
        names = {one["name"] for one in json.loads(self.run_it("schemes", "--json").stdout)}
        for line in (VECTORS / "signatures" / "signatures.jsonl").read_text().splitlines():
            self.judge(json.loads(line), names)

    def scheme_of(self, name, names):
        for front, scheme in NAMES.items():
            if name.startswith(front):
                return scheme
        while name and name not in names:
            name = name.rpartition("-")[0]
        return name

    def judge(self, vector, names):
        scheme = self.scheme_of(vector["scheme"], names)
        body = base64.b64decode(vector["body_b64"]) if "body_b64" in vector else vector["body"].encode()
        headers = "".join(f"{name}: {value}\r\n" for name, value in vector["headers"].items())
        words = [scheme, *(["require=none"] if scheme == "rfc9421" else []), "--json",
                 "--headers", self.file("h", headers), "--body", self.file("b", body)]
        secret, key = vector["secret"], vector.get("public_key")
        if scheme in ("sns", "paypal"):
            words += ["--certificate", self.file("c", key)]
        elif key:
            secret = key
        for i, one in enumerate(json.loads(secret) if scheme == "box" else [secret]):
            words += ["--secret-file", self.file(f"s{i}", one + "\n")]
        for option in ("url", "method"):
            words += [f"--{option}", vector[option]] if vector.get(option) else []
        words += ["--tolerance", vector.get("tolerance") or "none"]
        wanted = vector.get("strict_valid", vector["valid"])
        done = subprocess.run([FISHCTL, "verify", *map(str, words), "--now", str(vector["now"] or 0)],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0 if wanted else 1, (vector["scheme"], vector["name"], done))


if __name__ == "__main__":
    unittest.main()
