import {describe, expect, it} from 'vitest';
import {mercatorX, mercatorY} from '../mercator.ts';
import type {ReplayChunk} from '../wire/replay.ts';
import {GONE_MS, SILENT_MS, Tape} from './tape.ts';

/** A part from lists of [time, lon, lat, status]. */
function part(from: number, to: number, vehicles: Record<string, [number, number, number, number?][]>): ReplayChunk {
  const names = Object.keys(vehicles).sort(), rows = names.flatMap(n => vehicles[n]!);
  const start = new Uint32Array(names.length + 1);
  names.forEach((n, i) => (start[i + 1] = start[i]! + vehicles[n]!.length));
  return {
    from, to, next: 0, names, start, time: Float64Array.from(rows, r => r[0]), x: Float64Array.from(rows, r => mercatorX(r[1])),
    y: Float64Array.from(rows, r => mercatorY(r[2])), status: Uint8Array.from(rows, r => r[3] ?? 0),
  };
}

const MINUTE = 60_000;
const at = (tape: Tape, time: number, ahead = 0) => {
  const s = tape.scene(time, ahead);
  return Object.fromEntries(Array.from({length: s.count}, (_, i) => [tape.names[s.slots[i]!]!, {
    x: s.fromX[i]! * 360 - 180, toX: s.toX[i]! * 360 - 180, heading: s.heading[i]!, status: s.status[i]!, speed: s.speedDms[i]! / 10,
  }]));
};

describe('a tape', () => {
  it('places a vehicle between its fixes, across parts', () => {
    const tape = new Tape();
    tape.append(part(0, MINUTE, {a: [[10_000, 0, 0], [50_000, 0.004, 0]]}));
    tape.append(part(MINUTE, 2 * MINUTE, {a: [[70_000, 0.004, 0.002]]}));
    expect(at(tape, 30_000, 10_000)['a']!.x).toBeCloseTo(0.002, 9);
    expect(at(tape, 30_000, 10_000)['a']!.toX).toBeCloseTo(0.003, 9);
    expect(at(tape, 30_000)['a']!.heading).toBe(64); // east
    expect(at(tape, 30_000)['a']!.speed).toBeCloseTo((0.004 * 111_319) / 40, 0);
    expect(at(tape, 60_000)['a']!.heading).toBe(0); // north, half the way to a fix of the next part
    expect(at(tape, 69_999)['a']!.x).toBeCloseTo(0.004, 9);
    expect(at(tape, 5000)).toEqual({});
  });

  it('shows who is silent, forgets who is gone, and knows no way over a gap', () => {
    const tape = new Tape();
    tape.append(part(0, 3 * GONE_MS, {a: [[0, 0, 0, 1]], b: [[0, 0, 0], [SILENT_MS + 1000, 1, 0]]}));
    expect(at(tape, 1000)['a']!.status).toBe(1);
    expect(at(tape, SILENT_MS + 1)['a']!.status).toBe(2);
    expect(at(tape, SILENT_MS / 2)['b']!.x).toBe(0);
    expect(at(tape, GONE_MS + 1)['a']).toBeUndefined();
  });

  it('remembers where vehicles were when their part went off the front', () => {
    const tape = new Tape(2);
    tape.append(part(0, MINUTE, {a: [[-5000, 1, 1], [10_000, 2, 2]], b: [[0, 5, 5]]}));
    for (let i = 1; i < 5; i++) tape.append(part(i * MINUTE, (i + 1) * MINUTE, {b: [[i * MINUTE + 1000, 5, 5]]}));
    expect(tape.from).toBe(3 * MINUTE);
    expect(at(tape, 4 * MINUTE)['a']!.x).toBeCloseTo(2, 9);
    expect(tape.covers(5 * MINUTE)).toBe(false);
    expect(tape.covers(5 * MINUTE - 1)).toBe(true);
  });

  it('refuses a part that does not follow', () => {
    const tape = new Tape();
    tape.append(part(0, MINUTE, {}));
    expect(() => tape.append(part(2 * MINUTE, 3 * MINUTE, {}))).toThrow();
  });
});
