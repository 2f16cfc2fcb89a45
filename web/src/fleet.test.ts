import {beforeEach, describe, expect, it} from 'vitest';
import {Fleet} from './fleet.ts';
import {mercatorX} from './mercator.ts';
import type {DictionaryFrame, PointsFrame} from './wire/frame.ts';

interface Row {slot: number; lon: number; lat?: number; age?: number; status?: number}

function points(time: number, ...rows: Row[]): PointsFrame {
  return {
    kind: 'points', partial: false, cut: false, count: rows.length, time, inView: rows.length,
    slots: Uint32Array.from(rows, r => r.slot), lonE7: Int32Array.from(rows, r => Math.round(r.lon * 1e7)),
    latE7: Int32Array.from(rows, r => (r.lat ?? 0) * 1e7), ageMs: Uint16Array.from(rows, r => r.age ?? 0),
    speedDms: new Uint16Array(rows.length), heading: new Uint8Array(rows.length), status: Uint8Array.from(rows, r => r.status ?? 0),
  };
}

function names(...pairs: [number, string][]): DictionaryFrame {
  return {
    kind: 'dictionary', partial: false, cut: false, count: pairs.length, time: 0, inView: 0,
    slots: Uint32Array.from(pairs, p => p[0]), names: pairs.map(p => p[1]),
  };
}

const lonAt = (fleet: Fleet, row: number, now: number) => fleet.drawnX(row, now) * 360 - 180;
let fleet: Fleet;
beforeEach(() => (fleet = new Fleet()));

describe('Fleet', () => {
  it('shows a vehicle that is new where it is', () => {
    fleet.apply(points(0, {slot: 1, lon: 0.001}), 0);
    expect(lonAt(fleet, 0, 0)).toBeCloseTo(0.001, 9);
    expect(fleet.movesAt(0)).toBe(false);
  });

  it('drives from the drawn position to the newest in the time between the fixes', () => {
    fleet.apply(points(10_000, {slot: 1, lon: 0}), 0);
    fleet.apply(points(12_000, {slot: 1, lon: 0.002}), 2000);
    expect(lonAt(fleet, 0, 2000)).toBeCloseTo(0, 9);
    expect(lonAt(fleet, 0, 3000)).toBeCloseTo(0.001, 9);
    fleet.apply(points(13_000, {slot: 1, lon: 0.001}), 3000);
    expect(lonAt(fleet, 0, 3000), 'it does not jump when the next comes early').toBeCloseTo(0.001, 9);
  });

  it('goes 1.2 intervals ahead and no further; a stopped one not at all', () => {
    fleet.apply(points(10_000, {slot: 1, lon: 0}, {slot: 2, lon: 0, status: 1}), 0);
    fleet.apply(points(12_000, {slot: 1, lon: 0.001}, {slot: 2, lon: 0.001, status: 1}), 2000);
    expect(lonAt(fleet, 0, 60_000)).toBeCloseTo(0.0012, 9);
    expect(lonAt(fleet, 1, 60_000)).toBeCloseTo(0.001, 9);
    expect(fleet.movesAt(60_000)).toBe(false);
  });

  it('goes on as it went when a frame has no newer fix', () => {
    fleet.apply(points(10_000, {slot: 1, lon: 0}), 0);
    fleet.apply(points(12_000, {slot: 1, lon: 0.002}), 2000);
    fleet.apply(points(13_000, {slot: 1, lon: 0.002, age: 1000}), 3000);
    expect(lonAt(fleet, 0, 3500)).toBeCloseTo(0.0015, 9);
  });

  it('keeps to a vehicle when rows change places', () => {
    fleet.apply(points(10_000, {slot: 1, lon: 0}, {slot: 2, lon: 1}), 0);
    fleet.apply(points(12_000, {slot: 2, lon: 1.001}, {slot: 1, lon: 0.001}), 2000);
    expect(lonAt(fleet, 0, 2000)).toBeCloseTo(1, 6);
    expect(lonAt(fleet, 1, 2000)).toBeCloseTo(0, 6);
  });

  it('does not drive across a jump', () => {
    fleet.apply(points(10_000, {slot: 1, lon: 0}), 0);
    fleet.apply(points(12_000, {slot: 1, lon: 2}), 2000);
    expect(lonAt(fleet, 0, 2000)).toBeCloseTo(2, 6);
  });

  it('stands still between frames for who wants no motion', () => {
    fleet.still = true;
    fleet.apply(points(10_000, {slot: 1, lon: 0}), 0);
    fleet.apply(points(12_000, {slot: 1, lon: 0.001}), 2000);
    expect(lonAt(fleet, 0, 2000)).toBeCloseTo(0.001, 9);
    expect(fleet.movesAt(2000)).toBe(false);
  });

  it('finds vehicles by name', () => {
    fleet.learn(names([1, 'taxi-1'], [2, 'bus-2']));
    fleet.apply(points(0, {slot: 2, lon: 1}, {slot: 1, lon: 0}), 0);
    expect([fleet.rowOf('taxi-1'), fleet.rowOf('bus-2'), fleet.rowOf('none')]).toEqual([1, 0, undefined]);
    expect(fleet.nameOf(0)).toBe('bus-2');
  });

  it('takes the new name of a slot, and does not drive there from the old one', () => {
    fleet.learn(names([1, 'gone']));
    fleet.apply(points(10_000, {slot: 1, lon: 0}), 0);
    fleet.learn(names([1, 'new']));
    fleet.apply(points(12_000, {slot: 1, lon: 0.001}), 2000);
    expect(fleet.rowOf('gone')).toBeUndefined();
    expect(fleet.rowOf('new')).toBe(0);
    expect(lonAt(fleet, 0, 2000)).toBeCloseTo(0.001, 9);
  });

  it('keeps what is drawn over a new connection until its first frame, then counts slots anew', () => {
    fleet.learn(names([1, 'a']));
    fleet.apply(points(10_000, {slot: 1, lon: 0}), 0);
    fleet.restart();
    expect(fleet.rowOf('a')).toBe(0);
    fleet.learn(names([1, 'b']));
    fleet.apply(points(12_000, {slot: 1, lon: 0.001}), 2000);
    expect([fleet.rowOf('a'), fleet.rowOf('b')]).toEqual([undefined, 0]);
    expect(fleet.fromX[0]).toBe(mercatorX(0.001));
  });

  it('searches names by what they hold, beginnings first', () => {
    fleet.learn(names([1, 'bus-10'], [2, 'taxi-1'], [3, '1-car'], [4, 'Taxi-12']));
    expect(fleet.search('1', 9)).toEqual(['1-car', 'Taxi-12', 'bus-10', 'taxi-1']);
    expect(fleet.search('taxi', 9)).toEqual(['Taxi-12', 'taxi-1']);
    expect(fleet.search('taxi', 1)).toHaveLength(1);
    expect(fleet.search('x9', 9)).toEqual([]);
  });
});
