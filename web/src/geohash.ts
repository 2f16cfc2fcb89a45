export interface Box {west: number; south: number; east: number; north: number}

const ALPHABET = '0123456789bcdefghjkmnpqrstuvwxyz';

/** The rectangle of a geohash in integer form: 5 × precision bits, longitude first. */
export function cellBox(cell: bigint, precision: number): Box {
  const bits = 5 * precision;
  let lon = 0, lat = 0;
  for (let at = bits - 1, even = true; at >= 0; at--, even = !even) {
    const bit = Number((cell >> BigInt(at)) & 1n);
    if (even) lon = 2 * lon + bit;
    else lat = 2 * lat + bit;
  }
  const width = 360 / 2 ** Math.ceil(bits / 2), height = 180 / 2 ** Math.floor(bits / 2);
  return {west: lon * width - 180, south: lat * height - 90, east: (lon + 1) * width - 180, north: (lat + 1) * height - 90};
}

/** The usual text of a geohash. */
export function cellText(cell: bigint, precision: number): string {
  let text = '';
  for (let at = precision - 1; at >= 0; at--) text += ALPHABET.charAt(Number((cell >> BigInt(5 * at)) & 31n));
  return text;
}
