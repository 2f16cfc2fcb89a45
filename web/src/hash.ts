import {LOOKS, type Look} from './state.ts';

/** What a link shows. */
export interface Link {
  zoom?: number;
  lat?: number;
  lon?: number;
  look?: Look;
  vehicle?: string;
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
  return link;
}

export function formatHash(link: Link): string {
  const parts: string[] = [];
  if (link.zoom !== undefined && link.lat !== undefined && link.lon !== undefined) {
    parts.push(`map=${Number(link.zoom.toFixed(2))}/${link.lat.toFixed(5)}/${link.lon.toFixed(5)}`);
  }
  if (link.look && link.look !== 'auto') parts.push(`look=${link.look}`);
  if (link.vehicle) parts.push(`vehicle=${encodeURIComponent(link.vehicle)}`);
  return parts.length > 0 ? '#' + parts.join('&') : '';
}
