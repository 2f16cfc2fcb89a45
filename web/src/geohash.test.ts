import {describe, expect, it} from 'vitest';
import {cellBox, cellText} from './geohash.ts';

const ALPHABET = '0123456789bcdefghjkmnpqrstuvwxyz';
const integer = (text: string) => [...text].reduce((n, c) => (n << 5n) | BigInt(ALPHABET.indexOf(c)), 0n);

describe('geohash', () => {
  it.each([
    ['dr5ru', -73.985, 40.758], ['9q8yy', -122.42, 37.77], ['gbsuv', -4.33, 48.67], ['r3gx2', 151.207, -33.868],
  ])('%s holds its place', (text, lon, lat) => {
    const box = cellBox(integer(text), text.length);
    const slack = 0.01; // the place is quoted to few digits
    expect(lon).toBeGreaterThan(box.west - slack);
    expect(lon).toBeLessThan(box.east + slack);
    expect(lat).toBeGreaterThan(box.south - slack);
    expect(lat).toBeLessThan(box.north + slack);
  });

  it('has the published bounds', () => {
    expect(cellBox(integer('d'), 1)).toEqual({west: -90, south: 0, east: -45, north: 45});
    expect(cellBox(integer('ezs42'), 5)).toEqual({west: -5.625, south: 42.5830078125, east: -5.5810546875, north: 42.626953125});
  });

  it('comes back as text, at every precision', () => {
    for (const text of ['0', 'z', 'dr', 'dr5', 'dr5ru', 'dr5ruj447', 's00000000', '000000000', 'zzzzzzzzz']) {
      expect(cellText(integer(text), text.length)).toBe(text);
    }
  });

  it('divides a cell into 32 that fill it', () => {
    const box = cellBox(integer('dr5'), 3);
    const area = Array.from(ALPHABET, c => cellBox(integer('dr5' + c), 4)).reduce((sum, b) => sum + (b.east - b.west) * (b.north - b.south), 0);
    expect(area).toBeCloseTo((box.east - box.west) * (box.north - box.south), 9);
  });
});
