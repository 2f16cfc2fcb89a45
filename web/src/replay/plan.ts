/** Speeds of the player, times real time. */
export const SPEEDS = [1, 5, 10, 30, 60, 120, 300] as const;

const MINUTE = 60_000, HOUR = 3_600_000;

/** How the past is asked for at a speed: a request's length, and the least time between two fixes of a vehicle. */
export function plan(speed: number, vehicles: number): {lengthMs: number; stepMs: number} {
  const coarser = vehicles > 20_000 ? 4 : vehicles > 5000 ? 2 : 1;
  const lengthMs = Math.min(HOUR, Math.max(MINUTE, Math.ceil((speed * 3000) / MINUTE) * MINUTE));
  const stepMs = speed * 100 * coarser < 1000 ? 0 : speed * 100 * coarser;
  return {lengthMs, stepMs: vehicles > 20_000 ? Math.max(stepMs, 10_000) : stepMs};
}

/** How far a step of the player goes, ms: a second at 1×, more when it is fast. */
export const stepOf = (speed: number): number => Math.max(1, Math.round(speed / 2)) * 1000;

export interface Span {from: number; to: number}

/** What the timeline can show, ms. */
export const RANGES: readonly (readonly [label: string, ms: number])[] = [['15 min', 15 * MINUTE], ['1 h', HOUR], ['6 h', 6 * HOUR], ['24 h', 24 * HOUR], ['7 d', 168 * HOUR]];

/** The round interval at which a span has at most so many bars. */
export function intervalOf(ms: number, bars: number): number {
  for (const s of [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200]) if (ms / (s * 1000) <= bars) return s * 1000;
  return 86_400_000;
}

/** The moments to write under the timeline: round ones, at most so many. */
export function ticksOf({from, to}: Span, most: number): number[] {
  const every = intervalOf((to - from), most), shift = new Date(from).getTimezoneOffset() * MINUTE, ticks: number[] = [];
  for (let t = Math.ceil((from - shift) / every) * every + shift; t <= to; t += every) ticks.push(t);
  return ticks;
}
