// Debian's chromium, and a page that is watched: a request to any other host, an error in the console or in a script fails the test.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const artifacts = fileURLToPath(new URL("../../artifacts/", import.meta.url));

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--use-angle=swiftshader",
      "--enable-unsafe-swiftshader",
      "--ignore-gpu-blocklist",
      "--disable-background-networking",
      "--disable-quic",
    ],
  });
}

/** What the browser itself writes while the node is down; nothing else may be in the console. */
const outage = /WebSocket connection to .* failed|Failed to load resource: net::ERR_|net::ERR_(CONNECTION|INCOMPLETE|EMPTY)/;

export class Visit {
  faults = [];
  /** The requests that were answered. */
  loaded = [];
  /** Set while the node is down on purpose. */
  inOutage = false;
  /** What the browser writes into the console on the test's account; null: nothing. */
  expected = null;

  /** Opens the map; `hash` holds view and look, `before` runs on the page before it loads. */
  static async open(browser, url, { hash = "", before, ...options } = {}) {
    const visit = new Visit();
    visit.context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: "light", ...options });
    const host = new URL(url).host;
    await visit.context.route("**/*", (route) => {
      const to = new URL(route.request().url());
      if (to.host === host || to.protocol === "data:" || to.protocol === "blob:") return route.continue();
      visit.faults.push(`a request to ${to.href}`);
      return route.abort();
    });
    const page = (visit.page = await visit.context.newPage());
    page.on("requestfinished", (request) => visit.loaded.push(request));
    page.on("websocket", (socket) => {
      if (new URL(socket.url()).host !== host) visit.faults.push(`a WebSocket to ${socket.url()}`);
    });
    page.on("console", (message) => {
      if (message.type() !== "error") return;
      const text = `${message.text()} ${message.location().url ?? ""}`;
      if (!(visit.inOutage && outage.test(text)) && !visit.expected?.test(text)) visit.faults.push(`in the console: ${text}`);
    });
    page.on("pageerror", (err) => visit.faults.push(`in a script: ${err.stack ?? err}`));
    if (before) await page.addInitScript(before);
    await page.goto(url + hash);
    return visit;
  }

  /** Waits until the function, run in the page, answers something truthy, and returns that. */
  async until(ask, argument, timeout = 30_000) {
    const handle = await this.page.waitForFunction(ask, argument, { polling: 50, timeout });
    return handle.jsonValue();
  }

  state() {
    return this.page.evaluate(() => window.__trackmesh.state());
  }

  /** The vehicle as it is drawn, once it is drawn and at rest. */
  vehicle(id) {
    return this.until((name) => window.__trackmesh.idle() && window.__trackmesh.vehicle(name), id);
  }

  /** The colour that the whole page shows at a place of the map, all canvases and panels included: [red, green, blue]. */
  async shownAt([x, y]) {
    const box = await this.page.locator("#map").boundingBox();
    const at = { x: Math.floor(box.x + x), y: Math.floor(box.y + y), width: 1, height: 1 };
    const png = (await this.page.screenshot({ clip: at })).toString("base64");
    return this.page.evaluate(async (data) => {
      const image = new Image();
      image.src = `data:image/png;base64,${data}`;
      await image.decode();
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = 1;
      const paint = canvas.getContext("2d");
      paint.drawImage(image, 0, 0);
      return [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3);
    }, png);
  }

  async screenshot(name) {
    mkdirSync(artifacts, { recursive: true });
    await this.page.screenshot({ path: `${artifacts}map-${name}.png` });
  }

  /** Closes the page; what was wrong during the visit fails the test. */
  async close() {
    await this.context.close();
    assert.deepEqual(this.faults, []);
  }
}

export function hex(colour) {
  const value = Number.parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}
