import type {Feature, Geometry} from 'geojson';
import type {Draft} from './fences/draft.ts';
import {createStore} from './store.ts';

export type Look = 'auto' | 'points' | 'cells' | 'heat';
export const LOOKS: readonly Look[] = ['auto', 'points', 'cells', 'heat'];

export interface Coverage {asked: number; answered: number; missing: number[]}

/** The text message before each frame. */
export interface LiveStatus {
  type: 'status';
  time: number;
  in_view: number;
  total: number;
  moving: number;
  stopped: number;
  silent: number;
  partitions: Coverage;
  look: 'points' | 'cells';
}

export const EVENT_TYPES = [
  'enter', 'exit', 'cross', 'dwell', 'stop_started', 'stop_ended', 'trip_started', 'trip_ended', 'gap_started', 'gap_ended',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

export interface FleetEvent {
  id: string;
  type: EventType;
  cause?: string;
  '@timestamp': string;
  vehicle: string;
  sequence?: number;
  location?: [number, number];
  fence?: {id: string; name?: string; version?: number};
  stop?: {duration_seconds?: number};
  trip?: {distance_metres?: number; duration_seconds?: number};
  gap?: {duration_seconds?: number};
}

export interface TrackState {
  vehicle: string;
  time: string;
  position: [number, number];
  speed_mps: number | null;
  heading_degrees: number | null;
  status: 'moving' | 'stopped' | 'silent';
  odometer_metres: number | null;
  fences: string[];
  attributes: Record<string, unknown>;
  last_offset: {topic: string; partition: number; offset: number};
  node: string;
}

export interface Trail {
  vehicle: string;
  line: [number, number][];
  times: string[];
  speeds: (number | null)[];
}

export interface Journeys {
  trips: {open: boolean; start?: {time: string; location: [number, number]}; end?: {time: string}; distance_metres?: number}[];
  stops: {open: boolean; started?: string; ended?: string; duration_seconds?: number; location?: [number, number]}[];
}

export const BASES = {own: 'Built-in', style: 'Style', tiles: 'PMTiles'} as const;
export type Base = keyof typeof BASES;

export interface FenceProperties {name?: string; radius_metres?: number; width_metres?: number; follows?: string; [key: string]: unknown}
export type Fence = Feature<Geometry, FenceProperties | null> & {id: string; version?: number};

/** What of the past is played; times in UTC ms. */
export interface ReplayState {
  from: number;
  to: number;
  at: number;
  speed: number;
  playing: boolean;
  loading: boolean;
  problem: string | null;
}

/** How many fixes history has over the time that the timeline shows. */
export interface Timeline {from: number; to: number; intervalMs: number; times: number[]; counts: number[]}

export type Phase = 'connecting' | 'live' | 'lost';

export interface State {
  phase: Phase;
  /** When the connection was lost, and is tried again, epoch ms. */
  lostAt: number;
  retryAt: number;
  status: LiveStatus | null;
  /** The points were cut by the limit. */
  cut: boolean;
  look: Look;
  dark: boolean;
  selected: string | null;
  following: boolean;
  track: TrackState | null;
  trackProblem: string | null;
  trail: Trail | null;
  trackEvents: FleetEvent[];
  journeys: Journeys | null;
  messageStatus: string | null;
  /** The base map, and those that there are. */
  base: Base;
  bases: readonly Base[];
  fences: Fence[];
  events: FleetEvent[];
  eventsProblem: string | null;
  groups: ReadonlySet<string>;
  current: string | null;
  panel: 'events' | 'fences';
  /** The fence that is looked at. */
  fence: string | null;
  /** Who is in it. */
  inside: {total: string; names: string[]} | null;
  /** What a back-test found, or what it says. */
  backtest: FleetEvent[] | string | null;
  fenceProblem: string | null;
  /** The fence that is edited, and a number for each time that editing begins. */
  draft: Draft | null;
  draftNumber: number;
  /** Null: the present. */
  replay: ReplayState | null;
  /** Events of the replay's window, newest first. */
  pastEvents: FleetEvent[];
  timeline: Timeline | null;
  /** Why there is no timeline. */
  timelineProblem: string | null;
  /** How much time the timeline shows, ms. */
  range: number;
}

export const store = createStore<State>({
  phase: 'connecting', lostAt: 0, retryAt: 0, status: null, cut: false, look: 'auto', dark: false,
  selected: null, following: false, track: null, trackProblem: null, trail: null, trackEvents: [], journeys: null, messageStatus: null,
  base: 'own', bases: ['own'],
  fences: [], events: [], eventsProblem: null, groups: new Set(), current: null,
  panel: 'events', fence: null, inside: null, backtest: null, fenceProblem: null, draft: null, draftNumber: 0,
  replay: null, pastEvents: [], timeline: null, timelineProblem: null, range: 3_600_000,
});
