"""Opens pages of the data-quality monitor in headless Chromium and uses them as a reader does.

usage: dqm_page.py CHROMIUM SCREENSHOTS PAGE...

PAGE is the file of a run (with a table of images) or an index. Fails with a sentence when a page logs an error, loads
anything from outside, has a dead link or a broken picture, does not sort, filter or enlarge, or is wider than a phone.
Talks to the browser through a pipe (--remote-debugging-pipe): nothing but the standard library is needed.
"""

import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse


class Browser:
    """The DevTools protocol over a pair of pipes: JSON messages that end with a zero byte."""

    def __init__(self, program, profile):
        read_there, self.write_fd = os.pipe()
        self.read_fd, write_there = os.pipe()

        def place_pipes():
            a, b = os.dup(read_there), os.dup(write_there)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             "--no-first-run", "--disable-background-networking", "--force-color-profile=srgb",
             f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"],
            preexec_fn=place_pipes, close_fds=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(read_there)
        os.close(write_there)
        self.buffer = b""
        self.number = 0
        self.session = None
        self.events = []

    def receive(self):
        while b"\0" not in self.buffer:
            data = os.read(self.read_fd, 1 << 16)
            if not data:
                raise SystemExit("the browser has ended")
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        write_all(self.write_fd, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, method):
        for event in self.events:
            if event.get("method") == method:
                self.events.remove(event)
                return
        while True:
            event = self.receive()
            if event.get("method") == method:
                return
            self.events.append(event)

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise SystemExit(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def open(self, path):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.events.clear()
        for domain in ("Runtime", "Log", "Page", "Network"):
            self.call(f"{domain}.enable")
        self.screen(1400, 900)
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.wait("Page.loadEventFired")

    def close(self):
        """Closes the page."""
        self.call("Page.close")
        self.session = None

    def screen(self, width, height, mobile=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def colours(self, scheme):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, file):
        # Two frames later everything is painted.
        self.evaluate("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")
        data = self.call("Page.captureScreenshot", format="png")["data"]
        file.write_bytes(base64.b64decode(data))

    def end(self):
        self.session = None
        try:
            self.call("Browser.close")
        except SystemExit:
            pass
        self.process.wait()


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]




def expect(condition, sentence):
    if not condition:
        raise SystemExit(f"error: {sentence}")


def check_messages(browser, page):
    """No error on the console, no exception, nothing loaded but the page itself and what is inside it."""
    for event in browser.events:
        method, params = event.get("method"), event.get("params", {})
        expect(method != "Runtime.exceptionThrown", f"{page}: exception {params}")
        if method == "Runtime.consoleAPICalled":
            expect(params["type"] not in ("error", "warning", "assert"), f"{page}: console {params}")
        if method == "Log.entryAdded":
            expect(params["entry"]["level"] not in ("error", "warning"), f"{page}: log {params['entry']}")
        if method == "Network.requestWillBeSent":
            url = params["request"]["url"]
            inside = url.startswith("data:") or url.split("#")[0] == page.resolve().as_uri()
            expect(inside, f"{page}: loads {url[:200]}")
    browser.events.clear()


def check_links(browser, page):
    links = browser.evaluate("Array.from(document.querySelectorAll('a[href]'), a => a.getAttribute('href'))")
    ids = set(browser.evaluate("Array.from(document.querySelectorAll('[id]'), e => e.id)"))
    for link in set(links):
        if link.startswith("#"):
            expect(link[1:] in ids, f"{page}: the link {link} leads nowhere")
        else:
            expect(":" not in link, f"{page}: the link {link} is not relative")
            file = page.parent / urllib.parse.unquote(link)
            expect(file.exists(), f"{page}: there is no {file}")
    return len(links)


def check_pictures(browser, page):
    pictures = browser.evaluate("""(async () => {
        const all = Array.from(document.querySelectorAll('img[src]'));
        all.forEach(i => { i.loading = 'eager'; });
        await Promise.all(all.map(i => i.decode().catch(() => {})));
        return all.map(i => [i.alt, i.naturalWidth]);
    })()""")
    for alt, width in pictures:
        expect(0 < width <= 1400, f"{page}: the picture '{alt}' is {width} pixels wide")
    return len(pictures)


ROWS = "Array.from(document.querySelectorAll('{0} tbody tr')).filter(r => !r.hidden)"
COLUMN = ROWS + ".map(r => Number(r.cells[{1}].dataset.v))"


def check_sorting(browser, page, table, column, first):
    """A click sorts (`first`: 'up' or 'down'), a second one the other way round."""
    click = f"document.querySelectorAll('{table} thead th')[{column}].querySelector('button').click()"
    orders = ["up", "down"] if first == "up" else ["down", "up"]
    for order in orders:
        browser.evaluate(click)
        values = browser.evaluate(COLUMN.format(table, column))
        wanted = sorted(values, reverse=order == "down")
        expect(values == wanted, f"{page}: column {column} of {table} is not sorted {order}: {values}")
        aria = browser.evaluate(f"document.querySelectorAll('{table} thead th')[{column}].getAttribute('aria-sort')")
        expect(aria == ("descending" if order == "down" else "ascending"), f"{page}: aria-sort is {aria}")
    return len(values)


def check_filters(browser, page):
    def choose(value):
        browser.evaluate(f"{{ const f = document.querySelector('#filter'); f.value = '{value}';"
                         "f.dispatchEvent(new Event('change')); }")
        return browser.evaluate(ROWS.format("#matrix") + ".map(r => [Number(r.dataset.worst), r.dataset.file])")

    everything = choose(0)
    warned, failed = choose(2), choose(3)
    expect([r for r in everything if r[0] >= 2] == warned, f"{page}: the filter of warnings shows {warned}")
    expect([r for r in everything if r[0] >= 3] == failed, f"{page}: the filter of failures shows {failed}")
    choose(0)
    part = everything[-1][1][-12:]
    browser.evaluate(f"{{ const s = document.querySelector('#search'); s.value = {json.dumps(part)};"
                     "s.dispatchEvent(new Event('input')); }")
    found = browser.evaluate(ROWS.format("#matrix") + ".map(r => r.dataset.file)")
    expect(found == [r[1] for r in everything if part.lower() in r[1].lower()], f"{page}: the search finds {found}")
    browser.evaluate("{ const s = document.querySelector('#search'); s.value = '';"
                     "s.dispatchEvent(new Event('input')); }")
    # Columns and sections of elements without warnings go and come back.
    columns = "Array.from(document.querySelectorAll('#matrix thead th.me')).filter(h => !h.hidden).map(h => +h.dataset.worst)"
    before = browser.evaluate(columns)
    browser.evaluate("document.querySelector('#bad-columns').click()")
    after = browser.evaluate(columns)
    expect(after == [w for w in before if w >= 2], f"{page}: the columns that stay are {after}")
    browser.evaluate("document.querySelector('#bad-columns').click()")
    expect(browser.evaluate(columns) == before, f"{page}: the columns do not come back")
    return len(everything), len(warned), len(failed)


def check_viewer(browser, page):
    if not browser.evaluate("document.querySelectorAll('a.plot').length"):
        return
    browser.evaluate("document.querySelector('a.plot').click()")
    expect(browser.evaluate("document.querySelector('#viewer').open"), f"{page}: the plot does not enlarge")
    expect(browser.evaluate("location.pathname") == urllib.parse.urlparse(page.resolve().as_uri()).path,
           f"{page}: a plot leads away")
    text = "document.querySelector('#viewer-text').textContent"
    first = browser.evaluate(text)
    wide = browser.evaluate("document.querySelector('#viewer-image').getBoundingClientRect().width")
    expect(wide > 600, f"{page}: an enlarged plot is {wide} pixels wide")
    browser.evaluate("document.querySelector('#viewer').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}))")
    second = browser.evaluate(text)
    expect(first and second != first, f"{page}: the arrow key leads from '{first}' to '{second}'")
    return "viewer"


def check_folds(browser, page):
    """A cell of the table leads to values that are folded away, and unfolds them."""
    cell = "#matrix .cell.fail a[href^=\"#me-\"], #matrix .cell a[href^=\"#me-\"]"
    href = browser.evaluate(f"document.querySelector('{cell}').getAttribute('href')")
    browser.evaluate(f"document.querySelector('{cell}').click()")
    browser.evaluate("new Promise(r => setTimeout(r, 50))")
    opened = browser.evaluate(f"document.getElementById('{href[1:]}').closest('details').open")
    expect(opened, f"{page}: {href} is folded away")
    return href


def check_width(browser, page, width):
    browser.screen(width, 800, mobile=True)
    needed = browser.evaluate("document.documentElement.scrollWidth")
    expect(needed <= width, f"{page}: the page needs {needed} pixels on a screen of {width}")


def main():
    program, shots, *pages = sys.argv[1:]
    shots = pathlib.Path(shots)
    shots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(program, profile)
        for page in map(pathlib.Path, pages):
            name = f"{page.resolve().parent.name}"
            browser.open(page)
            is_run = browser.evaluate("document.querySelector('#matrix') !== null")
            links, pictures = check_links(browser, page), check_pictures(browser, page)
            done = [f"{links} links", f"{pictures} pictures"]
            if is_run:
                browser.colours("light")
                browser.screenshot(shots / f"{name}_light.png")
                check_sorting(browser, page, "#matrix", 3, "down")
                rows = check_sorting(browser, page, "#matrix", 0, "up")
                for table in ("#grouped-problems", "#single-problems"):
                    if browser.evaluate(f"document.querySelector('{table}') !== null"):
                        check_sorting(browser, page, table, 0, "down")
                        check_sorting(browser, page, table, 5, "up")
                counts = check_filters(browser, page)
                done.append(f"{rows} rows sort, filters leave {counts[0]}, {counts[1]}, {counts[2]}")
                if check_viewer(browser, page):
                    browser.screenshot(shots / f"{name}_viewer.png")
                    browser.evaluate("document.querySelector('#viewer-close').click()")
                done.append(f"{check_folds(browser, page)} unfolds")
                browser.screenshot(shots / f"{name}_values.png")
            else:
                check_sorting(browser, page, "table.sortable", 0, "up")
            background = "getComputedStyle(document.body).backgroundColor"
            browser.colours("dark")
            dark = browser.evaluate(background)
            browser.evaluate("window.scrollTo(0, 0)")
            browser.screenshot(shots / f"{name}_dark.png")
            browser.colours("light")
            light = browser.evaluate(background)
            expect(dark != light, f"{page}: dark and light are the same")
            browser.evaluate("document.querySelector('#theme').click()")
            expect(browser.evaluate(background) == dark, f"{page}: the button for dark does nothing")
            browser.evaluate("document.querySelector('#theme').click()")
            if not is_run:
                browser.screenshot(shots / f"{name}_light.png")
            check_width(browser, page, 390)
            browser.evaluate("window.scrollTo(0, 0)")
            browser.screenshot(shots / f"{name}_narrow.png")
            browser.screen(1400, 900)
            pdf = base64.b64decode(browser.call("Page.printToPDF", printBackground=True, landscape=True)["data"])
            expect(pdf.startswith(b"%PDF"), f"{page}: it cannot be printed")
            (shots / f"{name}_printed.pdf").write_bytes(pdf)
            check_messages(browser, page)
            browser.close()
            print(f"{page}: {', '.join(done)}; no message, nothing loaded from outside")
        browser.end()


main()
