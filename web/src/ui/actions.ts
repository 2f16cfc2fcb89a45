import type {Draft, Kind} from '../fences/draft.ts';
import type {Base, Fence, FleetEvent, Look} from '../state.ts';

/** What the parts of the page ask for. */
export interface Actions {
  select(vehicle: string | null, fly?: boolean): void;
  follow(on: boolean): void;
  openEvent(event: FleetEvent): void;
  look(look: Look): void;
  toggleDark(): void;
  zoom(by: number): void;
  showFleet(): void;
  reconnect(): void;
  search(text: string): string[];
  /** Opens a window of the past, times in UTC ms. */
  replay(span: {from: number; to: number}, at?: number): void;
  seek(at: number): void;
  /** Plays, or pauses. */
  play(): void;
  stepReplay(by: 1 | -1): void;
  speed(speed: number): void;
  live(): void;
  panel(which: 'events' | 'fences'): void;
  /** Looks at a fence; null: at the list. */
  openFence(id: string | null): void;
  showFence(fence: Fence): void;
  newFence(kind: Kind): void;
  editFence(fence: Fence): void;
  /** Changes the draft; redraw: its shape on the map too. */
  draft(change: Partial<Draft>, redraw?: boolean): void;
  saveFence(): void;
  cancelFence(): void;
  deleteFence(fence: Fence): void;
  backtest(fence: Fence, from: Date, to: Date): void;
  base(which: Base): void;
  /** Goes to a place. */
  show(place: [number, number]): void;
  /** Plays the chosen vehicle's last half hour. */
  replayVehicle(): void;
  message(body: object): void;
  /** How much time the timeline shows, ms. */
  range(ms: number): void;
}
