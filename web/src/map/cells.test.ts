import {describe, expect, it} from 'vitest';
import {latitude, longitude, mercatorX, mercatorY, screenX, screenY, type View} from '../mercator.ts';
import {cellAt, cellsOf, rank, shortCount, textColour} from './cells.ts';
import {contrast, DARK, LIGHT, rampAt, rgb} from './palette.ts';

const view: View = {x: mercatorX(-73.98), y: mercatorY(40.75), world: 512 * 2 ** 11, width: 800, height: 600, zoom: 11};
const frame = {
  kind: 'cells' as const, partial: false, cut: false, time: 0, inView: 5, count: 1, precision: 5,
  cells: BigUint64Array.of(0b01100_10111_00101_10111_11010n), counts: Uint32Array.of(5), // dr5ru
};

describe('cells', () => {
  it('lie where their geohash says', () => {
    const [cell] = cellsOf(frame);
    expect(cell).toMatchObject({id: 'dr5ru', count: 5});
    expect(longitude(cell!.west)).toBeCloseTo(-74.00390625, 8);
    expect(latitude(cell!.south)).toBeCloseTo(40.73730469, 7);
  });

  it('are found under the pointer, and only there', () => {
    const cells = cellsOf(frame), cell = cells[0]!;
    const x = screenX(view, (cell.west + cell.east) / 2), y = screenY(view, (cell.north + cell.south) / 2);
    expect(cellAt(cells, view, x, y)).toBe(cell);
    expect(cellAt(cells, view, screenX(view, cell.west) - 1, y)).toBeUndefined();
    expect(cellAt(cells, view, x, screenY(view, cell.south) + 1)).toBeUndefined();
  });

  it('are coloured by the logarithm of their count', () => {
    expect([rank(1, 100), rank(10, 100), rank(100, 100), rank(1, 1)]).toEqual([0, 0.5, 1, 0.5]);
  });

  it('have short numbers', () => {
    expect([0, 9999, 10_000, 123_456, 2_340_000].map(shortCount)).toEqual(['0', '9999', '10k', '123k', '2.3M']);
  });

  it.each([['light', LIGHT], ['dark', DARK]])('have numbers that can be read at every count (%s)', (_, palette) => {
    for (let part = 0; part <= 1; part += 0.01) {
      const fill = rampAt(palette.ramp, part);
      expect(contrast(fill, rgb(textColour(fill, palette)))).toBeGreaterThanOrEqual(4.5);
    }
  });
});

describe('mercator', () => {
  it('and back', () => {
    for (const [lon, lat] of [[-73.98, 40.75], [0, 0], [179.9, -84]] as const) {
      expect(longitude(mercatorX(lon))).toBeCloseTo(lon, 9);
      expect(latitude(mercatorY(lat))).toBeCloseTo(lat, 9);
    }
  });
});
