// What the map says when things are not as they should be, and on a phone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, Visit } from "./browser.mjs";
import { fix, fixes, places, viewHash, yard } from "./fleet.mjs";
import { FleetNode } from "./node.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

async function withNode(run) {
  const node = await FleetNode.start();
  try {
    await run(node);
  } finally {
    await node.stop();
  }
}

test("without vehicles the map says so, and shows the first one when it comes", { timeout: 300_000 }, () =>
  withNode(async (node) => {
    const v = await Visit.open(browser, node.url, { hash: viewHash });
    await v.page.locator(".notice-empty").waitFor();
    await v.screenshot("empty");
    await node.post(fixes());
    await v.vehicle("van-moving");
    await v.page.locator(".notice-empty").waitFor({ state: "hidden" });
    await v.page.evaluate(() => (location.hash = "#map=12/40.55/-74.25"));
    await v.page.locator(".notice-elsewhere").waitFor();
    await v.page.locator(".notice-elsewhere button").click();
    await v.vehicle("van-moving");
    await v.close();
  }));

test("a killed node is noticed, and the map goes on when it is back, with every event once", { timeout: 300_000 }, () =>
  withNode(async (node) => {
    await node.put(yard);
    await node.post(fixes());
    const v = await Visit.open(browser, node.url, { hash: viewHash });
    await v.vehicle("van-stopped");
    const entered = v.page.locator("#events li", { hasText: "West Yard" });
    await entered.first().waitFor();
    const before = await v.page.locator("#events li").evaluateAll((rows) => rows.map((r) => r.dataset.event));

    v.inOutage = true;
    await node.kill();
    await v.page.locator(".notice-lost").waitFor();
    assert.equal(await v.page.locator(".pill").getAttribute("data-phase"), "lost");
    assert.ok((await v.page.evaluate(() => window.__trackmesh.vehicles())) >= 3, "the last positions stay");
    await v.screenshot("disconnected");

    await node.run();
    await v.until(() => window.__trackmesh.state().phase === "live", null, 60_000);
    v.inOutage = false;
    await v.page.locator(".notice-lost").waitFor({ state: "hidden" });
    await v.vehicle("van-stopped");
    await node.post([fix("van-later", [-74.0035, 40.743], 0)]);
    await v.page.locator("#events li", { hasText: "van-later" }).filter({ hasText: "West Yard" }).first().waitFor();
    const now = await v.page.locator("#events li").evaluateAll((rows) => rows.map((r) => r.dataset.event));
    assert.equal(new Set(now).size, now.length, "no event twice");
    assert.deepEqual(before.filter((id) => !now.includes(id)), [], "no event lost");
    await v.close();
  }));

test("many vehicles are shown as cells, and as points when few of them are in view", { timeout: 300_000 }, () =>
  withNode(async (node) => {
    const many = Array.from({ length: 3200 }, (_, i) => fix(`taxi-${i}`, [-74.02 + (i % 80) * 0.0008, 40.7 + Math.floor(i / 80) * 0.002], 1));
    await node.post(many);
    const v = await Visit.open(browser, node.url, { hash: "#map=11/40.742/-73.988" });
    await v.until(() => window.__trackmesh.state().drawn === "cells" && window.__trackmesh.state().status.total === 3200);
    const counted = await v.until(() => window.__trackmesh.idle() && window.__trackmesh.cells()?.reduce((sum, c) => sum + c.count, 0));
    assert.equal(counted, 3200);
    await v.screenshot("cells");
    await v.page.evaluate(() => (location.hash = "#map=15/40.742/-73.988"));
    await v.until(() => window.__trackmesh.state().drawn === "points" && window.__trackmesh.vehicles() > 0);
    await v.page.evaluate(() => (location.hash = "#map=11/40.742/-73.988"));
    await v.page.locator("[data-look=points]").click();
    await v.until(() => window.__trackmesh.vehicles() === 3200);
    await v.screenshot("many-points");
    await v.page.locator("[data-look=heat]").click();
    await v.until(() => window.__trackmesh.state().drawn === "heat" && window.__trackmesh.idle());
    await v.screenshot("heat");
    await v.close();
  }));

test("on a phone the map keeps its place above a bottom sheet, and a tap opens a vehicle", { timeout: 300_000 }, () =>
  withNode(async (node) => {
    await node.put(yard);
    await node.post(fixes());
    const [lon, lat] = places["van-moving"];
    const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
    const v = await Visit.open(browser, node.url, { hash: `#map=13/${lat}/${lon}`, ...phone });
    const seen = await v.vehicle("van-moving");
    assert.equal(await v.page.evaluate(() => document.documentElement.scrollWidth), 390, "nothing is wider than the screen");
    const box = await v.page.locator("#map").boundingBox();
    assert.ok(box.width === 390 && box.height > 300, JSON.stringify(box));
    await v.screenshot("phone");
    await v.page.touchscreen.tap(box.x + seen.pixel[0], box.y + seen.pixel[1]);
    await v.page.locator("#card").waitFor();
    assert.equal(await v.page.locator("#card-title").innerText(), "van-moving");
    const card = await v.page.locator("#card").boundingBox();
    assert.ok(card.y > 300 && card.x >= 0 && card.x + card.width <= 390, `a sheet at the bottom: ${JSON.stringify(card)}`);
    await v.screenshot("phone-card");
    await v.close();
  }));

test("with reduced motion a vehicle steps to its new place instead of gliding", { timeout: 300_000 }, () =>
  withNode(async (node) => {
    await node.post(fixes());
    const v = await Visit.open(browser, node.url, { hash: viewHash, reducedMotion: "reduce" });
    await v.vehicle("van-moving");
    const east = places["van-moving"][0] + 0.004;
    await node.post([fix("van-moving", [east, places["van-moving"][1]], 0)]);
    // In the very evaluation in which the new fix is known, nothing may be on its way to it.
    const rested = await v.until((lon) => {
      const seen = window.__trackmesh.vehicle("van-moving");
      if (Math.abs(seen.lon - lon) > 1e-6) return false;
      const drawnLon = -73.988 + ((seen.pixel[0] - document.querySelector("#map").clientWidth / 2) / (512 * 2 ** 13)) * 360;
      return { drawnLon };
    }, east);
    assert.ok(Math.abs(rested.drawnLon - east) < 1e-5, `drawn at ${rested.drawnLon}, not at ${east}`);
    await v.close();
  }));

test("a browser without WebGL2 is told so, and lists the fleet", { timeout: 300_000 }, () =>
  withNode(async (node) => {
    await node.post(fixes());
    const v = await Visit.open(browser, node.url, {
      before: () => {
        const real = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
          return kind.startsWith("webgl") ? null : real.call(this, kind, ...rest);
        };
      },
    });
    await v.page.getByText("cannot draw the map").waitFor();
    await v.page.getByRole("region", { name: "Vehicles" }).getByRole("button", { name: "van-moving" }).click();
    await v.page.locator("#card-title", { hasText: "van-moving" }).waitFor();
    await v.screenshot("no-webgl");
    await v.close();
  }));
