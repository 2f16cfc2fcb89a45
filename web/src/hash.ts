import {LOOKS, type Look} from './state.ts';

/** What a link shows. */
export interface Link {
  zoom?: number;
  lat?: number;
  lon?: number;
  look?: Look;
  vehicle?: string;
  /** A window of the past, where in it, and how fast; UTC ms. */
  replay?: {from: number; to: number; at: number; speed: number};
}

export function parseHash(hash: string): Link {
  const parts = new URLSearchParams(hash.replace(/^#/, ''));
  const link: Link = {};
  const numbers = (parts.get('map') ?? '').split('/').map(Number);
  const [zoom, lat, lon] = numbers;
  if (numbers.length === 3 && numbers.every(Number.isFinite) && Math.abs(lat!) <= 85 && Math.abs(lon!) <= 180) {
    Object.assign(link, {zoom: Math.max(0, Math.min(22, zoom!)), lat, lon});
  }
  const look = parts.get('look') as Look | null;
  if (look !== null && LOOKS.includes(look)) link.look = look;
  const vehicle = parts.get('vehicle');
  if (vehicle) link.vehicle = vehicle;
  const [from, to, at] = ['from', 'to', 'at'].map(key => Date.parse(parts.get(key) ?? '')) as [number, number, number];
  const speed = Number(parts.get('speed') ?? 1);
  if (to > from) link.replay = {from, to, at: at >= from && at <= to ? at : from, speed: speed >= 1 && speed <= 300 ? speed : 1};
  return link;
}

export function formatHash(link: Link): string {
  const parts: string[] = [];
  if (link.zoom !== undefined && link.lat !== undefined && link.lon !== undefined) {
    parts.push(`map=${Number(link.zoom.toFixed(2))}/${link.lat.toFixed(5)}/${link.lon.toFixed(5)}`);
  }
  if (link.look && link.look !== 'auto') parts.push(`look=${link.look}`);
  if (link.vehicle) parts.push(`vehicle=${encodeURIComponent(link.vehicle)}`);
  if (link.replay) {
    const moment = (ms: number) => new Date(Math.round(ms / 1000) * 1000).toISOString().replace('.000', '');
    parts.push(`from=${moment(link.replay.from)}`, `to=${moment(link.replay.to)}`, `at=${moment(link.replay.at)}`, `speed=${link.replay.speed}`);
  }
  return parts.length > 0 ? '#' + parts.join('&') : '';
}
