import {describe, expect, it} from 'vitest';
import {mercatorX, mercatorY} from '../mercator.ts';
import {countCells, precisionFor} from './cells.ts';

describe('cells of a replay', () => {
  it('have the geohash of the places in them', () => {
    // The geohashes of these places are well known.
    for (const [lon, lat, hash] of [[-5.6, 42.6, 'ezs42e44y'], [-73.98, 40.75, 'dr5ru6wsh'], [10.40744, 57.64911, 'u4pruydqqvj']] as const) {
      for (let precision = 1; precision <= Math.min(5, hash.length); precision++) {
        const [cell] = countCells(2, Float64Array.of(mercatorX(lon), mercatorX(lon)), Float64Array.of(mercatorY(lat), mercatorY(lat)), precision);
        expect(cell!.id).toBe(hash.slice(0, precision));
        expect(cell!.count).toBe(2);
        expect(mercatorX(lon) >= cell!.west && mercatorX(lon) <= cell!.east && mercatorY(lat) >= cell!.north && mercatorY(lat) <= cell!.south).toBe(true);
      }
    }
  });
  it('are as fine as the view allows', () => {
    expect(precisionFor(-180, -85, 180, 85)).toBe(2);
    expect(precisionFor(-74.06, 40.56, -73.74, 40.9)).toBe(6);
    expect(precisionFor(-74.0, 40.7, -73.99, 40.71)).toBeGreaterThanOrEqual(7);
  });
});
