"""A Chromium without a window, driven over WebDriver."""
import json
import base64
import urllib.request

import lib


class Browser(lib.Process):
    def __init__(self, where):
        self.where, self.port = where, lib.free_ports(1)[0]
        self.chromium, driver = lib.need("chromium", "chromedriver")
        super().__init__(where, "chromedriver", [driver, f"--port={self.port}", "--allowed-ips=127.0.0.1"])
        self.session = None

    def start(self):
        super().start()
        lib.wait_for("the driver", lambda: lib.get_json(f"http://127.0.0.1:{self.port}/status")["value"]["ready"])
        options = {"binary": self.chromium, "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                                                      f"--user-data-dir={self.where}/chromium"]}
        wanted = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}
        self.session = self.call("", {"capabilities": wanted})["sessionId"]

    def stop(self):
        if self.session:
            self.call("", method="DELETE")
            self.session = None
        super().stop()

    def call(self, path, body=None, method="POST"):
        url = f"http://127.0.0.1:{self.port}/session" + (f"/{self.session}" if self.session else "") + path
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, url):
        self.call("/url", {"url": url})

    def run(self, script, *values):
        """What the body of a function returns in the page."""
        return self.call("/execute/sync", {"script": script, "args": list(values)})

    def run_async(self, script, *values):
        """The same, of one that calls its last argument."""
        return self.call("/execute/async", {"script": script, "args": list(values)})

    def devtools(self, command, **values):
        return self.call("/goog/cdp/execute", {"cmd": command, "params": values})

    def look(self, width, height, theme):
        """As on a screen of this size, in `light` or `dark`."""
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])

    def shot(self, path):
        """The whole page as a picture."""
        size = self.devtools("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 6000), "scale": 1}
        picture = self.devtools("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(picture["data"]))

    def complaints(self):
        """What the browser has written to its console since it was asked last."""
        return [entry["message"] for entry in self.call("/se/log", {"type": "browser"})]
