import {mercatorX, mercatorY} from '../mercator.ts';

/** A part of the past, by vehicle, then time; the node's api/replayframe.go describes how it comes. */
export interface ReplayChunk {
  /** UTC ms: from ≤ time < to, but for rows that say where a vehicle was before. */
  from: number;
  to: number;
  /** Above zero: the answer was cut, and the rest begins here. */
  next: number;
  names: string[];
  /** The first row of each vehicle, and behind the last one the number of rows. */
  start: Uint32Array;
  /** UTC ms. */
  time: Float64Array;
  /** In the unit square. */
  x: Float64Array;
  y: Float64Array;
  /** 0 moving, 1 stopped. */
  status: Uint8Array;
}

const HEADER_BYTES = 40, TICK_MS = 100, UNITS = 1e6;

const signed = (v: number): number => (v >>> 1) ^ -(v & 1);

export function decodeReplay(buffer: ArrayBuffer): ReplayChunk {
  if (buffer.byteLength < HEADER_BYTES) throw new Error('a replay is shorter than its header');
  const view = new DataView(buffer);
  if (view.getUint8(0) !== 4 || view.getUint8(1) !== 1) throw new Error(`a replay of kind ${view.getUint8(0)}, version ${view.getUint8(1)} is not known`);
  const [vehicles, rows, nameBytes] = [4, 8, 12].map(at => view.getUint32(at, true)) as [number, number, number];
  const [from, to, next] = [16, 24, 32].map(at => Number(view.getBigInt64(at, true))) as [number, number, number];
  if (buffer.byteLength !== HEADER_BYTES + nameBytes + 4 * vehicles + 13 * rows) throw new Error('a replay is not as long as its header says');
  const names = readNames(new Uint8Array(buffer, HEADER_BYTES, nameBytes), vehicles);
  let at = HEADER_BYTES + nameBytes;
  const planes = (n: number): Uint32Array => {
    const [a, b, c, d] = [0, 1, 2, 3].map(i => new Uint8Array(buffer, at + i * n, n)) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const column = new Uint32Array(n);
    for (let i = 0; i < n; i++) column[i] = a[i]! | (b[i]! << 8) | (c[i]! << 16) | (d[i]! << 24);
    at += 4 * n;
    return column;
  };
  const counts = planes(vehicles), times = planes(rows), lons = planes(rows), lats = planes(rows);
  const start = new Uint32Array(vehicles + 1), time = new Float64Array(rows), x = new Float64Array(rows), y = new Float64Array(rows);
  let row = 0, firstLon = 0, firstLat = 0;
  for (let v = 0; v < vehicles; v++) {
    const end = row + counts[v]!;
    if (end > rows) throw new Error('a replay has fewer rows than its vehicles');
    let t = 0, lon = firstLon, lat = firstLat;
    for (let first = true; row < end; row++, first = false) {
      t += signed(times[row]!);
      lon += signed(lons[row]!);
      lat += signed(lats[row]!);
      if (first) [firstLon, firstLat] = [lon, lat];
      time[row] = from + t * TICK_MS;
      x[row] = mercatorX(lon / UNITS);
      y[row] = mercatorY(lat / UNITS);
    }
    start[v + 1] = row;
  }
  if (row !== rows) throw new Error('a replay has more rows than its vehicles');
  return {from, to, next, names, start, time, x, y, status: new Uint8Array(buffer, at, rows)};
}

/** Each name begins with a part of the one before. */
function readNames(bytes: Uint8Array, count: number): string[] {
  const text = new TextDecoder(), names: string[] = [], name = new Uint8Array(512);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const shared = bytes[at]!, more = bytes[at + 1]!;
    if (!(at + 2 + more <= bytes.length)) throw new Error('a replay is shorter than its names');
    name.set(bytes.subarray(at + 2, at + 2 + more), shared);
    names.push(text.decode(name.subarray(0, shared + more)));
    at += 2 + more;
  }
  if (at !== bytes.length) throw new Error('a replay is longer than its names');
  return names;
}
