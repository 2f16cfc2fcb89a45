import {describe, expect, it} from 'vitest';
import {formatHash, parseHash} from './hash.ts';

describe('the address', () => {
  it('holds view, look and selection, and gives them back', () => {
    const link = {zoom: 12.25, lat: 40.75, lon: -73.98, look: 'cells' as const, vehicle: 'bus/7 &?#ü'};
    expect(parseHash(formatHash(link))).toEqual(link);
  });

  it('holds a window of the past, to the second', () => {
    const replay = {from: 1_700_000_000_000, to: 1_700_000_600_000, at: 1_700_000_060_000, speed: 30};
    expect(parseHash(formatHash({replay}))).toEqual({replay});
    expect(parseHash('#from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z&at=2027-01-01T00:00:00Z&speed=1e9').replay).toEqual(
      {from: Date.UTC(2026, 0), to: Date.UTC(2026, 0, 1, 1), at: Date.UTC(2026, 0), speed: 1});
    expect(parseHash('#from=2026-01-01T01:00:00Z&to=2026-01-01T00:00:00Z').replay).toBeUndefined();
  });

  it('leaves out what is as usual', () => {
    expect(formatHash({look: 'auto'})).toBe('');
  });

  it.each(['', '#', '#map=', '#map=1/2', '#map=a/b/c', '#map=5/91/0', '#map=5/0/181', '#map=1/2/3/4', '#look=3d', '#vehicle='])('of %s has nothing', hash => {
    expect(parseHash(hash)).toEqual({});
  });

  it('is kept within what can be shown', () => {
    expect(parseHash('#map=99/40/-73').zoom).toBe(22);
  });
});
