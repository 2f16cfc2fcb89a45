// Fences are drawn, named, scheduled, edited and deleted on the map; who is inside is shown.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, Visit } from "./browser.mjs";
import { fix, fixes, places, project, viewHash } from "./fleet.mjs";
import { FleetNode, until } from "./node.mjs";

let node, browser;

before(async () => {
  node = await FleetNode.start();
  browser = await launch();
  await node.post(fixes());
}, { timeout: 300_000 });

after(async () => {
  await browser?.close();
  await node?.stop();
});

function visit(name, run) {
  test(name, { timeout: 120_000 }, async () => {
    const v = await Visit.open(browser, node.url, { hash: viewHash });
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

const fence = (id) => node.ask("GET", `api/v1/fences/${id}`).catch(() => null);

/** Clicks on places of the map, slowly enough for no double-click. */
async function clickOn(v, ...corners) {
  const box = await v.page.locator("#map").boundingBox();
  for (const corner of corners) {
    const [x, y] = project(corner, box.width, box.height);
    await v.page.mouse.move(box.x + x, box.y + y, { steps: 3 });
    await v.page.mouse.click(box.x + x, box.y + y);
    await v.page.evaluate(() => new Promise((done) => setTimeout(done, 320)));
  }
}

visit("a polygon is drawn, named and scheduled; who is inside is listed, and a new event lights it", async (v, page) => {
  await v.vehicle("van-moving");
  await page.locator("#tab-fences").click();
  await page.locator("[data-new=polygon]").click();
  await page.waitForFunction(() => performance.getEntriesByType("resource").some((r) => /\/draw-/.test(r.name)));
  const corners = [[-73.993, 40.749], [-73.983, 40.749], [-73.983, 40.755], [-73.993, 40.755]];
  await clickOn(v, ...corners, corners[0]);
  await v.until(() => window.__trackmesh.draft()?.geometry?.coordinates[0].length === 5);
  await page.locator("#fence-name").fill("Murray Yard");
  assert.equal(await page.locator("#fence-id").inputValue(), "murray-yard");
  await page.locator("#scheduled").check();
  await page.locator(".day[aria-label=Saturday]").click();
  await page.locator(".day[aria-label=Sunday]").click();
  await page.locator("input[aria-label=From]").fill("00:00");
  await page.locator("input[aria-label=To]").fill("00:00");
  await v.screenshot("fence-draft");
  await page.locator("#fence-save").click();
  const saved = await until("the fence is stored", () => fence("murray-yard"));
  assert.deepEqual(saved.properties.schedule.weekly, [{ days: ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], from: "00:00", to: "00:00" }]);
  for (const [i, [lon, lat]] of saved.geometry.coordinates[0].slice(0, 4).entries()) {
    assert.ok(corners.some((c) => Math.abs(c[0] - lon) < 2e-4 && Math.abs(c[1] - lat) < 2e-4), `corner ${i}: ${lon}, ${lat}`);
  }
  await page.locator(".inside").getByText("van-moving").waitFor();
  await v.screenshot("fence-inside");
  await node.post([fix("van-guest", [-73.988, 40.75], 0)]);
  await v.until(() => window.__trackmesh.state().lit.includes("murray-yard"));
});

visit("a circle is drawn; its radius is changed by the keyboard, and it is deleted", async (v, page) => {
  await v.vehicle("van-stopped");
  await page.locator("#tab-fences").click();
  await page.locator("[data-new=circle]").click();
  await page.waitForFunction(() => performance.getEntriesByType("resource").some((r) => /\/draw-/.test(r.name)));
  await clickOn(v, places["van-stopped"], [places["van-stopped"][0] + 0.004, places["van-stopped"][1]]);
  const drawn = await v.until(() => window.__trackmesh.draft()?.geometry && window.__trackmesh.draft());
  assert.ok(Math.abs(drawn.radiusMetres - 337) < 25, `0.004 degrees of longitude at this latitude: ${drawn.radiusMetres} m`);
  await page.locator("#fence-name").fill("Pier");
  await page.locator("#fence-radius").fill("150");
  await page.locator("#fence-name").press("Enter");
  const saved = await until("the circle is stored", () => fence("pier"));
  assert.equal(saved.properties.radius_metres, 150);
  assert.ok(Math.abs(saved.geometry.coordinates[0] - places["van-stopped"][0]) < 2e-4);
  await page.locator("#fence-edit").click();
  await page.locator("#fence-dwell").fill("90");
  await page.locator("#fence-save").click();
  await until("the change is stored", async () => (await fence("pier"))?.properties.dwell_seconds === 90);
  await page.locator("#fence-delete").click();
  await page.locator("#fence-delete-sure").click();
  await page.locator(".fence-list").waitFor();
  v.expected = /404/;
  await until("the fence is gone", async () => (await fence("pier")) === null);
});

visit("a corridor is made by the keyboard alone, as text, and what it lacks is said", async (v, page) => {
  await v.vehicle("van-silent");
  await page.locator("#tab-events").focus();
  await page.keyboard.press("ArrowRight");
  await page.locator("[data-new=corridor]").focus();
  await page.keyboard.press("Enter");
  await page.locator("#fence-name").focus();
  await page.keyboard.type("Main street");
  await page.keyboard.press("Enter");
  await page.locator(".fences .problem").getByText("Draw the fence").waitFor();
  await page.locator(".fence-form summary").focus();
  await page.keyboard.press("Enter");
  await page.locator("#fence-geometry").focus();
  await page.keyboard.type('{"type":"LineString","coordinates":[[-74,40.74],[-73.98,40.745]]}');
  await page.locator("#fence-width").focus();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("80");
  await page.keyboard.press("Enter");
  const saved = await until("the corridor is stored", () => fence("main-street"));
  assert.equal(saved.properties.width_metres, 80);
  assert.equal(saved.geometry.coordinates.length, 2);
});
