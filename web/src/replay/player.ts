import type {ReplayChunk} from '../wire/replay.ts';
import {plan, type Span} from './plan.ts';
import {Tape, type Scene} from './tape.ts';

/** The node needs so long to have stored what happened. */
const SETTLED_MS = 3000;

export interface PlayerHandlers {
  /** Where everybody is at a moment of the past, moving on for so many ms of the present. */
  scene(scene: Scene, at: number, movingMs: number): void;
  changed(state: PlayerState): void;
  /** The player went over this time. */
  passed(from: number, to: number): void;
}

export interface PlayerState extends Span {
  at: number;
  speed: number;
  playing: boolean;
  loading: boolean;
  problem: string | null;
}

export type LoadReplay = (span: Span & {stepMs: number; carry: boolean}, signal: AbortSignal) => Promise<ReplayChunk>;

/**
 * Plays a window of the past. Every tick it says where everybody is and will be at the next tick; what lies between is drawn without it.
 *
 *   waiting ──the part is there──> shown ──play──> playing ──not loaded──> waiting
 *                                    ^──pause, the window's end──┘
 */
export class Player {
  readonly tape = new Tape();
  state: PlayerState;
  private loading: AbortController | undefined;
  private timer = 0;
  private grain = -1;
  private lastTick = 0;

  constructor(private readonly load: LoadReplay, private readonly on: PlayerHandlers, window: Span & {at: number; speed: number},
    private readonly options: {vehicles: number; tickMs: number; now?: () => number}) {
    this.state = {...window, playing: false, loading: true, problem: null};
    this.seek(window.at);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.loading?.abort();
  }

  private set(change: Partial<PlayerState>): void {
    this.state = {...this.state, ...change};
    this.on.changed(this.state);
  }

  private get now(): number {
    return (this.options.now ?? Date.now)();
  }

  window(span: Span, at = span.from): void {
    this.set(span);
    this.seek(at);
  }

  seek(at: number): void {
    const {from, to} = this.state;
    this.set({at: Math.max(from, Math.min(to, at)), problem: null});
    if (!this.tape.covers(this.state.at)) this.reload();
    else this.show(0);
    this.prefetch();
  }

  step(ms: number): void {
    this.set({playing: false});
    this.seek(this.state.at + ms);
  }

  play(on: boolean): void {
    clearTimeout(this.timer);
    if (on && this.state.at >= this.state.to - 1) this.seek(this.state.from);
    this.set({playing: on});
    this.lastTick = performance.now();
    if (on) this.tick();
    else this.show(0);
  }

  speed(speed: number): void {
    this.set({speed});
    if (plan(speed, this.options.vehicles).stepMs !== this.grain) this.reload();
    if (this.state.playing) this.play(true);
  }

  private tick(): void {
    clearTimeout(this.timer);
    const {at, to, speed} = this.state, now = performance.now(), gone = Math.min(now - this.lastTick, 4 * this.options.tickMs);
    this.lastTick = now;
    if (this.tape.covers(at)) {
      const next = Math.min(at + gone * speed, to, this.tape.to - 1);
      this.set({at: next, loading: next >= this.tape.to - 1 && next < to - 1});
      this.on.passed(at, next);
      this.show(next >= to ? 0 : this.options.tickMs);
      if (next >= to - 1) return this.set({at: to, playing: false});
      if (next >= this.tape.to - 1 && this.tape.to < to) this.set({at: this.tape.to});
    } else {
      this.set({loading: true});
    }
    this.prefetch();
    this.timer = window.setTimeout(() => this.tick(), this.options.tickMs);
  }

  private show(movingMs: number): void {
    const at = Math.min(this.state.at, this.tape.to - 1);
    if (!this.tape.covers(at)) return;
    this.on.scene(this.tape.scene(at, movingMs * this.state.speed), at, movingMs);
  }

  private reload(): void {
    this.loading?.abort();
    this.loading = undefined;
    this.tape.clear();
    this.set({loading: true});
    this.prefetch();
  }

  /** Loads what comes next, one request at a time, until two requests' length lies ahead. */
  private prefetch(): void {
    if (this.loading) return;
    const {at, to, speed} = this.state, {lengthMs, stepMs} = plan(speed, this.options.vehicles);
    const fresh = Number.isNaN(this.tape.to), from = fresh ? Math.floor(at / 1000) * 1000 : this.tape.to;
    const end = Math.min(from + lengthMs, Math.ceil(to / 1000) * 1000 + 1000, this.now - SETTLED_MS);
    if (from >= at + 2 * lengthMs || end <= from) {
      if (fresh || !this.tape.covers(at)) this.wait();
      return;
    }
    this.grain = stepMs;
    const loading = (this.loading = new AbortController());
    this.load({from, to: end, stepMs, carry: fresh}, loading.signal).then(chunk => {
      if (loading.signal.aborted) return;
      this.loading = undefined;
      this.tape.append(chunk.next > 0 ? {...chunk, to: chunk.next} : chunk);
      if (fresh || this.state.loading) {
        this.set({loading: !this.tape.covers(Math.min(this.state.at, this.tape.to - 1)), problem: null});
        if (!this.state.playing) this.show(0);
      }
      this.prefetch();
    }, (problem: unknown) => {
      if (loading.signal.aborted) return;
      this.loading = undefined;
      this.set({problem: problem instanceof Error ? problem.message : String(problem), playing: false, loading: false});
    });
  }

  /** What is asked for has not been stored yet: the node is asked a little later. */
  private wait(): void {
    if (this.state.at < this.now - 4 * SETTLED_MS || this.state.playing) return;
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.prefetch(), 1000);
  }
}
