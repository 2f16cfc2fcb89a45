import {describe, expect, it} from 'vitest';
import type {Fence} from '../state.ts';
import {circle, drawnGeometry, fenceCollection, fenceName, lines} from './fences.ts';

const fence = (geometry: Fence['geometry'], properties: Fence['properties'] = null): Fence => ({type: 'Feature', id: 'f', geometry, properties});

describe('fences', () => {
  it('a circle is as far from its centre everywhere', () => {
    for (const [lon, lat] of circle([-73.78, 40.64], 2000)) {
      const dy = (lat! - 40.64) * 111_195, dx = (lon! + 73.78) * 111_195 * Math.cos((40.64 * Math.PI) / 180);
      expect(Math.abs(Math.hypot(dx, dy) - 2000)).toBeLessThan(3);
    }
  });

  it('a point with a radius is drawn as a closed circle', () => {
    const [ring] = lines(drawnGeometry(fence({type: 'Point', coordinates: [0, 0]}, {radius_metres: 100}))!);
    expect(ring).toHaveLength(73);
    expect(ring![0]![0]).toBeCloseTo(ring![72]![0]!, 9);
  });

  it('one that follows a vehicle has no place of its own', () => {
    expect(fenceCollection([fence({type: 'Point', coordinates: [0, 0]}, {radius_metres: 5, follows: 'taxi'})]).features).toEqual([]);
  });

  it('has the rings of every polygon', () => {
    const ring = [[0, 0], [1, 0], [1, 1], [0, 0]];
    expect(lines({type: 'MultiPolygon', coordinates: [[ring, ring], [ring]]})).toHaveLength(3);
  });

  it('is called by its name, else its id', () => {
    const fences = [{...fence({type: 'Point', coordinates: [0, 0]}, {name: 'Depot'}), id: 'a'}, {...fence({type: 'Point', coordinates: [0, 0]}), id: 'b'}];
    expect(['a', 'b', 'c'].map(id => fenceName(fences, id))).toEqual(['Depot', 'b', 'c']);
  });
});
