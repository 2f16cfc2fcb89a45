import type {Fence, FleetEvent, Journeys, Timeline, TrackState, Trail} from '../state.ts';
import type {ReplayChunk} from './replay.ts';

/** An answer that is not a success, with what its problem document says. */
export class ApiError extends Error {
  constructor(readonly status: number, detail: string) {
    super(detail);
  }
}

/** An address beside the page's own. */
export const at = (path: string) => new URL(path, new URL('.', location.href));

async function getJSON<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await ask(path, signal ? {signal} : {})).json()) as T;
}

/** Makes a request; an answer that is not a success is an ApiError. */
export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const answer = await fetch(at(path), {signal: AbortSignal.timeout(10_000), ...init, headers: {Accept: 'application/json', ...init.headers}});
  if (answer.ok) return answer;
  const problem = (await answer.json().catch(() => ({}))) as {detail?: string; title?: string};
  throw new ApiError(answer.status, problem.detail ?? problem.title ?? `the node answered ${answer.status}`);
}

const name = encodeURIComponent;

export const getConfig = () => getJSON<{map_style_url?: string; map_pmtiles_url?: string; version?: string}>('config.json');
export const getTrack = (vehicle: string, signal?: AbortSignal) => getJSON<TrackState>(`api/v1/tracks/${name(vehicle)}`, signal);

/** A vehicle's way, up to a moment (ms) or to now. */
export async function getTrail(vehicle: string, signal?: AbortSignal, to?: number): Promise<Trail> {
  const path = await getJSON<{
    geometry: {type: string; coordinates: [number, number][] | [number, number]} | null;
    properties: {times: string[]; speeds_mps: (number | null)[]};
  }>(`api/v1/tracks/${name(vehicle)}/path?limit=240${to === undefined ? '' : `&to=${Math.ceil(to)}`}`, signal);
  const line = path.geometry?.type === 'LineString' ? (path.geometry.coordinates as [number, number][]) : [];
  return {vehicle, line, times: path.properties.times, speeds: path.properties.speeds_mps};
}

export async function getEvents(vehicle?: string, signal?: AbortSignal): Promise<FleetEvent[]> {
  const path = vehicle === undefined ? 'api/v1/events?limit=50' : `api/v1/tracks/${name(vehicle)}/events?limit=20`;
  return (await getJSON<{events: FleetEvent[]}>(path, signal)).events;
}

/** Events of a span of time (ms), newest first, at most a thousand. */
export async function getPastEvents(from: number, to: number, signal?: AbortSignal): Promise<FleetEvent[]> {
  return (await getJSON<{events: FleetEvent[]}>(`api/v1/events?from=${Math.floor(from)}&to=${Math.ceil(to)}&limit=1000`, signal)).events;
}

export async function getTimeline(from: number, to: number, intervalMs: number): Promise<Timeline> {
  const t = await getJSON<{times_ms: number[]; counts: number[]}>(`api/v1/replay/histogram?from=${Math.floor(from)}&to=${Math.ceil(to)}&interval_ms=${intervalMs}`);
  return {from, to, intervalMs, times: t.times_ms, counts: t.counts};
}

export async function getReplay(span: {from: number; to: number; stepMs: number; carry: boolean}, signal: AbortSignal): Promise<ReplayChunk> {
  const path = `api/v1/replay?from=${span.from}&to=${span.to}&step_ms=${span.stepMs}&carry=${span.carry}&format=binary`;
  const {decodeReplay} = await import('./replay.ts');
  return decodeReplay(await (await ask(path, {signal, headers: {Accept: 'application/vnd.trackmesh.replay'}})).arrayBuffer());
}

/** Every fence, at most ten pages of them. */
export async function getFences(): Promise<Fence[]> {
  const fences: Fence[] = [];
  let after = '';
  for (let page = 0; page < 10; page++) {
    const answer = await getJSON<{features: Fence[]; next?: string}>(`api/v1/fences?limit=1000&after=${name(after)}`);
    fences.push(...answer.features);
    if (!answer.next) break;
    after = answer.next;
  }
  return fences;
}

export async function getJourneys(vehicle: string, signal?: AbortSignal): Promise<Journeys> {
  const [{trips}, {stops}] = await Promise.all([
    getJSON<Pick<Journeys, 'trips'>>(`api/v1/tracks/${name(vehicle)}/trips?limit=8`, signal), getJSON<Pick<Journeys, 'stops'>>(`api/v1/tracks/${name(vehicle)}/stops?limit=8`, signal),
  ]);
  return {trips, stops};
}

/** Sends a message to a track; true when it was applied, false when it is stored and will be. */
export async function sendMessage(vehicle: string, body: object): Promise<boolean> {
  const answer = await ask(`api/v1/tracks/${name(vehicle)}/messages?wait=2s`, {method: 'POST', body: JSON.stringify(body),
    headers: {'Content-Type': 'application/json', 'Idempotency-Key': Array.from(crypto.getRandomValues(new Uint32Array(4)), n => n.toString(36)).join('-')}});
  return answer.status === 200;
}

/** Who is in a fence now: at most so many names, and how many as text. */
export async function getInside(id: string): Promise<{total: string; names: string[]}> {
  const answer = await getJSON<{features: {properties: {vehicle: string}}[]; truncated?: boolean; next?: string}>(`api/v1/tracks?fence=${name(id)}&limit=100`);
  const names = answer.features.map(f => f.properties.vehicle).sort();
  return {total: names.length >= 100 ? '100 or more' : String(names.length), names};
}

/** Stores a fence: a new one, or over a version. Returns when it is at work, or soon. */
export async function putFence(id: string, feature: object, version: number | undefined): Promise<void> {
  const condition: Record<string, string> = version === undefined ? {'If-None-Match': '*'} : {'If-Match': `"${version}"`};
  await ask(`api/v1/fences/${name(id)}?wait=2s`, {method: 'PUT', body: JSON.stringify(feature), headers: {'Content-Type': 'application/geo+json', ...condition}});
}

export async function deleteFence(id: string, version: number | undefined): Promise<void> {
  await ask(`api/v1/fences/${name(id)}?wait=2s`, {method: 'DELETE', ...(version === undefined ? {} : {headers: {'If-Match': `"${version}"`}})});
}

/** The events that a fence would have made. */
export async function backtest(id: string, from: Date, to: Date): Promise<FleetEvent[]> {
  const body = JSON.stringify({from: from.toISOString(), to: to.toISOString()});
  const answer = await ask(`api/v1/fences/${name(id)}/backtest`, {method: 'POST', body, headers: {'Content-Type': 'application/json'}, signal: AbortSignal.timeout(60_000)});
  return ((await answer.json()) as {events: FleetEvent[]}).events;
}

/** The box of the fleet, wherever it is. */
export async function getExtent(): Promise<[number, number, number, number] | undefined> {
  const fleet = await getJSON<{features: {geometry: {coordinates: [number, number]}}[]}>('api/v1/tracks?bbox=-180,-90,180,90&limit=1000');
  let box: [number, number, number, number] | undefined;
  for (const {geometry: {coordinates: [lon, lat]}} of fleet.features) {
    box = box ? [Math.min(box[0], lon), Math.min(box[1], lat), Math.max(box[2], lon), Math.max(box[3], lat)] : [lon, lat, lon, lat];
  }
  return box;
}
