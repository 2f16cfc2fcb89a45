// The past: the timeline, and the fleet played back.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { hex, launch, Visit } from "./browser.mjs";
import { colours, fix, project, view, viewHash, yard } from "./fleet.mjs";
import { FleetNode, until } from "./node.mjs";

let node, browser, start;

/** Two vehicles for two minutes, a fix every five seconds: one drives east by 0.0005 degrees a fix, one stands. */
const STEP_S = 5;
const STEPS = 24;
const eastAt = (seconds) => view.lon - 0.006 + (seconds / STEP_S) * 0.0005;
const iso = (ms) => new Date(ms).toISOString().replace(/\.\d+Z/, "Z");

before(async () => {
  node = await FleetNode.start();
  browser = await launch();
  await node.put(yard);
  start = Math.floor(Date.now() / 1000) * 1000 - 140_000;
  const fixes = [];
  for (let i = 0; i <= STEPS; i++) {
    const ago = (Date.now() - start) / 1000 - i * STEP_S;
    fixes.push({ ...fix("van-past", [eastAt(i * STEP_S), 40.75], 0), time: new Date(start + i * STEP_S * 1000).toISOString() });
    fixes.push({ ...fix("van-still", [-74.002, 40.742], 0), time: new Date(start + i * STEP_S * 1000 + 1).toISOString() });
    assert.ok(ago > 0);
  }
  await node.post(fixes);
  await until("the history has them", async () => {
    const answer = await node.ask("GET", `api/v1/replay?from=${start}&to=${start + 200_000}`);
    return answer.count === fixes.length;
  });
}, { timeout: 300_000 });

after(async () => {
  await browser?.close();
  await node?.stop();
});

function visit(name, run, options = {}) {
  test(name, { timeout: 120_000 }, async () => {
    const hash = typeof options.hash === "function" ? options.hash() : (options.hash ?? viewHash);
    const v = await Visit.open(browser, node.url, { ...options, hash });
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

const link = (seconds, speed = 1) => `${viewHash}&from=${iso(start)}&to=${iso(start + 115_000)}&at=${iso(start + seconds * 1000)}&speed=${speed}`;
const replay = (v) => v.until(() => window.__trackmesh.state().replay);

visit("a link into the past shows the fleet where it was, in its colours, between its fixes too", async (v, page) => {
  const seen = await v.vehicle("van-past");
  const size = await page.locator("#map").evaluate((e) => [e.clientWidth, e.clientHeight]);
  const at = project([eastAt(32), 40.75], ...size);
  assert.ok(Math.hypot(seen.pixel[0] - at[0], seen.pixel[1] - at[1]) < 1, `drawn at ${seen.pixel}, not at ${at}`);
  assert.deepEqual(seen.colour, [...hex(colours.light.moving), 255]);
  assert.equal(await page.locator(".pill").getAttribute("data-phase"), "replay");
  await page.locator("#events li", { hasText: "van-still" }).filter({ hasText: "West Yard" }).first().waitFor();
  await v.screenshot("replay");
}, { hash: () => link(32) });

visit("the past is stepped through by the keyboard, played at a speed, and left for the present", async (v, page) => {
  await v.vehicle("van-past");
  await page.keyboard.press("ArrowRight");
  await v.until((lon) => Math.abs(window.__trackmesh.vehicle("van-past").lon - lon) < 1e-5, eastAt(61));
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  await v.until((lon) => Math.abs(window.__trackmesh.vehicle("van-past").lon - lon) < 1e-5, eastAt(59));
  await page.locator("#speed").selectOption("60");
  await page.locator("#play").click();
  await v.until((end) => window.__trackmesh.state().replay.at === end && !window.__trackmesh.state().replay.playing, start + 115_000);
  const last = await v.vehicle("van-past");
  assert.ok(Math.abs(last.lon - eastAt(115)) < 1e-5, `at the end of the window: ${last.lon}`);
  await v.until(() => location.hash.includes("speed=60"));
  await page.keyboard.press("l");
  await v.until(() => window.__trackmesh.state().replay === null && document.querySelector(".pill").dataset.phase === "live");
  const now = await v.vehicle("van-past");
  assert.ok(Math.abs(now.lon - eastAt(STEPS * STEP_S)) < 1e-6, "where it is now");
  assert.ok(!page.url().includes("from="), page.url());
}, { hash: () => link(60) });

visit("a window is dragged on the timeline over the density of history, and plays", async (v, page) => {
  await page.locator("#range").selectOption(String(900_000));
  const timeline = await v.until(() => window.__trackmesh.state().timeline?.counts.length > 5 && window.__trackmesh.state().timeline);
  assert.equal(timeline.counts.reduce((a, b) => a + b, 0), 2 * (STEPS + 1));
  const box = await page.locator(".track").boundingBox();
  const x = (time) => box.x + ((time - timeline.from) / (timeline.to - timeline.from)) * box.width;
  await page.mouse.move(x(start + 30_000), box.y + 20);
  await page.mouse.down();
  await page.mouse.move(x(start + 90_000), box.y + 20, { steps: 5 });
  await page.mouse.up();
  const opened = await replay(v);
  assert.ok(Math.abs(opened.from - start - 30_000) < 3000 && Math.abs(opened.to - start - 90_000) < 3000, JSON.stringify(opened));
  await v.until((from) => window.__trackmesh.state().replay.at > from + 5000, opened.from);
  await page.locator("#play").click();
  await v.until(() => !window.__trackmesh.state().replay.playing);
  await page.locator("#playhead").focus();
  await page.keyboard.press("End");
  await v.until(() => window.__trackmesh.state().replay === null);
});

visit("cells and heat show the past too", async (v, page) => {
  await v.vehicle("van-past");
  await page.locator("[data-look=cells]").click();
  const counted = await v.until(() => window.__trackmesh.cells()?.reduce((sum, c) => sum + c.count, 0));
  assert.equal(counted, 2);
  await page.locator("[data-look=heat]").click();
  await v.until(() => window.__trackmesh.state().drawn === "heat" && window.__trackmesh.idle());
  await page.locator("[data-look=points]").click();
  await v.vehicle("van-past");
}, { hash: () => link(60) });
