// The map in a real browser, against a real node with a known fleet.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { hex, launch, Visit } from "./browser.mjs";
import { colours, depot, fix, fixes, places, project, viewHash, yard } from "./fleet.mjs";
import { FleetNode } from "./node.mjs";

let node, browser;

before(async () => {
  node = await FleetNode.start();
  browser = await launch();
  await node.put(depot);
  await node.put(yard);
  await node.post(fixes());
}, { timeout: 300_000 });

after(async () => {
  await browser?.close();
  await node?.stop();
});

/** A test with a page of its own, which must have asked nobody else and complained of nothing. */
function visit(name, run, options = {}) {
  test(name, { timeout: 120_000 }, async () => {
    const v = await Visit.open(browser, node.url, { hash: viewHash, ...options });
    try {
      await run(v, v.page);
    } catch (err) {
      await v.screenshot(`failed-${name.replaceAll(/\W+/g, "-")}`).catch(() => {});
      if (v.faults.length > 0) err.message += `\nand ${v.faults.join("\n")}`;
      throw err;
    }
    await v.close();
  });
}

for (const theme of ["light", "dark"]) {
  visit(`vehicles are drawn where they are, in the colour of their state (${theme})`, async (v, page) => {
    const size = await page.locator("#map").evaluate((e) => [e.clientWidth, e.clientHeight]);
    for (const [id, state] of [["van-moving", "moving"], ["van-stopped", "stopped"], ["van-silent", "silent"]]) {
      const seen = await v.vehicle(id);
      const at = project(places[id], ...size);
      assert.equal(seen.status, state, id);
      assert.ok(Math.hypot(seen.pixel[0] - at[0], seen.pixel[1] - at[1]) < 1, `${id} is drawn at ${seen.pixel}, not at ${at}`);
      const colour = hex(colours[theme][state === "silent" ? "ring" : state]);
      assert.deepEqual(seen.colour, [...colour, 255], `${id} on its canvas`);
      assert.deepEqual(await v.shownAt(at), colour, `${id} on the page`);
    }
    await v.screenshot(`points-${theme}`);
  }, { colorScheme: theme });
}

test("all that is loaded before the first vehicle is drawn is at most 500 KB on the wire", { timeout: 120_000 }, async () => {
  const v = await Visit.open(browser, node.url, { hash: viewHash });
  await v.vehicle("van-moving");
  const sizes = await Promise.all(v.loaded.map(async (r) => [new URL(r.url()).pathname, (await r.sizes()).responseBodySize]));
  const total = sizes.reduce((sum, [, bytes]) => sum + bytes, 0);
  await v.close();
  assert.ok(sizes.some(([path]) => path.endsWith(".js")) && total > 50_000, `what was loaded was seen: ${JSON.stringify(sizes)}`);
  assert.ok(total <= 500_000, `${total} bytes: ${JSON.stringify(sizes)}`);
});

visit("the counts by state are those of the fleet", async (v, page) => {
  await v.until(() => window.__trackmesh.state().status?.total === 3);
  for (const state of ["moving", "stopped", "silent"]) assert.equal(await page.locator(`.count-${state} b`).innerText(), "1", state);
  await v.until(() => document.querySelector(".pill").dataset.phase === "live");
});

visit("the fences are drawn", async (v, page) => {
  const ids = await v.until(() => window.__trackmesh.fences().length === 2 && window.__trackmesh.fences());
  assert.deepEqual(ids.sort(), ["depot", "yard"]);
  await v.until(() => window.__trackmesh.idle());
  const size = await page.locator("#map").evaluate((e) => [e.clientWidth, e.clientHeight]);
  const [inside, outside] = [await v.shownAt(project([-74.004, 40.7445], ...size)), await v.shownAt(project([-74.004, 40.7475], ...size))];
  assert.notDeepEqual(inside, outside, "the fill of a fence sets it off from the land beside it");
});

visit("an event appears in the feed, lights its fence, and a click goes there", async (v, page) => {
  await v.until(() => window.__trackmesh.fences().length === 2 && window.__trackmesh.state().phase === "live");
  await node.post([fix("van-visitor", [-73.99, 40.728], 40)]);
  await v.vehicle("van-visitor");
  await node.post([fix("van-visitor", [-73.99, 40.7325], 0)]);
  const row = page.locator("#events li", { hasText: "van-visitor" }).filter({ hasText: "East Depot" }).first();
  await row.waitFor();
  await v.until(() => window.__trackmesh.state().lit.includes("depot"));
  await v.screenshot("event");
  await v.until(() => window.__trackmesh.state().lit.length === 0);

  await page.evaluate(() => (location.hash = "#map=11/40.60/-74.10"));
  await v.until(() => window.__trackmesh.vehicle("van-visitor") === null);
  await row.locator("button").click();
  await v.until(() => window.__trackmesh.state().selected === "van-visitor" && window.__trackmesh.state().lit.includes("depot"));
  const seen = await v.vehicle("van-visitor");
  const size = await page.locator("#map").evaluate((e) => [e.clientWidth, e.clientHeight]);
  assert.ok(seen.pixel[0] > 0 && seen.pixel[0] < size[0] && seen.pixel[1] > 0 && seen.pixel[1] < size[1], `in view: ${seen.pixel}`);
});

visit("the feed shows the kinds that are chosen", async (v, page) => {
  const rows = page.locator("#events li");
  await page.locator("#events li", { hasText: "van-stopped" }).first().waitFor();
  const all = await rows.count();
  await page.locator(".chip[data-group=gaps]").click();
  await v.until((n) => document.querySelectorAll("#events li").length < n, all);
  for (const text of await rows.allInnerTexts()) assert.match(text, /van-silent/);
  await page.locator(".chip[data-group=gaps]").click();
  await v.until((n) => document.querySelectorAll("#events li").length === n, all);
});

visit("a vehicle is found by the keyboard alone, and its card tells of it", async (v, page) => {
  await v.vehicle("van-stopped");
  await page.keyboard.press("/");
  await page.keyboard.type("van-st");
  await page.locator("#suggestions [role=option]", { hasText: "van-stopped" }).waitFor();
  await page.keyboard.press("Enter");
  const card = page.locator("#card");
  await card.waitFor();
  assert.equal(await page.locator("#card-title").innerText(), "van-stopped");
  await card.getByText("stopped", { exact: true }).first().waitFor();
  await card.getByText("West Yard").first().waitFor();
  await card.getByText("early").waitFor();
  await v.until(() => location.hash.includes("vehicle=van-stopped"));
  await v.screenshot("card");
  await page.locator("#map canvas").first().focus();
  await page.keyboard.press("Escape");
  await card.waitFor({ state: "hidden" });
  assert.ok(!page.url().includes("vehicle="), page.url());
});

visit("a message is sent from the card, and the track shows what it says", async (v, page) => {
  const { pixel } = await v.vehicle("van-moving");
  const box = await page.locator("#map").boundingBox();
  await page.mouse.click(box.x + pixel[0], box.y + pixel[1]);
  const card = page.locator("#card");
  await card.getByText("Send a message").click();
  await page.locator("#note-key").fill("driver");
  await page.locator("#note-value").fill("Ann of the depot");
  await page.locator("#note-send").click();
  await page.locator("#message-status", { hasText: /Done|Stored/ }).waitFor();
  await card.getByText("Ann of the depot").waitFor();
  await v.screenshot("message");
});

visit("an id that is not in view is looked up, and an unknown one is said to be unknown", async (v, page) => {
  v.expected = /404 .*no-such-vehicle/; // the browser notes each answer of 404 by itself
  await v.until(() => window.__trackmesh.state().phase === "live");
  await page.keyboard.press("/");
  await page.keyboard.type("no-such-vehicle");
  await page.keyboard.press("Enter");
  await page.locator("#card").getByText(/no vehicle/i).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("van-silent");
  await page.keyboard.press("Enter");
  await v.until(() => document.querySelector("#card-title").textContent === "van-silent" && window.__trackmesh.vehicle("van-silent"));
}, { hash: "#map=12/40.55/-74.20" });

visit("a click on a vehicle opens its card; j and k go through the events", async (v, page) => {
  const { pixel } = await v.vehicle("van-moving");
  const box = await page.locator("#map").boundingBox();
  await page.mouse.move(box.x + pixel[0], box.y + pixel[1]);
  await page.mouse.click(box.x + pixel[0], box.y + pixel[1]);
  await v.until(() => window.__trackmesh.state().selected === "van-moving");
  await page.locator("#card").getByText("moving", { exact: true }).first().waitFor();
  await page.locator("#events li").first().waitFor();
  await page.keyboard.press("j");
  const first = await v.until(() => document.querySelector("#events li[data-current]")?.dataset.event);
  await page.keyboard.press("j");
  const second = await v.until((id) => {
    const now = document.querySelector("#events li[data-current]")?.dataset.event;
    return now !== id && now;
  }, first);
  assert.notEqual(first, second);
  await page.keyboard.press("k");
  await v.until((id) => document.querySelector("#events li[data-current]")?.dataset.event === id, first);
});

visit("cells show every vehicle in a count, and the link shows the same", async (v, page) => {
  await v.vehicle("van-moving");
  await page.locator("[data-look=cells]").click();
  const total = await v.until(() => window.__trackmesh.state().drawn === "cells" && window.__trackmesh.state().status.look === "cells" && window.__trackmesh.state().status.total);
  const counted = await page.evaluate(() => window.__trackmesh.cells().reduce((sum, c) => sum + c.count, 0));
  assert.equal(counted, total);
  assert.equal(new URL(page.url()).hash.includes("look=cells"), true);
  await page.reload();
  await v.until(() => window.__trackmesh.state().drawn === "cells" && window.__trackmesh.cells().length > 0);
  assert.equal(await page.locator("[data-look=cells]").getAttribute("aria-pressed"), "true");
  await page.locator("[data-look=points]").click();
  await v.vehicle("van-moving");
});

visit("the theme is switched by hand and kept", async (v, page) => {
  await v.vehicle("van-moving");
  await page.locator("#theme").click();
  await v.until(() => window.__trackmesh.state().dark);
  assert.deepEqual((await v.vehicle("van-moving")).colour, [...hex(colours.dark.moving), 255]);
  await page.reload();
  await v.until(() => window.__trackmesh.state().dark);
});

visit("a followed vehicle stays in view, also when it leaps out of it", async (v, page) => {
  const drive = (i) => node.post([fix("van-followed", [-73.988 + i * 0.025, 40.742], 120 - i * 30, { speed: 70, heading: 90 })]);
  await drive(0);
  await v.vehicle("van-followed");
  await page.keyboard.press("/");
  await page.keyboard.type("van-followed");
  await page.keyboard.press("Enter");
  await page.locator("#follow").click();
  for (let i = 1; i <= 3; i++) {
    await drive(i);
    const at = await v.until((east) => {
      const seen = window.__trackmesh.idle() && window.__trackmesh.vehicle("van-followed");
      return seen && Math.abs(seen.lon - east) < 1e-6 && seen.pixel;
    }, -73.988 + i * 0.025);
    const box = await page.locator("#map").boundingBox();
    assert.ok(at[0] > 0 && at[0] < box.width, `step ${i}: drawn at ${at}`);
  }
});
