import type {FleetEvent} from '../state.ts';

const NUMBER = new Intl.NumberFormat('en', {maximumFractionDigits: 0});
export const count = (n: number): string => NUMBER.format(n);

export function distance(metres: number | null): string {
  if (metres === null) return '–';
  if (metres < 1000) return `${Math.round(metres)} m`;
  return `${metres < 100_000 ? (metres / 1000).toFixed(1) : count(metres / 1000)} km`;
}

export const speed = (mps: number | null): string => (mps === null ? '–' : `${Math.round(mps * 3.6)} km/h`);

const COMPASS = ['N', 'NE', 'E', 'SE', 'S', 'SW', 'W', 'NW'];
export function heading(degrees: number | null): string {
  if (degrees === null) return '–';
  return `${COMPASS[Math.round(degrees / 45) % 8]} ${Math.round(degrees) % 360}°`;
}

export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d`;
}

export function ago(time: string | number, now: number): string {
  const seconds = (now - new Date(time).getTime()) / 1000;
  return seconds < 2 ? 'now' : `${duration(seconds)} ago`;
}

const CLOCK = new Intl.DateTimeFormat('en-GB', {hour: '2-digit', minute: '2-digit', second: '2-digit'});
export const clock = (time: string): string => CLOCK.format(new Date(time));

/** The kinds of event that the feed filters by. */
export const GROUPS: Record<string, {label: string; types: readonly string[]}> = {
  fences: {label: 'Fences', types: ['enter', 'exit', 'cross', 'dwell']},
  stops: {label: 'Stops', types: ['stop_started', 'stop_ended']},
  trips: {label: 'Trips', types: ['trip_started', 'trip_ended']},
  gaps: {label: 'Gaps', types: ['gap_started', 'gap_ended']},
};

export function groupOf(type: string): string {
  return Object.keys(GROUPS).find(g => GROUPS[g]!.types.includes(type)) ?? 'other';
}

const after = (seconds: number | undefined): string => (seconds === undefined ? '' : ` after ${duration(seconds)}`);

/** What happened, as one reads it after the vehicle's name. */
export function phrase(event: FleetEvent, fence: string): string {
  switch (event.type) {
    case 'enter': return `entered ${fence}`;
    case 'exit': return `left ${fence}`;
    case 'cross': return `crossed ${fence}`;
    case 'dwell': return `stays in ${fence}`;
    case 'stop_started': return 'stopped';
    case 'stop_ended': return 'drives on' + after(event.stop?.duration_seconds);
    case 'trip_started': return 'began a trip';
    case 'trip_ended': return event.trip?.distance_metres === undefined ? 'ended a trip' : `ended a trip of ${distance(event.trip.distance_metres)}`;
    case 'gap_started': return 'went silent';
    case 'gap_ended': return 'is back' + after(event.gap?.duration_seconds);
    default: return event.type;
  }
}
