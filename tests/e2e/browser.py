"""A Chromium without a window, driven over WebDriver. SHOTS=FOLDER keeps pictures, AXE=axe.min.js checks accessibility."""
import json
import base64
import os
import pathlib
import urllib.request

import lib

SIZES = {"phone": (360, 740), "tablet": (820, 1100), "screen": (1600, 1000)}


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

    def views(self, name):
        """The page in each size and theme, by words, with what is wrong there."""
        for width, theme in ((w, t) for w in SIZES for t in ("light", "dark")):
            self.look(*SIZES[width], theme)
            yield f"{width}, {theme}", self.broken() + (self.findings_of_axe() if "AXE" in os.environ else [])
            if "SHOTS" in os.environ:
                self.shot(pathlib.Path(os.environ["SHOTS"]) / f"{name}-{width}-{theme}.png")

    def broken(self):
        """What is wrong with a page as it is shown now."""
        wide = self.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        small = self.run("""return [...document.querySelectorAll('main p, main dd, main li, main td, main h2')]
            .filter((e) => e.getClientRects().length && e.scrollWidth > e.clientWidth + 2 && getComputedStyle(e).overflowX === 'visible')
            .map((e) => e.outerHTML.slice(0, 120))""")
        return ([f"is {wide} px too wide"] if wide > 0 else []) + [f"is wider than its place: {each}" for each in small]

    def findings_of_axe(self):
        if not self.run("return Boolean(window.axe)"):
            self.run(pathlib.Path(os.environ["AXE"]).read_text())
        found = self.run_async("axe.run().then((r) => arguments[0](r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html.slice(0, 100)).join(' | '))))")
        return [f"axe: {each}" for each in found]

    def press(self, *keys):
        """Keys one after the other, wherever the focus is."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def complaints(self):
        """What the browser has written to its console since it was asked last."""
        return [entry["message"] for entry in self.call("/se/log", {"type": "browser"})]
