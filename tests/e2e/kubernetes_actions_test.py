#!/usr/bin/env python3
"""Plans that change a Kubernetes, by a real API server with the shipped roles and no more: each verb of the roles is needed, a
disruption budget is waited for and never gone around, no node stays cordoned, and what others have cordoned is theirs."""
import threading

import lib
from kube_cluster import ApiServer
from real_etcd import Etcd

PLAN = """  {name}:
    probes: [{{name: fine, type: exec, command: [/bin/true]}}]
    recovery: {{when: {{alert: Never}}, mode: {mode}, guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}},
      budget: {{attempts: 99, within: 15m, backoff: {{initial: 100ms, factor: 1, jitter: 0}}}},
      steps: [{{do: {{kubernetes: {{{action}, {access}}}}}, timeout: {timeout}}}]{more}}}
"""
ACCESS = "api_server: '{url}', authorization: {{credentials_file: {token}}}, tls_config: {{ca_file: {ca}}}"
# Of each role: a plan that needs it, and what it may do.
NEEDED = [
    ("cordon", "cordon", [("", "nodes", "get"), ("", "nodes", "patch")]),
    ("drain", "drain", [("", "pods", "list"), ("", "pods/eviction", "create")]),
    ("evict", "evict", [("", "pods", "get"), ("", "pods/eviction", "create")]),
    ("delete-pod", "delete", [("", "pods", "get"), ("", "pods", "delete")]),
    ("rollout-restart", "restart", [("apps", "deployments", "get"), ("apps", "deployments", "patch")]),
    ("scale", "scale", [("apps", "deployments", "get"), ("apps", "deployments/scale", "patch")]),
]


class Controllers:
    """The kubelet and the controller of Deployments, as far as a plan sees them."""

    def __init__(self, server):
        self.server, self.over = server, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.over.wait(0.2):
            try:
                for name in self.server.ending():
                    self.server.end_pod(name)
                for one in self.server.ask("GET", "/apis/apps/v1/namespaces/shop/deployments")["items"]:
                    self.settle(one)
            except OSError:  # another write was faster: the next turn sees it
                continue

    def settle(self, one):
        wanted, now = one["spec"]["replicas"], one["metadata"]["generation"]
        if one["status"].get("observedGeneration") != now:
            self.server.patch(f"/apis/apps/v1/namespaces/shop/deployments/{one['metadata']['name']}/status", {"status": {
                "observedGeneration": now, "replicas": wanted, "updatedReplicas": wanted, "readyReplicas": wanted,
                "availableReplicas": wanted}})

    def stop(self):
        self.over.set()
        self.thread.join()


class Plans:
    def __init__(self, agent):
        self.agent, self.runs = agent, {}

    def tell(self, *words):
        done = lib.fettle("recover", *words, f"--admin.socket={self.agent.admin}")
        assert done.returncode == 0, done

    def run(self, service, meanwhile=lambda: None):
        """The actions of one run of the plan, to its end."""
        self.tell(service)
        self.runs[service] = self.runs.get(service, 0) + 1
        meanwhile()

        def ended():
            runs = lib.get_json(f"{self.agent.url}/api/v1/recoveries?service={service}")["data"]["recoveries"]
            return runs[0]["actions"] if len(runs) == self.runs[service] and runs[0].get("ended") else None
        return lib.wait_for(f"the recovery of {service}", ended, 60, lambda: self.agent.text()[-2000:])

    def ends(self, service, result, *words):
        action = self.run(service)[0]
        assert action["result"] == result and all(word in action["text"] for word in words), action
        return action["text"]


class Cluster:
    """The server with one node, n3, and what the plans work on."""

    def __init__(self, server):
        self.server = server
        server.add_namespace("shop")
        server.add_node("n3")
        server.add_pod("agent-x", "n3", owner="DaemonSet")
        server.add_pod("job-x", "n3", owner="Job", phase="Succeeded")
        template = {"metadata": {"labels": {"app": "order"}}, "spec": {"containers": [{"name": "app", "image": "shop:1"}]}}
        server.ask("POST", "/apis/apps/v1/namespaces/shop/deployments", {"metadata": {"name": "order"}, "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": "order"}}, "template": template}})

    def may(self, group, resource, verb):
        resource, _, sub = resource.partition("/")
        asked = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
            "user": "system:serviceaccount:fettle:fettle", "groups": ["system:serviceaccounts", "system:authenticated"],
            "resourceAttributes": {"group": group, "resource": resource, "subresource": sub, "verb": verb, "namespace": "shop"}}}
        return self.server.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", asked)["status"]["allowed"]

    def grant(self, role, verbs):
        self.server.apply(f"rbac-{role}.yaml")
        lib.wait_for("the rights", lambda: all(self.may(*verb) for verb in verbs))

    def each_verb_is_needed(self, plans, role, service, verbs):
        path = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/fettle-{role}"
        whole = self.server.ask("GET", path)["rules"]
        for group, resource, verb in verbs:
            rules = [{**rule, "verbs": [v for v in rule["verbs"] if v != verb or resource not in rule["resources"]]} for rule in whole]
            self.server.patch(path, {"rules": [rule for rule in rules if rule["verbs"]]})
            lib.wait_for("the right to be gone", lambda: not self.may(group, resource, verb))
            self.add_pods()
            plans.ends(service, "refused", "403", "a role must allow it")
            self.server.patch(path, {"rules": whole})
            lib.wait_for("the right to be back", lambda: self.may(group, resource, verb))

    def add_pods(self):
        for name in ("order-0", "order-1"):
            lib.wait_for("the pod that ends to be gone", lambda: name not in self.server.ending())
            if name not in self.server.pods():
                self.server.add_pod(name, "n3", labels={"app": "order"})

    def node(self):
        found = self.server.ask("GET", "/api/v1/nodes/n3")
        return found["spec"].get("unschedulable", False), found["metadata"].get("annotations", {}).get("fettle/cordoned-by")

    def budget(self, allowed):
        path = "/apis/policy/v1beta1/namespaces/shop/poddisruptionbudgets"
        if not self.server.ask("GET", path)["items"]:
            self.server.ask("POST", path, {"metadata": {"name": "order"},
                                           "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "order"}}}})
        now = self.server.ask("GET", f"{path}/order")["metadata"]["generation"]
        self.server.patch(f"{path}/order/status", {"status": {"observedGeneration": now, "disruptionsAllowed": allowed, "currentHealthy": 2,
                                                              "desiredHealthy": 1, "expectedPods": 2}})


FREE = (False, None)  # of node(): not cordoned, and no mark left


def configuration(where, server):
    token = where / "token"
    token.write_text(server.token_of("fettle"))
    access = ACCESS.format(url=server.url, token=token, ca=server.ca)
    uncordon = f", finally: [{{do: {{kubernetes: {{uncordon: n3, {access}}}}}, timeout: 20s}}]"
    rows = [("cordon", "cordon: n3", "20s", uncordon), ("drain", "drain: n3", "30s", uncordon), ("short", "drain: n3", "4s", uncordon),
            ("evict", "evict: shop/order-0", "20s", ""), ("delete", "delete_pod: shop/order-0", "20s", ""),
            ("restart", "rollout_restart: shop/deployment/order", "20s", ""),
            ("scale", "scale: shop/deployment/order, replicas: 3", "20s", ""),
            ("lost", "rollout_restart: shop/deployment/none", "20s", ""), ("dry", "drain: n3", "20s", "")]
    file = server.write_kubeconfig(where / "kubeconfig", f"--token={token.read_text()}")
    rows = [(name, action, timeout, more, access) for name, action, timeout, more in rows]
    rows.append(("outside", "cordon: n3", "20s", "", f"kubeconfig_file: {file}"))
    return "global: {interval: 1s, timeout: 500ms}\nservices:\n" + "".join(
        PLAN.format(name=name, action=action, timeout=timeout, access=access, more=more, mode="dry_run" if name == "dry" else "enforce")
        for name, action, timeout, more, access in rows)


def roles_are_enough_and_not_more(cluster, plans):
    for role, service, verbs in NEEDED:
        cluster.grant(role, verbs)
        cluster.each_verb_is_needed(plans, role, service, verbs)
        cluster.add_pods()
        print(plans.ends(service, "ok"))
        if role != "cordon":  # a drain needs that, too
            cluster.server.unbind(f"fettle-{role}")
            lib.wait_for("the rights to be gone", lambda: not any(cluster.may(*verb) for verb in verbs))
        assert cluster.node() == FREE, cluster.node()
    found = cluster.server.ask("GET", "/apis/apps/v1/namespaces/shop/deployments/order")["spec"]
    assert found["replicas"] == 3 and "kubectl.kubernetes.io/restartedAt" in found["template"]["metadata"]["annotations"], found
    print("each verb of the roles is needed")


def budgets_are_kept(cluster, plans):
    cluster.add_pods()
    cluster.budget(0)
    there = cluster.server.pods()
    print(plans.ends("short", "timeout", "the node stays cordoned", "2 are left", "disruption budget order"))
    assert cluster.server.pods() == there and cluster.node() == FREE, (cluster.server.pods(), cluster.node())
    print("a drain that its budget does not allow took no pod, and left no node cordoned")

    def stop():
        lib.wait_for("the cordon", lambda: cluster.node() == (True, "short"))
        plans.tell("abort", "short", "--comment", "test")
    steps = plans.run("short", stop)
    assert steps[-1]["action"] == "kubernetes uncordon n3" and steps[-1]["result"] == "ok" and cluster.node() == FREE, steps
    print("a drain that people stopped left no node cordoned")
    opened = threading.Timer(3, cluster.budget, [2])
    opened.start()
    print(plans.ends("drain", "ok", "2 pods went"))
    opened.join()
    assert cluster.server.pods() == ["agent-x", "job-x"] and cluster.node() == FREE
    print("the budget was waited for")


def what_is_of_others_stays(cluster, plans):
    cluster.server.patch("/api/v1/nodes/n3", {"spec": {"unschedulable": True}})
    cordon, uncordon = plans.run("cordon")
    assert cordon["result"] == "ok" and "others" in cordon["text"], cordon
    assert uncordon["result"] == "refused" and cluster.node() == (True, None), uncordon
    print(uncordon["text"])
    cluster.server.patch("/api/v1/nodes/n3", {"spec": {"unschedulable": None}})
    cluster.server.add_pod("loose", "n3", owner=None)
    print(plans.ends("drain", "refused", "shop/loose", "nothing was changed"))
    cluster.server.end_pod("loose")
    cluster.add_pods()
    assert plans.run("dry")[0]["result"] == "would_run"
    assert cluster.node() == FREE and "order-0" in cluster.server.pods()
    plans.ends("lost", "failed", "404", "not found")


def events_are_written(cluster, plans):
    def written():
        items = cluster.server.ask("GET", "/api/v1/events")["items"]
        return sorted((one["involvedObject"]["kind"], one["type"], one["message"].split(" (")[0]) for one in items
                      if one.get("source", {}).get("component") == "fettle")
    assert written() == [], written()
    cluster.grant("events", [("", "events", "create")])
    cluster.grant("cordon", [])
    plans.ends("cordon", "ok")
    cluster.add_pods()
    cluster.budget(2)
    plans.ends("evict", "ok")
    plans.ends("restart", "ok")
    assert written() == [
        ("Deployment", "Normal", "kubernetes rollout_restart shop/deployment/order: done, 3 of 3 pods are new and available"),
        ("Node", "Normal", "kubernetes cordon n3: cordoned"), ("Node", "Normal", "kubernetes uncordon n3: uncordoned"),
        ("Pod", "Normal", "kubernetes evict shop/order-0: gone")], written()
    shown = cluster.server.kubectl("describe", "node", "n3").stdout
    assert "RecoveryAction" in shown and "kubernetes uncordon n3: uncordoned" in shown, shown
    print("with its role the agent writes events, and kubectl describe shows them")


def by_kubeconfig(where, cluster, plans):
    plans.ends("outside", "ok")
    assert cluster.node() == (True, "outside"), cluster.node()
    cluster.server.patch("/api/v1/nodes/n3", {"metadata": {"annotations": {"fettle/cordoned-by": None}}, "spec": {"unschedulable": None}})
    cluster.server.write_kubeconfig(where / "kubeconfig", "--token=n0-t0ken-of-the-server")
    refused = plans.ends("outside", "refused", "401", "the token is not valid")
    assert "n0-t0ken" not in refused and cluster.node() == FREE
    print("a kubeconfig file is taken, and again when it has changed")


with lib.folder() as where, Etcd(where) as etcd, ApiServer(where, etcd) as server:
    server.apply("fettle.yaml")
    cluster, controllers = Cluster(server), Controllers(server)
    with lib.Agent(where, configuration(where, server)) as agent:
        plans = Plans(agent)
        roles_are_enough_and_not_more(cluster, plans)
        for role, service, verbs in NEEDED:
            cluster.grant(role, verbs)
        budgets_are_kept(cluster, plans)
        what_is_of_others_stays(cluster, plans)
        events_are_written(cluster, plans)
        by_kubeconfig(where, cluster, plans)
    controllers.stop()
