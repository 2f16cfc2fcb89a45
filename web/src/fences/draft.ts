import type {Geometry, Position} from 'geojson';
import {circle} from '../map/fences.ts';
import {mercatorX, mercatorY, latitude, longitude} from '../mercator.ts';
import type {Fence, FenceProperties} from '../state.ts';

export type Kind = 'polygon' | 'circle' | 'corridor';
export const KINDS: readonly Kind[] = ['polygon', 'circle', 'corridor'];

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export interface Hours {days: string[]; from: string; to: string}
export interface Dates {from: string; to: string}
export interface Schedule {zone: string; weekly: Hours[]; dates: Dates[]}

/** A fence while it is edited: what the form and the drawing change. */
export interface Draft {
  id: string;
  /** The version that is changed; undefined: a new fence. */
  version: number | undefined;
  kind: Kind;
  name: string;
  /** As the node has it: a circle is its centre. Null: not drawn yet. */
  geometry: Geometry | null;
  radiusMetres: number;
  widthMetres: number;
  exitMarginMetres: number | null;
  dwellSeconds: number | null;
  /** Types of events; empty: all. */
  events: string[];
  schedule: Schedule | null;
  /** What the form does not know, and keeps. */
  rest: FenceProperties;
}

export const emptyDraft = (kind: Kind): Draft => ({
  id: '', version: undefined, kind, name: '', geometry: null, radiusMetres: 200, widthMetres: 50, exitMarginMetres: null, dwellSeconds: null,
  events: [], schedule: null, rest: {},
});

export const newSchedule = (): Schedule => ({
  zone: Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC', weekly: [{days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '08:00', to: '18:00'}], dates: [],
});

const KIND_OF: Partial<Record<Geometry['type'], Kind>> = {Point: 'circle', LineString: 'corridor', MultiLineString: 'corridor'};

export function draftOf(fence: Fence): Draft {
  const {name, radius_metres, width_metres, exit_margin_metres, dwell_seconds, events, schedule, ...rest} = fence.properties ?? {};
  const given = schedule as Partial<Schedule> | undefined | null;
  const known = (value: unknown): number | null => (typeof value === 'number' ? value : null);
  return {
    id: fence.id, version: fence.version, kind: KIND_OF[fence.geometry.type] ?? 'polygon', name: name ?? '', geometry: fence.geometry,
    radiusMetres: radius_metres ?? 200, widthMetres: width_metres ?? 50, exitMarginMetres: known(exit_margin_metres), dwellSeconds: known(dwell_seconds),
    events: Array.isArray(events) ? [...(events as string[])] : [],
    schedule: given ? {zone: given.zone ?? 'UTC', weekly: given.weekly ?? [], dates: given.dates ?? []} : null, rest,
  };
}

/** What is sent to the node. */
export function featureOf(draft: Draft): object {
  const properties: Record<string, unknown> = {...draft.rest};
  if (draft.name !== '') properties['name'] = draft.name;
  if (draft.kind === 'circle') properties['radius_metres'] = draft.radiusMetres;
  if (draft.kind === 'corridor') properties['width_metres'] = draft.widthMetres;
  if (draft.exitMarginMetres !== null) properties['exit_margin_metres'] = draft.exitMarginMetres;
  if (draft.dwellSeconds !== null) properties['dwell_seconds'] = draft.dwellSeconds;
  if (draft.events.length > 0) properties['events'] = draft.events;
  if (draft.schedule) properties['schedule'] = draft.schedule;
  return {type: 'Feature', id: draft.id, geometry: draft.geometry, properties};
}

/** Why a draft cannot be saved; empty: it can. The node judges the shape itself. */
export function faultOf(draft: Draft): string {
  if (!draft.geometry) return 'Draw the fence on the map first.';
  if (draft.id === '') return 'Give the fence a name or an id.';
  if (draft.kind === 'circle' && !(draft.radiusMetres > 0)) return 'The radius must be above zero.';
  if (draft.kind === 'corridor' && !(draft.widthMetres > 0)) return 'The width must be above zero.';
  const {schedule} = draft;
  if (schedule && schedule.weekly.length + schedule.dates.length === 0) return 'Add hours or dates to the schedule, or turn it off.';
  if (schedule?.weekly.some(w => w.days.length === 0 || w.from === '' || w.to === '')) return 'Hours need a day, a start and an end.';
  if (schedule?.dates.some(d => d.from === '' || d.to === '' || d.to < d.from)) return 'Dates need a first and a last day, in this order.';
  return '';
}

/** An id made of a name that no fence has yet. */
export function idFor(name: string, taken: ReadonlySet<string>): string {
  const slug = name.toLowerCase().normalize('NFKD').replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '') || 'fence';
  for (let n = 1; ; n++) {
    const id = n === 1 ? slug : `${slug}-${n}`;
    if (!taken.has(id)) return id;
  }
}

const EARTH_METRES = 6_371_008.8;

/** The centre and the radius of a ring that was drawn as a circle. */
export function circleOf(ring: readonly Position[]): {centre: [number, number]; radiusMetres: number} {
  const xs = ring.map(p => mercatorX(p[0]!)), ys = ring.map(p => mercatorY(p[1]!));
  const centre: [number, number] = [longitude((Math.min(...xs) + Math.max(...xs)) / 2), latitude((Math.min(...ys) + Math.max(...ys)) / 2)];
  const rad = Math.PI / 180, east = Math.max(...ring.map(p => p[0]!));
  const half = Math.sin(((east - centre[0]) * rad) / 2) * Math.cos(centre[1] * rad);
  return {centre: [round(centre[0]), round(centre[1])], radiusMetres: Math.max(1, Math.round(2 * EARTH_METRES * Math.asin(Math.min(1, half))))};
}

export const round = (degrees: number): number => Math.round(degrees * 1e6) / 1e6;

/** The shape as it is drawn and dragged on the map: a circle as a ring; undefined: only text can change it. */
export function drawnShape(draft: Draft): {mode: 'polygon' | 'circle' | 'linestring'; geometry: {type: 'Polygon'; coordinates: Position[][]} | {type: 'LineString'; coordinates: Position[]}} | undefined {
  const g = draft.geometry, even = (line: Position[]) => line.map(p => [round(p[0]!), round(p[1]!)]);
  if (g?.type === 'Point') return {mode: 'circle', geometry: {type: 'Polygon', coordinates: [even(circle(g.coordinates as [number, number], draft.radiusMetres).filter((_, i) => i % 3 === 0))]}};
  if (g?.type === 'Polygon' && g.coordinates.length === 1 && g.coordinates[0]!.length <= 400) return {mode: 'polygon', geometry: {type: 'Polygon', coordinates: [even(g.coordinates[0]!)]}};
  if (g?.type === 'LineString' && g.coordinates.length <= 400) return {mode: 'linestring', geometry: {type: 'LineString', coordinates: even(g.coordinates)}};
  return undefined;
}

/** Reads a geometry that somebody wrote. */
export function parseGeometry(text: string, kind: Kind): Geometry {
  const g = JSON.parse(text) as Geometry;
  const types: Record<Kind, string[]> = {polygon: ['Polygon', 'MultiPolygon'], circle: ['Point'], corridor: ['LineString', 'MultiLineString']};
  if (!g || !types[kind].includes(g.type) || !Array.isArray((g as {coordinates?: unknown}).coordinates)) throw new Error(`A ${types[kind].join(' or ')} is wanted.`);
  return g;
}
