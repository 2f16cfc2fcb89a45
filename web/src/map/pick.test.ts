import {describe, expect, it} from 'vitest';
import {PickGrid} from './pick.ts';

describe('PickGrid', () => {
  it('finds the same as looking at every point', () => {
    let seed = 7;
    const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
    const places = Array.from({length: 3000}, () => [random() * 1300 - 50, random() * 900 - 50] as const);
    const grid = new PickGrid();
    grid.fill(places.length, 1200, row => places[row]!);
    for (let i = 0; i < 500; i++) {
      const x = random() * 1200, y = random() * 800;
      const reach = 12, distances = places.map(p => Math.hypot(p[0] - x, p[1] - y));
      const least = Math.min(...distances);
      const found = grid.nearest(x, y, reach);
      if (least > reach) expect(found).toBeUndefined();
      else expect(distances[found!]).toBeCloseTo(least, 2);
    }
  });

  it('forgets what it held before', () => {
    const grid = new PickGrid();
    grid.fill(1, 100, () => [10, 10]);
    grid.fill(0, 100, () => [10, 10]);
    expect(grid.nearest(10, 10, 12)).toBeUndefined();
  });
});
