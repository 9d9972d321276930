#!/usr/bin/env python3
"""A real API server of Kubernetes over a real etcd, with the shipped roles and no more: pods of the own node are found, followed
while they come and go, over a restart of the server, a compacted store and a token that is replaced; what annotations may not
say is refused. Pods are asked as their own probes say. The
same by a kubeconfig file that kubectl has written."""
import http.server
import os
import re
import shutil
import signal
import textwrap
import threading

import lib
from kube_cluster import ApiServer
from real_etcd import Etcd

CONFIG = """
global: {{interval: 200ms, timeout: 200ms, evaluation_interval: 1s}}
services:
  pods:
    healthy_when: any
    kubernetes_sd_configs:
      - role: pod
        {server}
        selectors: [{{role: pod, label: "fettle.probe in (http),!old", field: status.phase!=Unknown}}]
        probe: {{type: http, labels: {{pod: "${{__meta_kubernetes_pod_name}}"}}}}
"""
SERVER = """api_server: {url}
        authorization: {{credentials_file: {token}}}
        tls_config: {{ca_file: {ca}}}"""


class Application:
    """What runs in the pods: its /ready says yes."""

    def __init__(self):
        self.paths, self.hosts = set(), set()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler):
                self.paths.add(handler.path)
                self.hosts.add(handler.headers["Host"])
                handler.send_response(200)
                handler.end_headers()

            def log_message(handler, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.handle_error = lambda *_: None  # a probe of type tcp says nothing, and resets
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.port = server.server_port


def documented(where):
    """The examples of the page, and the configuration of the DaemonSet."""
    page = (lib.TOP / "packaging/doc/kubernetes.md").read_text()
    manifest = (lib.TOP / "packaging/kubernetes/fettle.yaml").read_text()
    examples = re.findall(r"^```yaml\n(.*?)^```$", page, re.M | re.S)
    examples.append(textwrap.dedent(re.search(r"^  fettle.yml: \|\n(.*?)^---$", manifest, re.M | re.S)[1]))
    config = where / "example.yml"
    for text in examples:
        config.write_text(text)
        checked = lib.fettle("check", "config", config)
        assert checked.returncode == 0, f"{text}\n{checked.stdout}{checked.stderr}"
    print(f"{len(examples)} examples are accepted")


def discovery(where, etcd, server):
    app, token = Application(), where / "token"
    token.write_text(server.token_of("fettle") + "\n")
    marked = {"fettle.probe": "http"}

    def add(name, node="n1", labels=marked, **more):
        server.add_pod(name, node, [app.port], labels=labels, **more)

    add("order-1", probe={"httpGet": {"path": "/ready", "port": app.port}})
    add("order-2", node="n2")
    add("order-3", labels={})
    add("order-9", labels={**marked, "old": "yes"})
    config = CONFIG.format(server=SERVER.format(url=server.url, token=token, ca=server.ca))
    with lib.Agent(where, config) as agent:

        def found():
            return sorted(series["metric"]["pod"] for series in agent.query('probe_success{service="pods"} == 1'))

        def wait_for(*names, seconds=60):
            lib.wait_for(f"the pods {names}", lambda: found() == list(names), seconds, lambda: f"{found()}\n{agent.text()[-2000:]}")

        def fails():
            lines = lib.get(f"{agent.url}/metrics").splitlines()
            return any(line.startswith("fettle_sd_last_refresh_successful{") and line.endswith(" 0") for line in lines)

        wait_for("order-1")
        assert app.paths == {"/ready"}, app.paths
        add("order-4")
        wait_for("order-1", "order-4")
        server.ask("DELETE", "/api/v1/namespaces/shop/pods/order-1")  # told to end, and still there
        assert server.ending() == ["order-1"]
        wait_for("order-4")
        server.end_pod("order-1")
        print("pods of the own node came and went")

        add("order-5", annotations={"fettle/type": "exec", "fettle/command": "[/usr/bin/touch, /tmp/x]"})
        add("order-6", annotations={"fettle/interval": "1s", "fettle/valid_status_codes": "[200, 204]"})
        wait_for("order-4", "order-6")
        lib.wait_for("the refusal", lambda: "a target is not probed" in agent.text())
        server.end_pod("order-5")
        print("an annotation set the interval, and no program")

        server.stop()
        lib.wait_for("the failure to be said", fails, 60)
        assert found() == ["order-4", "order-6"], found()
        server.start()
        # What the watch had seen is not there any more.
        revision = etcd.ask("kv/range", key="/")["header"]["revision"]
        add("order-7")
        etcd.ask("kv/compaction", revision=int(revision), physical=True)
        wait_for("order-4", "order-6", "order-7")
        lib.wait_for("the failure to be over", lambda: not fails(), 60)
        print("over a restart of the server the pods stayed, and were followed again")

        token.write_text("no token\n")
        agent.kill(signal.SIGHUP)  # a reload asks again
        lib.wait_for("the refusal of the token", lambda: "the token is not valid" in agent.text(), 60, agent.text)
        assert found() == ["order-4", "order-6", "order-7"], found()
        token.write_text(server.token_of("fettle") + "\n")
        add("order-8")
        wait_for("order-4", "order-6", "order-7", "order-8")
        print("a new token in the file was taken without a reload")
        server.unbind("fettle-discovery")
        agent.kill(signal.SIGHUP)
        lib.wait_for("the missing role", lambda: "a role must allow list and watch" in agent.text(), 60, agent.text)
        print("without the role the text says what is missing")


def in_pod(where, server):
    """With what the kubelet gives a pod in place of keys: a mount of the service account, and two variables."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return print("not shown: credentials of a pod, for which this test must be root and have unshare")
    account = where / "account"
    account.mkdir()
    shutil.copy(server.ca, account / "ca.crt")
    (account / "token").write_text("no token yet")
    os.environ.update(KUBERNETES_SERVICE_HOST="127.0.0.1", KUBERNETES_SERVICE_PORT=str(server.port))
    agent = lib.Agent(where, CONFIG.format(server=""))
    mounts = """mount -t tmpfs none /run && cd /run && mkdir -p secrets/kubernetes.io/serviceaccount &&
                mount --bind "$0" secrets/kubernetes.io/serviceaccount && exec "$@\""""
    agent.argv = ["unshare", "--mount", "sh", "-c", mounts, str(account), *agent.argv]
    with agent:
        lib.wait_for("the refusal of the token", lambda: "the token is not valid" in agent.text(), 60, agent.text)
        (account / "token").write_text(server.token_of("fettle"))
        lib.wait_for("a pod", lambda: agent.query('probe_success{service="pods",pod="order-4"} == 1'), 60, agent.text)
    print("in a pod the server, the authority and the token are those of its service account")


OWN = """
global: {{interval: 200ms, timeout: 200ms, evaluation_interval: 1s}}
services:
  pods:
    healthy_when: any
    kubernetes_sd_configs:
      - role: pod
        {server}
        selectors: [{{role: pod, label: fettle.probe=own}}]
        allow_labels: [headers]
        probe: {{labels: {{pod: "${{__meta_kubernetes_pod_name}}"}}}}
"""


def own_probes(where, server):
    """Without a type in the template pods are asked as the kubelet would, by what the real server has of them."""
    app, token, closed = Application(), where / "token", lib.free_ports(1)[0]
    token.write_text(server.token_of("fettle"))
    web, once = {"name": "web", "containerPort": app.port}, {"periodSeconds": 1, "failureThreshold": 1}
    headers = [{"name": "Host", "value": "shop.test"}]
    for name, probe in (("own-http", {"httpGet": {"path": "/own?full=1", "port": "web", "httpHeaders": headers}, **once}),
                        ("own-tcp", {"tcpSocket": {"port": "web", "host": "127.0.0.1"}, **once}),
                        ("own-down", {"tcpSocket": {"port": closed}, **once}),
                        ("own-exec", {"exec": {"command": ["/bin/true"]}}), ("own-none", None)):
        server.add_pod(name, "n1", [web], labels={"fettle.probe": "own"}, probe=probe)
    with lib.Agent(where, OWN.format(server=SERVER.format(url=server.url, token=token, ca=server.ca))) as agent:

        def found(value):
            return sorted(series["metric"]["probe"].split("@")[0] + " " + series["metric"]["pod"]
                          for series in agent.query(f'probe_success{{service="pods"}} == {value}'))

        lib.wait_for("the probes of the pods", lambda: (found(1), found(0)) == (["http own-http", "tcp own-tcp"], ["tcp own-down"]), 60,
                     lambda: f"{found(1)} {found(0)}\n{agent.text()[-2000:]}")
        assert app.paths == {"/own?full=1"} and app.hosts == {"shop.test"}, (app.paths, app.hosts)
        lib.wait_for("what cannot be asked", lambda: "the readinessProbe of container app is exec" in agent.text())
    print("pods were asked as their own probes say, and one that has a program for it was named")


def by_kubeconfig(where, server):
    """From outside of the cluster, as a user with a client certificate that the role is bound to."""
    server.ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
        "metadata": {"name": "outside"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "fettle-discovery"},
        "subjects": [{"kind": "User", "name": "outside"}]})
    certificate, key = server.sign("outside")
    file = server.write_kubeconfig(where / "kubeconfig", "--token=n0-t0ken-of-the-server")
    os.chmod(file, 0o600)
    with lib.Agent(where, CONFIG.format(server=f"kubeconfig_file: {file}")) as agent:
        lib.wait_for("the refusal of the token", lambda: "the token is not valid" in agent.text(), 60, agent.text)
        os.unlink(file)
        server.write_kubeconfig(file, f"--client-certificate={certificate}", f"--client-key={key}", "--embed-certs")
        lib.wait_for("a pod", lambda: agent.query('probe_success{service="pods",pod="order-4"} == 1'), 60, agent.text)
        shown = agent.text() + lib.get(f"{agent.url}/api/v1/status/config")
        assert "n0-t0ken" not in shown and "kubeconfig_file" in shown
        print("a kubeconfig file that kubectl wrote was taken, and again when it had changed, without a reload")
    server.write_kubeconfig(file, "--exec-command=/usr/bin/cloud", "--exec-api-version=client.authentication.k8s.io/v1beta1")
    config = where / "exec.yml"
    config.write_text(CONFIG.format(server=f"kubeconfig_file: {file}"))
    checked = lib.fettle("check", "config", config)
    assert checked.returncode == 1 and re.search(rf"{file}:\d+:\d+: .*user\.exec: names a program", checked.stdout + checked.stderr), checked
    print("an exec plugin is refused at its line")


os.environ["NODE_NAME"] = "n1"
with lib.folder() as where:
    documented(where)
with lib.folder() as where, Etcd(where) as etcd, ApiServer(where, etcd) as server:
    server.apply("fettle.yaml", "rbac-discovery.yaml")
    server.add_namespace("shop")
    server.add_node("n1")
    server.add_node("n2")
    discovery(where, etcd, server)
    server.apply("rbac-discovery.yaml")
    own_probes(where, server)
    by_kubeconfig(where, server)
    in_pod(where, server)
