"""A real API server of Kubernetes over a real etcd, without a kubelet or a controller: who uses it plays these. The server is built
once, from Debian's source (packaging/build/kube-apiserver.sh)."""
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

import lib
from real_etcd import Etcd

FOLDER = lib.TOP / "build/deps/kubernetes"
ADMIN = "admin-of-the-test"


def program():
    """Its path, or the end of this test with the reason."""
    began = time.monotonic()
    made = subprocess.run(["nice", "-n", "10", lib.TOP / "packaging/build/kube-apiserver.sh", FOLDER], capture_output=True, text=True)
    if made.returncode == 3:
        print(f"skipped: the API server cannot be had: {made.stderr.strip().splitlines()[-1]}")
        sys.exit(lib.SKIPPED)
    assert made.returncode == 0, made.stderr
    if time.monotonic() - began > 10:
        print(made.stderr.strip().splitlines()[-1])
    return FOLDER / "kube-apiserver"


class ApiServer(lib.Process):
    """`with ApiServer(where, etcd)`; ask() and kubectl() as a member of system:masters."""

    def __init__(self, where, etcd):
        self.where, (self.port,) = where, lib.free_ports(1)
        self.url, self.ca = f"https://127.0.0.1:{self.port}", where / "ca.crt"
        self.make_certificates()
        tokens = where / "tokens.csv"
        tokens.write_text(f'{ADMIN},admin,1,"system:masters"\n')
        os.chmod(tokens, 0o600)
        self.trust = ssl.create_default_context(cafile=str(self.ca))
        super().__init__(where, "apiserver", [
            program(), f"--etcd-servers={etcd.url}", "--bind-address=127.0.0.1", f"--secure-port={self.port}", "--insecure-port=0",
            f"--tls-cert-file={where}/api.crt", f"--tls-private-key-file={where}/api.key", f"--client-ca-file={self.ca}",
            f"--token-auth-file={tokens}", "--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={where}/sa.pub",
            f"--service-account-signing-key-file={where}/sa.key", "--endpoint-reconciler-type=none", "--allow-privileged=true",
            "--disable-admission-plugins=ServiceAccount"])

    def make_certificates(self):
        openssl = lib.need("openssl")
        where = self.where
        (where / "san").write_text("subjectAltName=IP:127.0.0.1\n")
        for words in (["genrsa", "-out", "sa.key", "2048"], ["rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub"],
                      ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=ca", "-days", "2", "-keyout", "ca.key", "-out", "ca.crt"],
                      ["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=api", "-keyout", "api.key", "-out", "api.csr"],
                      ["x509", "-req", "-in", "api.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                       "-extfile", "san", "-out", "api.crt"]):
            subprocess.run([openssl, *words], cwd=where, check=True, capture_output=True)

    def start(self):
        super().start()
        lib.wait_for("the API server", lambda: self.ask("GET", "/readyz") == "ok", 120, self.text)

    def ask(self, method, path, body=None, kind="application/json", token=ADMIN):
        """The answer, parsed where it is JSON. A refusal is an HTTPError."""
        request = urllib.request.Request(self.url + path, method=method, data=json.dumps(body).encode() if body is not None else None,
                                         headers={"Authorization": f"Bearer {token}", "Content-Type": kind})
        with urllib.request.urlopen(request, timeout=20, context=self.trust) as answer:
            text = answer.read().decode()
            return json.loads(text) if text.startswith(("{", "[")) else text

    def status_of(self, *words, **options):
        """The status of a request."""
        try:
            self.ask(*words, **options)
            return 200
        except urllib.error.HTTPError as error:
            return error.code

    def patch(self, path, body):
        return self.ask("PATCH", path, body, "application/merge-patch+json")

    def kubectl(self, *words, **options):
        return subprocess.run([lib.need("kubectl"), "--kubeconfig=/dev/null", f"--server={self.url}", f"--certificate-authority={self.ca}",
                               f"--token={ADMIN}", f"--cache-dir={self.where}/kubectl", *words], capture_output=True, text=True, **options)

    def sign(self, name):
        """A client certificate of this user: the paths of it and of its key."""
        openssl = lib.need("openssl")
        for words in (["req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr"],
                      ["x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                       "-out", f"{name}.crt"]):
            subprocess.run([openssl, *words], cwd=self.where, check=True, capture_output=True)
        return self.where / f"{name}.crt", self.where / f"{name}.key"

    def write_kubeconfig(self, file, *credentials):
        """By kubectl itself; `credentials` as its set-credentials takes them."""
        for words in (["set-cluster", "shop", f"--server={self.url}", f"--certificate-authority={self.ca}", "--embed-certs"],
                      ["set-credentials", "fettle", *credentials], ["set-context", "fettle", "--cluster=shop", "--user=fettle"],
                      ["use-context", "fettle"]):
            subprocess.run([lib.need("kubectl"), "config", f"--kubeconfig={file}", *words], check=True, capture_output=True)
        return file

    def apply(self, *files):
        for file in files:
            done = self.kubectl("apply", "-f", str(lib.TOP / "packaging/kubernetes" / file))
            assert done.returncode == 0, done

    def unbind(self, name):
        self.ask("DELETE", f"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{name}")

    def token_of(self, account, namespace="fettle"):
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        answer = self.ask("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", asked)
        return answer["status"]["token"]

    def add_namespace(self, name):
        self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})

    def add_node(self, name):
        self.ask("POST", "/api/v1/nodes", {"metadata": {"name": name}})

    def add_pod(self, name, node, ports=(), owner="ReplicaSet", labels=None, annotations=None, probe=None, phase="Running"):
        """In namespace shop, as running and ready, at 127.0.0.1. A port is a number, or has a name, too."""
        container = {"name": "app", "image": "shop:1",
                     "ports": [port if isinstance(port, dict) else {"containerPort": port} for port in ports]}
        if probe:
            container["readinessProbe"] = probe
        owners = [{"apiVersion": "apps/v1", "kind": owner, "name": "owner", "uid": "0b0e6d5e-0000-4000-8000-000000000000", "controller": True}]
        pod = {"metadata": {"name": name, "labels": labels or {}, "annotations": annotations or {}, "ownerReferences": owners if owner else []},
               "spec": {"nodeName": node, "terminationGracePeriodSeconds": 30, "containers": [container]}}
        self.ask("POST", "/api/v1/namespaces/shop/pods", pod)
        self.patch(f"/api/v1/namespaces/shop/pods/{name}/status", {"status": {
            "phase": phase, "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}], "hostIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}]}})

    def end_pod(self, name):
        """As the kubelet does when the containers have ended."""
        self.ask("DELETE", f"/api/v1/namespaces/shop/pods/{name}?gracePeriodSeconds=0")

    def pods(self):
        """Those that are not told to end."""
        items = self.ask("GET", "/api/v1/namespaces/shop/pods")["items"]
        return sorted(pod["metadata"]["name"] for pod in items if "deletionTimestamp" not in pod["metadata"])

    def ending(self):
        items = self.ask("GET", "/api/v1/namespaces/shop/pods")["items"]
        return sorted(pod["metadata"]["name"] for pod in items if "deletionTimestamp" in pod["metadata"])
