import {readFileSync} from 'node:fs';
import {describe, expect, it} from 'vitest';
import {latitude, longitude} from '../mercator.ts';
import {decodeReplay} from './replay.ts';

/** What the node's test keeps: five taxis in a minute. */
function golden(): ArrayBuffer {
  const file = readFileSync(new URL('../../../api/testdata/replay.bin', import.meta.url));
  return file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength) as ArrayBuffer;
}

describe('a replay', () => {
  it('is read as the node wrote it', () => {
    const chunk = decodeReplay(golden());
    expect([chunk.from, chunk.to, chunk.next]).toEqual([1_700_000_000_000, 1_700_000_060_000, 1_700_000_050_000]);
    expect(chunk.names).toEqual(['taxi-00000', 'taxi-00001', 'taxi-00002', 'taxi-00003', 'taxi-00004']);
    expect(chunk.start[5]).toBe(chunk.time.length);
    for (let v = 0; v < 5; v++) {
      for (let row = chunk.start[v]!; row < chunk.start[v + 1]!; row++) {
        expect(chunk.time[row]).toBeGreaterThanOrEqual(chunk.from);
        expect(chunk.time[row]).toBeLessThan(chunk.to);
        if (row > chunk.start[v]!) expect(chunk.time[row]! - chunk.time[row - 1]!).toBeGreaterThanOrEqual(20_000 - 100);
        expect(longitude(chunk.x[row]!)).toBeGreaterThan(-74.1);
        expect(longitude(chunk.x[row]!)).toBeLessThan(-73.7);
        expect(latitude(chunk.y[row]!)).toBeCloseTo(40.75, 0);
        expect(chunk.status[row]).toBe(v % 3 === 0 ? 1 : 0);
      }
    }
  });

  it('that is damaged is refused', () => {
    const whole = golden();
    for (let bytes = 0; bytes < whole.byteLength; bytes += 3) expect(() => decodeReplay(whole.slice(0, bytes))).toThrow();
    const kind = new Uint8Array(golden());
    kind[0] = 9;
    expect(() => decodeReplay(kind.buffer)).toThrow(/kind 9/);
    const counts = new Uint8Array(golden());
    const names = new DataView(counts.buffer).getUint32(12, true);
    counts[40 + names] = 200;
    expect(() => decodeReplay(counts.buffer)).toThrow(/rows/);
  });
});
