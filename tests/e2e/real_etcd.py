"""A real etcd of one node, for the tests that keep something in one."""
import base64
import json
import urllib.request

import lib


class Etcd(lib.Process):
    def __init__(self, where):
        self.client, peer = lib.free_ports(2)
        self.url, peers = f"http://127.0.0.1:{self.client}", f"http://127.0.0.1:{peer}"
        super().__init__(where, "etcd", [
            lib.need("etcd"), "--name=e1", f"--data-dir={where}/etcd", f"--listen-client-urls={self.url}",
            f"--advertise-client-urls={self.url}", f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=e1={peers}", "--log-level=error", "--unsafe-no-fsync"])

    def start(self):
        super().start()
        lib.wait_for("etcd", lambda: self.ask("kv/range", key="/"), 60)

    def ask(self, what, **keys):
        """Texts are encoded as the gateway wants them, numbers stay."""
        body = json.dumps({n: base64.b64encode(v.encode()).decode() if isinstance(v, str) else v for n, v in keys.items()})
        request = urllib.request.Request(f"{self.url}/v3/{what}", data=body.encode(), method="POST")
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read())
