import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest';
import type {ReplayChunk} from '../wire/replay.ts';
import {intervalOf, plan, SPEEDS, ticksOf} from './plan.ts';
import {Player, type LoadReplay, type PlayerState} from './player.ts';

const T = 1_700_000_000_000;
const chunk = (from: number, to: number): ReplayChunk => ({
  from, to, next: 0, names: ['a'], start: Uint32Array.of(0, 1), time: Float64Array.of(from), x: Float64Array.of(0.5), y: Float64Array.of(0.5), status: Uint8Array.of(0),
});

function playing(window: {from: number; to: number; at: number; speed: number}, load?: LoadReplay) {
  const asked: {from: number; to: number; carry: boolean; stepMs: number}[] = [], scenes: number[] = [];
  const passed: [number, number][] = [];
  let state: PlayerState | undefined;
  const player = new Player(load ?? (async span => {
    asked.push(span);
    return chunk(span.from, span.to);
  }), {scene: (_, at) => scenes.push(at), changed: s => (state = s), passed: (a, b) => passed.push([a, b])}, window, {vehicles: 1, tickMs: 200, now: () => T + 3_600_000});
  return {player, asked, scenes, passed, state: () => state!};
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('window', globalThis);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('the player', () => {
  it('loads from where it stands, with where vehicles were, and ahead', async () => {
    const p = playing({from: T, to: T + 600_000, at: T + 60_000, speed: 1});
    await vi.advanceTimersByTimeAsync(10);
    expect(p.asked.map(a => [a.from - T, a.carry])).toEqual([[60_000, true], [120_000, false]]);
    expect(p.scenes).toEqual([T + 60_000]);
    expect(p.state().loading).toBe(false);
  });

  it('goes on by the speed, without a hole, and stops at the end', async () => {
    const p = playing({from: T, to: T + 120_000, at: T, speed: 60});
    await vi.advanceTimersByTimeAsync(10);
    p.player.play(true);
    await vi.advanceTimersByTimeAsync(1000);
    expect(p.state().at - T).toBeGreaterThan(50_000);
    expect(p.state().at - T).toBeLessThan(72_000);
    await vi.advanceTimersByTimeAsync(2000);
    expect(p.state()).toMatchObject({at: T + 120_000, playing: false});
    for (let i = 1; i < p.passed.length; i++) expect(p.passed[i]![0]).toBe(p.passed[i - 1]![1]);
    p.player.play(true);
    expect(p.state().at).toBe(T);
    p.player.stop();
  });

  it('steps, and loads anew when it goes before what is there', async () => {
    const p = playing({from: T, to: T + 600_000, at: T + 300_000, speed: 1});
    await vi.advanceTimersByTimeAsync(10);
    p.player.step(1000);
    expect(p.state().at).toBe(T + 301_000);
    p.player.step(-10_000);
    await vi.advanceTimersByTimeAsync(10);
    expect(p.state()).toMatchObject({at: T + 291_000, loading: false});
    expect(p.asked.some(a => a.from === T + 291_000 && a.carry)).toBe(true);
  });

  it('asks anew for other steps, and says what went wrong', async () => {
    const p = playing({from: T, to: T + 600_000, at: T, speed: 1});
    await vi.advanceTimersByTimeAsync(10);
    p.player.speed(300);
    await vi.advanceTimersByTimeAsync(10);
    expect(p.asked[p.asked.length - 1]!.stepMs).toBe(plan(300, 1).stepMs);
    const bad = playing({from: T, to: T + 600_000, at: T, speed: 1}, () => Promise.reject(new Error('the store is away')));
    await vi.advanceTimersByTimeAsync(10);
    expect(bad.state()).toMatchObject({problem: 'the store is away', playing: false});
  });

  it('has a plan for every speed', () => {
    for (const speed of SPEEDS) {
      for (const vehicles of [1, 10_000, 50_000]) {
        const {lengthMs, stepMs} = plan(speed, vehicles);
        expect(lengthMs).toBeLessThanOrEqual(3_600_000);
        expect(lengthMs).toBeGreaterThanOrEqual(speed * 2000);
        expect(stepMs).toBeLessThan(lengthMs / 4);
      }
    }
    expect(intervalOf(3_600_000, 120)).toBe(30_000);
    expect(ticksOf({from: T, to: T + 3_600_000}, 6).length).toBeGreaterThanOrEqual(5);
  });
});
