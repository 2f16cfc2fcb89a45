// Makes src/assets/basemap.json, the built-in base map, from openly licensed outlines:
//
//   npm run basemap -- FOLDER
//
// FOLDER holds nyc-boroughs.geojson (NYC Department of City Planning), nyc-region-land.geojson (US Census Bureau) and
// nyc-airports.geojson (NYC DCP; runways by OurAirports). Outlines are simplified and written as delta-coded strings, a fifth of
// GeoJSON's size. The result is committed, so that a build needs none of the sources.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2];
if (!folder) throw new Error("usage: npm run basemap -- FOLDER");
const read = (name) => JSON.parse(readFileSync(join(folder, `nyc-${name}.geojson`), "utf8")).features;

const scale = 1e5;

/** Encodes integers as zigzag base 32 (5 bits a character, printable): Google's polyline alphabet. */
function encodeInteger(value) {
  let v = value < 0 ? ~(value << 1) : value << 1;
  let out = "";
  while (v >= 0x20) {
    out += String.fromCharCode((0x20 | (v & 0x1f)) + 63);
    v >>= 5;
  }
  return out + String.fromCharCode(v + 63);
}

function encodeLine(points) {
  let [x, y, out] = [0, 0, ""];
  for (const [lon, lat] of points) {
    const [nx, ny] = [Math.round(lon * scale), Math.round(lat * scale)];
    out += encodeInteger(nx - x) + encodeInteger(ny - y);
    [x, y] = [nx, ny];
  }
  return out;
}

/** Douglas-Peucker on a closed ring, in metres at New York's latitude. */
function simplify(ring, metres) {
  const project = ([lon, lat]) => [lon * 84400, lat * 111200];
  const keep = new Uint8Array(ring.length);
  const far = ring.reduce((best, p, i) => {
    const [a, b] = [project(ring[0]), project(p)];
    const d = Math.hypot(a[0] - b[0], a[1] - b[1]);
    return d > best[1] ? [i, d] : best;
  }, [0, 0])[0];
  keep[0] = keep[far] = keep[ring.length - 1] = 1;
  const todo = [[0, far], [far, ring.length - 1]];
  while (todo.length) {
    const [from, to] = todo.pop();
    const [a, b] = [project(ring[from]), project(ring[to])];
    const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
    const length = Math.hypot(dx, dy) || 1;
    let [worst, at] = [metres, -1];
    for (let i = from + 1; i < to; i++) {
      const p = project(ring[i]);
      const off = Math.abs((p[0] - a[0]) * dy - (p[1] - a[1]) * dx) / length;
      if (off > worst) [worst, at] = [off, i];
    }
    if (at > 0) {
      keep[at] = 1;
      todo.push([from, at], [at, to]);
    }
  }
  return ring.filter((_, i) => keep[i]);
}

function areaOf(ring) {
  let sum = 0;
  for (let i = 1; i < ring.length; i++) sum += ring[i - 1][0] * ring[i][1] - ring[i][0] * ring[i - 1][1];
  return Math.abs(sum / 2) * 84400 * 111200;
}

function outlines(features, metres, smallest) {
  return features.map((f) => ({
    name: f.properties.name ?? "",
    polygons: f.geometry.coordinates
      .filter((polygon) => areaOf(polygon[0]) >= smallest)
      .map((polygon) => polygon.map((ring) => simplify(ring, metres)).filter((ring) => ring.length >= 4).map(encodeLine))
      .filter((polygon) => polygon.length > 0),
  }));
}

const airports = read("airports");
const map = {
  attribution: "NYC Department of City Planning · US Census Bureau · OurAirports",
  bounds: [-74.6, 40.3, -73.4, 41.1],
  region: outlines(read("region-land"), 20, 20000),
  boroughs: outlines(read("boroughs"), Number(process.env.METRES ?? 14), 3000),
  airports: outlines(airports, 12, 0).map((a, i) => ({ ...a, iata: airports[i].properties.iata })),
  runways: airports.flatMap((f) => f.properties.runways.map((r) => encodeLine(r.ends))),
};
writeFileSync(new URL("../src/assets/basemap.json", import.meta.url), JSON.stringify(map) + "\n");
