"""A real Zabbix: server, database and the frontend's API, in a folder and on loopback ports of its own."""
import contextlib
import gzip
import json
import os
import pathlib
import pwd
import re
import shutil
import socket
import sys
import urllib.request

import lib
from postgres_cluster import BIN, PostgresCluster, as_user

FRONTEND = pathlib.Path("/usr/share/zabbix")
SCHEMA = pathlib.Path("/usr/share/zabbix-server-pgsql")
FAST = "synchronous_commit = off\nfull_page_writes = off\nwal_level = minimal\nmax_wal_senders = 0\n"  # none of it is to be kept
CONFIG_FILE = "/etc/zabbix/zabbix.conf.php"  # as Debian's frontend has it


def need():
    """Paths of zabbix_server and php, or the end of this test with the reason."""
    programs = lib.need("zabbix_server", "php")
    for path, package in ((BIN, "postgresql"), (SCHEMA / "schema.sql.gz", "zabbix-server-pgsql"), (FRONTEND / "api_jsonrpc.php", "zabbix-frontend-php")):
        if path is None or not path.exists():
            print(f"skipped: the package {package} is not installed")
            sys.exit(lib.SKIPPED)
    return programs


class ZabbixError(Exception):
    pass


class Zabbix:
    """From an empty folder to an API that one is logged in at. `settings`: further lines of the server's configuration."""

    def __init__(self, where, settings=""):
        self.where, self.settings = where, settings
        self.port, self.web = lib.free_ports(2)
        self.token, self.stack = None, contextlib.ExitStack()

    def __enter__(self):
        server, php = need()
        try:
            for name in ("pg", "run", "ui"):
                (self.where / name).mkdir()
            if os.geteuid() == 0:
                owner = pwd.getpwnam("zabbix")
                os.chown(self.where / "run", owner.pw_uid, owner.pw_gid)
            self.database = self.stack.enter_context(PostgresCluster(self.where / "pg", FAST, "zabbix"))
            self.load_schema()
            self.stack.enter_context(lib.Process(self.where, "zabbix_server", [*as_user("zabbix"), server, "-f", "-c", self.server_configuration()]))
            self.stack.enter_context(lib.Process(self.where, "frontend", [
                *as_user("zabbix"), php, "-d", "memory_limit=256M", "-d", "post_max_size=16M", "-d", "max_execution_time=300",
                "-S", f"127.0.0.1:{self.web}", "-t", self.frontend()]))
            lib.wait_for("Zabbix to listen", self.listens, 30)
            lib.wait_for("the API to answer", lambda: self.call("apiinfo.version"), 30)
            self.token = self.call("user.login", username="Admin", password="zabbix")
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    def listens(self):
        with socket.create_connection(("127.0.0.1", self.port), 5):
            return True

    def sql(self, *words, **options):
        return self.database.as_owner(BIN / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.database.where, "-p", self.database.port,
                                      "-U", "zabbix", *words, **options)

    def load_schema(self):
        self.sql("-d", "postgres", "-c", "CREATE DATABASE zabbix")
        for name in ("schema", "images", "data"):
            self.sql("-d", "zabbix", "-1", "-f", "-", input=gzip.decompress((SCHEMA / f"{name}.sql.gz").read_bytes()).decode())

    def server_configuration(self):
        path = self.where / "zabbix_server.conf"
        path.write_text(f"""ListenPort={self.port}
ListenIP=127.0.0.1
LogFile={self.where}/run/server.log
PidFile={self.where}/run/server.pid
SocketDir={self.where}/run
DBHost={self.database.where}
DBPort={self.database.port}
DBName=zabbix
DBUser=zabbix
StartPingers=0
StartDiscoverers=0
StartPollers=1
StartDBSyncers=1
StartTrappers=2
CacheUpdateFrequency=1
{self.settings}""")
        return path

    def frontend(self):
        """A copy of what the API needs, as the place of its configuration stands in the code."""
        out = self.where / "ui"
        shutil.copytree(FRONTEND, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns("assets", "audio", "img", "locale", "fonts"))
        config = out / "zabbix.conf.php"
        place = out / "include/classes/core/CConfigFile.php"
        code = place.read_text()
        assert CONFIG_FILE in code, f"{place} has its configuration elsewhere"
        place.write_text(code.replace(CONFIG_FILE, str(config)))
        config.write_text(f"""<?php
$DB['TYPE'] = 'POSTGRESQL';
$DB['SERVER'] = '{self.database.where}';
$DB['PORT'] = '{self.database.port}';
$DB['DATABASE'] = 'zabbix';
$DB['USER'] = 'zabbix';
$DB['PASSWORD'] = '';
$DB['SCHEMA'] = '';
$DB['DOUBLE_IEEE754'] = true;
$ZBX_SERVER = '127.0.0.1';
$ZBX_SERVER_PORT = '{self.port}';
$ZBX_SERVER_NAME = 'test';
$IMAGE_FORMAT_DEFAULT = IMAGE_FORMAT_PNG;
""")
        return out

    def call(self, method, **params):
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        if self.token:
            body["auth"] = self.token
        request = urllib.request.Request(f"http://127.0.0.1:{self.web}/api_jsonrpc.php", data=json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json-rpc"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read().decode()
        try:
            said = json.loads(text)
        except ValueError as error:
            raise ZabbixError(f"{method}: {text[:500]}") from error
        if "error" in said:
            raise ZabbixError(f"{method}: {said['error']['message']} {said['error']['data']}")
        return said["result"]

    def import_template(self, path):
        every = {"createMissing": True, "updateExisting": True}
        rules = {name: every for name in ("groups", "templates", "valueMaps", "templateDashboards", "items", "discoveryRules", "triggers", "graphs")}
        assert self.call("configuration.import", format="yaml", source=path.read_text(), rules=rules) is True
        name = re.search(r"^ +template: (.+)$", path.read_text(), re.M)[1]
        return self.call("template.get", filter={"host": name})[0]["templateid"]

    def items(self, hostid):
        """By key."""
        found = self.call("item.get", hostids=hostid, output=["key_", "lastvalue", "state", "error", "lastclock"])
        return {item["key_"]: item for item in found}

    def problems(self, hostid):
        """Names of what is wrong now."""
        return {each["name"] for each in self.call("problem.get", hostids=hostid, output=["name"])}

    def history(self, hostid, key):
        """Texts of an item, the oldest first."""
        item = self.call("item.get", hostids=hostid, filter={"key_": key}, output=["itemid"])[0]["itemid"]
        found = self.call("history.get", itemids=item, history=4, output="extend")
        return [each["value"] for each in sorted(found, key=lambda each: (int(each["clock"]), int(each["ns"])))]
