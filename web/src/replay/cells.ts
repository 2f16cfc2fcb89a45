import {cellText} from '../geohash.ts';
import type {Cell} from '../map/cells.ts';
import {latitude, mercatorX, mercatorY} from '../mercator.ts';

/** As the node chooses it for live cells: at most so many in view. */
const CELLS_IN_VIEW = 2000;

/** The finest precision at which a box has not more cells than can be told apart. */
export function precisionFor(west: number, south: number, east: number, north: number): number {
  let best = 1;
  for (let precision = 2; precision <= 9; precision++) {
    const bits = 5 * precision, columns = Math.ceil((east - west) / (360 / 2 ** Math.ceil(bits / 2))), rows = Math.ceil((north - south) / (180 / 2 ** Math.floor(bits / 2)));
    if (columns * rows > CELLS_IN_VIEW) break;
    best = precision;
  }
  return best;
}

/** Counts places (in the unit square) by geohash cell. */
export function countCells(count: number, xs: Float64Array, ys: Float64Array, precision: number): Cell[] {
  const bits = 5 * precision, lonBits = Math.ceil(bits / 2), latBits = Math.floor(bits / 2);
  const columns = 2 ** lonBits, rows = 2 ** latBits, counts = new Map<number, number>();
  for (let i = 0; i < count; i++) {
    const column = Math.min(columns - 1, Math.floor(xs[i]! * columns)), row = Math.min(rows - 1, Math.floor(((latitude(ys[i]!) + 90) / 180) * rows));
    const key = column * rows + row;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return Array.from(counts, ([key, n]) => {
    const column = Math.floor(key / rows), row = key % rows, width = 360 / columns, height = 180 / rows;
    return {
      id: cellText(interleave(column, row, bits), precision), count: n, west: mercatorX(column * width - 180), east: mercatorX((column + 1) * width - 180),
      north: mercatorY((row + 1) * height - 90), south: mercatorY(row * height - 90),
    };
  });
}

/** A geohash in integer form: the bits of both, longitude first. */
function interleave(column: number, row: number, bits: number): bigint {
  let cell = 0n, c = BigInt(column), r = BigInt(row);
  for (let at = 0, even = bits % 2 === 1; at < bits; at++, even = !even) {
    if (even) {
      cell |= (c & 1n) << BigInt(at);
      c >>= 1n;
    } else {
      cell |= (r & 1n) << BigInt(at);
      r >>= 1n;
    }
  }
  return cell;
}

/** How many places lie in a box of the unit square. */
export function countIn(count: number, xs: Float64Array, ys: Float64Array, west: number, north: number, east: number, south: number): number {
  let n = 0;
  for (let i = 0; i < count; i++) if (xs[i]! >= west && xs[i]! <= east && ys[i]! >= north && ys[i]! <= south) n++;
  return n;
}
