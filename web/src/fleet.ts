import {NO_HEADING, SATURATED_AGE, type DictionaryFrame, type PointsFrame} from './wire/frame.ts';
import type {Scene} from './replay/tape.ts';
import {mercatorX, mercatorY} from './mercator.ts';

/** Vehicles go on beyond their newest fix for this part of the time between fixes, no further. */
export const MOST_AHEAD = 1.2;
const SHORTEST_MS = 900, LONGEST_MS = 4000;
/** Further than this (of the world's width, about 4 km) is a jump, not a drive. */
const JUMP = 1e-4;

export const STATES = ['moving', 'stopped', 'silent'] as const;
export type VehicleState = (typeof STATES)[number];

/** What is drawn: for each vehicle in view where it was drawn when its newest fix came, that fix, and when. */
export class Fleet {
  count = 0;
  slots = new Uint32Array(0);
  fromX = new Float64Array(0);
  fromY = new Float64Array(0);
  toX = new Float64Array(0);
  toY = new Float64Array(0);
  /** On the clock of performance.now(). */
  startMs = new Float64Array(0);
  durationMs = new Float64Array(0);
  /** On the node's clock; NaN when older than a frame can say. */
  fixMs = new Float64Array(0);
  speedDms = new Uint16Array(0);
  heading = new Uint8Array(0);
  status = new Uint8Array(0);

  readonly names = new Map<number, string>();
  private readonly slotsByName = new Map<string, number>();
  private rows = new Map<number, number>();
  private stale = false;
  /** Positions are shown as they come. */
  still = false;

  /** A new connection: its node counts slots anew. What is drawn stays until the first frame. */
  restart(): void {
    this.stale = true;
  }

  private freshen(): void {
    if (!this.stale) return;
    this.stale = false;
    this.names.clear();
    this.slotsByName.clear();
    this.rows.clear();
  }

  learn(frame: DictionaryFrame): void {
    this.freshen();
    frame.slots.forEach((slot, i) => {
      const before = this.names.get(slot), name = frame.names[i]!;
      if (before === name) return;
      if (before !== undefined) {
        this.slotsByName.delete(before);
        this.rows.delete(slot); // another vehicle: it does not drive here from there
      }
      this.names.set(slot, name);
      this.slotsByName.set(name, slot);
    });
  }

  apply(frame: PointsFrame, nowMs: number): void {
    this.freshen();
    const n = frame.count;
    const fromX = new Float64Array(n), fromY = new Float64Array(n), toX = new Float64Array(n), toY = new Float64Array(n);
    const startMs = new Float64Array(n), durationMs = new Float64Array(n), fixMs = new Float64Array(n);
    const rows = new Map<number, number>();
    for (let i = 0; i < n; i++) {
      const slot = frame.slots[i]!, age = frame.ageMs[i]!;
      const x = mercatorX(frame.lonE7[i]! / 1e7), y = mercatorY(frame.latE7[i]! / 1e7);
      const fix = age === SATURATED_AGE ? NaN : frame.time - age;
      const row = this.rows.get(slot);
      rows.set(slot, i);
      toX[i] = x;
      toY[i] = y;
      fixMs[i] = fix;
      if (row !== undefined && this.toX[row] === x && this.toY[row] === y) { // nothing new: it goes on as it went
        fromX[i] = this.fromX[row]!;
        fromY[i] = this.fromY[row]!;
        startMs[i] = this.startMs[row]!;
        durationMs[i] = this.durationMs[row]!;
        continue;
      }
      startMs[i] = nowMs;
      const interval = row === undefined ? NaN : fix - this.fixMs[row]!;
      durationMs[i] = Number.isFinite(interval) ? Math.min(LONGEST_MS, Math.max(SHORTEST_MS, interval)) : SHORTEST_MS;
      fromX[i] = x;
      fromY[i] = y;
      if (row === undefined || this.still) continue;
      const drawnX = this.drawnX(row, nowMs), drawnY = this.drawnY(row, nowMs);
      if (Math.abs(drawnX - x) < JUMP && Math.abs(drawnY - y) < JUMP) {
        fromX[i] = drawnX;
        fromY[i] = drawnY;
      }
    }
    Object.assign(this, {count: n, slots: frame.slots, fromX, fromY, toX, toY, startMs, durationMs, fixMs});
    Object.assign(this, {speedDms: frame.speedDms, heading: frame.heading, status: frame.status, rows});
  }

  /** Shows a moment of a replay, that goes on for so many ms. */
  play(scene: Scene, names: readonly string[], nowMs: number, movingMs: number): void {
    for (let slot = this.names.size; slot < names.length; slot++) {
      this.names.set(slot, names[slot]!);
      this.slotsByName.set(names[slot]!, slot);
    }
    this.rows.clear();
    for (let row = 0; row < scene.count; row++) this.rows.set(scene.slots[row]!, row);
    const n = scene.count, rest = movingMs <= 0;
    Object.assign(this, scene);
    if (rest || this.still) this.toX = this.fromX;
    if (rest || this.still) this.toY = this.fromY;
    this.startMs = new Float64Array(n).fill(nowMs);
    this.durationMs = new Float64Array(n).fill(Math.max(1, movingMs));
    this.fixMs = new Float64Array(n).fill(NaN);
  }

  /** Nothing is in view as points. Names stay. */
  clear(): void {
    this.freshen();
    this.count = 0;
    this.rows.clear();
  }

  /** How far a row is on its way from the drawn to the newest position; the vertex shader does the same. */
  progress(row: number, nowMs: number): number {
    const most = this.status[row] === 0 ? MOST_AHEAD : 1;
    return Math.max(0, Math.min(most, (nowMs - this.startMs[row]!) / this.durationMs[row]!));
  }

  drawnX(row: number, nowMs: number): number {
    return this.fromX[row]! + (this.toX[row]! - this.fromX[row]!) * this.progress(row, nowMs);
  }

  drawnY(row: number, nowMs: number): number {
    return this.fromY[row]! + (this.toY[row]! - this.fromY[row]!) * this.progress(row, nowMs);
  }

  /** Whether something still moves on the screen. */
  movesAt(nowMs: number): boolean {
    for (let i = 0; i < this.count; i++) {
      if (this.fromX[i] !== this.toX[i] || this.fromY[i] !== this.toY[i]) {
        if (nowMs - this.startMs[i]! < this.durationMs[i]! * MOST_AHEAD) return true;
      }
    }
    return false;
  }

  rowOf(vehicle: string): number | undefined {
    const slot = this.slotsByName.get(vehicle);
    return slot === undefined ? undefined : this.rows.get(slot);
  }

  nameOf(row: number): string | undefined {
    return this.names.get(this.slots[row]!);
  }

  stateOf(row: number): VehicleState {
    return STATES[this.status[row]!] ?? 'silent';
  }

  headingDegrees(row: number): number | null {
    const h = this.heading[row]!;
    return h === NO_HEADING ? null : (h * 360) / 255;
  }

  /** Known names that contain the text, those that begin with it first. */
  search(text: string, limit: number): string[] {
    const wanted = text.toLowerCase();
    const begin: string[] = [], contain: string[] = [];
    for (const name of this.slotsByName.keys()) {
      const at = name.toLowerCase().indexOf(wanted);
      if (at === 0) begin.push(name);
      else if (at > 0) contain.push(name);
    }
    return [...begin.sort(), ...contain.sort()].slice(0, limit);
  }
}
