import type {ReplayChunk} from '../wire/replay.ts';

/** A vehicle without a fix for so long is shown as silent, and after so long not at all. */
export const SILENT_MS = 300_000, GONE_MS = 1_800_000;
/** Longer between two fixes than this, and nobody knows the way. */
const UNKNOWN_MS = SILENT_MS;
/** In the unit square, about 1 m at New York: less is no direction. */
const STANDING = 3e-8;

/** Where the fleet is at a moment and a little later: a row for each vehicle. */
export interface Scene {
  count: number;
  slots: Uint32Array;
  fromX: Float64Array;
  fromY: Float64Array;
  toX: Float64Array;
  toY: Float64Array;
  speedDms: Uint16Array;
  heading: Uint8Array;
  status: Uint8Array;
}

interface Part extends ReplayChunk {
  /** The vehicle's number in this part by its slot; absent: it has no row here. */
  vehicles: Map<number, number>;
}

/**
 * The past as far as it was loaded: parts that follow each other without a hole. Vehicles get slots, numbers that stay. What goes off
 * the front leaves behind where each vehicle was.
 */
export class Tape {
  readonly names: string[] = [];
  private readonly slots = new Map<string, number>();
  private readonly parts: Part[] = [];
  private readonly base = new Map<number, {time: number; x: number; y: number; status: number}>();
  private readonly headings: number[] = [];
  private readonly room: number;

  /** Keeps at most so many rows, but always two parts. */
  constructor(room = 3_000_000) {
    this.room = room;
  }

  get from(): number {
    return this.parts[0]?.from ?? NaN;
  }

  /** Up to where it is loaded. */
  get to(): number {
    return this.parts[this.parts.length - 1]?.to ?? NaN;
  }

  covers(at: number): boolean {
    return at >= this.from && at < this.to;
  }

  rows(): number {
    return this.parts.reduce((sum, p) => sum + p.time.length, 0);
  }

  clear(): void {
    this.parts.length = 0;
    this.base.clear();
  }

  /** Adds what follows; the first part begins with where vehicles were. */
  append(chunk: ReplayChunk): void {
    if (this.parts.length > 0 && chunk.from !== this.to) throw new Error('a part of the replay does not follow the one before');
    const vehicles = new Map<number, number>();
    chunk.names.forEach((name, v) => vehicles.set(this.slotOf(name), v));
    this.parts.push({...chunk, vehicles});
    while (this.parts.length > 2 && this.rows() > this.room) this.drop(this.parts.shift()!);
  }

  private slotOf(name: string): number {
    let slot = this.slots.get(name);
    if (slot === undefined) {
      slot = this.names.push(name) - 1;
      this.slots.set(name, slot);
    }
    return slot;
  }

  private drop(part: Part): void {
    for (const [slot, v] of part.vehicles) {
      const row = part.start[v + 1]! - 1;
      if (row >= part.start[v]!) this.base.set(slot, {time: part.time[row]!, x: part.x[row]!, y: part.y[row]!, status: part.status[row]!});
    }
  }

  /** Where everybody is at a moment, and ahead ms later. */
  scene(at: number, ahead: number): Scene {
    const most = this.names.length;
    const s: Scene = {
      count: 0, slots: new Uint32Array(most), fromX: new Float64Array(most), fromY: new Float64Array(most), toX: new Float64Array(most),
      toY: new Float64Array(most), speedDms: new Uint16Array(most), heading: new Uint8Array(most), status: new Uint8Array(most),
    };
    const here = this.partAt(at), there = this.partAt(Math.min(at + ahead, this.to - 1));
    if (here < 0) return s;
    for (let slot = 0; slot < most; slot++) {
      const before = this.lastAt(slot, at, here);
      if (!before || at - before.time > GONE_MS) continue;
      const row = s.count++, now = this.between(before, slot, at, here);
      const later = this.lastAt(slot, at + ahead, there)!, then = this.between(later, slot, at + ahead, there);
      s.slots[row] = slot;
      [s.fromX[row], s.fromY[row], s.toX[row], s.toY[row]] = [now.x, now.y, then.x, then.y];
      s.status[row] = at - before.time > SILENT_MS ? 2 : before.status;
      s.speedDms[row] = Math.min(65534, Math.round(now.speed * 10));
      s.heading[row] = this.heading(slot, now.dx, now.dy);
    }
    return s;
  }

  private heading(slot: number, dx: number, dy: number): number {
    if (Math.abs(dx) + Math.abs(dy) > STANDING) {
      const turn = Math.atan2(dx, -dy) / (2 * Math.PI);
      this.headings[slot] = Math.min(254, Math.round((turn < 0 ? turn + 1 : turn) * 255));
    }
    return this.headings[slot] ?? 255;
  }

  private partAt(at: number): number {
    return this.parts.findIndex(p => at >= p.from && at < p.to);
  }

  /** The newest fix of a vehicle that is not after a moment. */
  private lastAt(slot: number, at: number, from: number): Fix | undefined {
    for (let i = from; i >= 0; i--) {
      const part = this.parts[i]!, v = part.vehicles.get(slot);
      if (v === undefined) continue;
      const row = lastRow(part.time, part.start[v]!, part.start[v + 1]!, at);
      if (row >= 0) return {time: part.time[row]!, x: part.x[row]!, y: part.y[row]!, status: part.status[row]!, part: i, row};
    }
    const base = this.base.get(slot);
    return base && base.time <= at ? {...base, part: -1, row: -1} : undefined;
  }

  /** The place between a fix and the one that follows it. */
  private between(fix: Fix, slot: number, at: number, here: number): {x: number; y: number; dx: number; dy: number; speed: number} {
    const next = this.after(fix, slot, here);
    if (!next || next.time - fix.time > UNKNOWN_MS) return {x: fix.x, y: fix.y, dx: 0, dy: 0, speed: 0};
    const dx = next.x - fix.x, dy = next.y - fix.y, k = Math.max(0, Math.min(1, (at - fix.time) / (next.time - fix.time)));
    // A metre on the ground is 1/cosh(northing) of one at the equator.
    const metres = (Math.hypot(dx, dy) * 40_075_017) / Math.cosh(Math.PI * (1 - 2 * fix.y));
    return {x: fix.x + dx * k, y: fix.y + dy * k, dx, dy, speed: metres / ((next.time - fix.time) / 1000)};
  }

  private after(fix: Fix, slot: number, here: number): {time: number; x: number; y: number} | undefined {
    for (let i = Math.max(0, fix.part); i < this.parts.length && i <= here + 2; i++) {
      const part = this.parts[i]!, v = part.vehicles.get(slot);
      if (v === undefined) continue;
      const row = i === fix.part ? fix.row + 1 : lastRow(part.time, part.start[v]!, part.start[v + 1]!, fix.time) + 1 || part.start[v]!;
      if (row < part.start[v + 1]!) return {time: part.time[row]!, x: part.x[row]!, y: part.y[row]!};
    }
    return undefined;
  }
}

interface Fix {time: number; x: number; y: number; status: number; part: number; row: number}

/** The last of the rows whose time is not after a moment, or -1. */
function lastRow(time: Float64Array, from: number, end: number, at: number): number {
  let low = from, high = end;
  while (low < high) {
    const mid = (low + high) >>> 1;
    if (time[mid]! <= at) low = mid + 1;
    else high = mid;
  }
  return low === from ? -1 : low - 1;
}
