import type {Fence, FleetEvent, TrackState, Trail} from '../state.ts';

/** An answer that is not a success, with what its problem document says. */
export class ApiError extends Error {
  constructor(readonly status: number, detail: string) {
    super(detail);
  }
}

/** An address beside the page's own. */
export const at = (path: string) => new URL(path, new URL('.', location.href));

async function getJSON<T>(path: string, signal?: AbortSignal): Promise<T> {
  const answer = await fetch(at(path), {headers: {Accept: 'application/json'}, signal: signal ?? AbortSignal.timeout(10_000)});
  if (answer.ok) return (await answer.json()) as T;
  const problem = (await answer.json().catch(() => ({}))) as {detail?: string; title?: string};
  throw new ApiError(answer.status, problem.detail ?? problem.title ?? `the node answered ${answer.status}`);
}

const name = encodeURIComponent;

export const getConfig = () => getJSON<{map_style_url?: string; version?: string}>('config.json');
export const getTrack = (vehicle: string, signal?: AbortSignal) => getJSON<TrackState>(`api/v1/tracks/${name(vehicle)}`, signal);

export async function getTrail(vehicle: string, signal?: AbortSignal): Promise<Trail> {
  const path = await getJSON<{
    geometry: {type: string; coordinates: [number, number][] | [number, number]} | null;
    properties: {times: string[]; speeds_mps: (number | null)[]};
  }>(`api/v1/tracks/${name(vehicle)}/path?limit=240`, signal);
  const line = path.geometry?.type === 'LineString' ? (path.geometry.coordinates as [number, number][]) : [];
  return {vehicle, line, times: path.properties.times, speeds: path.properties.speeds_mps};
}

export async function getEvents(vehicle?: string, signal?: AbortSignal): Promise<FleetEvent[]> {
  const path = vehicle === undefined ? 'api/v1/events?limit=50' : `api/v1/tracks/${name(vehicle)}/events?limit=20`;
  return (await getJSON<{events: FleetEvent[]}>(path, signal)).events;
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

/** The box of the fleet, wherever it is. */
export async function getExtent(): Promise<[number, number, number, number] | undefined> {
  const fleet = await getJSON<{features: {geometry: {coordinates: [number, number]}}[]}>('api/v1/tracks?bbox=-180,-90,180,90&limit=1000');
  let box: [number, number, number, number] | undefined;
  for (const {geometry: {coordinates: [lon, lat]}} of fleet.features) {
    box = box ? [Math.min(box[0], lon), Math.min(box[1], lat), Math.max(box[2], lon), Math.max(box[3], lat)] : [lon, lat, lon, lat];
  }
  return box;
}
