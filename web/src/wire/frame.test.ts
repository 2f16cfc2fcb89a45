import {describe, expect, it} from 'vitest';
import {decodeFrame, HEADER_BYTES} from './frame.ts';

function frame(kind: number, count: number, columns: number[], {flags = 0, precision = 0, version = 1} = {}): ArrayBuffer {
  const buffer = new ArrayBuffer(HEADER_BYTES + columns.length), view = new DataView(buffer);
  [kind, version, precision, flags].forEach((v, i) => view.setUint8(i, v));
  view.setUint32(4, count, true);
  view.setBigInt64(8, 1_795_518_305_941n, true);
  view.setUint32(16, 1234, true);
  new Uint8Array(buffer, HEADER_BYTES).set(columns);
  return buffer;
}

function little(bytes: number, ...values: number[]): number[] {
  return values.flatMap(v => {
    const part = new DataView(new ArrayBuffer(8));
    part.setBigInt64(0, BigInt(v), true);
    return [...new Uint8Array(part.buffer, 0, bytes)];
  });
}

const POINTS = [
  ...little(4, 7, 9), ...little(4, -739_851_000, 1), ...little(4, 407_580_000, -2), ...little(2, 150, 65535), ...little(2, 123, 65535),
  ...[64, 255], ...[0, 2],
];

describe('decodeFrame', () => {
  it('reads the header', () => {
    const f = decodeFrame(frame(1, 0, [], {flags: 3}));
    expect(f).toMatchObject({kind: 'points', count: 0, partial: true, cut: true, time: 1_795_518_305_941, inView: 1234});
  });

  it('reads the columns of points', () => {
    const f = decodeFrame(frame(1, 2, POINTS));
    if (f.kind !== 'points') throw new Error(f.kind);
    expect([...f.slots]).toEqual([7, 9]);
    expect([...f.lonE7]).toEqual([-739_851_000, 1]);
    expect([...f.latE7]).toEqual([407_580_000, -2]);
    expect([...f.ageMs]).toEqual([150, 65535]);
    expect([...f.speedDms]).toEqual([123, 65535]);
    expect([...f.heading]).toEqual([64, 255]);
    expect([...f.status]).toEqual([0, 2]);
  });

  it('reads an odd number of points, whose columns are not all aligned', () => {
    const f = decodeFrame(frame(1, 1, [...little(4, 5, 6, 7), ...little(2, 8, 9), 10, 1]));
    if (f.kind !== 'points') throw new Error(f.kind);
    expect([f.slots[0], f.lonE7[0], f.latE7[0], f.ageMs[0], f.speedDms[0], f.heading[0], f.status[0]]).toEqual([5, 6, 7, 8, 9, 10, 1]);
  });

  it('reads cells', () => {
    const f = decodeFrame(frame(2, 1, [...little(8, 0b01100_10111_00101), ...little(4, 42)], {precision: 3}));
    if (f.kind !== 'cells') throw new Error(f.kind);
    expect([f.precision, f.cells[0], f.counts[0]]).toEqual([3, 0b01100_10111_00101n, 42]);
  });

  it('reads names, in any script', () => {
    const names = ['taxi-1', '', 'автобус 🚌'], bytes = names.map(n => [...new TextEncoder().encode(n)]);
    const f = decodeFrame(frame(3, 3, [...little(4, 1, 2, 3), ...little(2, ...bytes.map(b => b.length)), ...bytes.flat()]));
    if (f.kind !== 'dictionary') throw new Error(f.kind);
    expect([...f.slots]).toEqual([1, 2, 3]);
    expect(f.names).toEqual(names);
  });

  it.each([
    ['shorter than a header', new ArrayBuffer(23)],
    ['of another version', frame(1, 0, [], {version: 2})],
    ['of an unknown kind', frame(4, 0, [])],
    ['of points cut short', frame(1, 2, POINTS.slice(1))],
    ['of points with more behind them', frame(1, 2, [...POINTS, 0])],
    ['of cells cut short', frame(2, 1, [1, 2, 3], {precision: 5})],
    ['of cells without a precision', frame(2, 0, [])],
    ['a dictionary without its names', frame(3, 1, [...little(4, 1), ...little(2, 9)])],
    ['a dictionary with more behind it', frame(3, 1, [...little(4, 1), ...little(2, 1), 65, 66])],
  ])('refuses a frame %s', (_, buffer) => expect(() => decodeFrame(buffer)).toThrow());
});
