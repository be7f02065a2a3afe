"""prometheus-alertmanager delivers to a hook, and goes on trying while the server is away."""
import json
import subprocess
import unittest
import urllib.request

from kit import Case, NODE, PATIENCE_S, poll

PACKAGE = NODE.parent / "alertmanager"
PROGRAM = PACKAGE / "usr" / "bin" / "prometheus-alertmanager"
# It looks for its templates in /usr/share, where an unpacked package has none.
WITH_SHARE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
              f'mount --bind "{PACKAGE.resolve()}/usr/share" /usr/share && exec "$@"', "sh"]


def may_mount():
    return subprocess.run([*WITH_SHARE, "true"], capture_output=True, check=False).returncode == 0


CONFIG = """
route: {{ receiver: fish, group_wait: 10ms, group_interval: 1s, group_by: [alertname] }}
receivers:
  - name: fish
    webhook_configs: [ {{ url: "{url}", send_resolved: false }} ]
"""


@unittest.skipUnless(PROGRAM.is_file(), f"there is no {PROGRAM}")
@unittest.skipUnless(PROGRAM.is_file() and may_mount(), "no mount is permitted here")
class Alertmanager(Case):
    def manager(self, url):
        port = self.crew.hold_port().getsockname()[1]
        config = self.crew.folder / "alertmanager.yml"
        config.write_text(CONFIG.format(url=url))
        self.process = self.crew.start(
            [*WITH_SHARE, PROGRAM, f"--config.file={config}", f"--storage.path={self.crew.folder / 'alerts'}",
             f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="], self.crew.folder / "alertmanager.log")
        self.api = f"http://127.0.0.1:{port}"
        poll(lambda: self.ask("/-/ready") == 200, PATIENCE_S, "alertmanager does not come up")

    def ask(self, path, alerts=None):
        request = urllib.request.Request(self.api + path, alerts and json.dumps(alerts).encode(),
                                         {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.status
        except OSError:
            return None

    def alert(self, name):
        self.assertEqual(self.ask("/api/v2/alerts", [{"labels": {"alertname": name}}]), 200)

    def test_an_alert_arrives(self):
        flow, url = self.take("probe")
        self.manager(url)
        self.alert("DiskFull")
        self.assertEqual(self.wait_end(flow)["commonLabels"], {"alertname": "DiskFull"})

    def test_it_tries_until_the_server_is_back(self):
        flow, url = self.take("probe")
        self.server.kill()
        self.manager(url)
        self.alert("HouseOnFire")
        log = self.crew.folder / "alertmanager.log"
        poll(lambda: "connection refused" in log.read_text(), PATIENCE_S, "alertmanager did not try")
        self.server.start()
        self.assertEqual(self.wait_end(flow)["commonLabels"], {"alertname": "HouseOnFire"})


if __name__ == "__main__":
    unittest.main()
