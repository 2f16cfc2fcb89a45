// The known fleet: one vehicle of each state near Madison Square, a fence to enter, and the colours that they must have.

export const view = { zoom: 13, lat: 40.742, lon: -73.988 };
export const viewHash = `#map=${view.zoom}/${view.lat}/${view.lon}`;

export const places = {
  "van-moving": [-73.988, 40.752],
  "van-stopped": [-74.002, 40.742],
  "van-silent": [-73.974, 40.738],
};

export const depot = {
  type: "Feature",
  id: "depot",
  geometry: { type: "Point", coordinates: [-73.99, 40.733] },
  properties: { name: "East Depot", radius_metres: 350 },
};

export const yard = {
  type: "Feature",
  id: "yard",
  geometry: {
    type: "Polygon",
    coordinates: [[[-74.006, 40.7385], [-73.998, 40.7385], [-73.998, 40.7455], [-74.006, 40.7455], [-74.006, 40.7385]]],
  },
  properties: { name: "West Yard" },
};

export const colours = {
  light: { moving: "#1463d2", stopped: "#c86a08", ring: "#ffffff" },
  dark: { moving: "#4fb0ff", stopped: "#ffb347", ring: "#0b1116" },
};

export function fix(vehicle, [longitude, latitude], secondsAgo, more = {}) {
  return { vehicle, time: new Date(Date.now() - secondsAgo * 1000).toISOString(), longitude, latitude, ...more };
}

const step = (from, east, north) => [from[0] + east, from[1] + north];

/** In order of time, as the event clock wants it: the silent one was last heard ten minutes ago. */
export function fixes() {
  const { "van-moving": moving, "van-stopped": stopped, "van-silent": silent } = places;
  return [
    fix("van-silent", silent, 600),
    fix("van-stopped", stopped, 150, { shift: "early" }),
    fix("van-stopped", stopped, 60, { shift: "early" }),
    fix("van-moving", step(moving, -0.002, 0), 20, { speed: 11.5, heading: 90 }),
    fix("van-moving", step(moving, -0.001, 0), 10, { speed: 12, heading: 90 }),
    fix("van-stopped", stopped, 5, { shift: "early" }),
    fix("van-moving", moving, 2, { speed: 12.5, heading: 90 }),
  ];
}

/** Where a place is on a map of the size, in CSS pixels: Web Mercator with tiles of 512, computed without the page's code. */
export function project([lon, lat], width, height, { zoom, lon: lon0, lat: lat0 } = view) {
  const world = 512 * 2 ** zoom;
  const y = (degrees) => (0.5 - Math.asinh(Math.tan((degrees * Math.PI) / 180)) / (2 * Math.PI)) * world;
  return [((lon - lon0) / 360) * world + width / 2, y(lat) - y(lat0) + height / 2];
}
