import {describe, expect, it, vi} from 'vitest';

vi.mock('maplibre-gl', () => ({addProtocol: () => undefined}));
const {tileLayers} = await import('./tiles.ts');
const {LIGHT} = await import('./palette.ts');

describe('the layers of a vector archive', () => {
  it('are areas below lines, and nothing is left out', () => {
    const ids = tileLayers(['pois', 'roads', 'water', 'earth', 'buildings'], LIGHT).map(l => l.id);
    expect(ids[0]).toBe('ground');
    expect(ids.indexOf('area-earth')).toBeLessThan(ids.indexOf('area-water'));
    expect(ids.indexOf('area-buildings')).toBeLessThan(ids.indexOf('line-roads'));
    expect(ids).toContain('line-pois');
    expect(new Set(ids).size).toBe(ids.length);
  });
});
